#include "client/cli/reference_errors.h"

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "google/protobuf/util/json_util.h"

namespace assay::cli {

absl::StatusOr<v1::ReferenceErrors> ReadReferenceErrors(const std::string& text) {
  v1::ReferenceErrors errors;
  if (text == "alexnet" || text == "alexnet-mean") {
    errors.set_name(text);
    return errors;
  }
  std::ifstream file(text);
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  if (json.empty()) {
    return Error(Reason::kUnreadableInput,
                 absl::StrCat("--reference: there is nothing to read in ", text,
                              "; name a JSON file, alexnet or alexnet-mean"))
        .ToStatus();
  }
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &errors);
  if (!parsed.ok() || errors.corruptions().empty()) {
    return Error(Reason::kUnreadableInput,
                 absl::StrCat("--reference: ", text, " is not of the form {\"name\": \"...\", ",
                              "\"clean_error\": 0.3, \"corruptions\": [{\"corruption\": \"fog\", ",
                              "\"errors\": [five shares]}]}", parsed.ok() ? "" : ": ",
                              std::string(parsed.message())))
        .ToStatus();
  }
  return errors;
}

}  // namespace assay::cli
