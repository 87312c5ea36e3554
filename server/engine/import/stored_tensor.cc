#include "server/engine/import/stored_tensor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

constexpr size_t kMaxDimensions = 64;
// A tensor that repeats its elements (stride 0) may have more of them than are stored, up to this.
constexpr int64_t kMaxRepeated = int64_t{1} << 24;

absl::Status Invalid(const std::string& name, absl::string_view what) {
  return Error(Reason::kInvalidModel, absl::StrCat("the tensor ", name, " ", what,
                                                   "; the file is damaged, export it again"));
}

}  // namespace

absl::StatusOr<at::Tensor> ReadBytes(ZipArchive& archive, const std::string& record) {
  at::Tensor bytes;
  ASSAY_RETURN_IF_ERROR(archive.ReadInto(record, [&bytes](size_t size) {
    bytes = at::empty({static_cast<int64_t>(size)}, at::kByte);
    return static_cast<char*>(bytes.data_ptr());
  }));
  return bytes;
}

absl::StatusOr<at::Tensor> TensorInBytes(const std::string& name, const at::Tensor& bytes,
                                         c10::ScalarType type, int64_t offset,
                                         const std::vector<int64_t>& sizes,
                                         const std::vector<int64_t>& strides) {
  if (sizes.size() != strides.size() || sizes.size() > kMaxDimensions || offset < 0) {
    return Invalid(name, "has no valid shape");
  }
  const int64_t stored = bytes.numel() / static_cast<int64_t>(c10::elementSize(type));
  int64_t count = 1, last = offset;
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t reach = 0;
    if (sizes[i] < 0 || strides[i] < 0 || __builtin_mul_overflow(count, sizes[i], &count)) {
      return Invalid(name, "has no valid shape");
    }
    // An empty tensor touches nothing.
    if (sizes[i] > 0 && (__builtin_mul_overflow(sizes[i] - 1, strides[i], &reach) ||
                         __builtin_add_overflow(last, reach, &last))) {
      return Invalid(name, "has no valid shape");
    }
  }
  if (count > 0 && last >= stored) return Invalid(name, "is larger than what is stored for it");
  if (count == 0 && offset > stored) return Invalid(name, "begins behind what is stored for it");
  if (count > std::max(stored, kMaxRepeated)) {
    return Invalid(name, "has many times the elements that are stored for it");
  }
  at::Tensor tensor = at::empty({0}, at::TensorOptions().dtype(type));
  tensor.set_(bytes.storage(), offset, sizes, strides);
  return tensor;
}

}  // namespace assay::engine
