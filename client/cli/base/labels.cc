#include "client/cli/base/labels.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/data/text_file.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

constexpr char kLabel[] = "--label";

}  // namespace

void LabelOptions::AddTo(Leaf& leaf, LabelUse use, const std::string& what) {
  use_ = use;
  leaf.Add(kLabel, &texts_,
           use == LabelUse::kStored
               ? absl::StrCat("Label of ", what,
                              ", to find it by: commit=1a2b3c; may be given several times")
               : absl::StrCat("Only ", what,
                              " with this label, or with any value of KEY alone; may "
                              "be given several times, all must hold"))
      .OneAtATime()
      .TypeName(use == LabelUse::kStored ? "KEY=VALUE" : "KEY[=VALUE]");
}

absl::StatusOr<Labels> LabelOptions::Read() const {
  Labels labels;
  std::vector<FieldViolation> violations;
  for (const std::string& text : texts_) {
    const size_t equals = text.find('=');
    const std::string key = text.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (!client::IsUtf8(text)) {
      violations.push_back({kLabel, "must be UTF-8"});
    } else if (value.empty() && (use_ == LabelUse::kStored || equals != std::string::npos)) {
      violations.push_back({kLabel, absl::StrCat("must be KEY=VALUE, for example commit=1a2b3c; "
                                                 "got '",
                                                 text, "'")});
    } else if (!labels.emplace(key, value).second) {
      violations.push_back({kLabel, absl::StrCat("key '", key, "' is there twice")});
    }
  }
  for (FieldViolation& violation : CheckLabels(labels, use_, kLabel)) {
    violations.push_back(std::move(violation));
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  return labels;
}

}  // namespace assay::cli
