#include "client/cli/base/kept_files.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/errors.h"

namespace assay::cli {

using client::NpyWriter;

KeptFiles::KeptFiles(std::string directory, std::string suffix)
    : directory_(std::move(directory)), suffix_(std::move(suffix)) {}

absl::StatusOr<KeptFiles> KeptFiles::In(const std::string& directory, const std::string& suffix) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!std::filesystem::is_directory(directory, error)) {
    return Error(Reason::kStorageFailed, absl::StrCat("cannot make the directory ", directory))
        .ToStatus();
  }
  return KeptFiles(directory, suffix);
}

absl::Status KeptFiles::Append(const std::string& condition, const std::vector<int64_t>& shape,
                               const std::string& bytes,
                               const google::protobuf::RepeatedField<int64_t>& samples) {
  if (condition != condition_) {
    ASSAY_RETURN_IF_ERROR(Finish());
    const std::string stem =
        absl::StrCat(directory_, "/", absl::StrReplaceAll(condition, {{"/", "_"}}), suffix_);
    ASSAY_ASSIGN_OR_RETURN(values_,
                           NpyWriter::Create(stem + ".npy", NpyWriter::Type::kFloat32, shape));
    ASSAY_ASSIGN_OR_RETURN(samples_,
                           NpyWriter::Create(stem + ".samples.npy", NpyWriter::Type::kInt64, {}));
    condition_ = condition;
  }
  ASSAY_RETURN_IF_ERROR(values_->Append(bytes));
  items_ += samples.size();
  return samples_->Append({reinterpret_cast<const char*>(samples.data()),
                           static_cast<size_t>(samples.size()) * sizeof(int64_t)});
}

absl::Status KeptFiles::Finish() {
  if (condition_.empty()) return absl::OkStatus();
  condition_.clear();
  ASSAY_RETURN_IF_ERROR(values_->Finish());
  return samples_->Finish();
}

}  // namespace assay::cli
