// A method is added in as many places as docs/architecture.md says, and in no other: the names of
// all methods are looked for in the whole tree.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/corruptions/corruption.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/registry.h"
#include "tests/source_tree.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::map<std::string, std::string>& Sources() {
  static const auto* const sources =
      new std::map<std::string, std::string>(ReadSources(ASSAY_SOURCE_DIR));
  return *sources;
}

// Where the method is named.
std::vector<std::string> PlacesOf(const std::string& name) {
  std::vector<std::string> places;
  for (const auto& [path, text] : Sources()) {
    // Formats of models have names of their own.
    if (absl::StartsWith(path, "server/engine/import/")) continue;
    if (absl::StrContains(text, absl::StrCat("\"", name, "\""))) places.push_back(path);
  }
  return places;
}

// The row of docs/architecture.md that says what to touch "to add" something, in its backticks and
// links.
std::vector<std::string> PlacesToTouch(const std::string& what) {
  std::vector<std::string> places;
  const std::string text = ReadFile(ASSAY_SOURCE_DIR "/docs/architecture.md");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, absl::StrCat("| ", what, " |"))) continue;
    const std::vector<std::string> parts = absl::StrSplit(line, '`');
    for (size_t i = 1; i < parts.size(); i += 2) places.push_back(parts[i]);
  }
  return places;
}

struct Kind {
  std::string what;      // in docs/architecture.md
  std::string family;    // in expressions
  std::string registry;  // has a line of each
  std::string docs;      // has a section of each
  std::string tests;     // have each in a table
  // May name methods of this kind for reasons of their own: parts of other methods, published
  // tables.
  std::vector<std::string> elsewhere;
};

void CheckKind(const Kind& kind, const std::vector<std::string>& names) {
  const std::vector<std::string> to_touch = PlacesToTouch(kind.what);
  EXPECT_THAT(to_touch, SizeIs(5)) << absl::StrJoin(to_touch, ", ");
  for (const std::string& place : {kind.registry, kind.docs, kind.tests}) {
    EXPECT_EQ(std::count(to_touch.begin(), to_touch.end(), place), 1) << place;
  }
  const std::string docs = ReadFile(absl::StrCat(ASSAY_SOURCE_DIR, "/", kind.docs));
  for (const std::string& name : names) {
    SCOPED_TRACE(absl::StrCat(kind.family, "/", name));
    EXPECT_TRUE(absl::StrContains(docs, name));
    std::vector<std::string> rows, others;
    bool registered = false;
    for (const std::string& place : PlacesOf(name)) {
      if (place == kind.registry) {
        registered = true;
      } else if (absl::StartsWith(place, "core/conditions/")) {
        rows.push_back(place);
      } else if (std::none_of(kind.elsewhere.begin(), kind.elsewhere.end(),
                              [&](const std::string& e) { return absl::StartsWith(place, e); })) {
        others.push_back(place);
      }
    }
    EXPECT_TRUE(registered);
    EXPECT_FALSE(rows.empty());
    EXPECT_THAT(others, IsEmpty());
  }
}

TEST(WalkThrough, AnAttackIsAddedInFivePlaces) {
  CheckKind(
      {"an attack",
       "attack",
       "server/engine/attacks/registry.cc",
       "docs/conditions/attacks.md",
       "tests/server/engine/attacks/attacks_test.cc",
       // Attacks that are made of attacks; the example has squares; what transfers is compared.
       {"server/engine/attacks/", "server/engine/example/", "core/report/transfer_matrix.cc",
        "client/render/comparison_"}},
      AttackNames());
}

TEST(WalkThrough, ACorruptionIsAddedInFivePlaces) {
  std::vector<std::string> names;
  for (const corruptions::Corruption& corruption : corruptions::AllCorruptions()) {
    names.emplace_back(corruption.name);
  }
  CheckKind(
      {"a corruption",
       "corruption",
       "core/corruptions/registry.cc",
       "docs/conditions/corruptions.md",
       "tests/core/corruptions/corruptions_test.cc",
       // Published parameters and errors; operators of networks and columns of samples have names
       // of their own.
       {"core/corruptions/", "core/base/sample_metadata.h", "core/report/corruption_summary.cc",
        "client/cli/base/reference_errors.h", "server/engine/torch/", "server/engine/example/"}},
      names);
}

// Files of methods are found by themselves; what CMake names is not a method's.
TEST(WalkThrough, CMakeNamesNoMethod) {
  std::set<std::string> named;
  for (const auto& [path, text] : Sources()) {
    if (!absl::EndsWith(path, "CMakeLists.txt")) continue;
    for (const auto& [source, unused] : Sources()) {
      const bool of_methods = absl::StartsWith(source, "server/engine/attacks/") ||
                              absl::StartsWith(source, "core/corruptions/");
      const std::string file = fs::path(source).filename().string();
      if (of_methods && absl::EndsWith(file, ".cc") && absl::StrContains(text, file)) {
        named.insert(source);
      }
    }
  }
  EXPECT_THAT(named, ::testing::ElementsAre("core/corruptions/frost_files.cc",
                                            "server/engine/attacks/array_kernels.cc"));
}

}  // namespace
}  // namespace assay::engine
