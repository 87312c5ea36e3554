#include "core/base/uri.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

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

// Where the user and the password of a URI stand, without the @ behind them.
struct UserPart {
  size_t begin;
  size_t end;
};

std::optional<UserPart> FindUser(absl::string_view uri) {
  constexpr size_t kNone = absl::string_view::npos;
  const size_t start = uri.find("://");
  if (start == kNone) return std::nullopt;
  const size_t host = start + 3;
  const size_t end = std::min(uri.find_first_of("/?#", host), uri.size());
  const size_t colon = std::min(uri.find(':', host), end);
  // Behind what is no port, a password that nobody has escaped goes on to the last @.
  const absl::string_view behind = colon < end ? uri.substr(colon + 1, end - colon - 1) : "";
  const bool is_password =
      colon < end && !std::all_of(behind.begin(), behind.end(),
                                  [](unsigned char c) { return absl::ascii_isdigit(c); });
  const size_t at = uri.rfind('@', is_password ? kNone : end);
  if (at == kNone || at <= host || (!is_password && at >= end)) return std::nullopt;
  return UserPart{host, at};
}

}  // namespace

std::string WithoutUser(absl::string_view uri) {
  const auto user = FindUser(uri);
  return WithoutPasswordParameters(
      user ? absl::StrCat(uri.substr(0, user->begin), uri.substr(user->end + 1))
           : std::string(uri));
}

std::string WithoutPassword(absl::string_view uri) {
  std::string shown(uri);
  if (const auto user = FindUser(uri)) {
    shown.resize(std::min(shown.find(':', user->begin), user->end));
    absl::StrAppend(&shown, uri.substr(user->end));
  }
  const size_t query = shown.find('?');
  if (query == std::string::npos) return shown;
  std::vector<std::string> parameters = absl::StrSplit(shown.substr(query + 1), '&');
  parameters.erase(std::remove_if(parameters.begin(), parameters.end(),
                                  [](const std::string& parameter) {
                                    return absl::StrContains(parameter, "password=");
                                  }),
                   parameters.end());
  return absl::StrCat(shown.substr(0, query + 1), absl::StrJoin(parameters, "&"));
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
