// Universal perturbation (Moosavi-Dezfooli et al., "Universal adversarial perturbations", CVPR
// 2017), by projected stochastic gradient ascent (Shafahi et al., "Universal adversarial training",
// AAAI 2020): one v inside the budget for all samples, climbing the mean over mini-batches of the
// cross-entropy at x + v. A sample is fooled when the model misclassifies x + v, clipped to [0, 1].
//
// The loss of a sample stops counting at kLossCap, so that those long fooled do not govern v
// (Shafahi et al., section 3.1). Mini-batches are made of samples, not of the device's slots: which
// samples, and in which order they are summed, follows from the seed and their positions in the
// dataset.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/driver.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

constexpr double kLossCap = 9;

// Random streams of a sample: 0 tells whether it is used for fitting, 1 + e its place in epoch e.
constexpr uint32_t kFitStream = 0;

class Universal {
 public:
  Universal(const TaskContext& task, Params& params)
      : task_(task),
        key_(task.random_key()),
        norm_(NormNamed(params.Text("norm"))),
        eps_(params.Number("eps")),
        step_(params.Number("step")),
        fit_(params.Number("fit")),
        epochs_(params.Integer("epochs")),
        minibatch_(static_cast<size_t>(params.Integer("minibatch"))),
        image_size_(task.classifier.shape().size()),
        outcomes_(task.samples.size()),
        perturbation_(image_size_) {}

  absl::StatusOr<std::vector<v1::Outcome>> Run() {
    ASSAY_RETURN_IF_ERROR(CleanPass());
    ASSAY_RETURN_IF_ERROR(Fit());
    ASSAY_RETURN_IF_ERROR(Evaluate());
    ASSAY_RETURN_IF_ERROR(Round());
    return std::move(outcomes_);
  }

 private:
  absl::Status CleanPass() {
    return ForwardAll(
        task_, [&](size_t i, float* pixels) { task_.samples.ReadImage(i, pixels); },
        [&](size_t i, const float* logits) {
          outcomes_[i] = CleanOutcome(task_, i, Predict(logits, task_.classifier.num_classes()));
          if (outcomes_[i].attack().attacked()) attacked_.push_back(i);
        });
  }

  // Samples in the order of a draw of their own; those with equal draws in the dataset's.
  std::vector<size_t> Shuffled(const std::vector<size_t>& samples, uint32_t stream) const {
    std::vector<std::pair<std::pair<uint32_t, int64_t>, size_t>> keyed;
    for (const size_t i : samples) {
      const int64_t index = task_.samples.index(i);
      keyed.push_back({{RandomStream(key_, index, stream).Bits(), index}, i});
    }
    std::sort(keyed.begin(), keyed.end());
    std::vector<size_t> order;
    for (const auto& [draw, i] : keyed) order.push_back(i);
    return order;
  }

  absl::Status Fit() {
    std::vector<size_t> chosen = Shuffled(attacked_, kFitStream);
    chosen.resize(static_cast<size_t>(std::ceil(fit_ * static_cast<double>(chosen.size()))));
    const auto passes = static_cast<double>(epochs_) * static_cast<double>(chosen.size());
    double done = 0;
    for (int64_t epoch = 0; epoch < epochs_; ++epoch) {
      const std::vector<size_t> order = Shuffled(chosen, static_cast<uint32_t>(1 + epoch));
      for (size_t first = 0; first < order.size(); first += minibatch_) {
        const size_t count = std::min(minibatch_, order.size() - first);
        ASSAY_RETURN_IF_ERROR(Ascend(&order[first], count));
        done += static_cast<double>(count);
        task_.observer.OnProgress(0, done / (passes + static_cast<double>(attacked_.size())));
      }
    }
    return absl::OkStatus();
  }

  // One step along the gradient of the mini-batch's mean loss.
  absl::Status Ascend(const size_t* samples, size_t count) {
    std::vector<double> sum(image_size_);
    // Whether a sample has a say: its loss can be told, and is not over the cap.
    std::vector<char> votes(count);
    ItemPasses passes;
    passes.read = [&](size_t i, float* pixels) { ReadPerturbed(samples[i], pixels); };
    passes.logit_gradient = [&](size_t i, const float* logits, float* derivative) {
      if (Predict(logits, task_.classifier.num_classes()).undecided) return;
      votes[i] = CrossEntropy(logits, task_.classifier.num_classes(),
                              task_.samples.label(samples[i]), derivative) <= kLossCap;
    };
    passes.done = [&](size_t i, const ItemResult& result) {
      v1::AttackOutcome& counts = *outcomes_[samples[i]].mutable_attack();
      counts.set_forwards(counts.forwards() + 1);
      counts.set_backwards(counts.backwards() + 1);
      const float* gradient = result.gradient;
      const bool finite = std::all_of(gradient, gradient + image_size_,
                                      [](float value) { return std::isfinite(value); });
      if (!finite) counts.set_nonfinite_gradients(counts.nonfinite_gradients() + 1);
      if (!finite || !votes[i]) return;
      // Where clipping holds the pixel, v does not move it.
      bool zero = true;
      const float* x = result.image;
      for (size_t p = 0; p < image_size_; ++p) {
        zero = zero && gradient[p] == 0.0F;
        const bool held =
            (x[p] >= 1.0F && gradient[p] > 0.0F) || (x[p] <= 0.0F && gradient[p] < 0.0F);
        if (!held) sum[p] += static_cast<double>(gradient[p]);
      }
      if (zero) counts.set_zero_gradients(counts.zero_gradients() + 1);
    };
    ASSAY_RETURN_IF_ERROR(RunItems(task_.classifier, task_.observer, count, passes));
    Move(sum);
    return absl::OkStatus();
  }

  // Steepest ascent of the norm, projected onto the ball.
  void Move(const std::vector<double>& gradient) {
    if (norm_ == Norm::kLinf) {
      for (size_t i = 0; i < image_size_; ++i) {
        const double moved = perturbation_[i] + step_ * Sign(gradient[i]);
        perturbation_[i] = std::min(std::max(moved, -eps_), eps_);
      }
      return;
    }
    const auto length = [](const std::vector<double>& v) {
      double squared = 0;
      for (const double value : v) squared += value * value;
      return std::sqrt(squared);
    };
    const double slope = length(gradient);
    if (slope == 0) return;
    for (size_t i = 0; i < image_size_; ++i) perturbation_[i] += step_ * gradient[i] / slope;
    const double shrink = std::min(1.0, eps_ / length(perturbation_));
    for (double& value : perturbation_) value *= shrink;
  }

  // x + v, clipped; float32 must not round it out of the budget.
  std::vector<float> Perturbed(size_t sample) const {
    std::vector<float> image(image_size_), x(image_size_);
    task_.samples.ReadImage(sample, image.data());
    for (size_t i = 0; i < image_size_; ++i) {
      x[i] = static_cast<float>(image[i] + perturbation_[i]);
    }
    Budget(norm_, eps_, image.data(), image_size_).Project(&x);
    return x;
  }

  void ReadPerturbed(size_t sample, float* pixels) const {
    const std::vector<float> x = Perturbed(sample);
    std::copy(x.begin(), x.end(), pixels);
  }

  // Calls done(sample, its point, its prediction) after a plain pass over points that `fill` makes.
  template <typename Fill, typename Done>
  absl::Status ForwardPoints(const std::vector<size_t>& samples, const Fill& fill,
                             const Done& done) {
    ItemPasses passes;
    passes.read = [&](size_t i, float* pixels) {
      ReadPerturbed(samples[i], pixels);
      std::transform(pixels, pixels + image_size_, pixels, fill);
    };
    passes.done = [&](size_t i, const ItemResult& result) {
      done(samples[i], result.image, Predict(result.logits, task_.classifier.num_classes()));
    };
    return RunItems(task_.classifier, task_.observer, samples.size(), passes);
  }

  absl::Status Evaluate() {
    std::vector<float> image(image_size_);
    return ForwardPoints(
        attacked_, [](float value) { return value; },
        [&](size_t i, const float* point, const Prediction& prediction) {
          v1::Outcome& outcome = outcomes_[i];
          v1::AttackOutcome& attack = *outcome.mutable_attack();
          attack.set_forwards(attack.forwards() + 1);
          if (prediction.Is(task_.samples.label(i))) return;
          outcome.set_prediction(prediction.label);
          outcome.set_confidence(prediction.confidence);
          outcome.set_tie(prediction.tie);
          outcome.set_undecided(prediction.undecided);
          if (prediction.undecided) return;
          attack.set_success(true);
          task_.samples.ReadImage(i, image.data());
          attack.set_distance(Distance(norm_, point, image.data(), image_size_));
          fooled_.push_back(i);
          if (task_.kept != nullptr) {
            task_.kept->push_back({outcome.sample(), {point, point + image_size_}});
          }
        });
  }

  // Which examples still fool the model as 8-bit images.
  absl::Status Round() {
    return ForwardPoints(fooled_, RoundToByte,
                         [&](size_t i, const float* /*point*/, const Prediction& prediction) {
                           outcomes_[i].mutable_attack()->set_survives_rounding(
                               !prediction.undecided && !prediction.Is(task_.samples.label(i)));
                         });
  }

  const TaskContext& task_;
  const RandomKey key_;
  const Norm norm_;
  const double eps_, step_, fit_;
  const int64_t epochs_;
  const size_t minibatch_, image_size_;
  std::vector<v1::Outcome> outcomes_;
  std::vector<size_t> attacked_, fooled_;
  std::vector<double> perturbation_;
};

}  // namespace

absl::StatusOr<std::vector<v1::Outcome>> RunUniversal(const TaskContext& task) {
  Params params(task.condition);
  Universal universal(task, params);
  ASSAY_RETURN_IF_ERROR(params.status());
  return universal.Run();
}

}  // namespace assay::engine
