#include "server/engine/attacks/array_kernels.h"

#include <algorithm>
#include <cmath>

// This file is compiled with -ffp-contract=off (see server/engine/CMakeLists.txt): contraction
// would give machines with fused multiply-add other bits than those without.

namespace assay::engine {
namespace {

#define ASSAY_ALWAYS_INLINE inline __attribute__((always_inline))

// Partial sums, enough to keep every instruction set's adders busy.
constexpr size_t kLanes = 32;

struct Add {
  ASSAY_ALWAYS_INLINE static double Of(double a, double b) { return a + b; }
};
struct Max {
  ASSAY_ALWAYS_INLINE static double Of(double a, double b) { return a > b ? a : b; }
};

// Combines term(0) to term(n - 1), lane by lane.
template <typename Combine, typename Term>
ASSAY_ALWAYS_INLINE double Reduce(size_t n, const Term& term) {
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = Combine::Of(lanes[lane], term(i + lane));
    }
  }
  for (size_t lane = 0; i < n; ++i, ++lane) lanes[lane] = Combine::Of(lanes[lane], term(i));
  double result = lanes[0];
  for (size_t lane = 1; lane < kLanes; ++lane) result = Combine::Of(result, lanes[lane]);
  return result;
}

// Two sums at once: term(i, &value, &slope) sets both terms.
template <typename Term>
ASSAY_ALWAYS_INLINE Ramp ReduceRamp(size_t n, const Term& term) {
  double values[kLanes] = {}, slopes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      double value, slope;
      term(i + lane, &value, &slope);
      values[lane] += value;
      slopes[lane] += slope;
    }
  }
  for (size_t lane = 0; i < n; ++i, ++lane) {
    double value, slope;
    term(i, &value, &slope);
    values[lane] += value;
    slopes[lane] += slope;
  }
  Ramp sum;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    sum.value += values[lane];
    sum.slope += slopes[lane];
  }
  return sum;
}

ASSAY_ALWAYS_INLINE double Difference(const float* a, const float* b, size_t i) {
  return static_cast<double>(a[i]) - static_cast<double>(b[i]);
}

// What the box leaves to value i in the direction of its step.
ASSAY_ALWAYS_INLINE float Room(const float* x, const float* w, float sign, size_t i) {
  return sign * w[i] > 0.0F ? x[i] : 1.0F - x[i];
}

#define ASSAY_TERM [=](size_t i) __attribute__((always_inline))
#define ASSAY_RAMP_TERM [=](size_t i, double* value, double* slope) __attribute__((always_inline))

ASSAY_ALWAYS_INLINE double AbsoluteSumBody(const float* x, size_t n) {
  return Reduce<Add>(
      n, ASSAY_TERM { return static_cast<double>(std::abs(x[i])); });
}

ASSAY_ALWAYS_INLINE double SquaredSumBody(const float* x, size_t n) {
  return Reduce<Add>(
      n, ASSAY_TERM { return static_cast<double>(x[i]) * x[i]; });
}

ASSAY_ALWAYS_INLINE double LargestBody(const float* x, size_t n) {
  return Reduce<Max>(
      n, ASSAY_TERM { return static_cast<double>(std::abs(x[i])); });
}

ASSAY_ALWAYS_INLINE double AbsoluteDifferenceBody(const float* a, const float* b, size_t n) {
  return Reduce<Add>(
      n, ASSAY_TERM { return std::abs(Difference(a, b, i)); });
}

ASSAY_ALWAYS_INLINE double SquaredDifferenceBody(const float* a, const float* b, size_t n) {
  return Reduce<Add>(
      n, ASSAY_TERM { return Difference(a, b, i) * Difference(a, b, i); });
}

ASSAY_ALWAYS_INLINE double LargestDifferenceBody(const float* a, const float* b, size_t n) {
  return Reduce<Max>(
      n, ASSAY_TERM { return std::abs(Difference(a, b, i)); });
}

ASSAY_ALWAYS_INLINE double AlongBody(const float* w, const float* a, const float* b, size_t n) {
  return Reduce<Add>(
      n, ASSAY_TERM { return w[i] * Difference(a, b, i); });
}

ASSAY_ALWAYS_INLINE Ramp EvenStepsBody(const float* x, const float* w, float sign, double t,
                                       size_t n) {
  return ReduceRamp(
      n, ASSAY_RAMP_TERM {
        const double weight = std::abs(w[i]);
        const double room = Room(x, w, sign, i);
        *value = weight * (t < room ? t : room);
        *slope = t < room ? weight : 0.0;
      });
}

ASSAY_ALWAYS_INLINE Ramp WeightedStepsBody(const float* x, const float* w, float sign, double t,
                                           size_t n) {
  return ReduceRamp(
      n, ASSAY_RAMP_TERM {
        const double weight = std::abs(w[i]);
        const double room = Room(x, w, sign, i);
        const double move = t * weight;
        *value = weight * (move < room ? move : room);
        *slope = move < room ? weight * weight : 0.0;
      });
}

ASSAY_ALWAYS_INLINE double FullStepsBody(const float* x, const float* w, float sign,
                                         float threshold, size_t n) {
  return Reduce<Add>(
      n, ASSAY_TERM {
        const float weight = std::abs(w[i]);
        return static_cast<double>(weight >= threshold ? weight : 0.0F) * Room(x, w, sign, i);
      });
}

ASSAY_ALWAYS_INLINE Ramp ShrunkBody(const float* wish, const float* room, double t, size_t n) {
  return ReduceRamp(
      n, ASSAY_RAMP_TERM {
        const double rest = wish[i] - t;
        const double bound = room[i];
        const double positive = rest > 0 ? rest : 0.0;
        *value = positive < bound ? positive : bound;
        *slope = rest > 0 && rest < bound ? 1.0 : 0.0;
      });
}

#define ASSAY_ARRAY_KERNELS(suffix, attributes)                                                    \
  attributes double AbsoluteSum##suffix(const float* x, size_t n) {                                \
    return AbsoluteSumBody(x, n);                                                                  \
  }                                                                                                \
  attributes double SquaredSum##suffix(const float* x, size_t n) { return SquaredSumBody(x, n); }  \
  attributes double Largest##suffix(const float* x, size_t n) { return LargestBody(x, n); }        \
  attributes double AbsoluteDifference##suffix(const float* a, const float* b, size_t n) {         \
    return AbsoluteDifferenceBody(a, b, n);                                                        \
  }                                                                                                \
  attributes double SquaredDifference##suffix(const float* a, const float* b, size_t n) {          \
    return SquaredDifferenceBody(a, b, n);                                                         \
  }                                                                                                \
  attributes double LargestDifference##suffix(const float* a, const float* b, size_t n) {          \
    return LargestDifferenceBody(a, b, n);                                                         \
  }                                                                                                \
  attributes double Along##suffix(const float* w, const float* a, const float* b, size_t n) {      \
    return AlongBody(w, a, b, n);                                                                  \
  }                                                                                                \
  attributes Ramp EvenSteps##suffix(const float* x, const float* w, float sign, double t,          \
                                    size_t n) {                                                    \
    return EvenStepsBody(x, w, sign, t, n);                                                        \
  }                                                                                                \
  attributes Ramp WeightedSteps##suffix(const float* x, const float* w, float sign, double t,      \
                                        size_t n) {                                                \
    return WeightedStepsBody(x, w, sign, t, n);                                                    \
  }                                                                                                \
  attributes double FullSteps##suffix(const float* x, const float* w, float sign, float threshold, \
                                      size_t n) {                                                  \
    return FullStepsBody(x, w, sign, threshold, n);                                                \
  }                                                                                                \
  attributes Ramp Shrunk##suffix(const float* wish, const float* room, double t, size_t n) {       \
    return ShrunkBody(wish, room, t, n);                                                           \
  }                                                                                                \
  constexpr internal::ArrayKernels k##suffix = {#suffix,                                           \
                                                AbsoluteSum##suffix,                               \
                                                SquaredSum##suffix,                                \
                                                Largest##suffix,                                   \
                                                AbsoluteDifference##suffix,                        \
                                                SquaredDifference##suffix,                         \
                                                LargestDifference##suffix,                         \
                                                Along##suffix,                                     \
                                                EvenSteps##suffix,                                 \
                                                WeightedSteps##suffix,                             \
                                                FullSteps##suffix,                                 \
                                                Shrunk##suffix};

ASSAY_ARRAY_KERNELS(Portable, )
#if defined(__x86_64__)
ASSAY_ARRAY_KERNELS(Avx2, __attribute__((target("avx2"))))
#endif

std::array<internal::ArrayKernels, internal::kMaxArrayKernels> FindSupported() {
  std::array<internal::ArrayKernels, internal::kMaxArrayKernels> kernels{};
  size_t count = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) kernels[count++] = kAvx2;
#endif
  kernels[count] = kPortable;
  return kernels;
}

const internal::ArrayKernels& Fastest() { return internal::SupportedArrayKernels().front(); }

}  // namespace

namespace internal {

const std::array<ArrayKernels, kMaxArrayKernels>& SupportedArrayKernels() {
  static const std::array<ArrayKernels, kMaxArrayKernels> kernels = FindSupported();
  return kernels;
}

}  // namespace internal

double AbsoluteSum(const float* x, size_t n) { return Fastest().absolute_sum(x, n); }
double SquaredSum(const float* x, size_t n) { return Fastest().squared_sum(x, n); }
double Largest(const float* x, size_t n) { return Fastest().largest(x, n); }
double AbsoluteSum(const float* a, const float* b, size_t n) {
  return Fastest().absolute_difference(a, b, n);
}
double SquaredSum(const float* a, const float* b, size_t n) {
  return Fastest().squared_difference(a, b, n);
}
double Largest(const float* a, const float* b, size_t n) {
  return Fastest().largest_difference(a, b, n);
}
double Along(const float* w, const float* a, const float* b, size_t n) {
  return Fastest().along(w, a, b, n);
}
Ramp EvenSteps(const float* x, const float* w, float sign, double t, size_t n) {
  return Fastest().even_steps(x, w, sign, t, n);
}
Ramp WeightedSteps(const float* x, const float* w, float sign, double t, size_t n) {
  return Fastest().weighted_steps(x, w, sign, t, n);
}
double FullSteps(const float* x, const float* w, float sign, float threshold, size_t n) {
  return Fastest().full_steps(x, w, sign, threshold, n);
}
Ramp Shrunk(const float* wish, const float* room, double t, size_t n) {
  return Fastest().shrunk(wish, room, t, n);
}

}  // namespace assay::engine
