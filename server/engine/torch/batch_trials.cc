#include "server/engine/torch/batch_trials.h"

#include <chrono>
#include <utility>

#include "core/base/errors.h"
#include "server/engine/validation/model_validation.h"

namespace assay::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

const std::vector<int> kSmallImageBatches = {4, 8, 12, 16, 20, 24, 28, 32};
const std::vector<int> kLargeImageBatches = {4, 8, 16};
constexpr size_t kSmallImage = 3 * 64 * 64;
// A size that few survivors fill.
constexpr int kSmallBatch = 8;

// Of one pass, after a warm-up.
template <typename Pass>
absl::StatusOr<double> Seconds(const Pass& pass) {
  double best = 1e9;
  for (int repetition = 0; repetition < 4; ++repetition) {
    const auto start = SteadyClock::now();
    ASSAY_RETURN_IF_ERROR(pass());
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    // The first pass allocates and builds primitives; a slow one is not repeated just to be
    // exact.
    if (repetition > 0 || seconds > 0.5) best = std::min(best, seconds);
    if (seconds > 0.5) break;
  }
  return best;
}

}  // namespace

const std::vector<int>& CpuBatchSizes(const Shape& shape) {
  return shape.size() <= kSmallImage ? kSmallImageBatches : kLargeImageBatches;
}

bool ProbedBatches::Serve(const std::vector<int>& candidates) const {
  for (const ProbedSizes* probed : {&forward, &gradients}) {
    if (probed->sizes.empty() || probed->sizes.front() > kSmallBatch ||
        probed->sizes.back() < candidates.back()) {
      return false;
    }
  }
  return true;
}

absl::StatusOr<ProbedBatches> BatchTrials::Probe(const std::vector<int>& candidates) {
  ProbedBatches probed;
  ASSAY_ASSIGN_OR_RETURN(probed.forward, ProbeBatchSizes(shape_, candidates,
                                                         [this](const float* images, int rows,
                                                                std::vector<float>* results) {
                                                           return Forward(images, rows, results);
                                                         }));
  auto gradients = ProbeBatchSizes(
      shape_, candidates, [this](const float* images, int rows, std::vector<float>* results) {
        return Gradient(images, rows, results);
      });
  if (ReasonOf(gradients.status()) == Reason::kOutOfMemory) return gradients.status();
  probed.gradients =
      gradients.ok() ? *std::move(gradients) : ProbedSizes{probed.forward.sizes, std::string()};
  return probed;
}

absl::StatusOr<double> BatchTrials::ForwardSeconds(int batch) {
  const std::vector<float> images = ProbeImages(shape_, batch);
  std::vector<float> logits;
  return Seconds([&] { return Forward(images.data(), batch, &logits); });
}

absl::StatusOr<double> BatchTrials::GradientSeconds(int batch) {
  const std::vector<float> images = ProbeImages(shape_, batch);
  return Seconds([&] {
    std::vector<float> results;
    return Gradient(images.data(), batch, &results);
  });
}

int BatchTrials::Fastest(bool differentiable) {
  double fastest = 1e9;
  int best = 1;
  for (const int candidate : {16, 64, 128, 256, 512}) {
    auto seconds = ForwardSeconds(candidate);
    if (seconds.ok() && differentiable) {
      const auto gradient = GradientSeconds(candidate);
      if (!gradient.ok()) break;
      *seconds += *gradient;
    }
    if (!seconds.ok()) break;
    // A larger batch wastes more at the end of a task, so it has to earn its place.
    if (*seconds / candidate < 0.95 * fastest) {
      fastest = *seconds / candidate;
      best = candidate;
    }
    if (*seconds > 1) break;
  }
  return best;
}

absl::Status BatchTrials::Gradient(const float* images, int rows, std::vector<float>* results) {
  const size_t classes = LogitCount(1);
  std::vector<float> logits(LogitCount(rows)), gradients(static_cast<size_t>(rows) * shape_.size());
  ASSAY_RETURN_IF_ERROR(passes_.ForwardBackward(
      images, rows,
      [&](const float* z, float* derivative) {
        // Of half the squared length of the logits: all of them take part.
        std::copy_n(z, LogitCount(rows), derivative);
      },
      logits.data(), gradients.data()));
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    results->insert(results->end(), &logits[row * classes], &logits[row * classes] + classes);
    results->insert(results->end(), &gradients[row * shape_.size()],
                    &gradients[row * shape_.size()] + shape_.size());
  }
  return absl::OkStatus();
}

absl::Status BatchTrials::Forward(const float* images, int rows, std::vector<float>* results) {
  results->resize(LogitCount(rows));
  return passes_.Forward(images, rows, results->data());
}

size_t BatchTrials::LogitCount(int rows) const {
  return static_cast<size_t>(rows) * static_cast<size_t>(passes_.num_classes());
}

}  // namespace assay::engine
