#include "core/base/uri.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace assay {

namespace {

// "...?a=b&password=SECRET" with the value left out.
std::string WithoutPasswordParameters(const std::string& uri) {
  const std::string kParameter = "password=";
  std::string shown = uri;
  const size_t query = shown.find('?');
  if (query == std::string::npos) return shown;
  for (size_t at = query; (at = shown.find(kParameter, at)) != std::string::npos;) {
    at += kParameter.size();
    shown.erase(at, std::min(shown.find('&', at), shown.size()) - at);
  }
  return shown;
}

}  // namespace

std::string WithoutUser(absl::string_view uri) {
  constexpr size_t kNone = absl::string_view::npos;
  const size_t start = uri.find("://");
  if (start == kNone) return std::string(uri);
  const size_t host = start + 3;
  const size_t end = std::min(uri.find_first_of("/?#", host), uri.size());
  const size_t colon = std::min(uri.find(':', host), end);
  // Behind what is no port, a password that nobody has escaped goes on to the last @.
  const absl::string_view behind = colon < end ? uri.substr(colon + 1, end - colon - 1) : "";
  const bool is_password =
      colon < end && !std::all_of(behind.begin(), behind.end(),
                                  [](unsigned char c) { return absl::ascii_isdigit(c); });
  const size_t at = uri.rfind('@', is_password ? kNone : end);
  const bool has_user = at != kNone && at > host && (is_password || at < end);
  return WithoutPasswordParameters(has_user ? absl::StrCat(uri.substr(0, host), uri.substr(at + 1))
                                            : std::string(uri));
}

std::string WithoutUsers(absl::string_view text) {
  if (!absl::StrContains(text, "://")) return std::string(text);
  std::string shown;
  while (!text.empty()) {
    const size_t word = std::min(text.find_first_of(" \t\r\n'\"<>,;"), text.size());
    absl::StrAppend(&shown, WithoutUser(text.substr(0, word)),
                    word < text.size() ? text.substr(word, 1) : "");
    text.remove_prefix(std::min(word + 1, text.size()));
  }
  return shown;
}

}  // namespace assay
