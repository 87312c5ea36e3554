// The step size schedule of Auto-PGD (Croce and Hein, ICML 2020, section 3): checkpoints at
// shrinking distances; at each, the step size is halved and the search goes back to its best point
// when the loss rose in too few steps since the last checkpoint, or neither step size nor best loss
// have changed.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_APGD_SCHEDULE_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_APGD_SCHEDULE_H_

#include <algorithm>

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

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_APGD_SCHEDULE_H_
