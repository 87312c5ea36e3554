#include "client/cli/base/reference_errors.h"

#include "absl/strings/str_cat.h"
#include "client/data/text_file.h"
#include "core/base/errors.h"
#include "google/protobuf/util/json_util.h"

namespace assay::cli {

absl::StatusOr<v1::ReferenceErrors> ReadReferenceErrors(const std::string& text) {
  v1::ReferenceErrors errors;
  if (text == "alexnet" || text == "alexnet-mean") {
    errors.set_name(text);
    return errors;
  }
  const absl::StatusOr<std::string> json = client::ReadTextFile(text);
  if (!json.ok() || json->empty()) {
    return Error(
               Reason::kUnreadableInput,
               absl::StrCat("--reference: ",
                            json.ok() ? absl::StrCat(text, ": is empty") : json.status().message(),
                            "; name a JSON file, alexnet or alexnet-mean"))
        .ToStatus();
  }
  const auto parsed = google::protobuf::util::JsonStringToMessage(*json, &errors);
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
