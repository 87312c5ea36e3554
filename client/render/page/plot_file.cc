#include "client/render/page/plot_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/render/page/page_assets.h"
#include "client/render/plot/frame.h"

namespace assay::render {
namespace {

// "--ink" -> "#1b1e23": what a style sheet sets; later ones count.
using Variables = std::map<std::string, std::string>;

void ReadVariables(absl::string_view sheet, Variables* variables) {
  for (size_t at = sheet.find("--"); at != absl::string_view::npos; at = sheet.find("--", at + 2)) {
    const absl::string_view rest = sheet.substr(at);
    const size_t colon = rest.find(':');
    const size_t end = rest.find(';');
    // Where it is used there is a bracket before.
    if (colon > end || rest.find(')') < colon) continue;
    const absl::string_view value =
        absl::StripAsciiWhitespace(rest.substr(colon + 1, end - colon - 1));
    if (absl::StartsWith(value, "#")) {
      (*variables)[std::string(rest.substr(0, colon))] = std::string(value);
    }
  }
}

Variables ColoursOf(PlotColours colours) {
  Variables variables;
  ReadVariables(kPageStyle, &variables);
  if (colours == PlotColours::kDark) ReadVariables(kPageDarkStyle, &variables);
  if (colours == PlotColours::kPrint) {
    variables["--ink"] = variables["--soft"] = "#000000";
    variables["--rule"] = "#bbbbbb";
  }
  return variables;
}

std::string WithVariables(std::string text, const Variables& variables) {
  for (const auto& [name, value] : variables) {
    text = absl::StrReplaceAll(text, {{absl::StrCat("var(", name, ")"), value}});
  }
  return text;
}

// The part of a page's style sheet that is about plots; what has the colour of its series, once
// for each of those.
std::string PlotStyle(PlotColours colours) {
  absl::string_view rules = kPageStyle;
  rules = rules.substr(rules.find("/* Of plots"));
  rules = rules.substr(rules.find('\n') + 1);
  rules = rules.substr(0, rules.find("/* End of plots"));
  const Variables variables = ColoursOf(colours);
  std::string style;
  for (const absl::string_view rule : absl::StrSplit(rules, '\n', absl::SkipEmpty())) {
    if (!absl::StrContains(rule, "var(--c)")) {
      absl::StrAppend(&style, WithVariables(std::string(rule), variables), "\n");
      continue;
    }
    for (size_t i = 0; i < plot::kSeriesClasses; ++i) {
      const std::string own = absl::StrReplaceAll(
          rule, {{"var(--c)", absl::StrCat("var(--", plot::SeriesClass(i), ")")}});
      absl::StrAppend(&style, ".", plot::SeriesClass(i), " ", WithVariables(own, variables), "\n");
    }
  }
  return style;
}

}  // namespace

const std::vector<std::string>& PlotColourNames() {
  static const auto* const names = new std::vector<std::string>{"light", "dark", "print"};
  return *names;
}

std::optional<PlotColours> PlotColoursNamed(absl::string_view name) {
  const auto& names = PlotColourNames();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<PlotColours>(found - names.begin());
}

std::string PlotFile(plot::Markup plot, PlotColours colours) {
  const std::string picture = std::move(plot).Take();
  plot::Markup before;
  before.Verbatim("<style>\n").Verbatim(PlotStyle(colours)).Verbatim("</style>\n");
  if (colours != PlotColours::kPrint) {
    before.Empty("rect", {{"width", std::string("100%")},
                          {"height", std::string("100%")},
                          {"fill", ColoursOf(colours)["--paper"]}});
  }
  // Behind the tag that opens it.
  const size_t tag_end = picture.find('>') + 1;
  absl::string_view tag = picture;
  tag = tag.substr(0, tag_end);
  absl::ConsumePrefix(&tag, "<svg ");
  return absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" ", tag, "\n",
                      std::move(before).Take(), absl::string_view(picture).substr(tag_end), "\n");
}

}  // namespace assay::render
