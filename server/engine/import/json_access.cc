#include "server/engine/import/json_access.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

absl::Status Unexpected(absl::string_view what) {
  return Error(Reason::kInvalidModel,
               absl::StrCat("the exported program is not as its schema says: ", what));
}

absl::StatusOr<const Json*> TypedMember(const Json& object, const char* name, Json::value_t type,
                                        absl::string_view what) {
  const Json* const member = Member(object, name);
  if (member == nullptr || member->type() != type) {
    return Unexpected(absl::StrCat(name, " is no ", what));
  }
  return member;
}

// Copying and comparing values recurses.
constexpr int kMaxDepth = 256;

// Quotes what Python writes for numbers that are not finite. Returns how deep the text is nested.
int QuoteNonFinite(std::string* text) {
  std::string quoted;
  size_t copied = 0;
  bool in_string = false;
  int depth = 0, deepest = 0;
  for (size_t i = 0; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++i;
      continue;
    }
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
    for (const absl::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (c != word[0] || text->compare(i, word.size(), word.data(), word.size()) != 0) continue;
      quoted.append(*text, copied, i - copied);
      absl::StrAppend(&quoted, "\"", word, "\"");
      copied = i + word.size();
      i = copied - 1;
      break;
    }
  }
  if (copied > 0) {
    quoted.append(*text, copied, std::string::npos);
    *text = std::move(quoted);
  }
  return deepest;
}

}  // namespace

absl::StatusOr<Json> ParseJson(const std::string& name, std::string text) {
  if (QuoteNonFinite(&text) > kMaxDepth) {
    return Error(Reason::kInvalidModel, absl::StrCat("record ", name, " is nested too deeply"))
        .ToStatus();
  }
  Json parsed = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    return Error(Reason::kInvalidModel, absl::StrCat("the file is damaged: record ", name,
                                                     " is not JSON; export the model again"))
        .ToStatus();
  }
  return parsed;
}

const Json* Member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<const Json*> ObjectIn(const Json& object, const char* name) {
  return TypedMember(object, name, Json::value_t::object, "object");
}

absl::StatusOr<const Json*> ArrayIn(const Json& object, const char* name) {
  return TypedMember(object, name, Json::value_t::array, "list");
}

absl::StatusOr<std::string> StringIn(const Json& object, const char* name) {
  ASSAY_ASSIGN_OR_RETURN(const Json* const member,
                         TypedMember(object, name, Json::value_t::string, "string"));
  return member->get<std::string>();
}

absl::StatusOr<int64_t> ToInt(const Json& value) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))) {
    return Unexpected("a number is no 64-bit integer");
  }
  return value.get<int64_t>();
}

absl::StatusOr<double> ToDouble(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) {
    const std::string& word = value.get_ref<const std::string&>();
    if (word == "Infinity") return std::numeric_limits<double>::infinity();
    if (word == "-Infinity") return -std::numeric_limits<double>::infinity();
    if (word == "NaN") return std::numeric_limits<double>::quiet_NaN();
  }
  return Unexpected("a number is none");
}

absl::StatusOr<std::pair<std::string, const Json*>> Alternative(const Json& value) {
  std::pair<std::string, const Json*> alternative("", nullptr);
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      if (member.is_null()) continue;
      if (alternative.second != nullptr) return Unexpected("two alternatives of a union are set");
      alternative = {name, &member};
    }
  }
  if (alternative.second == nullptr) return Unexpected("no alternative of a union is set");
  return alternative;
}

}  // namespace assay::engine
