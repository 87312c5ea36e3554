// Writes NPY files item by item, without knowing beforehand how many there will be: adversarial
// examples, corrupted images, labels. The file appears under its name when it is finished; an
// unfinished one is removed.
//
// Example:
//   ASSAY_ASSIGN_OR_RETURN(auto writer, NpyWriter::Create("adv.npy", NpyWriter::Type::kFloat32, {3,
//   32, 32})); ASSAY_RETURN_IF_ERROR(writer->Append(pixels));  // any number of whole items, any
//   number of times ASSAY_RETURN_IF_ERROR(writer->Finish());
#ifndef ASSAY_CLIENT_DATA_NPY_WRITER_H_
#define ASSAY_CLIENT_DATA_NPY_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay::client {

// Not thread-safe.
class NpyWriter {
 public:
  enum class Type { kUint8, kFloat32, kInt64 };

  // `item_shape` is the shape without the first dimension, which counts the items: {} for a list of
  // labels, {32, 32, 3} for images. kInvalidArgument for dimensions that are not positive;
  // kStorageFailed when the file cannot be created.
  static absl::StatusOr<std::unique_ptr<NpyWriter>> Create(const std::string& path, Type type,
                                                           const std::vector<int64_t>& item_shape);
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  // Whole items in C order, little-endian. kStorageFull or kStorageFailed when they cannot be
  // written; kInvalidArgument when the bytes are not a whole number of items.
  absl::Status Append(absl::string_view bytes);
  // Completes the file and puts it in place, over any file of that name. Nothing may be appended
  // afterwards.
  absl::Status Finish();

  int64_t items() const { return items_; }

 private:
  NpyWriter(std::string path, std::string dtype, std::vector<int64_t> shape, int64_t item_bytes);
  // kWrongState once the file is finished or given up.
  absl::Status CheckOpen() const;
  // Gives the file up; the error tells errno.
  absl::Status Failed(absl::string_view action);
  void GiveUp();

  const std::string path_;
  const std::string partial_path_;
  const std::string dtype_;
  // The first dimension is set by Finish.
  std::vector<int64_t> shape_;
  const int64_t item_bytes_;
  size_t header_bytes_ = 0;
  int64_t items_ = 0;
  // Null once the file is finished or given up.
  std::FILE* file_ = nullptr;
};

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_NPY_WRITER_H_
