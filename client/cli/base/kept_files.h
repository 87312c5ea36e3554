// What an evaluation kept of its samples, as NPY files.
#ifndef ASSAY_CLIENT_CLI_BASE_KEPT_FILES_H_
#define ASSAY_CLIENT_CLI_BASE_KEPT_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/data/npy_writer.h"
#include "google/protobuf/repeated_field.h"

namespace assay::cli {

// Of each condition ID + suffix + ".npy" (float32, n x ...) and ID + suffix + ".samples.npy"
// (int64, positions in the dataset), with '_' for '/'.
class KeptFiles {
 public:
  // `directory` is made if needed; kStorageFailed.
  static absl::StatusOr<KeptFiles> In(const std::string& directory, const std::string& suffix);

  // Batches come condition by condition. `shape`: of an item. `bytes`: as NpyWriter has them.
  absl::Status Append(const std::string& condition, const std::vector<int64_t>& shape,
                      const std::string& bytes,
                      const google::protobuf::RepeatedField<int64_t>& samples);
  // After the last one. Without it the last condition has no files.
  absl::Status Finish();

  int64_t items() const { return items_; }

 private:
  KeptFiles(std::string directory, std::string suffix);

  std::string directory_, suffix_;
  // The condition that is being written; empty before the first.
  std::string condition_;
  std::unique_ptr<client::NpyWriter> values_, samples_;
  int64_t items_ = 0;
};

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_KEPT_FILES_H_
