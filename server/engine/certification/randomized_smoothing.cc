#include "server/engine/certification/randomized_smoothing.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <utility>

#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/smoothing_certificate.h"
#include "server/engine/base/ensemble.h"
#include "server/engine/base/lanes.h"
#include "server/engine/certification/noise.h"
#include "server/engine/certification/stopping.h"

namespace assay::engine {
namespace {

// A sample that has draws in flight.
struct Active {
  size_t sample = 0;
  std::vector<float> image;
  // Draws asked for so far, and draws judged: selection draws come first.
  int64_t asked = 0;
  int64_t judged = 0;
  // The draw after which the stopping rule looks.
  int64_t next_look = 0;
  bool finished = false;
  int selected = -1;
  std::vector<int64_t> selection, estimation;
  int64_t undecided = 0;
  int64_t tied = 0;
  StoppingRule::State state;
};

// Draws of one sample that are neighbours in a batch.
struct Share {
  std::shared_ptr<Active> active;
  size_t first_slot;
  int64_t first_draw;
  size_t count;
};

struct Batch {
  // Batches are judged in the order of their plans.
  int64_t number = 0;
  size_t count = 0;
  std::vector<Share> shares;
  std::vector<float> noisy, logits;
};

void WriteHistogram(const std::vector<int64_t>& counts,
                    google::protobuf::RepeatedPtrField<v1::ClassCount>* histogram) {
  for (size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] == 0) continue;
    v1::ClassCount* entry = histogram->Add();
    entry->set_index(static_cast<int32_t>(k));
    entry->set_count(counts[k]);
  }
}

class Smoothing {
 public:
  Smoothing(const TaskContext& task, const SmoothingSetting& setting, Classifier& classifier)
      : task_(task),
        setting_(setting),
        classifier_(classifier),
        key_(task.random_key()),
        noise_(MakeNoise(setting)),
        rule_(setting),
        image_size_(classifier.shape().size()),
        classes_(static_cast<size_t>(classifier.num_classes())),
        lanes_(static_cast<size_t>(classifier.lanes())),
        outcomes_(task.samples.size()) {}

  absl::StatusOr<std::vector<v1::Outcome>> Run() {
    ASSAY_RETURN_IF_ERROR(OnLanes(classifier_, [this] { return Lane(); }));
    return std::move(outcomes_);
  }

 private:
  int64_t all_draws() const { return setting_.n0 + setting_.n; }

  absl::Status Lane() {
    Batch batch;
    while (true) {
      ASSAY_RETURN_IF_ERROR(Stop(Plan(batch)));
      if (batch.count == 0) return absl::OkStatus();
      MakeDraws(batch);
      ASSAY_RETURN_IF_ERROR(Stop(classifier_.Forward(
          batch.noisy.data(), static_cast<int>(batch.count), batch.logits.data())));
      Deliver(std::move(batch));
      batch = Batch();
    }
  }

  // An error ends all lanes.
  absl::Status Stop(const absl::Status& status) {
    if (!status.ok()) {
      MutexLock lock(mutex_);
      stopped_ = true;
      judged_.notify_all();
    }
    return status;
  }

  // Waits until there is something to draw, and plans the next batch: what the active samples need
  // until their next look, first come first served, then new samples, and where there are none
  // left, draws ahead of the next look. An empty batch: all is done.
  absl::Status Plan(Batch& batch) {
    MutexLock lock(mutex_);
    absl::Status status;
    lock.Wait(judged_, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if (stopped_ || finished_ == outcomes_.size()) return true;
      status = Fill(batch);
      return !status.ok() || batch.count > 0;
    });
    ASSAY_RETURN_IF_ERROR(status);
    if (batch.count == 0) return absl::OkStatus();
    if (task_.observer.Cancelled()) return Error(Reason::kCancelled, "the task was cancelled");
    batch.number = planned_++;
    return absl::OkStatus();
  }

  absl::Status Fill(Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    size_t free = static_cast<size_t>(
        classifier_.forward_sizes().Take(classifier_.forward_sizes().largest(), LaneShare()));
    const size_t size = free;
    for (const auto& active : active_) Ask(active, active->next_look, size, &free, batch);
    while (free > 0 && started_ < task_.samples.size()) {
      ASSAY_RETURN_IF_ERROR(Admit());
      Ask(active_.back(), active_.back()->next_look, size, &free, batch);
    }
    // Even parts of what is free.
    for (size_t left = active_.size(); left > 0 && free > 0; --left) {
      const auto& active = active_[active_.size() - left];
      const auto even = static_cast<int64_t>((free + left - 1) / left);
      Ask(active, std::min(all_draws(), active->asked + even), size, &free, batch);
    }
    batch.count = size - free;
    return absl::OkStatus();
  }

  // The draws that are left, at most, divided among the lanes.
  int LaneShare() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    int64_t left = static_cast<int64_t>(task_.samples.size() - started_) * all_draws();
    for (const auto& active : active_) left += all_draws() - active->asked;
    const auto lanes = static_cast<int64_t>(lanes_);
    return static_cast<int>(
        std::min<int64_t>((left + lanes - 1) / lanes, classifier_.forward_sizes().largest()));
  }

  // Takes slots for the sample's draws before number `until`.
  static void Ask(const std::shared_ptr<Active>& active, int64_t until, size_t size, size_t* free,
                  Batch& batch) {
    const size_t count =
        std::min(*free, static_cast<size_t>(std::max<int64_t>(0, until - active->asked)));
    if (count == 0) return;
    batch.shares.push_back({active, size - *free, active->asked, count});
    active->asked += static_cast<int64_t>(count);
    *free -= count;
  }

  absl::Status Admit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto active = std::make_shared<Active>();
    active->sample = started_++;
    active->image.resize(image_size_);
    task_.samples.ReadImage(active->sample, active->image.data());
    ASSAY_RETURN_IF_ERROR(noise_->Check(active->image.data(), image_size_));
    active->selection.resize(classes_);
    active->estimation.resize(classes_);
    active->state = rule_.Start();
    active->next_look = setting_.n0 + rule_.NextLook(0);
    active_.push_back(std::move(active));
    return absl::OkStatus();
  }

  void MakeDraws(Batch& batch) const {
    const auto rows =
        static_cast<size_t>(classifier_.forward_sizes().Holding(static_cast<int>(batch.count)));
    batch.noisy.resize(rows * image_size_);
    batch.logits.resize(rows * classes_);
    for (const Share& share : batch.shares) {
      for (size_t i = 0; i < share.count; ++i) {
        noise_->Draw(key_, task_.samples.index(share.active->sample),
                     static_cast<uint32_t>(share.first_draw + static_cast<int64_t>(i)),
                     share.active->image.data(), &batch.noisy[(share.first_slot + i) * image_size_],
                     image_size_);
      }
    }
  }

  // Judges the batches that are next in order, if need be those that others have left here.
  void Deliver(Batch batch) {
    MutexLock lock(mutex_);
    const int64_t number = batch.number;
    waiting_.emplace(number, std::move(batch));
    for (auto next = waiting_.begin(); next != waiting_.end() && next->first == next_judged_;
         next = waiting_.erase(next), ++next_judged_) {
      for (const Share& share : next->second.shares) Judge(share, next->second.logits);
    }
    Retire();
    task_.observer.OnProgress(static_cast<int64_t>(finished_), Fraction());
    judged_.notify_all();
  }

  // Counts the classes of a share, in the order of its draws, until the sample has had enough.
  void Judge(const Share& share, const std::vector<float>& logits) {
    Active& active = *share.active;
    size_t i = 0;
    for (; i < share.count && !active.finished; ++i) {
      Count(active, &logits[(share.first_slot + i) * classes_]);
    }
    classifier_.CountUnneeded(static_cast<int64_t>(share.count - i));
  }

  void Count(Active& active, const float* logits) {
    const Prediction prediction = Predict(logits, static_cast<int>(classes_));
    if (prediction.undecided) {
      ++active.undecided;
    } else if (prediction.tie) {
      ++active.tied;
    } else {
      auto& histogram = active.judged < setting_.n0 ? active.selection : active.estimation;
      ++histogram[static_cast<size_t>(prediction.label)];
    }
    ++active.judged;
    if (active.judged == setting_.n0) {
      const auto most = std::max_element(active.selection.begin(), active.selection.end());
      if (*most > 0) active.selected = static_cast<int>(most - active.selection.begin());
    }
    if (active.judged < active.next_look) return;
    const int64_t draws = active.judged - setting_.n0;
    const int64_t count =
        active.selected < 0 ? 0 : active.estimation[static_cast<size_t>(active.selected)];
    active.finished = rule_.Look(count, draws, &active.state);
    active.next_look = setting_.n0 + rule_.NextLook(draws);
  }

  // Writes the outcomes of the samples that have had enough.
  void Retire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto left = std::stable_partition(active_.begin(), active_.end(),
                                            [](const auto& active) { return !active->finished; });
    for (auto it = left; it != active_.end(); ++it) {
      outcomes_[(*it)->sample] = OutcomeOf(**it);
      task_.observer.OnOutcome(outcomes_[(*it)->sample]);
      ++finished_;
    }
    active_.erase(left, active_.end());
  }

  v1::Outcome OutcomeOf(const Active& active) const {
    v1::Outcome outcome;
    outcome.set_sample(task_.samples.index(active.sample));
    outcome.set_label(task_.samples.label(active.sample));
    outcome.set_prediction(-1);
    v1::SmoothingOutcome* smoothing = outcome.mutable_smoothing();
    WriteHistogram(active.selection, smoothing->mutable_selection());
    WriteHistogram(active.estimation, smoothing->mutable_estimation());
    smoothing->set_undecided_draws(active.undecided);
    smoothing->set_tied_draws(active.tied);
    smoothing->set_best_count(active.state.best_count);
    smoothing->set_best_draws(active.state.best_draws);
    return outcome;
  }

  double Fraction() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    double done = static_cast<double>(finished_);
    for (const auto& active : active_) {
      done += static_cast<double>(active->judged) / static_cast<double>(all_draws());
    }
    return done / static_cast<double>(outcomes_.size());
  }

  const TaskContext& task_;
  const SmoothingSetting& setting_;
  Classifier& classifier_;
  const RandomKey key_;
  const std::unique_ptr<Noise> noise_;
  const StoppingRule rule_;
  const size_t image_size_, classes_, lanes_;
  std::vector<v1::Outcome> outcomes_;

  Mutex mutex_;
  std::condition_variable judged_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // In the order in which they began.
  std::vector<std::shared_ptr<Active>> active_ ABSL_GUARDED_BY(mutex_);
  int64_t planned_ ABSL_GUARDED_BY(mutex_) = 0, next_judged_ ABSL_GUARDED_BY(mutex_) = 0;
  // Batches that came back before one planned earlier, by their numbers.
  std::map<int64_t, Batch> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t started_ ABSL_GUARDED_BY(mutex_) = 0, finished_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<std::vector<v1::Outcome>> RunRandomizedSmoothing(const TaskContext& task) {
  ASSAY_ASSIGN_OR_RETURN(SmoothingSetting setting, ParseSmoothingSetting(task.condition));
  setting.dimension = static_cast<int64_t>(task.classifier.shape().size());
  if (task.others.empty()) return Smoothing(task, setting, task.classifier).Run();
  std::vector<Classifier*> members = {&task.classifier};
  members.insert(members.end(), task.others.begin(), task.others.end());
  ASSAY_ASSIGN_OR_RETURN(const auto ensemble, EnsembleClassifier::Create(std::move(members)));
  return Smoothing(task, setting, *ensemble).Run();
}

}  // namespace assay::engine
