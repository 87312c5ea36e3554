#include "server/engine/attacks/driver.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/parallel.h"
#include "core/base/probe_order.h"
#include "core/conditions/condition.h"
#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/indicators.h"
#include "server/engine/attacks/losses.h"

namespace assay::engine {
namespace {

// What a forward pass of a sample is for.
enum class Purpose {
  kStep,     // the method asked for it
  kVerify,   // a gradient pass misclassified the point; is it so in a plain pass?
  kConfirm,  // the same of a candidate, when a minimum-norm method is done
  kRound,    // the adversarial example, rounded to 8 bits
};

// A misclassified point of a minimum-norm attack.
struct Candidate {
  std::vector<float> point;
  double distance = 0;
  bool verified = false;  // by a plain forward pass
};

// A sample between its admission and its outcome.
struct Active {
  size_t sample = 0;
  std::vector<float> image;
  std::vector<float> clean_logits;
  std::unique_ptr<AttackState> state;
  Purpose purpose = Purpose::kStep;
  // kVerify: results of the gradient pass, for the method to go on with should the verification
  // fail.
  std::vector<float> logits, gradient;
  // kRound: the rounded point.
  std::vector<float> rounded;
  // Minimum norm: the nearest misclassified points, nearest first.
  std::vector<Candidate> candidates;
  // What the attack makes small, along its first run: its gradient passes until it asks for a plain
  // one.
  std::vector<float> losses;
  bool first_run = true;
  // The attack is over and `state` tries without a budget (MakeUnconstrained), in passes that are
  // in no count.
  bool probing = false;

  const std::vector<float>& next_point() const {
    if (purpose == Purpose::kRound) return rounded;
    return purpose == Purpose::kConfirm ? candidates.front().point : state->point();
  }
};

// Candidates are kept until one is confirmed. A gradient pass can differ from a plain one in the
// last bits, which matters close to the boundary, where minimum-norm methods end.
constexpr size_t kMaxCandidates = 4;

struct CleanResult {
  Prediction prediction;
  std::vector<float> logits;
};

class Driver {
 public:
  Driver(const TaskContext& task, const Attack& attack, Classifier* surrogate)
      : task_(task),
        attack_(attack),
        surrogate_(surrogate),
        key_(task.random_key()),
        probe_key_(task.seed, absl::StrCat(RandomnessId(task.condition), "/unconstrained")),
        classes_(static_cast<size_t>(task.classifier.num_classes())),
        batch_size_(static_cast<size_t>(task.classifier.batch_size())),
        image_size_(task.classifier.shape().size()),
        clean_(task.samples.size()),
        outcomes_(task.samples.size()),
        images_(batch_size_ * image_size_),
        gradients_(batch_size_ * image_size_),
        logits_(batch_size_ * classes_) {}

  absl::StatusOr<std::vector<v1::Outcome>> Run() {
    ASSAY_RETURN_IF_ERROR(CleanPass());
    ASSAY_RETURN_IF_ERROR(Work());
    if (!survivors_.empty()) {
      ASSAY_RETURN_IF_ERROR(AdmitProbes());
      ASSAY_RETURN_IF_ERROR(Work());
    }
    return std::move(outcomes_);
  }

 private:
  // Until nothing is left to do.
  absl::Status Work() {
    while (true) {
      Admit();
      if (for_gradient_.empty() && for_forward_.empty()) return absl::OkStatus();
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

  absl::Status CleanPass() {
    return ForwardAll(
        task_, 1, [&](size_t i, float* pixels) { task_.samples.ReadImage(i, pixels); },
        [&](size_t i, const float* logits) {
          CleanResult& clean = clean_[i];
          clean.prediction = Predict(logits, task_.classifier.num_classes());
          outcomes_[i] = CleanOutcome(task_, i, clean.prediction);
          if (outcomes_[i].attack().attacked()) {
            clean.logits.assign(logits, logits + classes_);
            pending_.push_back(i);
          } else {
            ++finished_;
          }
        });
  }

  // Keeps one gradient batch in flight beside those that wait for a forward pass.
  void Admit() {
    std::vector<std::unique_ptr<Active>> fresh;
    while (!pending_.empty() && for_gradient_.size() + fresh.size() < batch_size_ &&
           for_forward_.size() < batch_size_) {
      auto active = std::make_unique<Active>();
      active->sample = pending_.front();
      pending_.pop_front();
      fresh.push_back(std::move(active));
    }
    ParallelFor(task_.classifier.threads(), fresh.size(), 4 * image_size_, [&](size_t i) {
      Active& active = *fresh[i];
      active.image.resize(image_size_);
      task_.samples.ReadImage(active.sample, active.image.data());
      active.clean_logits = std::move(clean_[active.sample].logits);
      active.state =
          attack_.Start({active.image.data(), image_size_, task_.samples.label(active.sample),
                         active.clean_logits.data(), task_.classifier.num_classes(),
                         task_.samples.index(active.sample)},
                        key_);
    });
    for (auto& active : fresh) {
      v1::AttackOutcome& attack = *outcomes_[active->sample].mutable_attack();
      for (int target : active->state->targets()) attack.add_targets()->set_target(target);
      Queue(std::move(active));
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
        if (!active->candidates.empty()) {
          active->purpose = Purpose::kConfirm;
          for_forward_.push_back(std::move(active));
        } else {
          GiveUp(std::move(active));
        }
        return;
    }
  }

  // The method is done. What it leaves robust is measured, and some of it tried without a budget
  // when the others are finished.
  void GiveUp(std::unique_ptr<Active> active) {
    v1::AttackOutcome& attack = *outcomes_[active->sample].mutable_attack();
    // Losses and gradients of a surrogate say nothing about this model, and only gradient attacks
    // can fail for want of gradients.
    if (active->probing) {
      attack.set_unconstrained(v1::AttackOutcome::HELD);
      return;
    }
    ++finished_;
    if (attack.success() || surrogate_ != nullptr || attack.backwards() == 0) return;
    survivors_.push_back(active->sample);
    // The loss of a minimum-norm method goes up and down across the boundary by design.
    if (!attack_.minimum_norm()) {
      const auto angle = BreakPointAngle(active->losses);
      const auto increasing = IncreasingLoss(active->losses);
      if (angle.has_value()) attack.set_break_point_angle(*angle);
      if (increasing.has_value()) attack.set_increasing_loss(*increasing);
    }
  }

  // Survivors, the first in the order of probes, without a budget.
  absl::Status AdmitProbes() {
    ASSAY_ASSIGN_OR_RETURN(unconstrained_, MakeUnconstrained(task_.classifier.shape()));
    const auto order = [&](size_t i) { return ProbeOrder(task_.samples.index(i)); };
    std::sort(survivors_.begin(), survivors_.end(),
              [&](size_t a, size_t b) { return order(a) < order(b); });
    survivors_.resize(std::min<size_t>(survivors_.size(), kMaxProbes));
    for (const size_t sample : survivors_) {
      auto active = std::make_unique<Active>();
      active->sample = sample;
      active->probing = true;
      active->image.resize(image_size_);
      task_.samples.ReadImage(sample, active->image.data());
      // None of its parts looks at the clean logits.
      active->state =
          unconstrained_->Start({active->image.data(), image_size_, task_.samples.label(sample),
                                 nullptr, static_cast<int>(classes_), task_.samples.index(sample)},
                                probe_key_);
      Queue(std::move(active));
    }
    return absl::OkStatus();
  }

  // After a pass of a sample that is tried without a budget.
  void StepProbe(std::unique_ptr<Active> active, const Prediction& prediction, const float* logits,
                 const float* gradient) {
    // What the model answers there cannot be told: the sample stays untried.
    if (prediction.undecided) return;
    if (!prediction.Is(Label(*active))) {
      const bool from_image = absl::string_view(active->state->stage()) == kFromImage;
      outcomes_[active->sample].mutable_attack()->set_unconstrained(
          from_image ? v1::AttackOutcome::FOOLED : v1::AttackOutcome::FOOLED_FROM_ELSEWHERE);
    } else {
      active->state->Step(logits, gradient);
      Queue(std::move(active));
    }
  }

  // Of the loss that the attack makes small: how far the point is from what it is to be.
  float Loss(const Active& active, const float* logits) const {
    const int wanted = active.state->wanted();
    const int classes = static_cast<int>(classes_);
    return static_cast<float>(wanted == AttackState::kAnyButLabel
                                  ? Margin(logits, classes, Label(active))
                                  : -Margin(logits, classes, wanted));
  }

  // Whether a prediction makes the point adversarial, the budget aside.
  bool Fools(const Active& active, const Prediction& prediction) const {
    if (prediction.undecided) return false;
    const int wanted = active.state->wanted();
    return wanted == AttackState::kAnyButLabel ? !prediction.Is(Label(active))
                                               : prediction.Is(wanted);
  }

  // Remembers the state's point if it is among the nearest.
  void Consider(Active& active, bool verified) const {
    const std::vector<float>& point = active.state->point();
    const double distance = attack_.Measure(point.data(), active.image.data(), image_size_);
    std::vector<Candidate>& all = active.candidates;
    // Nothing farther than a verified candidate can matter.
    const auto dominated = [&](const Candidate& c) { return c.verified && c.distance <= distance; };
    if (std::any_of(all.begin(), all.end(), dominated)) return;
    const auto place = std::upper_bound(
        all.begin(), all.end(), distance,
        [](double value, const Candidate& candidate) { return value < candidate.distance; });
    const auto added = all.insert(place, Candidate{point, distance, verified});
    if (verified) all.erase(added + 1, all.end());
    // The farthest stays: it is verified, or the one that is most surely across the boundary.
    if (all.size() > kMaxCandidates) all.erase(all.end() - 2);
  }

  std::vector<std::unique_ptr<Active>> Take(std::deque<std::unique_ptr<Active>>& queue) {
    std::vector<std::unique_ptr<Active>> batch;
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
    auto batch = Take(for_gradient_);
    Classifier& classifier = surrogate_ == nullptr ? task_.classifier : *surrogate_;
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

    enum class Next { kStepped, kVerify, kUndecided, kProbed };
    std::vector<Next> next(batch.size());
    std::vector<char> zero(batch.size()), nonfinite(batch.size());
    std::vector<Prediction> probed(batch.size());
    ParallelFor(task_.classifier.threads(), batch.size(), 8 * image_size_, [&](size_t slot) {
      Active& active = *batch[slot];
      const float* logits = &logits_[slot * classes_];
      const float* gradient = &gradients_[slot * image_size_];
      const Prediction prediction = Predict(logits, static_cast<int>(classes_));
      // Finite values cannot add up to infinity: the sum is one of doubles.
      const double magnitude = AbsoluteSum(gradient, image_size_);
      nonfinite[slot] = !std::isfinite(magnitude);
      zero[slot] = magnitude == 0;
      if (active.probing) {
        probed[slot] = prediction;
        // As where the logits are not finite: there is no way on.
        if (nonfinite[slot]) probed[slot].undecided = true;
        next[slot] = Next::kProbed;
        return;
      }
      if (active.first_run) active.losses.push_back(Loss(active, logits));
      if (prediction.undecided) {
        next[slot] = Next::kUndecided;
      } else if (surrogate_ == nullptr && !attack_.minimum_norm() && active.state->counts() &&
                 Fools(active, prediction) && Inside(active)) {
        active.logits.assign(logits, logits + classes_);
        active.gradient.assign(gradient, gradient + image_size_);
        next[slot] = Next::kVerify;
      } else if (nonfinite[slot]) {
        next[slot] = Next::kUndecided;
      } else {
        if (attack_.minimum_norm() && Fools(active, prediction)) {
          Consider(active, false);
        }
        active.state->Step(logits, gradient);
        next[slot] = Next::kStepped;
      }
    });
    for (size_t slot = 0; slot < batch.size(); ++slot) {
      if (next[slot] == Next::kProbed) {
        StepProbe(std::move(batch[slot]), probed[slot], &logits_[slot * classes_],
                  &gradients_[slot * image_size_]);
        continue;
      }
      v1::AttackOutcome& counts = *outcomes_[batch[slot]->sample].mutable_attack();
      counts.set_forwards(counts.forwards() + 1);
      counts.set_backwards(counts.backwards() + 1);
      counts.set_zero_gradients(counts.zero_gradients() + (zero[slot] ? 1 : 0));
      counts.set_nonfinite_gradients(counts.nonfinite_gradients() + (nonfinite[slot] ? 1 : 0));
      work_ += 3;
      switch (next[slot]) {
        case Next::kStepped:
          Queue(std::move(batch[slot]));
          break;
        case Next::kVerify:
          batch[slot]->purpose = Purpose::kVerify;
          for_forward_.push_back(std::move(batch[slot]));
          break;
        case Next::kUndecided:
          FinishUndecided(batch[slot]->sample);
          break;
        case Next::kProbed:
          break;
      }
    }
    return absl::OkStatus();
  }

  absl::Status ForwardBatch() {
    auto batch = Take(for_forward_);
    ASSAY_RETURN_IF_ERROR(task_.classifier.Forward(images_.data(), logits_.data()));
    std::vector<Prediction> predictions(batch.size());
    std::vector<char> adversarial(batch.size());
    ParallelFor(task_.classifier.threads(), batch.size(), 4 * image_size_, [&](size_t slot) {
      Active& active = *batch[slot];
      const float* logits = &logits_[slot * classes_];
      predictions[slot] = Predict(logits, static_cast<int>(classes_));
      if (active.probing || active.purpose == Purpose::kRound || predictions[slot].undecided)
        return;
      const bool fools = Fools(active, predictions[slot]);
      if (active.purpose == Purpose::kConfirm) {
        adversarial[slot] = fools;
        return;
      }
      if (attack_.minimum_norm()) {
        if (fools) Consider(active, true);
      } else {
        adversarial[slot] = active.state->counts() && fools && Inside(active);
        if (adversarial[slot]) return;
      }
      if (active.purpose == Purpose::kVerify) {
        active.state->Step(active.logits.data(), active.gradient.data());
      } else {
        active.first_run = active.losses.empty();
        active.state->Step(logits, nullptr);
      }
    });
    for (size_t slot = 0; slot < batch.size(); ++slot) {
      auto& active = batch[slot];
      const Prediction& prediction = predictions[slot];
      if (active->probing) {
        StepProbe(std::move(active), prediction, &logits_[slot * classes_], nullptr);
        continue;
      }
      v1::AttackOutcome& counts = *outcomes_[active->sample].mutable_attack();
      if (active->purpose == Purpose::kRound) {
        counts.set_survives_rounding(Fools(*active, prediction));
        Finish(std::move(active));
        continue;
      }
      counts.set_forwards(counts.forwards() + 1);
      work_ += 1;
      if (prediction.undecided) {
        FinishUndecided(active->sample);
      } else if (adversarial[slot]) {
        ASSAY_RETURN_IF_ERROR(Succeed(std::move(active), prediction));
      } else if (active->purpose == Purpose::kConfirm) {
        counts.set_unconfirmed_candidates(counts.unconfirmed_candidates() + 1);
        active->candidates.erase(active->candidates.begin());
        Queue(std::move(active));
      } else {
        if (active->purpose == Purpose::kVerify) {
          counts.set_unconfirmed_candidates(counts.unconfirmed_candidates() + 1);
        }
        Queue(std::move(active));
      }
    }
    return absl::OkStatus();
  }

  // Whether a misclassified point counts: some methods pass through points outside the budget.
  bool Inside(const Active& active) const {
    return !attack_.leaves_budget() ||
           attack_.Measure(active.state->point().data(), active.image.data(), image_size_) <=
               attack_.eps();
  }

  // Takes a verified adversarial example: records it, and sends its rounded copy on its way.
  absl::Status Succeed(std::unique_ptr<Active> active, const Prediction& prediction) {
    constexpr double kSlack = 1 + 1e-6;
    const std::vector<float>& point = active->next_point();
    const double distance = attack_.Measure(point.data(), active->image.data(), image_size_);
    const auto [low, high] = std::minmax_element(point.begin(), point.end());
    if (!(distance <= attack_.eps() * kSlack) || *low < 0.0F || *high > 1.0F) {
      return Error(Reason::kInternal,
                   absl::StrCat(task_.condition.id(), " left its budget on sample ",
                                task_.samples.index(active->sample), ": distance ", distance,
                                ", pixels ", *low, " to ", *high));
    }
    v1::Outcome& outcome = outcomes_[active->sample];
    v1::AttackOutcome& attack = *outcome.mutable_attack();
    const bool first = !attack.success();
    if (first) {
      outcome.set_prediction(prediction.label);
      outcome.set_confidence(prediction.confidence);
      outcome.set_tie(prediction.tie);
      attack.set_success(true);
      attack.set_distance(distance);
      attack.set_stage(active->state->stage());
      active->rounded.resize(image_size_);
      for (size_t i = 0; i < image_size_; ++i) {
        active->rounded[i] = RoundToByte(point[i]);
      }
      if (task_.kept != nullptr) task_.kept->push_back({outcome.sample(), point});
    }
    for (v1::TargetOutcome& target : *attack.mutable_targets()) {
      if (target.target() != active->state->wanted()) continue;
      target.set_success(true);
      target.set_distance(distance);
    }
    if (first) {
      active->purpose = Purpose::kRound;
      for_forward_.push_back(std::move(active));
    } else {
      Finish(std::move(active));
    }
    return absl::OkStatus();
  }

  // After a success.
  void Finish(std::unique_ptr<Active> active) {
    if (!attack_.minimum_norm() && active->state->NextTarget()) {
      Queue(std::move(active));
    } else {
      ++finished_;
    }
  }

  void FinishUndecided(size_t sample) {
    outcomes_[sample].set_undecided(true);
    outcomes_[sample].set_prediction(-1);
    outcomes_[sample].set_confidence(0);
    ++finished_;
  }

  void Report() {
    const auto total = static_cast<double>(task_.samples.size());
    const double done = static_cast<double>(finished_);
    // Samples in flight count by the passes spent, but never as much as finished ones.
    const double in_flight = std::min(total - done, work_ / std::max(1.0, attack_.work()));
    task_.observer.OnProgress(static_cast<int64_t>(finished_),
                              std::max(done, std::min(total, in_flight)) / total);
  }

  int Label(const Active& active) const { return task_.samples.label(active.sample); }

  const TaskContext& task_;
  const Attack& attack_;
  Classifier* const surrogate_;
  const RandomKey key_, probe_key_;
  const size_t classes_, batch_size_, image_size_;
  std::vector<CleanResult> clean_;
  std::vector<v1::Outcome> outcomes_;
  std::deque<size_t> pending_;
  std::deque<std::unique_ptr<Active>> for_gradient_, for_forward_;
  std::vector<float> images_, gradients_, logits_;
  // Samples that stay robust and are measured.
  std::vector<size_t> survivors_;
  std::unique_ptr<Attack> unconstrained_;
  size_t finished_ = 0;
  double work_ = 0;
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

absl::StatusOr<std::vector<v1::Outcome>> RunAttack(const TaskContext& task, const Attack& attack,
                                                   Classifier* surrogate) {
  ASSAY_RETURN_IF_ERROR(CheckTargetClass(task.condition, task.classifier.num_classes()));
  ASSAY_RETURN_IF_ERROR(attack.CheckClasses(task.classifier.num_classes()));
  return Driver(task, attack, surrogate).Run();
}

}  // namespace assay::engine
