// The shape of the tree, as docs/architecture.md tells it: every include goes down, there is no
// cycle of folders or of units (a header and its source), and libraries stay where they belong.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "tests/source_tree.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Headers that only some folders may include.
struct Fence {
  std::regex headers;
  std::vector<std::string> places;  // folders, with what is below them, and files
};

const std::vector<Fence>& Fences() {
  static const auto* const fences = new std::vector<Fence>{
      // LibTorch.
      {std::regex("(torch|ATen|c10|caffe2)/.*"),
       {"server/engine/import", "server/engine/torch", "server/engine/example"}},
      {std::regex("sqlite3\\.h|libpq-fe\\.h"), {"server/store"}},
      {std::regex("grpc.*|.*\\.grpc\\.pb\\.h|sys/socket\\.h|netdb\\.h"),
       {"net", "server", "client"}},
      {std::regex("thread"), {"server", "client"}},
      {std::regex("opencv2/.*"), {"core/corruptions"}},
      {std::regex("zip\\.h"), {"core/models"}},
      {std::regex("Eigen/.*"), {"core/similarity"}},
      {std::regex("CLI/.*"), {"core/options", "client/cli", "server/config"}},
      {std::regex("curl/.*"), {"client/mlflow", "server/store"}},
      {std::regex("yaml-cpp/.*"), {"core/options", "client/cli/base/evaluation_file.cc"}},
      {std::regex("librsvg/.*|cairo.*"), {"client/cli/base/picture_file.cc"}},
      {std::regex("openssl/.*"), {"core/base/digest.cc", "net", "server/access/access.cc"}},
      {std::regex("prometheus/.*|microhttpd\\.h"), {"server/monitoring"}},
  };
  return *fences;
}

bool IsBelow(const std::string& file, const std::string& folder) {
  return file == folder || absl::StartsWith(file, folder + "/");
}

std::string FolderOf(const std::string& file) { return fs::path(file).parent_path().string(); }

using Graph = std::map<std::string, std::set<std::string>>;

// A cycle, or nothing: depth first, along the names on the way.
std::vector<std::string> FindCycle(const Graph& graph) {
  enum class Colour { kNew, kOpen, kDone };
  std::map<std::string, Colour> colour;
  std::vector<std::string> way;
  const auto visit = [&](const auto& self, const std::string& node) -> bool {
    way.push_back(node);
    colour[node] = Colour::kOpen;
    if (const auto edges = graph.find(node); edges != graph.end()) {
      for (const std::string& next : edges->second) {
        if (colour[next] == Colour::kOpen) {
          way.erase(way.begin(), std::find(way.begin(), way.end(), next));
          way.push_back(next);
          return true;
        }
        if (colour[next] == Colour::kNew && self(self, next)) return true;
      }
    }
    colour[node] = Colour::kDone;
    way.pop_back();
    return false;
  };
  for (const auto& [node, edges] : graph) {
    if (colour[node] == Colour::kNew && visit(visit, node)) return way;
  }
  return {};
}

// The texts in backticks.
std::vector<std::string> Quoted(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '`');
  std::vector<std::string> quoted;
  for (size_t i = 1; i < parts.size(); i += 2) quoted.push_back(parts[i]);
  return quoted;
}

// Rows "| `folder` | what it is | `may` `include` |" of docs/architecture.md.
Graph ReadLayers(const fs::path& root) {
  Graph layers;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(ReadFile(root / "docs/architecture.md"), '\n')) {
    if (absl::StartsWith(line, "| folder |")) inside = true;
    if (!absl::StartsWith(line, "|")) inside = false;
    const std::vector<absl::string_view> cells = absl::StrSplit(line, '|');
    if (!inside || cells.size() != 5) continue;
    const std::vector<std::string> below = Quoted(cells[3]);
    for (const std::string& folder : Quoted(cells[1])) {
      layers[folder].insert(below.begin(), below.end());
    }
  }
  return layers;
}

// Everything that is wrong with the includes below `root`.
std::vector<std::string> Problems(const fs::path& root) {
  std::vector<std::string> problems;
  const Graph layers = ReadLayers(root);
  Graph folders, units;
  std::set<std::string> seen;
  for (const auto& [file, text] : ReadSources(root)) {
    const std::string extension = fs::path(file).extension().string();
    if (extension == ".txt") continue;
    const std::string folder = FolderOf(file);
    const std::string unit = file.substr(0, file.size() - extension.size());
    if (seen.insert(folder).second && layers.count(folder) == 0) {
      problems.push_back(absl::StrCat(folder, " has no row in docs/architecture.md"));
    }
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      if (!absl::ConsumePrefix(&line, "#include ")) continue;
      const absl::string_view rest = line.substr(1);
      const std::string header(rest.substr(0, rest.find_first_of("\">")));
      for (const Fence& fence : Fences()) {
        const auto allowed = [&](const std::string& place) { return IsBelow(file, place); };
        if (std::regex_match(header, fence.headers) &&
            std::none_of(fence.places.begin(), fence.places.end(), allowed)) {
          problems.push_back(absl::StrCat(file, " includes ", header, ", which belongs into ",
                                          absl::StrJoin(fence.places, ", ")));
        }
      }
      if (!fs::exists(root / header)) continue;
      const std::string other = header.substr(0, header.rfind('.'));
      if (other != unit) units[unit].insert(other);
      const std::string below = FolderOf(header);
      if (below == folder) continue;
      folders[folder].insert(below);
      const auto layer = layers.find(folder);
      if (layer != layers.end() && layer->second.count(below) == 0) {
        problems.push_back(absl::StrCat(file, " includes ", header, ", but docs/architecture.md ",
                                        "does not let ", folder, " include ", below));
      }
    }
  }
  for (const auto& [folder, below] : layers) {
    if (seen.count(folder) == 0) problems.push_back(absl::StrCat("there is no folder ", folder));
  }
  for (const Graph* graph : std::initializer_list<const Graph*>{&folders, &units, &layers}) {
    const std::vector<std::string> cycle = FindCycle(*graph);
    if (!cycle.empty()) problems.push_back(absl::StrCat("a cycle: ", absl::StrJoin(cycle, " -> ")));
  }
  return problems;
}

TEST(Tree, IncludesGoDownAsTheArchitectureSays) {
  const std::vector<std::string> problems = Problems(ASSAY_SOURCE_DIR);
  EXPECT_THAT(problems, IsEmpty()) << absl::StrJoin(problems, "\n");
}

TEST(Tree, TheImageIsBuiltOfEveryFolderOfSources) {
  const std::string dockerfile = ReadFile(ASSAY_SOURCE_DIR "/Dockerfile");
  const std::string sent = ReadFile(ASSAY_SOURCE_DIR "/.dockerignore");
  for (const std::string top : {"proto", "cmake", "core", "net", "server", "client"}) {
    EXPECT_THAT(dockerfile, HasSubstr(absl::StrCat("COPY ", top, " ", top, "\n")));
    EXPECT_THAT(sent, HasSubstr(absl::StrCat("!", top, "\n")));
  }
}

// A small tree, right at first, into which faults are planted.
class PlantedTree : public ::testing::Test {
 protected:
  // Tests run beside each other, each in a folder of its own.
  PlantedTree()
      : root_(absl::StrCat(::testing::TempDir(), "/planted_tree_",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(root_);
    Write("docs/architecture.md",
          "| folder | what | may include |\n|---|---|---|\n| `core/base` | numbers | |\n"
          "| `core/report` | reports | `core/base` |\n| `server/engine/torch` | models | "
          "`core/base` |\n");
    Write("core/base/number.h", "#include <vector>\n");
    Write("core/report/report.h", "#include \"core/base/number.h\"\n");
    Write("core/report/report.cc", "#include \"core/report/report.h\"\n");
    Write("server/engine/torch/model.cc", "#include <torch/script.h>\n");
  }
  ~PlantedTree() override { fs::remove_all(root_); }

  void Write(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }

  const fs::path root_;
};

TEST_F(PlantedTree, IsFineAtFirst) { EXPECT_THAT(Problems(root_), IsEmpty()); }

TEST_F(PlantedTree, AnIncludeThatGoesUpIsFound) {
  Write("core/base/number.cc", "#include \"core/report/report.h\"\n");
  EXPECT_THAT(Problems(root_),
              Contains(AllOf(HasSubstr("core/base/number.cc includes core/report/report.h"),
                             HasSubstr("does not let core/base include core/report"))));
}

TEST_F(PlantedTree, LibTorchOutsideOfItsFolderIsFound) {
  Write("core/report/curve.cc", "#include <torch/script.h>\n");
  Write("core/report/area.cc", "#include \"ATen/ATen.h\"\n");
  EXPECT_THAT(Problems(root_), Contains(HasSubstr("core/report/curve.cc includes torch/script.h")));
  EXPECT_THAT(Problems(root_), Contains(HasSubstr("core/report/area.cc includes ATen/ATen.h")));
}

TEST_F(PlantedTree, ThreadsOrGrpcInThePureLibrariesAreFound) {
  Write("core/report/curve.cc", "#include <thread>\n#include \"grpcpp/grpcpp.h\"\n");
  EXPECT_THAT(Problems(root_), Contains(HasSubstr("core/report/curve.cc includes thread")));
  EXPECT_THAT(Problems(root_),
              Contains(HasSubstr("core/report/curve.cc includes grpcpp/grpcpp.h")));
}

TEST_F(PlantedTree, CyclesOfUnitsAndFoldersAreFound) {
  Write("core/report/curve.h", "#include \"core/report/report.h\"\n");
  Write("core/report/report.cc", "#include \"core/report/curve.h\"\n");
  EXPECT_THAT(Problems(root_), Contains("a cycle: core/report/curve -> core/report/report -> "
                                        "core/report/curve"));
  Write("core/base/number.h", "#include \"core/report/report.h\"\n");
  EXPECT_THAT(Problems(root_), Contains("a cycle: core/base -> core/report -> core/base"));
}

TEST_F(PlantedTree, AFolderWithoutARowAndARowWithoutAFolderAreFound) {
  Write("core/extra/new.h", "\n");
  fs::remove_all(root_ / "server");
  EXPECT_THAT(Problems(root_), Contains("core/extra has no row in docs/architecture.md"));
  EXPECT_THAT(Problems(root_), Contains("there is no folder server/engine/torch"));
}

}  // namespace
}  // namespace assay
