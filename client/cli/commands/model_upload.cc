// `assay model upload`.
#include <memory>
#include <string>

#include "client/cli/base/command.h"
#include "client/cli/base/labels.h"
#include "client/cli/base/models.h"
#include "client/cli/base/uploads.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

struct Options {
  std::string file;
  std::string id;
  ModelOptions model;
  LabelOptions labels;
};

}  // namespace

CommandRun ModelUpload(Leaf& leaf) {
  const auto options = std::make_shared<Options>();
  leaf.Add("file", &options->file, kModelFile).Required();
  leaf.Add("--id", &options->id, "Id of the model (default: file name and digest)");
  options->model.AddTo(leaf);
  options->labels.AddTo(leaf, LabelUse::kStored, "the model");
  return [options](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(const v1::ModelInterface interface, ParseModelInterface(options->model));
    ASSAY_ASSIGN_OR_RETURN(const Labels labels, options->labels.Read());
    ASSAY_ASSIGN_OR_RETURN(const v1::Model model,
                           UploadModel(session, options->file, options->id, interface, labels));
    return PrintModel(session, model);
  };
}

}  // namespace assay::cli
