// Models and data that commands read: how they are named, opened and uploaded.
#ifndef ASSAY_CLIENT_CLI_BASE_UPLOADS_H_
#define ASSAY_CLIENT_CLI_BASE_UPLOADS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/models.pb.h"
#include "client/cli/base/command.h"
#include "client/cli/base/session.h"
#include "client/data/dataset_reader.h"
#include "core/base/labels.h"
#include "core/base/sample_metadata.h"
#include "core/models/model_interface.h"

namespace assay::cli {

// For the help of commands that take classes.
inline constexpr char kOrderOfClasses[] =
    "Order of classes: class i is logit i. Class folders have the order of --classes, or of "
    "classes.txt in their folder;\nwithout these, names that are all numbers have the order of the "
    "numbers, others are sorted bytewise.\n";

// For the help of commands that take a model.
inline constexpr char kModelFile[] = "Model: TorchScript, exported program (.pt2) or ONNX";

// What --format takes.
const std::vector<std::string>& DataFormats();

struct DataOptions {
  // Declares all but the paths, which every command names in its own way.
  void AddTo(Leaf& leaf);

  std::vector<std::string> paths;
  std::string labels;
  std::string format = "auto";
  // File of class names; empty: looked for.
  std::string classes;
  bool allow_missing_classes = false;
  // Samples to use; 0: all.
  int64_t limit = 0;
};

// What is known of the samples beside their labels.
struct MetadataOptions {
  void AddTo(Leaf& leaf);

  // A CSV; empty: none.
  std::string path;
  // Where ranges of numbers meet: "age=18,40,65".
  std::vector<std::string> edges;
};

// The metadata of the samples that are used of `reader`; nullopt: there is none.
absl::StatusOr<std::optional<MetadataTable>> ReadMetadata(const MetadataOptions& options,
                                                          const client::DatasetReader& reader,
                                                          int64_t limit);

absl::StatusOr<std::unique_ptr<client::DatasetReader>> OpenData(Session& session,
                                                                const DataOptions& data);
// What the reader has to say of the data that it read.
void SayNotes(Session& session, const client::DatasetReader& reader);

// How the model in a file wants its images and gives its answer.
struct ModelOptions : ModelInterfaceOptions {
  void AddTo(Leaf& leaf);
};

absl::StatusOr<v1::Model> UploadModel(Session& session, const std::string& path,
                                      const std::string& id, const v1::ModelInterface& interface,
                                      const Labels& labels = {});
// The first `limit` samples (0: all) of what the reader reads, `path`, after which the dataset is
// named unless there is an id. `metadata` is of those; null: none.
absl::StatusOr<v1::Dataset> UploadDataset(Session& session, const std::string& path,
                                          client::DatasetReader& reader, int64_t limit,
                                          const std::string& id,
                                          const MetadataTable* metadata = nullptr);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_UPLOADS_H_
