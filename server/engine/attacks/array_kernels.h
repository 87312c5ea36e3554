// The loops over the values of an image that attacks spend their time in, vectorised. Sums add up
// in double precision, in an order that is the same on every instruction set, so results do not
// depend on the machine.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_ARRAY_KERNELS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_ARRAY_KERNELS_H_

#include <array>
#include <cstddef>

namespace assay::engine {

// Sums of |x_i|, x_i^2, |a_i - b_i|, (a_i - b_i)^2, w_i (a_i - b_i), and the largest |x_i| and
// |a_i - b_i|. Differences are exact.
double AbsoluteSum(const float* x, size_t n);
double SquaredSum(const float* x, size_t n);
double Largest(const float* x, size_t n);
double AbsoluteSum(const float* a, const float* b, size_t n);
double SquaredSum(const float* a, const float* b, size_t n);
double Largest(const float* a, const float* b, size_t n);
double Along(const float* w, const float* a, const float* b, size_t n);

// A sum of terms that grow (or fall) with t until they meet a bound, and its derivative by t.
struct Ramp {
  double value = 0;
  double slope = 0;
};

// For steps from x against the sign of `w` (`sign` = 1) or along it (-1) inside the box [0, 1],
// where value i has room_i to go: the sum of |w_i| min(room_i, t), and that of
// |w_i| min(room_i, |w_i| t).
Ramp EvenSteps(const float* x, const float* w, float sign, double t, size_t n);
Ramp WeightedSteps(const float* x, const float* w, float sign, double t, size_t n);
// The sum of |w_i| room_i over the values with |w_i| >= threshold.
double FullSteps(const float* x, const float* w, float sign, float threshold, size_t n);

// The sum of min(max(wish_i - t, 0), room_i); the slope is without its sign: how many values are
// between the two bounds.
Ramp Shrunk(const float* wish, const float* room, double t, size_t n);

// The steps that EvenSteps and WeightedSteps sum up: writes min(room_i, t), or min(room_i, |w_i|
// t), against the sign of `sign` w_i; 0 where that is 0.
void WriteEvenSteps(const float* x, const float* w, float sign, float t, size_t n, float* step);
void WriteWeightedSteps(const float* x, const float* w, float sign, float t, size_t n, float* step);

// x_i := clip((x_i + eta a_i) (1 - alpha) + (y_i + eta b_i) alpha), clipped to [0, 1].
void Blend(float alpha, float eta, const float* a, const float* y, const float* b, size_t n,
           float* x);

// Writes image_i moved, towards wanted_i, by min(max(wish_i - t, 0), room_i); wanted_i itself where
// that is wish_i.
void Shrink(const float* image, const float* wanted, const float* wish, const float* room, double t,
            size_t n, float* x);

// How many x_i are at most `bound`.
size_t CountUpTo(const float* x, float bound, size_t n);
// Of values that are not negative, the one after the `rank` smallest.
float Smallest(const float* x, size_t rank, size_t n);

// Adam (Kingma and Ba, ICLR 2015): both means of the gradient, and w_i moved down by
// rate correct1 mean_i / (sqrt(correct2 square_i) + guard).
struct AdamSettings {
  float keep1, keep2;  // shares of the means that are kept
  float correct1, correct2;
  float rate, guard;
};
void StepAdam(const AdamSettings& adam, const float* gradient, size_t n, float* mean, float* square,
              float* w);

// Writes (tanh(w_i) + 1) / 2, off by at most 1e-7. Unlike tanhf it is the same with every C
// library.
void FromTanhSpace(const float* w, size_t n, float* x);

namespace internal {

// One instruction set's kernels, named so that a test can compare them with each other.
struct ArrayKernels {
  const char* name;
  double (*absolute_sum)(const float* x, size_t n);
  double (*squared_sum)(const float* x, size_t n);
  double (*largest)(const float* x, size_t n);
  double (*absolute_difference)(const float* a, const float* b, size_t n);
  double (*squared_difference)(const float* a, const float* b, size_t n);
  double (*largest_difference)(const float* a, const float* b, size_t n);
  double (*along)(const float* w, const float* a, const float* b, size_t n);
  Ramp (*even_steps)(const float* x, const float* w, float sign, double t, size_t n);
  Ramp (*weighted_steps)(const float* x, const float* w, float sign, double t, size_t n);
  double (*full_steps)(const float* x, const float* w, float sign, float threshold, size_t n);
  Ramp (*shrunk)(const float* wish, const float* room, double t, size_t n);
  void (*write_even_steps)(const float* x, const float* w, float sign, float t, size_t n,
                           float* step);
  void (*write_weighted_steps)(const float* x, const float* w, float sign, float t, size_t n,
                               float* step);
  void (*blend)(float alpha, float eta, const float* a, const float* y, const float* b, size_t n,
                float* x);
  void (*shrink)(const float* image, const float* wanted, const float* wish, const float* room,
                 double t, size_t n, float* x);
  size_t (*count_up_to)(const float* x, float bound, size_t n);
  void (*step_adam)(const AdamSettings& adam, const float* gradient, size_t n, float* mean,
                    float* square, float* w);
  void (*from_tanh_space)(const float* w, size_t n, float* x);
};

inline constexpr size_t kMaxArrayKernels = 3;

// Those that this machine can run, the fastest first; unused entries have no name.
const std::array<ArrayKernels, kMaxArrayKernels>& SupportedArrayKernels();

}  // namespace internal

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_ARRAY_KERNELS_H_
