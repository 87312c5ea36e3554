#include "client/render/document.h"

#include "gmock/gmock.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Document Example() {
  return {Heading{"title", "aside"},
          Table{{{"name", false}, {"count"}},
                {{"犬", "1"}, {{"a|b", Tone::kBad}, "1,000"}, {"evil\x1b[2J", ""}}},
          Lines{{"one", "two"}, Tone::kNotice}};
}

TEST(DocumentTest, TextAlignsByDisplayWidth) {
  EXPECT_EQ(PrintText(Example(), false),
            "title  aside\n"
            "\n"
            "name      count\n"
            "犬            1\n"
            "a|b       1,000\n"
            "evil?[2J\n"
            "\n"
            "one\n"
            "two\n");
}

TEST(DocumentTest, ColourComesOnlyWhenAsked) {
  EXPECT_THAT(PrintText(Example(), false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(PrintText(Example(), true), HasSubstr("\x1b[31ma|b     \x1b[0m"));
}

TEST(DocumentTest, MarkdownEscapesMarkup) {
  EXPECT_EQ(PrintMarkdown(Example()),
            "## title\n"
            "\n"
            "aside\n"
            "\n"
            "| name | count |\n"
            "| --- | ---: |\n"
            "| 犬 | 1 |\n"
            "| a\\|b | 1,000 |\n"
            "| evil?[2J |  |\n"
            "\n"
            "- one\n"
            "- two\n");
}

TEST(DocumentTest, CsvHasTitlesAndTexts) {
  EXPECT_EQ(PrintCsv({{{"name", false}, {"count"}}, {{"a,b", "1,000"}}}),
            "name,count\n\"a,b\",\"1,000\"\n");
}

}  // namespace
}  // namespace assay::render
