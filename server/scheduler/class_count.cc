#include "server/scheduler/class_count.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::scheduler {

absl::Status CheckClassCount(const v1::DatasetManifest& manifest, int logits, bool allow_missing) {
  const int names = manifest.class_names_size();
  if (names == 0 || names == logits || allow_missing) return absl::OkStatus();
  return Error(Reason::kInvalidDataset,
               absl::StrCat("the dataset names ", names, " classes, but the model has ", logits,
                            " logits, so classes would be taken for others; name all ", logits,
                            " in the order of the logits (classes.txt, or --classes FILE), or "
                            "accept the difference (--allow-missing-classes)"));
}

}  // namespace assay::scheduler
