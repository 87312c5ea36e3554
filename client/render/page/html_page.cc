#include "client/render/page/html_page.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/render/page/page_assets.h"
#include "core/base/digest.h"

namespace assay::render {
namespace {

using plot::Markup;

// As a policy names what it allows.
std::string SourceDigest(absl::string_view text) {
  return absl::StrCat("'sha256-", Sha256Base64(text), "'");
}

std::string Policy(bool pictures) {
  return absl::StrCat("default-src 'none'; ", pictures ? "img-src data:; " : "", "style-src ",
                      SourceDigest(kPageStyle), " ", SourceDigest(kPageDarkStyle), "; script-src ",
                      SourceDigest(kPageScript), "; base-uri 'none'; form-action 'none'");
}

}  // namespace

void HtmlPage::EndPart() {
  if (in_part_) body_.Close().Break();
  in_part_ = false;
}

void HtmlPage::EndSection() {
  EndPart();
  if (in_section_) body_.Close().Break();
  in_section_ = false;
}

void HtmlPage::BeginSection(const std::string& id, const std::string& title) {
  EndSection();
  entries_.push_back({id, title, false});
  body_.Open("section", {{"id", id}, {"aria-labelledby", id + "-title"}}).Break();
  body_.Element("h2", {{"id", id + "-title"}}, title).Break();
  in_section_ = true;
}

void HtmlPage::BeginPart(const std::string& id, const std::string& title,
                         const std::string& aside) {
  EndPart();
  entries_.push_back({id, title, true});
  body_.Open("article", {{"id", id}, {"aria-labelledby", id + "-title"}}).Break();
  body_.Element("h3", {{"id", id + "-title"}}, title);
  if (!aside.empty()) body_.Element("p", {{"class", "aside"}}, aside);
  body_.Break();
  in_part_ = true;
}

void HtmlPage::AddFigure(const Markup& plot, const std::string& caption) {
  body_.Open("figure").Open("div", {{"class", "scroll"}, {"tabindex", "0"}}).Append(plot).Close();
  body_.Element("figcaption", {}, caption).Close().Break();
}

void HtmlPage::AddPicture(const std::string& source, const std::string& text, int width,
                          int height) {
  has_pictures_ = true;
  body_.Empty("img", {{"src", source},
                      {"alt", text},
                      {"width", absl::StrCat(width)},
                      {"height", absl::StrCat(height)}});
}

void HtmlPage::PrintHead(Markup& out) const {
  out.Verbatim("<!DOCTYPE html>\n").Open("html", {{"lang", "en"}}).Open("head").Break();
  out.Verbatim("<meta charset=\"utf-8\">\n");
  out.Empty("meta", {{"http-equiv", "Content-Security-Policy"}, {"content", Policy(has_pictures_)}})
      .Break();
  out.Empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}})
      .Break();
  out.Empty("meta", {{"name", "referrer"}, {"content", "no-referrer"}}).Break();
  out.Element("title", {}, head_.title).Break();
  out.Open("style").Verbatim(kPageStyle).Close().Break();
  out.Open("style", {{"id", "dark"}, {"media", "screen and (prefers-color-scheme: dark)"}})
      .Verbatim(kPageDarkStyle)
      .Close()
      .Break();
  out.Close().Break();
}

void HtmlPage::PrintContents(Markup& out) const {
  out.Open("nav", {{"class", "contents"}, {"aria-label", "Contents"}}).Open("ul").Break();
  bool in_list = false;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    out.Open("li").Element("a", {{"href", "#" + entry.id}}, entry.title);
    const bool part_follows = i + 1 < entries_.size() && entries_[i + 1].part;
    if (!entry.part && part_follows) {
      out.Open("ul").Break();
      in_list = true;
      continue;
    }
    out.Close().Break();
    if (entry.part && !part_follows && in_list) {
      out.Close().Close().Break();
      in_list = false;
    }
  }
  out.Close().Close().Break();
}

std::string HtmlPage::Print() && {
  EndSection();
  Markup out;
  PrintHead(out);
  out.Open("body").Break();
  out.Element("a", {{"class", "skip"}, {"href", "#main"}}, "Skip to the results").Break();
  out.Open("header").Open("div", {{"class", "bar"}});
  out.Element("span", {{"class", "maker"}}, "Assay");
  // The script shows it.
  out.Element("button", {{"id", "theme"}, {"type", "button"}, {"hidden", ""}}, "Dark").Close();
  out.Break().Element("h1", {}, head_.title).Break();
  for (const std::string& line : head_.lines) {
    out.Element("p", {{"class", "about"}}, line).Break();
  }
  if (!head_.verdict.empty()) {
    out.Element("p", {{"class", absl::StrCat("verdict ", head_.verdict_class)}}, head_.verdict);
  }
  out.Close().Break();
  out.Open("div", {{"class", "columns"}}).Break();
  if (!entries_.empty()) PrintContents(out);
  out.Open("main", {{"id", "main"}, {"tabindex", "-1"}}).Break().Append(body_).Close();
  out.Close().Break();
  out.Open("script").Verbatim(kPageScript).Close().Break();
  return std::move(out).Take() + "\n";
}

}  // namespace assay::render
