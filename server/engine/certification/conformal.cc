#include "server/engine/certification/conformal.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>

#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "core/statistics/smoothing_certificate.h"
#include "server/engine/certification/noise.h"

namespace assay::engine {
namespace {

// Stream of the uniform number of APS; draws of noise have the lower numbers.
constexpr uint32_t kUniformStream = std::numeric_limits<uint32_t>::max();

// Mean scores as an outcome; the smallest one wins as the largest logit does elsewhere.
v1::Outcome ScoredOutcome(const TaskContext& task, size_t sample, const double* sums,
                          const double* squares, size_t classes, int64_t draws, bool undecided) {
  std::vector<float> negated(classes);
  v1::ConformalOutcome conformal;
  const auto n = static_cast<double>(draws);
  for (size_t k = 0; k < classes; ++k) {
    const auto score = static_cast<float>(std::min(1.0, sums[k] / n));
    conformal.add_scores(score);
    if (draws > 1) {
      const double deviations = std::max(0.0, squares[k] - sums[k] * sums[k] / n);
      conformal.add_variances(static_cast<float>(deviations / (n - 1)));
    }
    negated[k] = undecided ? std::numeric_limits<float>::quiet_NaN() : -score;
  }
  Prediction prediction = Predict(negated.data(), static_cast<int>(classes));
  if (!undecided) prediction.confidence = 1 + negated[static_cast<size_t>(prediction.label)];
  v1::Outcome outcome =
      MakeOutcome(task.samples.index(sample), task.samples.label(sample), prediction);
  *outcome.mutable_conformal() = std::move(conformal);
  return outcome;
}

}  // namespace

void ConformalScores(ConformalScore score, const float* logits, int num_classes, double u,
                     double* scores) {
  const auto classes = static_cast<size_t>(num_classes);
  if (Predict(logits, num_classes).undecided) {
    std::fill(scores, scores + classes, 1.0);
    return;
  }
  const double largest = *std::max_element(logits, logits + classes);
  double total = 0;
  std::vector<double> p(classes);
  for (size_t k = 0; k < classes; ++k) {
    p[k] = std::exp(static_cast<double>(logits[k]) - largest);
    total += p[k];
  }
  for (size_t k = 0; k < classes; ++k) {
    double value = total - p[k];
    if (score == ConformalScore::kAps) {
      value = u * p[k];
      for (const double other : p) value += other > p[k] ? other : 0;
    }
    scores[k] = std::clamp(value / total, 0.0, 1.0);
  }
}

absl::StatusOr<std::vector<v1::Outcome>> RunConformal(const TaskContext& task) {
  Params params(task.condition);
  SmoothingSetting setting;
  setting.scale = params.Number("sigma");
  const int64_t draws = params.Integer("n");
  const ConformalScore score =
      params.Text("score") == "aps" ? ConformalScore::kAps : ConformalScore::kHps;
  ASSAY_RETURN_IF_ERROR(params.status());

  const RandomKey key = task.random_key();
  const std::unique_ptr<Noise> noise = MakeNoise(setting);
  const size_t image_size = task.classifier.shape().size();
  const int num_classes = task.classifier.num_classes();
  const auto classes = static_cast<size_t>(num_classes);
  const auto per_sample = static_cast<size_t>(draws);

  std::vector<v1::Outcome> outcomes;
  outcomes.reserve(task.samples.size());
  // Of the sample whose draws are coming in.
  std::vector<double> sums(classes), squares(classes), scores(classes);
  double u = 0;
  bool undecided = true;
  ASSAY_RETURN_IF_ERROR(ForwardItems(
      task, task.samples.size() * per_sample,
      [&](size_t item, float* pixels) {
        const size_t sample = item / per_sample;
        std::vector<float> image(image_size);
        task.samples.ReadImage(sample, image.data());
        noise->Draw(key, task.samples.index(sample), static_cast<uint32_t>(item % per_sample),
                    image.data(), pixels, image_size);
      },
      [&](size_t item, const float* logits) {
        const size_t sample = item / per_sample;
        if (item % per_sample == 0) {
          std::fill(sums.begin(), sums.end(), 0.0);
          std::fill(squares.begin(), squares.end(), 0.0);
          u = RandomStream(key, task.samples.index(sample), kUniformStream).Uniform();
          undecided = true;
        }
        ConformalScores(score, logits, num_classes, u, scores.data());
        for (size_t k = 0; k < classes; ++k) {
          sums[k] += scores[k];
          squares[k] += scores[k] * scores[k];
        }
        undecided = undecided && Predict(logits, num_classes).undecided;
        if (item % per_sample + 1 == per_sample) {
          outcomes.push_back(
              ScoredOutcome(task, sample, sums.data(), squares.data(), classes, draws, undecided));
          task.observer.OnOutcome(outcomes.back());
        }
      }));
  return outcomes;
}

}  // namespace assay::engine
