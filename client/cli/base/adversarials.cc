#include "client/cli/base/adversarials.h"

#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/data/npy_writer.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

using client::NpyWriter;

// The two files of one condition.
struct ConditionFiles {
  std::string condition;
  std::unique_ptr<NpyWriter> images;
  std::unique_ptr<NpyWriter> samples;

  absl::Status Finish() {
    ASSAY_RETURN_IF_ERROR(images->Finish());
    return samples->Finish();
  }
};

absl::StatusOr<ConditionFiles> Begin(const std::string& directory,
                                     const v1::StreamAdversarialsResponse& batch) {
  const std::string stem =
      absl::StrCat(directory, "/", absl::StrReplaceAll(batch.condition(), {{"/", "_"}}));
  ConditionFiles files;
  files.condition = batch.condition();
  ASSAY_ASSIGN_OR_RETURN(
      files.images,
      NpyWriter::Create(stem + ".npy", NpyWriter::Type::kFloat32,
                        {batch.shape().channels(), batch.shape().height(), batch.shape().width()}));
  ASSAY_ASSIGN_OR_RETURN(files.samples,
                         NpyWriter::Create(stem + ".samples.npy", NpyWriter::Type::kInt64, {}));
  return files;
}

}  // namespace

absl::Status WriteAdversarials(Session& session, const std::string& evaluation,
                               const std::string& directory) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!std::filesystem::is_directory(directory, error)) {
    return Error(Reason::kStorageFailed, absl::StrCat("cannot make the directory ", directory));
  }
  // Batches come condition by condition.
  ConditionFiles files;
  int64_t examples = 0;
  const auto on_batch = [&](const v1::StreamAdversarialsResponse& batch) -> absl::Status {
    if (batch.condition() != files.condition) {
      if (files.images != nullptr) ASSAY_RETURN_IF_ERROR(files.Finish());
      ASSAY_ASSIGN_OR_RETURN(files, Begin(directory, batch));
    }
    ASSAY_RETURN_IF_ERROR(files.images->Append(batch.images()));
    examples += batch.samples_size();
    return files.samples->Append({reinterpret_cast<const char*>(batch.samples().data()),
                                  static_cast<size_t>(batch.samples_size()) * sizeof(int64_t)});
  };
  ASSAY_RETURN_IF_ERROR(client->StreamAdversarials(evaluation, {}, on_batch));
  if (files.images != nullptr) ASSAY_RETURN_IF_ERROR(files.Finish());
  session.Say(absl::StrCat(render::Count(examples), " adversarial examples in ", directory));
  return absl::OkStatus();
}

}  // namespace assay::cli
