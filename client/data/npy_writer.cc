#include "client/data/npy_writer.h"

#include <cerrno>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/npy_format.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "arrays are written as they lie in memory");

struct TypeInfo {
  const char* dtype;
  int64_t bytes;
};

TypeInfo InfoOf(NpyWriter::Type type) {
  switch (type) {
    case NpyWriter::Type::kUint8:
      return {"|u1", 1};
    case NpyWriter::Type::kFloat32:
      return {"<f4", 4};
    case NpyWriter::Type::kInt64:
      return {"<i8", 8};
  }
  return {"|u1", 1};
}

}  // namespace

NpyWriter::NpyWriter(std::string path, std::string dtype, std::vector<int64_t> shape,
                     int64_t item_bytes)
    : path_(std::move(path)),
      partial_path_(absl::StrCat(path_, ".partial")),
      dtype_(std::move(dtype)),
      shape_(std::move(shape)),
      item_bytes_(item_bytes) {}

NpyWriter::~NpyWriter() { GiveUp(); }

void NpyWriter::GiveUp() {
  if (file_ == nullptr) return;
  std::fclose(std::exchange(file_, nullptr));
  std::remove(partial_path_.c_str());
}

absl::StatusOr<std::unique_ptr<NpyWriter>> NpyWriter::Create(
    const std::string& path, Type type, const std::vector<int64_t>& item_shape) {
  const TypeInfo info = InfoOf(type);
  int64_t item_bytes = info.bytes;
  bool valid = item_shape.size() < kMaxNpyDimensions;
  for (const int64_t dimension : item_shape) {
    valid = valid && dimension > 0 && !__builtin_mul_overflow(item_bytes, dimension, &item_bytes);
  }
  if (!valid) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat(path, ": items of shape ", NpyShapeText(item_shape),
                              " cannot be written; dimensions must be positive, fewer than ",
                              kMaxNpyDimensions, ", and fit"))
        .ToStatus();
  }
  // Leaves room in the header for any number of items.
  std::vector<int64_t> shape = {std::numeric_limits<int64_t>::max()};
  shape.insert(shape.end(), item_shape.begin(), item_shape.end());
  std::unique_ptr<NpyWriter> writer(new NpyWriter(path, info.dtype, std::move(shape), item_bytes));
  writer->file_ = std::fopen(writer->partial_path_.c_str(), "wbe");
  if (writer->file_ == nullptr) return writer->Failed("cannot be created");
  const std::string header = FormatNpyHeader(info.dtype, writer->shape_, 0);
  writer->header_bytes_ = header.size();
  if (std::fwrite(header.data(), 1, header.size(), writer->file_) != header.size()) {
    return writer->Failed("cannot be written");
  }
  return writer;
}

absl::Status NpyWriter::Failed(absl::string_view action) {
  const int error = errno;
  // What was written of an item cannot be taken back.
  GiveUp();
  return Error(error == ENOSPC || error == EDQUOT ? Reason::kStorageFull : Reason::kStorageFailed,
               absl::StrCat(path_, ": ", action, " (", ErrnoText(error), ")"))
      .ToStatus();
}

absl::Status NpyWriter::CheckOpen() const {
  if (file_ != nullptr) return absl::OkStatus();
  return Error(Reason::kWrongState, absl::StrCat(path_, ": is finished, or failed before"));
}

absl::Status NpyWriter::Append(absl::string_view bytes) {
  ASSAY_RETURN_IF_ERROR(CheckOpen());
  const auto count = static_cast<int64_t>(bytes.size());
  if (count % item_bytes_ != 0) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat(path_, ": ", count, " bytes are not a whole number of items of ",
                              item_bytes_));
  }
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
    return Failed("cannot be written");
  }
  items_ += count / item_bytes_;
  return absl::OkStatus();
}

absl::Status NpyWriter::Finish() {
  ASSAY_RETURN_IF_ERROR(CheckOpen());
  shape_[0] = items_;
  const std::string header = FormatNpyHeader(dtype_, shape_, header_bytes_);
  if (std::fseek(file_, 0, SEEK_SET) != 0 ||
      std::fwrite(header.data(), 1, header.size(), file_) != header.size() ||
      std::fflush(file_) != 0) {
    return Failed("cannot be written");
  }
  const int closed = std::fclose(std::exchange(file_, nullptr));
  if (closed != 0 || std::rename(partial_path_.c_str(), path_.c_str()) != 0) {
    const absl::Status status = Failed("cannot be put in place");
    std::remove(partial_path_.c_str());
    return status;
  }
  return absl::OkStatus();
}

}  // namespace assay::client
