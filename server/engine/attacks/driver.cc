#include "server/engine/attacks/driver.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "core/conditions/condition.h"
#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/indicators.h"
#include "server/engine/attacks/nearest.h"
#include "server/engine/base/lanes.h"

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
  int64_t passes = 0;

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

// The samples that wait for a pass of one kind. Those go first that have had the fewest: samples
// that keep pace want the same kind of pass, and end together.
class Ready {
 public:
  size_t size() const { return samples_.size(); }
  // Passes of the one that comes first; there must be one.
  int64_t fewest_passes() const { return samples_.begin()->first; }
  void Add(std::unique_ptr<Active> active) {
    const int64_t passes = active->passes;
    samples_.emplace(passes, std::move(active));
  }
  Batch Take(size_t count) {
    Batch batch;
    for (; batch.size() < count; samples_.erase(samples_.begin())) {
      batch.push_back(std::move(samples_.begin()->second));
    }
    return batch;
  }

 private:
  std::multimap<int64_t, std::unique_ptr<Active>> samples_;
};

// What a lane does next.
enum class Job { kNothing, kStart, kGradient, kForward };

// The samples of a lane, and the arrays of its passes.
struct Lane {
  Job job = Job::kNothing;
  Batch batch;
  std::vector<float> images, gradients, logits;
  // Where the samples of the batch go.
  Batch for_gradient, for_forward;
  std::vector<size_t> finished;
  double work = 0;
};

class Driver {
 public:
  Driver(const TaskContext& task, const Attack& attack, const DriveOptions& options)
      : task_(task),
        attack_(attack),
        options_(options),
        gradient_source_(options.surrogate == nullptr ? task.classifier : *options.surrogate),
        key_(task.random_key()),
        work_per_sample_(WorkPerSample(task.condition)),
        num_classes_(task.classifier.num_classes()),
        classes_(static_cast<size_t>(num_classes_)),
        image_size_(task.classifier.shape().size()),
        lanes_(static_cast<size_t>(task.classifier.lanes())),
        most_active_(MostActive()),
        clean_logits_(task.samples.size()),
        outcomes_(task.samples.size()) {}

  absl::StatusOr<std::vector<v1::Outcome>> Run() {
    ASSAY_RETURN_IF_ERROR(CleanPass());
    ASSAY_RETURN_IF_ERROR(OnLanes(task_.classifier, [this] { return RunLane(); }));
    return std::move(outcomes_);
  }

 private:
  absl::Status CleanPass() {
    ItemPasses passes;
    passes.read = [&](size_t i, float* pixels) { task_.samples.ReadImage(i, pixels); };
    passes.done = [&](size_t i, const ItemResult& result) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      outcomes_[i] = CleanOutcome(task_, i, Predict(result.logits, num_classes_));
      work_ += 1;
      if (outcomes_[i].attack().attacked()) {
        clean_logits_[i].assign(result.logits, result.logits + classes_);
        pending_.push_back(i);
      } else {
        ++finished_;
        task_.observer.OnOutcome(outcomes_[i]);
      }
      Report();
    };
    return RunItems(task_.classifier, task_.observer, task_.samples.size(), passes);
  }

  // How many samples are under attack at once: enough for full batches of every lane whatever their
  // passes, and as many as fit into a moderate amount of memory, since those that survive take
  // equally long and should end together; with checkpoints as many as end together soon.
  size_t MostActive() const {
    constexpr size_t kMemory = size_t{1} << 29;
    // Passes between two such ends.
    constexpr double kCheckpointWork = 20'000;
    // Arrays of the size of an image that a state keeps, roughly.
    constexpr size_t kArrays = 12;
    const auto batch = static_cast<size_t>(std::max(gradient_source_.gradient_sizes().largest(),
                                                    task_.classifier.forward_sizes().largest()));
    size_t most = kMemory / (kArrays * image_size_ * sizeof(float));
    if (task_.checkpoints) {
      most = std::min(most, static_cast<size_t>(kCheckpointWork / std::max(1.0, work_per_sample_)));
    }
    return std::max(2 * lanes_ * batch, most);
  }

  // --- lanes

  absl::Status RunLane() {
    Lane lane;
    while (true) {
      ASSAY_RETURN_IF_ERROR(Next(lane));
      absl::Status status;
      switch (lane.job) {
        case Job::kNothing:
          return absl::OkStatus();
        case Job::kStart:
          for (auto& active : lane.batch) {
            Start(*active);
            Queue(lane, std::move(active));
          }
          break;
        case Job::kGradient:
          status = GradientBatch(lane);
          break;
        case Job::kForward:
          status = ForwardBatch(lane);
          break;
      }
      Return(lane, status);
      ASSAY_RETURN_IF_ERROR(status);
    }
  }

  // Waits for work, and takes it.
  absl::Status Next(Lane& lane) {
    MutexLock lock(mutex_);
    lane.job = Job::kNothing;
    lock.Wait(changed_, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return stopped_ || TakeJob(lane) || (busy_ == 0 && active_ == 0);
    });
    if (lane.job == Job::kNothing) return absl::OkStatus();
    if (task_.observer.Cancelled()) {
      stopped_ = true;
      changed_.notify_all();
      return Error(Reason::kCancelled, "the task was cancelled");
    }
    ++busy_;
    return absl::OkStatus();
  }

  // Whether there is something to do now.
  bool TakeJob(Lane& lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const BatchSizes& gradient_sizes = gradient_source_.gradient_sizes();
    const BatchSizes& forward_sizes = task_.classifier.forward_sizes();
    const size_t most =
        static_cast<size_t>(std::max(gradient_sizes.largest(), forward_sizes.largest()));
    if (!pending_.empty() && active_ < most_active_ &&
        for_gradient_.size() + for_forward_.size() < most) {
      for (size_t i = 0; i < most && !pending_.empty() && active_ < most_active_; ++i, ++active_) {
        lane.batch.push_back(std::make_unique<Active>());
        lane.batch.back()->sample = pending_.front();
        pending_.pop_front();
      }
      lane.job = Job::kStart;
      return true;
    }
    if (for_gradient_.size() + for_forward_.size() == 0) return false;
    const bool gradient =
        for_forward_.size() == 0 ||
        (for_gradient_.size() > 0 && for_gradient_.fewest_passes() <= for_forward_.fewest_passes());
    return TakeBatch(lane, gradient) || TakeBatch(lane, !gradient);
  }

  // Whether there is a batch for a pass of this kind.
  bool TakeBatch(Lane& lane, bool gradient) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Ready& ready = gradient ? for_gradient_ : for_forward_;
    if (ready.size() == 0) return false;
    const BatchSizes& sizes =
        gradient ? gradient_source_.gradient_sizes() : task_.classifier.forward_sizes();
    const int share = static_cast<int>((active_ + pending_.size() + lanes_ - 1) / lanes_);
    const int count = sizes.Take(static_cast<int>(ready.size()), share);
    // Rather than pad much, wait for the samples of other lanes.
    if (4 * count < 3 * sizes.Holding(count) && busy_ > 0) return false;
    lane.job = gradient ? Job::kGradient : Job::kForward;
    lane.batch = ready.Take(static_cast<size_t>(count));
    return true;
  }

  // Hands the samples of the lane's batch on.
  void Return(Lane& lane, const absl::Status& status) {
    MutexLock lock(mutex_);
    --busy_;
    stopped_ = stopped_ || !status.ok();
    for (auto& active : lane.for_gradient) for_gradient_.Add(std::move(active));
    for (auto& active : lane.for_forward) for_forward_.Add(std::move(active));
    active_ -= lane.finished.size();
    finished_ += lane.finished.size();
    work_ += lane.work;
    for (const size_t sample : lane.finished) task_.observer.OnOutcome(outcomes_[sample]);
    if (!lane.finished.empty() || lane.work > 0) Report();
    lane.batch.clear();
    lane.for_gradient.clear();
    lane.for_forward.clear();
    lane.finished.clear();
    lane.work = 0;
    changed_.notify_all();
  }

  void Report() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto total = static_cast<double>(task_.samples.size());
    const double done = static_cast<double>(finished_);
    // Samples in flight count by the passes spent, but never as much as finished ones.
    const double in_flight = std::min(total - done, work_ / std::max(1.0, work_per_sample_));
    task_.observer.OnProgress(static_cast<int64_t>(finished_),
                              std::max(done, std::min(total, in_flight)) / total);
  }

  // --- the way of a sample

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
    active.target.deterministic =
        gradient_source_.deterministic() && task_.classifier.deterministic();
    active.state = attack_.Start(active.target, key_);
    if (attack_.minimum_norm()) {
      active.state =
          std::make_unique<NearestState>(attack_, active.target, std::move(active.state));
    }
    for (int target : active.state->targets()) {
      AttackOutcomeOf(active).add_targets()->set_target(target);
    }
  }

  // Puts a sample where its state wants to be.
  void Queue(Lane& lane, std::unique_ptr<Active> active) {
    active->purpose = Purpose::kStep;
    switch (active->state->need()) {
      case Need::kGradient:
        lane.for_gradient.push_back(std::move(active));
        return;
      case Need::kForward:
        lane.for_forward.push_back(std::move(active));
        return;
      case Need::kDone:
        GiveUp(lane, *active);
        return;
    }
  }

  static void QueueForward(Lane& lane, std::unique_ptr<Active> active, Purpose purpose) {
    active->purpose = purpose;
    lane.for_forward.push_back(std::move(active));
  }

  // The method is done.
  void GiveUp(Lane& lane, const Active& active) {
    v1::AttackOutcome& attack = AttackOutcomeOf(active);
    // Losses of a surrogate say nothing about this model, and that of a minimum-norm method goes up
    // and down across the boundary by design.
    if (!attack.success() && options_.surrogate == nullptr && !attack_.minimum_norm()) {
      active.losses.Describe(attack);
    }
    lane.finished.push_back(active.sample);
  }

  // Takes an adversarial example: records it, and sends its rounded copy on its way.
  absl::Status Succeed(Lane& lane, std::unique_ptr<Active> active, const Prediction& prediction) {
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
      Finish(lane, std::move(active));
      return absl::OkStatus();
    }
    v1::Outcome& outcome = outcomes_[active->sample];
    outcome.set_prediction(prediction.label);
    outcome.set_confidence(prediction.confidence);
    outcome.set_tie(prediction.tie);
    attack.set_success(true);
    attack.set_distance(distance);
    attack.set_stage(active->state->stage());
    if (task_.kept != nullptr) {
      MutexLock lock(mutex_);
      task_.kept->push_back({outcome.sample(), point});
    }
    active->rounded.resize(image_size_);
    std::transform(point.begin(), point.end(), active->rounded.begin(), RoundToByte);
    QueueForward(lane, std::move(active), Purpose::kRound);
    return absl::OkStatus();
  }

  // After a success.
  void Finish(Lane& lane, std::unique_ptr<Active> active) {
    if (active->state->NextTarget()) {
      Queue(lane, std::move(active));
    } else {
      lane.finished.push_back(active->sample);
    }
  }

  void FinishUndecided(Lane& lane, const Active& active) {
    v1::Outcome& outcome = outcomes_[active.sample];
    outcome.set_undecided(true);
    outcome.set_prediction(-1);
    outcome.set_confidence(0);
    lane.finished.push_back(active.sample);
  }

  // --- passes

  void ReadPoints(Lane& lane, const BatchSizes& sizes) const {
    const auto rows = static_cast<size_t>(sizes.Holding(static_cast<int>(lane.batch.size())));
    lane.images.resize(std::max(lane.images.size(), rows * image_size_));
    lane.logits.resize(std::max(lane.logits.size(), rows * classes_));
    for (size_t slot = 0; slot < lane.batch.size(); ++slot) {
      std::memcpy(&lane.images[slot * image_size_], lane.batch[slot]->next_point().data(),
                  image_size_ * sizeof(float));
      ++lane.batch[slot]->passes;
    }
  }

  absl::Status GradientBatch(Lane& lane) {
    ReadPoints(lane, gradient_source_.gradient_sizes());
    lane.gradients.resize(lane.images.size());
    ASSAY_RETURN_IF_ERROR(gradient_source_.ForwardBackward(
        lane.images.data(), static_cast<int>(lane.batch.size()),
        [&](const float* logits, float* derivative) {
          for (size_t slot = 0; slot < lane.batch.size(); ++slot) {
            lane.batch[slot]->state->LogitGradient(&logits[slot * classes_],
                                                   &derivative[slot * classes_]);
          }
        },
        lane.logits.data(), lane.gradients.data()));
    for (size_t slot = 0; slot < lane.batch.size(); ++slot) {
      auto& active = lane.batch[slot];
      const Result result =
          TakeGradient(*active, &lane.logits[slot * classes_], &lane.gradients[slot * image_size_]);
      v1::AttackOutcome& counts = AttackOutcomeOf(*active);
      counts.set_forwards(counts.forwards() + 1);
      counts.set_backwards(counts.backwards() + 1);
      counts.set_zero_gradients(counts.zero_gradients() + (result.zero_gradient ? 1 : 0));
      counts.set_nonfinite_gradients(counts.nonfinite_gradients() +
                                     (result.nonfinite_gradient ? 1 : 0));
      lane.work += 3;
      if (result.verdict == Verdict::kUndecided) {
        FinishUndecided(lane, *active);
      } else if (result.verdict == Verdict::kGoesOn) {
        Queue(lane, std::move(active));
      } else if (options_.verify) {
        QueueForward(lane, std::move(active), Purpose::kVerify);
      } else {
        ASSAY_RETURN_IF_ERROR(Succeed(lane, std::move(active), result.prediction));
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
      active.losses.Add(active.state->repetition());
    }
    return result;
  }

  absl::Status ForwardBatch(Lane& lane) {
    ReadPoints(lane, task_.classifier.forward_sizes());
    ASSAY_RETURN_IF_ERROR(task_.classifier.Forward(
        lane.images.data(), static_cast<int>(lane.batch.size()), lane.logits.data()));
    for (size_t slot = 0; slot < lane.batch.size(); ++slot) {
      auto& active = lane.batch[slot];
      const Result result = TakeLogits(*active, &lane.logits[slot * classes_]);
      v1::AttackOutcome& attack = AttackOutcomeOf(*active);
      if (active->purpose == Purpose::kRound) {
        attack.set_survives_rounding(Fools(*active, result.prediction));
        Finish(lane, std::move(active));
        continue;
      }
      attack.set_forwards(attack.forwards() + 1);
      lane.work += 1;
      if (result.verdict == Verdict::kUndecided) {
        FinishUndecided(lane, *active);
      } else if (result.verdict == Verdict::kAdversarial) {
        ASSAY_RETURN_IF_ERROR(Succeed(lane, std::move(active), result.prediction));
      } else {
        attack.set_unconfirmed_candidates(attack.unconfirmed_candidates() +
                                          (result.unconfirmed ? 1 : 0));
        Queue(lane, std::move(active));
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
      active.losses.Add(active.state->repetition());
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

  v1::AttackOutcome& AttackOutcomeOf(const Active& active) {
    return *outcomes_[active.sample].mutable_attack();
  }

  const TaskContext& task_;
  const Attack& attack_;
  const DriveOptions options_;
  Classifier& gradient_source_;
  const RandomKey key_;
  const double work_per_sample_;
  const int num_classes_;
  const size_t classes_, image_size_, lanes_, most_active_;
  // A sample's element belongs to the lane that has the sample.
  std::vector<std::vector<float>> clean_logits_;  // of samples that wait for their admission
  std::vector<v1::Outcome> outcomes_;

  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<size_t> pending_ ABSL_GUARDED_BY(mutex_);
  Ready for_gradient_ ABSL_GUARDED_BY(mutex_), for_forward_ ABSL_GUARDED_BY(mutex_);
  size_t active_ ABSL_GUARDED_BY(mutex_) = 0;  // samples under attack
  size_t busy_ ABSL_GUARDED_BY(mutex_) = 0;    // lanes at work
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  size_t finished_ ABSL_GUARDED_BY(mutex_) = 0;
  double work_ ABSL_GUARDED_BY(mutex_) = 0;  // model passes, a backward counting as two
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
