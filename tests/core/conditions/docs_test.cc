// docs/conditions.md and the pages below it against the table of methods.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

std::string Page() {
  std::stringstream text;
  for (const char* name :
       {"conditions", "conditions/attacks", "conditions/corruptions", "conditions/certification"}) {
    std::ifstream file(absl::StrCat(ASSAY_SOURCE_DIR "/docs/", name, ".md"));
    EXPECT_TRUE(file) << name;
    text << file.rdbuf();
  }
  return text.str();
}

// The part under the headings that name the expression; for corruptions, most of which share one
// table, that table too.
std::string Section(const std::string& page, const std::string& expression) {
  const bool corruption = absl::StartsWith(expression, kFamilyCorruption);
  std::string section;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (absl::StartsWith(line, "## ") || absl::StartsWith(line, "### ")) {
      inside = (corruption && line == "## Corruptions") ||
               absl::StrContains(line, absl::StrCat("`", expression, "`"));
    }
    if (inside) absl::StrAppend(&section, line, "\n");
  }
  return section;
}

TEST(ConditionsPage, HasEveryMethodWithEveryParameterAndItsDefault) {
  const std::string page = Page();
  for (const MethodHelp& method : AllMethods()) {
    SCOPED_TRACE(method.expression);
    EXPECT_TRUE(absl::StrContains(page, absl::StrCat("`", method.expression, "`")));
    const std::vector<std::string> rows = absl::StrSplit(Section(page, method.expression), '\n');
    for (const ParameterHelp& parameter : method.parameters) {
      const std::string start = absl::StrCat("| `", parameter.name, "` | ");
      const auto row = std::find_if(rows.begin(), rows.end(), [&](const std::string& line) {
        return absl::StartsWith(line, start);
      });
      ASSERT_NE(row, rows.end()) << parameter.name;
      std::string cell = row->substr(start.size());
      cell = cell.substr(0, cell.find(" | "));
      cell.erase(std::remove(cell.begin(), cell.end(), '`'), cell.end());
      EXPECT_EQ(cell, parameter.default_value) << parameter.name;
    }
  }
}

// The first column of tables that name methods, and headings that do.
TEST(ConditionsPage, HasNoMethodThatDoesNotExist) {
  for (absl::string_view line : absl::StrSplit(Page(), '\n')) {
    for (const char* prefix : {"| `attack/", "| `corruption/", "| `sequence/", "| `smoothing/",
                               "| `bounds/", "| `conformal/", "### `", "## `"}) {
      if (!absl::StartsWith(line, prefix)) continue;
      const std::vector<std::string> parts = absl::StrSplit(line, '`');
      // Not by parsing: some methods have parameters that must be given.
      const std::vector<MethodHelp> all = AllMethods();
      EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const MethodHelp& method) {
        return method.expression == parts.at(1);
      })) << line;
    }
  }
}

// Lines of code blocks are expressions; ids in the text are what expressions become.
TEST(ConditionsPage, HasExamplesThatParse) {
  const std::vector<std::string> blocks = absl::StrSplit(Page(), "```");
  ASSERT_GE(blocks.size(), 3u);
  size_t examples = 0;
  for (absl::string_view line : absl::StrSplit(blocks[1], '\n')) {
    if (line.empty() || absl::StrContains(line, "[")) continue;
    const auto parsed = ParseConditions({std::string(line)});
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    ++examples;
  }
  EXPECT_GE(examples, 4u);
  for (const char* expression : {"attack/pgd", "attack/pgd:norm=l2,steps=50",
                                 "corruption/fog:severity=3", "smoothing/gaussian:n=10000"}) {
    const auto parsed = ParseConditions({expression});
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_TRUE(absl::StrContains(Page(), absl::StrCat("`", parsed->at(0).id(), "`")))
        << parsed->at(0).id();
  }
}

}  // namespace
}  // namespace assay
