// `assay dataset upload`.
#include <memory>
#include <string>

#include "client/cli/base/command.h"
#include "client/cli/base/datasets.h"
#include "client/cli/base/uploads.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

struct Options {
  DataOptions data;
  MetadataOptions metadata;
  std::string id;
};

}  // namespace

CommandRun DatasetUpload(Leaf& leaf) {
  const auto options = std::make_shared<Options>();
  DataOptions& data = options->data;
  leaf.Add("file", &data.paths, "Files of one format, or a folder of class folders").Required();
  leaf.Add("--id", &options->id, "Id of the dataset (default: file name and digest)");
  data.AddTo(leaf);
  options->metadata.AddTo(leaf);
  leaf.Footer(kOrderOfClasses);
  return [options](Session& session) -> absl::Status {
    // Before the connection: what is wrong with the files is known without a server.
    ASSAY_ASSIGN_OR_RETURN(const auto reader, OpenData(session, options->data));
    ASSAY_ASSIGN_OR_RETURN(const auto metadata,
                           ReadMetadata(options->metadata, *reader, options->data.limit));
    ASSAY_ASSIGN_OR_RETURN(
        const v1::Dataset dataset,
        UploadDataset(session, options->data.paths[0], *reader, options->data.limit, options->id,
                      metadata.has_value() ? &*metadata : nullptr));
    return PrintDataset(session, dataset);
  };
}

}  // namespace assay::cli
