// Whether markup is what it looks like: every element that begins ends, in its place.
#ifndef ASSAY_TESTS_CLIENT_RENDER_WELL_FORMED_H_
#define ASSAY_TESTS_CLIENT_RENDER_WELL_FORMED_H_

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace assay::render {

// The first thing that is wrong; empty when all is well. Style sheets and scripts are passed over.
inline std::string FirstFlaw(const std::string& markup) {
  static const std::regex tag(
      R"re(<(/?)([a-zA-Z0-9]+|!DOCTYPE)((?: [a-zA-Z0-9:-]+="[^"<>]*"| html)*)(/?)>)re");
  static const std::set<std::string> nothing_inside = {"meta", "!DOCTYPE"};
  std::vector<std::string> open;
  size_t at = 0;
  while ((at = markup.find('<', at)) != std::string::npos) {
    std::smatch match;
    if (!std::regex_search(markup.begin() + static_cast<std::ptrdiff_t>(at), markup.end(), match,
                           tag, std::regex_constants::match_continuous)) {
      return absl::StrCat("no tag: ", markup.substr(at, 80));
    }
    const std::string name = match[2];
    at += static_cast<size_t>(match.length());
    if (match[1].length() > 0) {
      if (open.empty() || open.back() != name) {
        return absl::StrCat("</", name, "> ends ", open.empty() ? "nothing" : open.back());
      }
      open.pop_back();
    } else if (match[4].length() == 0 && nothing_inside.count(name) == 0) {
      open.push_back(name);
      if (name == "style" || name == "script") at = markup.find(absl::StrCat("</", name), at);
    }
  }
  return open.empty() ? "" : absl::StrCat(open.back(), " does not end");
}

}  // namespace assay::render

#endif  // ASSAY_TESTS_CLIENT_RENDER_WELL_FORMED_H_
