// The schedules of Auto-PGD.
//
// For Linf and L2 (Croce and Hein, ICML 2020, section 3): checkpoints at shrinking distances; at
// each, the step size is halved and the search goes back to its best point when the loss rose in
// too few steps since the last checkpoint, or neither step size nor best loss have changed.
//
// For L1 (Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image
// classifiers", ICML 2021): checkpoints at equal distances; at each, the number of values that the
// best point changes decides how many the next steps change, and whether the step size starts again
// from the best point or falls.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_APGD_SCHEDULE_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_APGD_SCHEDULE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace assay::engine {

class ApgdSchedule {
 public:
  // `steps` iterations from step size `first_step` on.
  ApgdSchedule(int steps, double first_step) : steps_(steps), first_step_(first_step) {}

  // Begins a run; `loss` is that of the start.
  void Start(double loss) {
    step_size_ = first_step_;
    best_ = best_at_checkpoint_ = loss;
    reduced_ = true;
    interval_ = std::max(static_cast<int>(0.22 * steps_), 1);
    since_checkpoint_ = 0;
    rises_ = 0;
    // The published code compares the first loss with a buffer that is still zero.
    last_ = 0;
  }

  struct Decision {
    bool improved = false;      // the loss is the best so far
    bool back_to_best = false;  // go on from the best point, with half the step
    bool checkpoint = false;
  };

  // Takes the loss after the next iteration.
  Decision Record(double loss) {
    Decision decision;
    rises_ += loss > last_ ? 1 : 0;
    last_ = loss;
    if (loss > best_) {
      best_ = loss;
      decision.improved = true;
    }
    if (++since_checkpoint_ < interval_) return decision;
    decision.checkpoint = true;
    constexpr double kRho = 0.75;
    const bool halve = rises_ <= interval_ * kRho || (!reduced_ && best_at_checkpoint_ >= best_);
    reduced_ = halve;
    best_at_checkpoint_ = best_;
    if (halve) {
      step_size_ /= 2;
      decision.back_to_best = true;
    }
    const int shrink = std::max(static_cast<int>(0.03 * steps_), 1);
    interval_ = std::max(interval_ - shrink, std::max(static_cast<int>(0.06 * steps_), 1));
    since_checkpoint_ = 0;
    rises_ = 0;
    return decision;
  }

  double step_size() const { return step_size_; }

 private:
  const int steps_;
  const double first_step_;
  double step_size_ = 0;
  double best_ = 0, best_at_checkpoint_ = 0, last_ = 0;
  bool reduced_ = true;
  int interval_ = 1, since_checkpoint_ = 0, rises_ = 0;
};

class SparseSchedule {
 public:
  // `steps` iterations on images of `values` pixel values in a budget of `eps`.
  SparseSchedule(int steps, double eps, size_t values)
      : eps_(eps), values_(values), interval_(std::max(static_cast<int>(0.04 * steps), 1)) {}

  // Begins a run at a random point, and at a point that changes `changed` values.
  void StartAtRandom(double loss) { Start(loss, static_cast<double>(values_), 0.2); }
  void StartAt(double loss, double changed) { Start(loss, changed, Share(changed)); }

  struct Decision {
    bool improved = false;    // the loss is the best so far
    bool checkpoint = false;  // tell AtCheckpoint how many values the best point changes
  };

  // Takes the loss after the next iteration.
  Decision Record(double loss) {
    Decision decision;
    if (loss > best_) {
      best_ = loss;
      decision.improved = true;
    }
    if (++since_checkpoint_ == interval_) {
      decision.checkpoint = true;
      since_checkpoint_ = 0;
    }
    return decision;
  }

  // Whether to go on from the best point.
  bool AtCheckpoint(double changed) {
    const bool sparser = changed < 0.95 * changed_before_;
    step_size_ = sparser ? eps_ : std::max(step_size_ / 1.5, eps_ / 10);
    share_ = Share(changed);
    changed_before_ = changed;
    return sparser;
  }

  double step_size() const { return step_size_; }
  // Of the values in ascending order of their gradients' magnitude, the first that a step changes.
  size_t first_changed() const {
    const double first = std::floor((1 - share_) * static_cast<double>(values_));
    return static_cast<size_t>(std::clamp(first, 0.0, static_cast<double>(values_ - 1)));
  }

 private:
  void Start(double loss, double changed, double share) {
    best_ = loss;
    changed_before_ = changed;
    share_ = share;
    step_size_ = eps_;
    since_checkpoint_ = 0;
  }
  double Share(double changed) const { return changed / (1.5 * static_cast<double>(values_)); }

  const double eps_;
  const size_t values_;
  const int interval_;
  int since_checkpoint_ = 0;
  double best_ = 0, changed_before_ = 0, share_ = 0, step_size_ = 0;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_APGD_SCHEDULE_H_
