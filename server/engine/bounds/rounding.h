// Error bounds of double-precision arithmetic, so that a bound that is proven on paper holds for
// the number that is computed.
//
// A sum of n products, in whatever order and with or without fused multiply-adds, differs from the
// exact one by at most gamma_n = n u / (1 - n u) times the sum of the magnitudes of its terms,
// where u = 2^-53 (Higham, "Accuracy and stability of numerical algorithms", 2nd edition, section
// 3.1). Everything below is a multiple of that which is generous enough for the few operations
// around the sum, those that compute the error bound included.
#ifndef ASSAY_SERVER_ENGINE_BOUNDS_ROUNDING_H_
#define ASSAY_SERVER_ENGINE_BOUNDS_ROUNDING_H_

#include <cmath>
#include <cstddef>
#include <limits>

namespace assay::engine::bounds {

inline constexpr double kUnit = 0x1p-53;
// What products of tiny numbers can lose to underflow, for every sum that fits into memory.
inline constexpr double kTiny = 0x1p-1000;
// Absolute error of this library's exp and tanh and what sigmoid makes of them, with a large
// reserve: they stay below 2 units in the last place.
inline constexpr double kFunctionError = 0x1p-46;

// Error of `terms` products that are added up, the coefficients being right up to four units in
// their last place, for each unit of the sum of the terms' magnitudes.
inline double SumError(size_t terms) {
  const double n = static_cast<double>(terms + 16);
  return 4 * n * kUnit / (1 - n * kUnit);
}

// At most, or at least, the exact value of which `x` is the rounded one.
inline double Down(double x) { return x - 2 * kUnit * std::abs(x) - kTiny; }
inline double Up(double x) { return x + 2 * kUnit * std::abs(x) + kTiny; }

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_BOUNDS_ROUNDING_H_
