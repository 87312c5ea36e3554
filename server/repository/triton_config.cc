#include "server/repository/triton_config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "assay/import/triton.pb.h"
#include "core/base/errors.h"
#include "core/base/utf8.h"

namespace assay::repository {
namespace {

constexpr int64_t kMostConfigBytes = 1 << 20;
constexpr int64_t kMostNamesBytes = 16 << 20;

absl::Status Unreadable(const std::string& path, const std::string& what) {
  return Error(Reason::kUnreadableInput, absl::StrCat(path, " ", what));
}

// Whether messages are nested deeper than any configuration has them: the parser goes into each.
bool IsDeep(absl::string_view text) {
  constexpr int kDeepest = 100;
  int depth = 0;
  for (const char c : text) {
    if (c == '{' || c == '<' || c == '[') ++depth;
    if (c == '}' || c == '>' || c == ']') --depth;
    if (depth > kDeepest) return true;
  }
  return false;
}

// The first error of the parser; it warns of every field that is skipped.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int /*column*/, const std::string& message) override {
    if (text.empty()) text = absl::StrCat("line ", line + 1, ": ", message);
  }
  void AddWarning(int /*line*/, int /*column*/, const std::string& /*message*/) override {}

  std::string text;
};

}  // namespace

absl::StatusOr<std::vector<NamedClasses>> ReadNamedClasses(const FileTree& tree,
                                                           const std::string& config) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(tree, config, kMostConfigBytes));
  if (IsDeep(text)) return Unreadable(config, "is nested too deep for a configuration of Triton");
  import::triton::ModelConfig parsed;
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.AllowUnknownField(true);
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &parsed)) {
    return Unreadable(config, absl::StrCat("is no configuration of Triton: ", error.text));
  }
  std::vector<NamedClasses> classes;
  for (const import::triton::ModelOutput& output : parsed.output()) {
    const std::string& file = output.label_filename();
    if (file.empty()) continue;
    if (absl::StrContains(file, "/")) {
      return Unreadable(config, absl::StrCat("names the labels ", file,
                                             "; they must lie beside it, without a path"));
    }
    NamedClasses& named = classes.emplace_back();
    named.file = absl::StrCat(config.substr(0, config.rfind('/') + 1), file);
    ASSAY_ASSIGN_OR_RETURN(const std::string names,
                           ReadSmallFile(tree, named.file, kMostNamesBytes));
    if (!IsUtf8(names)) return Unreadable(named.file, "is not UTF-8 text");
    for (absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(names), '\n')) {
      named.names.emplace_back(absl::StripAsciiWhitespace(line));
    }
  }
  return classes;
}

absl::Status CheckNamedClasses(const NamedClasses& classes, const v1::Dataset& dataset) {
  const auto& names = dataset.manifest().class_names();
  if (names.empty()) return absl::OkStatus();
  const auto differ = [&](const std::string& how) {
    return Error(Reason::kInvalidDataset,
                 absl::StrCat(how,
                              ": class i must be logit i of the model, or every number would "
                              "be of another class. Upload the dataset with its classes in "
                              "the model's order, or correct ",
                              classes.file))
        .ToStatus();
  };
  if (names.size() != static_cast<int>(classes.names.size())) {
    return differ(absl::StrCat(classes.file, " names ", classes.names.size(), " classes, and ",
                               dataset.name(), " ", names.size()));
  }
  for (int i = 0; i < names.size(); ++i) {
    const std::string& here = classes.names[static_cast<size_t>(i)];
    if (here == names[i]) continue;
    return differ(absl::StrCat("class ", i, " is '", here, "' in ", classes.file, " and '",
                               names[i], "' in ", dataset.name()));
  }
  return absl::OkStatus();
}

}  // namespace assay::repository
