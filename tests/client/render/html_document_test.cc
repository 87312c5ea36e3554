#include "client/render/html_document.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/client/render/well_formed.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Print(const Document& document, const ClassOrder* order = nullptr) {
  plot::Markup out;
  HtmlPrinter(out).Print(document, "h4", order);
  return std::move(out).Take();
}

std::string Print(const Table& table, const HtmlTableOptions& options) {
  plot::Markup out;
  HtmlPrinter(out).Print(table, options);
  return std::move(out).Take();
}

// Three classes and a row about all.
Table Classes() {
  return {
      {{"class", false}, {"n"}}, {{"all", "6"}, {"a", "1"}, {"b", "2"}, {"c", "3"}}, {-1, 0, 1, 2}};
}

TEST(HtmlDocumentTest, BlocksBecomeElementsAndEscaped) {
  const std::string html = Print(Document{Heading{"a<b", "aside"}, Lines{{"x & y"}, Tone::kBad},
                                          Table{{{"name", false}}, {{"<script>"}}, {}}});
  EXPECT_THAT(html, HasSubstr("<h4>a&lt;b</h4><p class=\"aside\">aside</p>"));
  EXPECT_THAT(html, HasSubstr("<ul class=\"lines bad\">\n<li>x &amp; y</li>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">&lt;script&gt;</th>"));
  EXPECT_EQ(FirstFlaw(html), "");
}

TEST(HtmlDocumentTest, ControlCharactersAreReplaced) {
  EXPECT_THAT(Print(Document{Lines{{"a\x1b[2J\xe2\x80\xae"}}}), HasSubstr("<li>a?[2J?</li>"));
}

TEST(HtmlDocumentTest, ShadesAreElevenAndNumbersStay) {
  const Table table{{{"", false}, {"a"}, {"b"}, {"c"}},
                    {{"row", ShadedPercent(0), ShadedPercent(0.449), ShadedPercent(1)}},
                    {}};
  EXPECT_THAT(Print(table, {}), HasSubstr("<td class=\"cell h0\">0.0</td><td class=\"cell h4\">44.9"
                                          "</td><td class=\"cell h10\">100.0</td>"));
  EXPECT_THAT(Print(table, {}), HasSubstr("class=\"heat\""));
}

TEST(HtmlDocumentTest, WhatIsAboutAllClassesStaysOutOfSorting) {
  const std::string html = Print(Document{Classes()});
  EXPECT_THAT(html, HasSubstr("class=\"sortable\""));
  const size_t second = html.find("<tbody>", html.find("<tbody>") + 1);
  EXPECT_LT(html.find(">all<"), second);
  EXPECT_GT(html.find(">a<"), second);
}

TEST(HtmlDocumentTest, LongTablesShowTheEndsOfTheOrder) {
  const ClassOrder order{{2, 0, 1}, {2, 1}, false};
  const std::string html = Print(Document{Classes()}, &order);
  EXPECT_THAT(html, HasSubstr("Shown are 2 of 3 rows"));
  EXPECT_THAT(html, HasSubstr("<div class=\"tools\" data-table=\"t0\" hidden=\"\">"));
  EXPECT_THAT(html, HasSubstr("<tr hidden=\"\"><th scope=\"row\">a</th>"));
  EXPECT_LT(html.find(">c<"), html.find(">a<"));
  EXPECT_LT(html.find(">a<"), html.find(">b<"));
  EXPECT_EQ(FirstFlaw(html), "");
}

TEST(HtmlDocumentTest, OrderMayLeaveOutWhatItDoesNotShow) {
  const ClassOrder order{{2, 0, 1}, {2, 1}, true};
  const std::string html = Print(Document{Classes()}, &order);
  EXPECT_THAT(html, HasSubstr("Shown are 2 of 3 rows"));
  EXPECT_THAT(html, HasSubstr("in the report as CSV or JSON"));
  EXPECT_THAT(html, Not(HasSubstr("hidden")));
  EXPECT_THAT(html, Not(HasSubstr(">a<")));
  EXPECT_LT(html.find(">all<"), html.find(">c<"));
  EXPECT_LT(html.find(">c<"), html.find(">b<"));
  EXPECT_EQ(FirstFlaw(html), "");
}

TEST(HtmlDocumentTest, ShortTablesKeepTheirOrder) {
  const ClassOrder order{{2, 0, 1}, {0, 1, 2}, false};
  const std::string html = Print(Document{Classes()}, &order);
  EXPECT_THAT(html, Not(HasSubstr("hidden")));
  EXPECT_LT(html.find(">a<"), html.find(">b<"));
}

TEST(HtmlDocumentTest, FirstCellsLead) {
  HtmlTableOptions options;
  options.links = {"#c0"};
  options.code = {1};
  options.wide = {1};
  EXPECT_THAT(
      Print(Table{{{"a", false}, {"b", false}}, {{"x", "y"}, {"z", "w"}}, {}}, options),
      HasSubstr("<th scope=\"row\"><a href=\"#c0\">x</a></th><td class=\"wide\"><code>y</code>"
                "</td></tr>\n<tr><th scope=\"row\">z</th>"));
}

}  // namespace
}  // namespace assay::render
