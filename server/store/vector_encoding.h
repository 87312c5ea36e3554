// Kept vectors (v1::OutcomeBatch::Vectors) as the bytes of a blob, one vector after the other,
// little-endian (docs/decisions/0015-kept-vectors.md):
//
//   probabilities  16 bits: IEEE half without the sign and the upper bit of the exponent, which no
//                  number up to 1 has; the fraction has these two bits more, 12
//   features       IEEE half where that holds them, else float32; the size of the blob tells which
#ifndef ASSAY_SERVER_STORE_VECTOR_ENCODING_H_
#define ASSAY_SERVER_STORE_VECTOR_ENCODING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/outcomes.pb.h"

namespace assay::store {

// The nearest half, ties to even; from 65520 on infinite.
uint16_t HalfOf(float value);
float FloatOf(uint16_t half);

// `values` are finite, `size` for each vector; probabilities are from 0 to 1, and off by at most
// 2^-13 of themselves or 2^-27, whichever is larger. Features are in half precision unless the
// largest number of some vector, by magnitude, is beyond 65504, or above 0 and below 2^-10: so no
// number is off by more than 2^-11 of itself or 2^-15 of the largest of its vector, whichever is
// larger.
std::string EncodeVectors(v1::VectorKind kind, const std::vector<float>& values, size_t size);

// Of each vector of probabilities the largest is what the others leave of 1, which is nearer than
// its own bits. kInternal for bytes of another size.
absl::StatusOr<std::vector<float>> DecodeVectors(v1::VectorKind kind, absl::string_view bytes,
                                                 size_t count, size_t size);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_VECTOR_ENCODING_H_
