#include "server/engine/attacks/array_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "server/engine/attacks/pixels.h"

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

template <typename Wish>
ASSAY_ALWAYS_INLINE void WriteSteps(const float* x, const float* w, float sign, size_t n,
                                    float* step, const Wish& wish) {
  for (size_t i = 0; i < n; ++i) {
    const float weight = std::abs(w[i]);
    const float room = Room(x, w, sign, i);
    const float wished = wish(weight);
    const float size = weight > 0.0F ? (wished < room ? wished : room) : 0.0F;
    step[i] = sign * w[i] > 0.0F ? -size : size;
  }
}

ASSAY_ALWAYS_INLINE void WriteEvenStepsBody(const float* x, const float* w, float sign, float t,
                                            size_t n, float* step) {
  WriteSteps(x, w, sign, n, step, [=](float /*weight*/) { return t; });
}

ASSAY_ALWAYS_INLINE void WriteWeightedStepsBody(const float* x, const float* w, float sign, float t,
                                                size_t n, float* step) {
  WriteSteps(x, w, sign, n, step, [=](float weight) { return t * weight; });
}

ASSAY_ALWAYS_INLINE void BlendBody(float alpha, float eta, const float* a, const float* y,
                                   const float* b, size_t n, float* x) {
  for (size_t i = 0; i < n; ++i) {
    const float moved = (x[i] + eta * a[i]) * (1.0F - alpha) + (y[i] + eta * b[i]) * alpha;
    x[i] = Clip(moved);
  }
}

ASSAY_ALWAYS_INLINE void ShrinkBody(const float* image, const float* wanted, const float* wish,
                                    const float* room, double t, size_t n, float* x) {
  for (size_t i = 0; i < n; ++i) {
    const double rest = wish[i] - t;
    const double bound = room[i];
    const double positive = rest > 0 ? rest : 0.0;
    const double move = positive < bound ? positive : bound;
    const auto moved = static_cast<float>(image[i] + (wanted[i] > image[i] ? move : -move));
    x[i] = move == wish[i] ? wanted[i] : moved;
  }
}

ASSAY_ALWAYS_INLINE size_t CountUpToBody(const float* x, float bound, size_t n) {
  uint32_t count = 0;
  for (size_t i = 0; i < n; ++i) count += x[i] <= bound ? 1 : 0;
  return count;
}

ASSAY_ALWAYS_INLINE void StepAdamBody(const AdamSettings& adam, const float* gradient, size_t n,
                                      float* mean, float* square, float* w) {
  const AdamSettings a = adam;
  for (size_t i = 0; i < n; ++i) {
    const float g = gradient[i];
    const float m = a.keep1 * mean[i] + (1 - a.keep1) * g;
    const float s = a.keep2 * square[i] + (1 - a.keep2) * g * g;
    mean[i] = m;
    square[i] = s;
    w[i] -= a.rate * m * a.correct1 / (std::sqrt(s * a.correct2) + a.guard);
  }
}

// tanh(w) = 1 - 2 / (1 + 2^t), where t = 2 w log2(e) is an integer and a rest of at most a half,
// for which the Taylor series is used up to the seventh power, whose error is below 1e-8.
ASSAY_ALWAYS_INLINE void FromTanhSpaceBody(const float* w, size_t n, float* x) {
  constexpr float kTwoLog2E = 2.885390082F;
  // Where tanh is 1 or -1.
  constexpr float kEnd = 60;
  // Added and taken away, it leaves the nearest integer.
  constexpr float kRound = 0x1.8p23F;
  constexpr float kSeries[] = {1.5252734e-5F, 1.5403530e-4F, 1.3333558e-3F, 9.6181291e-3F,
                               5.5504109e-2F, 2.4022651e-1F, 6.9314718e-1F, 1};
  for (size_t i = 0; i < n; ++i) {
    float t = w[i] * kTwoLog2E;
    t = t < -kEnd ? -kEnd : t;
    t = t > kEnd ? kEnd : t;
    const float whole = (t + kRound) - kRound;
    const float rest = t - whole;
    float power = 0;
    for (const float factor : kSeries) power = power * rest + factor;
    // Times 2^whole, in the exponent.
    int32_t bits;
    std::memcpy(&bits, &power, sizeof(bits));
    bits += static_cast<int32_t>(whole) * (1 << 23);
    std::memcpy(&power, &bits, sizeof(bits));
    const float tanh = 1.0F - 2.0F / (power + 1.0F);
    x[i] = (tanh + 1.0F) / 2.0F;
  }
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
  attributes void WriteEvenSteps##suffix(const float* x, const float* w, float sign, float t,      \
                                         size_t n, float* step) {                                  \
    WriteEvenStepsBody(x, w, sign, t, n, step);                                                    \
  }                                                                                                \
  attributes void WriteWeightedSteps##suffix(const float* x, const float* w, float sign, float t,  \
                                             size_t n, float* step) {                              \
    WriteWeightedStepsBody(x, w, sign, t, n, step);                                                \
  }                                                                                                \
  attributes void Blend##suffix(float alpha, float eta, const float* a, const float* y,            \
                                const float* b, size_t n, float* x) {                              \
    BlendBody(alpha, eta, a, y, b, n, x);                                                          \
  }                                                                                                \
  attributes void Shrink##suffix(const float* image, const float* wanted, const float* wish,       \
                                 const float* room, double t, size_t n, float* x) {                \
    ShrinkBody(image, wanted, wish, room, t, n, x);                                                \
  }                                                                                                \
  attributes size_t CountUpTo##suffix(const float* x, float bound, size_t n) {                     \
    return CountUpToBody(x, bound, n);                                                             \
  }                                                                                                \
  attributes void StepAdam##suffix(const AdamSettings& adam, const float* gradient, size_t n,      \
                                   float* mean, float* square, float* w) {                         \
    StepAdamBody(adam, gradient, n, mean, square, w);                                              \
  }                                                                                                \
  attributes void FromTanhSpace##suffix(const float* w, size_t n, float* x) {                      \
    FromTanhSpaceBody(w, n, x);                                                                    \
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
                                                Shrunk##suffix,                                    \
                                                WriteEvenSteps##suffix,                            \
                                                WriteWeightedSteps##suffix,                        \
                                                Blend##suffix,                                     \
                                                Shrink##suffix,                                    \
                                                CountUpTo##suffix,                                 \
                                                StepAdam##suffix,                                  \
                                                FromTanhSpace##suffix};

ASSAY_ARRAY_KERNELS(Portable, )
#if defined(__x86_64__)
ASSAY_ARRAY_KERNELS(Avx2, __attribute__((target("avx2"))))
ASSAY_ARRAY_KERNELS(Avx512, __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,"
                                                  "prefer-vector-width=512"))))
#endif

std::array<internal::ArrayKernels, internal::kMaxArrayKernels> FindSupported() {
  std::array<internal::ArrayKernels, internal::kMaxArrayKernels> kernels{};
  size_t count = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    kernels[count++] = kAvx512;
  }
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
void WriteEvenSteps(const float* x, const float* w, float sign, float t, size_t n, float* step) {
  Fastest().write_even_steps(x, w, sign, t, n, step);
}
void WriteWeightedSteps(const float* x, const float* w, float sign, float t, size_t n,
                        float* step) {
  Fastest().write_weighted_steps(x, w, sign, t, n, step);
}
void Blend(float alpha, float eta, const float* a, const float* y, const float* b, size_t n,
           float* x) {
  Fastest().blend(alpha, eta, a, y, b, n, x);
}
void Shrink(const float* image, const float* wanted, const float* wish, const float* room, double t,
            size_t n, float* x) {
  Fastest().shrink(image, wanted, wish, room, t, n, x);
}
size_t CountUpTo(const float* x, float bound, size_t n) {
  return Fastest().count_up_to(x, bound, n);
}
void StepAdam(const AdamSettings& adam, const float* gradient, size_t n, float* mean, float* square,
              float* w) {
  Fastest().step_adam(adam, gradient, n, mean, square, w);
}
void FromTanhSpace(const float* w, size_t n, float* x) { Fastest().from_tanh_space(w, n, x); }

float Smallest(const float* x, size_t rank, size_t n) {
  // By bisection on the bits of floats that are not negative, whose order is that of their values.
  const auto value = [](uint32_t bits) {
    float result;
    std::memcpy(&result, &bits, sizeof(result));
    return result;
  };
  const auto largest = static_cast<float>(Largest(x, n));
  uint32_t low = 0, high;
  std::memcpy(&high, &largest, sizeof(high));
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (CountUpTo(x, value(middle), n) > rank) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return value(low);
}

}  // namespace assay::engine
