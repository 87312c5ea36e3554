#include "server/engine/attacks/driver.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/parallel.h"
#include "core/conditions/condition.h"
#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/indicators.h"
#include "server/engine/attacks/nearest.h"

namespace assay::engine {
namespace {

// What a pass of a sample is for.
enum class Purpose {
  kStep,    // the method asked for it
  kVerify,  // a gradient pass misclassified the point; is it so in a plain pass?
  kRound,   // the adversarial example, rounded to 8 bits
};

// A sample between its admission and its outcome.
struct Active {
  size_t sample = 0;
  std::vector<float> image, clean_logits;  // that `target` points to
  AttackTarget target{};
  std::unique_ptr<AttackState> state;
  Purpose purpose = Purpose::kStep;
  // kVerify: results of the gradient pass, for the method to go on with should the verification
  // fail.
  std::vector<float> logits, gradient;
  // kRound: the rounded point.
  std::vector<float> rounded;
  LossCurve losses;

  const std::vector<float>& next_point() const {
    return purpose == Purpose::kRound ? rounded : state->point();
  }
};

enum class Verdict { kGoesOn, kAdversarial, kUndecided };

// What came of a sample's pass.
struct Result {
  Verdict verdict = Verdict::kGoesOn;
  Prediction prediction;
  bool zero_gradient = false, nonfinite_gradient = false;  // of a gradient pass
  bool unconfirmed = false;                                // of a plain pass that was to confirm
};

using Batch = std::vector<std::unique_ptr<Active>>;

class Driver {
 public:
  Driver(const TaskContext& task, const Attack& attack, const DriveOptions& options)
      : task_(task),
        attack_(attack),
        options_(options),
        key_(task.random_key()),
        work_per_sample_(WorkPerSample(task.condition)),
        num_classes_(task.classifier.num_classes()),
        classes_(static_cast<size_t>(num_classes_)),
        batch_size_(static_cast<size_t>(task.classifier.batch_size())),
        image_size_(task.classifier.shape().size()),
        clean_logits_(task.samples.size()),
        outcomes_(task.samples.size()),
        images_(batch_size_ * image_size_),
        gradients_(batch_size_ * image_size_),
        logits_(batch_size_ * classes_) {}

  absl::StatusOr<std::vector<v1::Outcome>> Run() {
    ASSAY_RETURN_IF_ERROR(CleanPass());
    while (true) {
      Admit();
      if (for_gradient_.empty() && for_forward_.empty()) return std::move(outcomes_);
      if (task_.observer.Cancelled()) return Error(Reason::kCancelled, "the task was cancelled");
      // A forward pass may send samples back for gradients, so it goes first when the gradient
      // batch has room for them.
      const bool gradient_full = for_gradient_.size() >= batch_size_;
      const bool forward_worthwhile = for_forward_.size() >= batch_size_ ||
                                      (!gradient_full && for_forward_.size() * 8 >= batch_size_);
      if (for_gradient_.empty() || forward_worthwhile) {
        ASSAY_RETURN_IF_ERROR(ForwardBatch());
      } else {
        ASSAY_RETURN_IF_ERROR(GradientBatch());
      }
      Report();
    }
  }

 private:
  absl::Status CleanPass() {
    return ForwardAll(
        task_, 1, [&](size_t i, float* pixels) { task_.samples.ReadImage(i, pixels); },
        [&](size_t i, const float* logits) {
          outcomes_[i] = CleanOutcome(task_, i, Predict(logits, num_classes_));
          work_ += 1;
          if (outcomes_[i].attack().attacked()) {
            clean_logits_[i].assign(logits, logits + classes_);
            pending_.push_back(i);
          } else {
            ++finished_;
          }
        });
  }

  // --- the way of a sample

  // Keeps one gradient batch in flight beside those that wait for a forward pass.
  void Admit() {
    Batch fresh;
    while (!pending_.empty() && for_gradient_.size() + fresh.size() < batch_size_ &&
           for_forward_.size() < batch_size_) {
      fresh.push_back(std::make_unique<Active>());
      fresh.back()->sample = pending_.front();
      pending_.pop_front();
    }
    ParallelFor(task_.classifier.threads(), fresh.size(), 4 * image_size_,
                [&](size_t i) { Start(*fresh[i]); });
    for (auto& active : fresh) {
      for (int target : active->state->targets()) {
        AttackOutcomeOf(*active).add_targets()->set_target(target);
      }
      Queue(std::move(active));
    }
  }

  void Start(Active& active) {
    active.image.resize(image_size_);
    task_.samples.ReadImage(active.sample, active.image.data());
    active.clean_logits = std::move(clean_logits_[active.sample]);
    active.target = {active.image.data(),
                     task_.classifier.shape(),
                     task_.samples.label(active.sample),
                     active.clean_logits.data(),
                     num_classes_,
                     task_.samples.index(active.sample)};
    active.state = attack_.Start(active.target, key_);
    if (attack_.minimum_norm()) {
      active.state =
          std::make_unique<NearestState>(attack_, active.target, std::move(active.state));
    }
  }

  // Puts a sample where its state wants to be.
  void Queue(std::unique_ptr<Active> active) {
    active->purpose = Purpose::kStep;
    switch (active->state->need()) {
      case Need::kGradient:
        for_gradient_.push_back(std::move(active));
        return;
      case Need::kForward:
        for_forward_.push_back(std::move(active));
        return;
      case Need::kDone:
        GiveUp(*active);
        return;
    }
  }

  void QueueForward(std::unique_ptr<Active> active, Purpose purpose) {
    active->purpose = purpose;
    for_forward_.push_back(std::move(active));
  }

  // The method is done.
  void GiveUp(const Active& active) {
    v1::AttackOutcome& attack = AttackOutcomeOf(active);
    // Losses of a surrogate say nothing about this model, and that of a minimum-norm method goes up
    // and down across the boundary by design.
    if (!attack.success() && options_.surrogate == nullptr && !attack_.minimum_norm()) {
      active.losses.Describe(attack);
    }
    ++finished_;
  }

  // Takes an adversarial example: records it, and sends its rounded copy on its way.
  absl::Status Succeed(std::unique_ptr<Active> active, const Prediction& prediction) {
    constexpr double kSlack = 1 + 1e-6;
    const std::vector<float>& point = active->state->point();
    const double distance = attack_.Measure(point.data(), active->target);
    const auto [low, high] = std::minmax_element(point.begin(), point.end());
    if (!(distance <= attack_.parameters().eps * kSlack) || *low < 0.0F || *high > 1.0F) {
      return Error(
          Reason::kInternal,
          absl::StrCat(task_.condition.id(), " left its budget on sample ", active->target.index,
                       ": distance ", distance, ", pixels ", *low, " to ", *high));
    }
    v1::AttackOutcome& attack = AttackOutcomeOf(*active);
    for (v1::TargetOutcome& target : *attack.mutable_targets()) {
      if (target.target() != active->state->wanted()) continue;
      target.set_success(true);
      target.set_distance(distance);
    }
    if (attack.success()) {
      Finish(std::move(active));
      return absl::OkStatus();
    }
    v1::Outcome& outcome = outcomes_[active->sample];
    outcome.set_prediction(prediction.label);
    outcome.set_confidence(prediction.confidence);
    outcome.set_tie(prediction.tie);
    attack.set_success(true);
    attack.set_distance(distance);
    attack.set_stage(active->state->stage());
    if (task_.kept != nullptr) task_.kept->push_back({outcome.sample(), point});
    active->rounded.resize(image_size_);
    std::transform(point.begin(), point.end(), active->rounded.begin(), RoundToByte);
    QueueForward(std::move(active), Purpose::kRound);
    return absl::OkStatus();
  }

  // After a success.
  void Finish(std::unique_ptr<Active> active) {
    if (active->state->NextTarget()) {
      Queue(std::move(active));
    } else {
      ++finished_;
    }
  }

  void FinishUndecided(const Active& active) {
    v1::Outcome& outcome = outcomes_[active.sample];
    outcome.set_undecided(true);
    outcome.set_prediction(-1);
    outcome.set_confidence(0);
    ++finished_;
  }

  // --- passes

  Batch Take(std::deque<std::unique_ptr<Active>>& queue) {
    Batch batch;
    while (!queue.empty() && batch.size() < batch_size_) {
      batch.push_back(std::move(queue.front()));
      queue.pop_front();
    }
    ParallelFor(task_.classifier.threads(), batch.size(), image_size_, [&](size_t slot) {
      std::memcpy(&images_[slot * image_size_], batch[slot]->next_point().data(),
                  image_size_ * sizeof(float));
    });
    return batch;
  }

  absl::Status GradientBatch() {
    Batch batch = Take(for_gradient_);
    Classifier& classifier = options_.surrogate == nullptr ? task_.classifier : *options_.surrogate;
    ASSAY_RETURN_IF_ERROR(classifier.ForwardBackward(
        images_.data(),
        [&](const float* logits, float* derivative) {
          std::memset(derivative, 0, batch_size_ * classes_ * sizeof(float));
          for (size_t slot = 0; slot < batch.size(); ++slot) {
            batch[slot]->state->LogitGradient(&logits[slot * classes_],
                                              &derivative[slot * classes_]);
          }
        },
        logits_.data(), gradients_.data()));
    std::vector<Result> results(batch.size());
    ParallelFor(task_.classifier.threads(), batch.size(), 8 * image_size_, [&](size_t slot) {
      results[slot] =
          TakeGradient(*batch[slot], &logits_[slot * classes_], &gradients_[slot * image_size_]);
    });
    for (size_t slot = 0; slot < batch.size(); ++slot) {
      auto& active = batch[slot];
      const Result& result = results[slot];
      v1::AttackOutcome& counts = AttackOutcomeOf(*active);
      counts.set_forwards(counts.forwards() + 1);
      counts.set_backwards(counts.backwards() + 1);
      counts.set_zero_gradients(counts.zero_gradients() + (result.zero_gradient ? 1 : 0));
      counts.set_nonfinite_gradients(counts.nonfinite_gradients() +
                                     (result.nonfinite_gradient ? 1 : 0));
      work_ += 3;
      if (result.verdict == Verdict::kUndecided) {
        FinishUndecided(*active);
      } else if (result.verdict == Verdict::kGoesOn) {
        Queue(std::move(active));
      } else if (options_.verify) {
        QueueForward(std::move(active), Purpose::kVerify);
      } else {
        ASSAY_RETURN_IF_ERROR(Succeed(std::move(active), result.prediction));
      }
    }
    return absl::OkStatus();
  }

  // Reads the results of a gradient pass and moves the state on, unless its point seems
  // adversarial.
  Result TakeGradient(Active& active, const float* logits, const float* gradient) const {
    Result result;
    result.prediction = Predict(logits, num_classes_);
    // Finite values cannot add up to infinity: the sum is one of doubles.
    const double magnitude = AbsoluteSum(gradient, image_size_);
    result.nonfinite_gradient = !std::isfinite(magnitude);
    result.zero_gradient = magnitude == 0;
    active.losses.Add(logits, num_classes_, active.target.label, active.state->wanted());
    if (result.prediction.undecided) {
      result.verdict = Verdict::kUndecided;
    } else if (options_.surrogate == nullptr && IsAdversarial(active, result.prediction)) {
      active.logits.assign(logits, logits + classes_);
      active.gradient.assign(gradient, gradient + image_size_);
      result.verdict = Verdict::kAdversarial;
    } else if (result.nonfinite_gradient) {
      result.verdict = Verdict::kUndecided;
    } else {
      active.state->Step(logits, gradient);
    }
    return result;
  }

  absl::Status ForwardBatch() {
    Batch batch = Take(for_forward_);
    ASSAY_RETURN_IF_ERROR(task_.classifier.Forward(images_.data(), logits_.data()));
    std::vector<Result> results(batch.size());
    ParallelFor(task_.classifier.threads(), batch.size(), 4 * image_size_, [&](size_t slot) {
      results[slot] = TakeLogits(*batch[slot], &logits_[slot * classes_]);
    });
    for (size_t slot = 0; slot < batch.size(); ++slot) {
      auto& active = batch[slot];
      const Result& result = results[slot];
      v1::AttackOutcome& attack = AttackOutcomeOf(*active);
      if (active->purpose == Purpose::kRound) {
        attack.set_survives_rounding(Fools(*active, result.prediction));
        Finish(std::move(active));
        continue;
      }
      attack.set_forwards(attack.forwards() + 1);
      work_ += 1;
      if (result.verdict == Verdict::kUndecided) {
        FinishUndecided(*active);
      } else if (result.verdict == Verdict::kAdversarial) {
        ASSAY_RETURN_IF_ERROR(Succeed(std::move(active), result.prediction));
      } else {
        attack.set_unconfirmed_candidates(attack.unconfirmed_candidates() +
                                          (result.unconfirmed ? 1 : 0));
        Queue(std::move(active));
      }
    }
    return absl::OkStatus();
  }

  // Reads the results of a plain pass and moves the state on, unless its point is adversarial.
  Result TakeLogits(Active& active, const float* logits) const {
    Result result;
    result.prediction = Predict(logits, num_classes_);
    if (active.purpose == Purpose::kRound) return result;
    if (result.prediction.undecided) {
      result.verdict = Verdict::kUndecided;
    } else if (IsAdversarial(active, result.prediction)) {
      result.verdict = Verdict::kAdversarial;
    } else if (active.purpose == Purpose::kVerify) {
      result.unconfirmed = true;
      active.state->Step(active.logits.data(), active.gradient.data());
    } else {
      result.unconfirmed = active.state->confirms();
      active.losses.EndRun();
      active.state->Step(logits, nullptr);
    }
    return result;
  }

  // Whether the prediction is what the attack wants.
  bool Fools(const Active& active, const Prediction& prediction) const {
    if (prediction.undecided) return false;
    const int wanted = active.state->wanted();
    return wanted == AttackState::kAnyButLabel ? !prediction.Is(active.target.label)
                                               : prediction.Is(wanted);
  }

  // Whether that counts at the state's point: some methods pass through points outside the budget.
  bool IsAdversarial(const Active& active, const Prediction& prediction) const {
    return active.state->counts() && Fools(active, prediction) &&
           (!attack_.parameters().leaves_budget ||
            attack_.Measure(active.state->point().data(), active.target) <=
                attack_.parameters().eps);
  }

  // ---

  void Report() {
    const auto total = static_cast<double>(task_.samples.size());
    const double done = static_cast<double>(finished_);
    // Samples in flight count by the passes spent, but never as much as finished ones.
    const double in_flight = std::min(total - done, work_ / std::max(1.0, work_per_sample_));
    task_.observer.OnProgress(static_cast<int64_t>(finished_),
                              std::max(done, std::min(total, in_flight)) / total);
  }

  v1::AttackOutcome& AttackOutcomeOf(const Active& active) {
    return *outcomes_[active.sample].mutable_attack();
  }

  const TaskContext& task_;
  const Attack& attack_;
  const DriveOptions options_;
  const RandomKey key_;
  const double work_per_sample_;
  const int num_classes_;
  const size_t classes_, batch_size_, image_size_;
  std::vector<std::vector<float>> clean_logits_;  // of samples that wait for their admission
  std::vector<v1::Outcome> outcomes_;
  std::deque<size_t> pending_;
  std::deque<std::unique_ptr<Active>> for_gradient_, for_forward_;
  std::vector<float> images_, gradients_, logits_;
  size_t finished_ = 0;
  double work_ = 0;  // model passes, a backward counting as two
};

}  // namespace

v1::Outcome CleanOutcome(const TaskContext& task, size_t i, const Prediction& clean) {
  v1::Outcome outcome = MakeOutcome(task.samples.index(i), task.samples.label(i), clean);
  v1::AttackOutcome& attack = *outcome.mutable_attack();
  attack.set_clean_prediction(clean.label);
  attack.set_forwards(1);
  attack.set_attacked(clean.Is(task.samples.label(i)));
  return outcome;
}

float RoundToByte(float pixel) { return std::nearbyint(pixel * 255.0F) / 255.0F; }

absl::StatusOr<std::vector<v1::Outcome>> Drive(const TaskContext& task, const Attack& attack,
                                               const DriveOptions& options) {
  ASSAY_RETURN_IF_ERROR(CheckTargetClass(task.condition, task.classifier.num_classes()));
  ASSAY_RETURN_IF_ERROR(attack.CheckModel(task.classifier.shape(), task.classifier.num_classes()));
  return Driver(task, attack, options).Run();
}

}  // namespace assay::engine
