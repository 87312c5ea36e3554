// The model in a file, without the ModelInterface that may follow it (core/models/model_file.h).
#ifndef ASSAY_SERVER_ENGINE_IMPORT_MODEL_VIEW_H_
#define ASSAY_SERVER_ENGINE_IMPORT_MODEL_VIEW_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"

namespace assay::engine {

class ModelView {
 public:
  // kStorageFailed, kInvalidModel, kOutOfMemory.
  static absl::StatusOr<ModelView> Open(const std::string& path);
  ModelView(ModelView&& other) noexcept { *this = std::move(other); }
  ModelView& operator=(ModelView&& other) noexcept;
  ~ModelView();

  // A file of just the model; valid as long as this.
  const std::string& path() const { return path_; }
  const v1::ModelInterface& interface() const { return interface_; }

 private:
  ModelView() = default;

  std::string path_;
  v1::ModelInterface interface_;
  // Of the copy in memory that path_ names; -1 where the file itself will do.
  int descriptor_ = -1;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_MODEL_VIEW_H_
