#include "core/base/resource_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"

namespace assay {
namespace {

constexpr size_t kMaxIdLength = 80;

bool IsIdStart(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) ||
         absl::ascii_isdigit(static_cast<unsigned char>(c));
}
bool IsIdCharacter(char c) { return IsIdStart(c) || c == '.' || c == '_' || c == '-'; }

}  // namespace

bool IsValidId(absl::string_view id) {
  if (id.empty() || id.size() > kMaxIdLength || !IsIdStart(id[0])) return false;
  for (char c : id) {
    if (!IsIdCharacter(c)) return false;
  }
  return true;
}

std::string ResourceName(absl::string_view collection, absl::string_view id) {
  return absl::StrCat(collection, "/", id);
}

absl::StatusOr<std::string> ParseResourceName(absl::string_view collection, absl::string_view name,
                                              absl::string_view field) {
  absl::string_view id = name;
  if (absl::ConsumePrefix(&id, absl::StrCat(collection, "/")) && IsValidId(id)) {
    return std::string(id);
  }
  return InvalidFields(
      {{std::string(field), absl::StrCat("'", name.substr(0, 100), "' is not a name of the form ",
                                         collection, "/ID, where ID is ", kIdRule)}});
}

std::string Slug(absl::string_view text) {
  std::string slug;
  for (char c : text) {
    const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
    if (IsIdCharacter(lower) && (!slug.empty() || IsIdStart(lower))) {
      slug.push_back(lower);
    } else if (!slug.empty() && slug.back() != '-') {
      slug.push_back('-');
    }
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.substr(0, kMaxIdLength);
}

}  // namespace assay
