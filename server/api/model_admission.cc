#include "server/api/model_admission.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/models/file_format.h"
#include "core/models/model_file.h"

namespace assay::api {

absl::Status CheckModelFile(const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(const ModelFile file, ReadModelFile(path));
  const FileExplanation found = ExplainFile(path, static_cast<uint64_t>(file.model_bytes));
  if (found.format != FileFormat::kOther) return absl::OkStatus();
  return Error(Reason::kInvalidModel,
               absl::StrCat("the file is not a model that can be loaded: ", found.message));
}

}  // namespace assay::api
