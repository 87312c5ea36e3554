// `--label`: labels that a command sets, and those that a list is filtered by.
#ifndef ASSAY_CLIENT_CLI_BASE_LABELS_H_
#define ASSAY_CLIENT_CLI_BASE_LABELS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/base/command.h"
#include "core/base/labels.h"

namespace assay::cli {

class LabelOptions {
 public:
  // kStored: KEY=VALUE. kFilter: KEY alone, too, for any value. `what` is labelled: "the
  // evaluation".
  void AddTo(Leaf& leaf, LabelUse use, const std::string& what);

  // kInvalidArgument with each text that is no label.
  absl::StatusOr<Labels> Read() const;

 private:
  LabelUse use_ = LabelUse::kStored;
  std::vector<std::string> texts_;
};

// Sets a protobuf map.
template <typename Map>
void SetLabels(const Labels& labels, Map* map) {
  for (const auto& [key, value] : labels) (*map)[key] = value;
}

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_LABELS_H_
