#include "server/engine/import/onnx/tensor.h"

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"

namespace assay::engine::onnx {
namespace {

// The numbers of TensorProto.DataType.
enum Type : int32_t {
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kBoolean = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kBfloat16 = 16,
};

absl::Status Invalid(const wire::TensorProto& proto, absl::string_view what) {
  return Error(Reason::kInvalidModel,
               absl::StrCat("the tensor '", proto.name(), "' of the ONNX file ", what));
}

// Elements of type T as they are stored: in `raw_data`, or else converted from `typed`.
template <typename T, typename Typed>
absl::StatusOr<std::vector<T>> Elements(const wire::TensorProto& proto, int64_t count,
                                        const Typed& typed) {
  const auto elements = static_cast<size_t>(count);
  const size_t stored =
      proto.has_raw_data() ? proto.raw_data().size() : static_cast<size_t>(typed.size());
  const size_t expected = proto.has_raw_data() ? elements * sizeof(T) : elements;
  if (stored != expected) {
    return Invalid(proto,
                   absl::StrCat("has ", stored, proto.has_raw_data() ? " bytes" : " numbers",
                                " of data where its shape [", absl::StrJoin(proto.dims(), ", "),
                                "] needs ", expected, ": the file is damaged"));
  }
  std::vector<T> values(elements);
  if (!proto.has_raw_data()) {
    for (size_t i = 0; i < elements; ++i) {
      values[i] = static_cast<T>(typed.Get(static_cast<int>(i)));
    }
  } else if (elements > 0) {
    std::memcpy(values.data(), proto.raw_data().data(), stored);
  }
  return values;
}

// The tensor of `from`, whose elements are `Stored`, converted to `to`.
template <typename Stored>
at::Tensor Convert(const std::vector<Stored>& from, at::ScalarType stored, at::ScalarType to,
                   const wire::TensorProto& proto) {
  const std::vector<int64_t> sizes(proto.dims().begin(), proto.dims().end());
  at::Tensor tensor = at::empty(sizes, at::TensorOptions(stored));
  if (!from.empty()) std::memcpy(tensor.data_ptr(), from.data(), from.size() * sizeof(Stored));
  return tensor.to(to);
}

template <typename Stored, typename Typed>
absl::StatusOr<at::Tensor> Read(const wire::TensorProto& proto, int64_t count, const Typed& typed,
                                at::ScalarType stored, at::ScalarType to) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Stored> values, Elements<Stored>(proto, count, typed));
  return Convert(values, stored, to, proto);
}

absl::StatusOr<int64_t> Count(const wire::TensorProto& proto) {
  int64_t count = 1;
  for (const int64_t size : proto.dims()) {
    if (size < 0) return Invalid(proto, "has a negative size");
    if (size > kMostElements || (size > 0 && count > kMostElements / size)) {
      return Invalid(proto, absl::StrCat("has more than ", kMostElements, " elements"));
    }
    count *= size;
  }
  if (proto.dims_size() > 16) return Invalid(proto, "has more than 16 axes");
  return count;
}

}  // namespace

std::string ElementTypeName(int32_t type) {
  static constexpr std::array<const char*, 29> kNames = {
      "UNDEFINED",      "FLOAT",      "UINT8",          "INT8",       "UINT16",    "INT16",
      "INT32",          "INT64",      "STRING",         "BOOL",       "FLOAT16",   "DOUBLE",
      "UINT32",         "UINT64",     "COMPLEX64",      "COMPLEX128", "BFLOAT16",  "FLOAT8E4M3FN",
      "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4",      "INT4",      "FLOAT4E2M1",
      "FLOAT8E8M0",     "UINT2",      "INT2",           "FLOAT6E2M3", "FLOAT6E3M2"};
  if (type < 0 || type >= static_cast<int32_t>(kNames.size())) return absl::StrCat("type ", type);
  return kNames[static_cast<size_t>(type)];
}

absl::StatusOr<at::ScalarType> ElementType(int32_t type) {
  switch (type) {
    case kFloat32:
    case kFloat16:
    case kFloat64:
    case kBfloat16:
      return at::kFloat;
    case kUint8:
      return at::kByte;
    case kInt8:
      return at::kChar;
    case kInt16:
      return at::kShort;
    case kInt64:
      return at::kLong;
    case kInt32:
      return at::kInt;
    case kBoolean:
      return at::kBool;
    default:
      return Error(Reason::kInvalidModel,
                   absl::StrCat("the ONNX file has elements of type ", ElementTypeName(type),
                                ", which is not supported; export the model in float32 and "
                                "without quantization"))
          .ToStatus();
  }
}

bool IsOtherFloat(int32_t type) {
  return type == kFloat16 || type == kFloat64 || type == kBfloat16;
}

absl::StatusOr<at::Tensor> ToTensor(const wire::TensorProto& proto) {
  if (proto.data_location() != 0 || proto.external_data_size() > 0) {
    return Invalid(proto,
                   "is in another file (external data); save the model in one file: "
                   "onnx.save(onnx.load(PATH), NEW_PATH, save_as_external_data=False), or "
                   "torch.onnx.export(..., external_data=False)");
  }
  if (proto.has_segment()) return Invalid(proto, "is stored in segments, which is not supported");
  ASSAY_ASSIGN_OR_RETURN(const int64_t count, Count(proto));
  const auto to = ElementType(proto.data_type());
  if (!to.ok()) return Invalid(proto, absl::StrCat("cannot be read: ", to.status().message()));
  switch (proto.data_type()) {
    case kFloat32:
      return Read<float>(proto, count, proto.float_data(), at::kFloat, *to);
    case kFloat64:
      return Read<double>(proto, count, proto.double_data(), at::kDouble, *to);
    // Numbers of 16 bits are stored as integers with their bits.
    case kFloat16:
      return Read<uint16_t>(proto, count, proto.int32_data(), at::kHalf, *to);
    case kBfloat16:
      return Read<uint16_t>(proto, count, proto.int32_data(), at::kBFloat16, *to);
    case kUint8:
      return Read<uint8_t>(proto, count, proto.int32_data(), at::kByte, *to);
    case kInt8:
      return Read<int8_t>(proto, count, proto.int32_data(), at::kChar, *to);
    case kInt16:
      return Read<int16_t>(proto, count, proto.int32_data(), at::kShort, *to);
    case kInt32:
      return Read<int32_t>(proto, count, proto.int32_data(), at::kInt, *to);
    case kInt64:
      return Read<int64_t>(proto, count, proto.int64_data(), at::kLong, *to);
    default:
      break;
  }
  // Booleans: a byte each, of which any but 0 is true.
  ASSAY_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                         Elements<uint8_t>(proto, count, proto.int32_data()));
  return Convert(bytes, at::kByte, at::kBool, proto);
}

}  // namespace assay::engine::onnx
