#include "client/render/page/html_page.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/render/page/page_assets.h"
#include "core/base/digest.h"
#include "gmock/gmock.h"
#include "tests/client/render/well_formed.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HtmlPage Page() { return HtmlPage({"Title", {"one", "two"}, "all is well", "good"}); }

// What is between the tags of the first element of that name after `from`.
std::string Inside(const std::string& html, const std::string& tag, size_t from = 0) {
  const size_t begin = html.find('>', html.find("<" + tag, from)) + 1;
  return html.substr(begin, html.find("</" + tag, begin) - begin);
}

TEST(HtmlPageTest, EmptyPageIsAPage) {
  const std::string html = Page().Print();
  EXPECT_EQ(FirstFlaw(html), "");
  EXPECT_THAT(html, HasSubstr("<h1>Title</h1>"));
  EXPECT_THAT(html, HasSubstr("<p class=\"verdict good\">all is well</p>"));
  EXPECT_THAT(html, HasSubstr("href=\"#main\""));
  EXPECT_THAT(html, Not(HasSubstr("<nav")));
}

TEST(HtmlPageTest, ContentsListSectionsAndTheirParts) {
  HtmlPage page = Page();
  page.BeginSection("a", "First");
  page.BeginPart("a1", "Part 1", "");
  page.BeginPart("a2", "Part 2", "aside");
  page.BeginSection("b", "Second");
  const std::string html = std::move(page).Print();
  EXPECT_EQ(FirstFlaw(html), "");
  const std::string contents = Inside(html, "nav");
  EXPECT_THAT(contents, HasSubstr("<li><a href=\"#a\">First</a><ul>\n"
                                  "<li><a href=\"#a1\">Part 1</a></li>\n"
                                  "<li><a href=\"#a2\">Part 2</a></li>\n</ul></li>\n"
                                  "<li><a href=\"#b\">Second</a></li>\n"));
  for (const char* id : {"a", "a1", "a2", "b"}) {
    EXPECT_THAT(html, HasSubstr(absl::StrCat(" id=\"", id, "\""))) << id;
  }
}

TEST(HtmlPageTest, PolicyAllowsItsOwnStyleAndScriptAndNothingElse) {
  const std::string html = Page().Print();
  const auto digest = [](const std::string& text) {
    return absl::StrCat("&#39;sha256-", Sha256Base64(text), "&#39;");
  };
  const std::string style = Inside(html, "style");
  const std::string dark = Inside(html, "style", html.find("id=\"dark\"") - 10);
  EXPECT_THAT(html, HasSubstr(absl::StrCat("content=\"default-src &#39;none&#39;; style-src ",
                                           digest(style), " ", digest(dark), "; script-src ",
                                           digest(Inside(html, "script")), "; base-uri")));
}

TEST(HtmlPageTest, NothingPointsElsewhere) {
  HtmlPage page = Page();
  page.BeginSection("a", "First");
  const std::string html = std::move(page).Print();
  for (const char* text :
       {"http:", "https:", "//www", "url(", "@import", "src=", "<link", "<base"}) {
    EXPECT_THAT(html, Not(HasSubstr(text)));
  }
}

TEST(HtmlPageTest, AssetsCannotEndTheirElement) {
  for (const absl::string_view text : {kPageStyle, kPageDarkStyle, kPageScript}) {
    EXPECT_EQ(text.find("</"), absl::string_view::npos);
    EXPECT_EQ(text.find("<!--"), absl::string_view::npos);
    EXPECT_GT(text.size(), 500u);
  }
}

TEST(HtmlPageTest, WhatIsSaidIsEscaped) {
  HtmlPage page({"<b>\"&'", {"<i>"}, "</p><script>", "good"});
  page.BeginSection("a", "</h2><script>alert(1)</script>");
  page.BeginPart("b", "<img src=x>", "</p>");
  const std::string html = std::move(page).Print();
  EXPECT_EQ(FirstFlaw(html), "");
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
}

}  // namespace
}  // namespace assay::render
