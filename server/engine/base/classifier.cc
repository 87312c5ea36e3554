#include "server/engine/base/classifier.h"

#include <chrono>

namespace assay::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

}  // namespace

Classifier::Usage Classifier::Usage::operator+(const Usage& other) const {
  return {forward_batches + other.forward_batches,
          backward_batches + other.backward_batches,
          forward_images + other.forward_images,
          backward_images + other.backward_images,
          needed_forwards + other.needed_forwards,
          needed_backwards + other.needed_backwards,
          seconds + other.seconds};
}

Classifier::Usage Classifier::Usage::operator-(const Usage& other) const {
  return *this + Usage{-other.forward_batches, -other.backward_batches, -other.forward_images,
                       -other.backward_images, -other.needed_forwards,  -other.needed_backwards,
                       -other.seconds};
}

absl::Status Classifier::Forward(const float* images, int count, float* logits) {
  const auto start = SteadyClock::now();
  const int rows = forward_sizes().Holding(count);
  const absl::Status status = RunForward(images, rows, logits);
  Count({1, 0, rows, 0, count, 0, SecondsSince(start)});
  return status;
}

absl::Status Classifier::ForwardBackward(const float* images, int count,
                                         const LogitGradient& logit_gradient, float* logits,
                                         float* gradient) {
  const auto start = SteadyClock::now();
  const int rows = gradient_sizes().Holding(count);
  const absl::Status status = RunForwardBackward(images, rows, logit_gradient, logits, gradient);
  Count({1, 1, rows, rows, count, count, SecondsSince(start)});
  return status;
}

Classifier::Usage Classifier::usage() const {
  MutexLock lock(mutex_);
  return usage_;
}

void Classifier::CountUnneeded(int64_t images) { Count({0, 0, 0, 0, -images, 0, 0}); }

void Classifier::Count(const Usage& pass) {
  MutexLock lock(mutex_);
  usage_ = usage_ + pass;
}

}  // namespace assay::engine
