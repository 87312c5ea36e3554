#include "server/engine/certification/randomized_smoothing.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/base/errors.h"
#include "core/base/parallel.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/smoothing_certificate.h"
#include "server/engine/base/ensemble.h"
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
  Active* active;
  size_t first_slot;
  int64_t first_draw;
  size_t count;
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
        batch_size_(static_cast<size_t>(classifier.batch_size())),
        classes_(static_cast<size_t>(classifier.num_classes())),
        noisy_(batch_size_ * image_size_),
        logits_(batch_size_ * classes_),
        outcomes_(task.samples.size()) {}

  absl::StatusOr<std::vector<v1::Outcome>> Run() {
    while (finished_ < outcomes_.size()) {
      if (task_.observer.Cancelled()) return Error(Reason::kCancelled, "the task was cancelled");
      ASSAY_RETURN_IF_ERROR(FillBatch());
      MakeDraws();
      ASSAY_RETURN_IF_ERROR(classifier_.Forward(noisy_.data(), logits_.data()));
      // A sample's draws ahead come after those that its next look needs.
      JudgeShares(0, planned_);
      JudgeShares(planned_, batch_.size());
      Retire();
      task_.observer.OnProgress(static_cast<int64_t>(finished_), Fraction());
    }
    return std::move(outcomes_);
  }

 private:
  // A look of the stopping rule, in the unit of ParallelFor.
  static constexpr size_t kJudgeWork = 10'000;

  int64_t all_draws() const { return setting_.n0 + setting_.n; }

  // Plans the next batch: what the active samples need until their next look, first come first
  // served, then new samples, and where there are none left, draws ahead of the next look.
  absl::Status FillBatch() {
    batch_.clear();
    size_t free = batch_size_;
    for (auto& active : active_) Ask(*active, active->next_look, &free);
    while (free > 0 && started_ < task_.samples.size()) {
      ASSAY_RETURN_IF_ERROR(Admit());
      Ask(*active_.back(), active_.back()->next_look, &free);
    }
    planned_ = batch_.size();
    for (size_t left = planned_; left > 0 && free > 0; --left) {
      // Even parts of what is free.
      Active& active = *batch_[planned_ - left].active;
      const auto even = static_cast<int64_t>((free + left - 1) / left);
      Ask(active, std::min(all_draws(), active.asked + even), &free);
    }
    return absl::OkStatus();
  }

  // Takes slots for the sample's draws before number `until`.
  void Ask(Active& active, int64_t until, size_t* free) {
    const size_t count =
        std::min(*free, static_cast<size_t>(std::max<int64_t>(0, until - active.asked)));
    if (count == 0) return;
    batch_.push_back({&active, batch_size_ - *free, active.asked, count});
    active.asked += static_cast<int64_t>(count);
    *free -= count;
  }

  absl::Status Admit() {
    auto active = std::make_unique<Active>();
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

  void MakeDraws() {
    slots_.clear();
    for (const Share& share : batch_) {
      for (size_t i = 0; i < share.count; ++i) {
        slots_.push_back({share.active, share.first_draw + static_cast<int64_t>(i)});
      }
    }
    ParallelFor(classifier_.threads(), slots_.size(), 4 * image_size_, [&](size_t slot) {
      const auto& [active, draw] = slots_[slot];
      noise_->Draw(key_, task_.samples.index(active->sample), static_cast<uint32_t>(draw),
                   active->image.data(), &noisy_[slot * image_size_], image_size_);
    });
  }

  // Shares [first, last) of the batch, all of different samples.
  void JudgeShares(size_t first, size_t last) {
    ParallelFor(classifier_.threads(), last - first, kJudgeWork,
                [&](size_t i) { Judge(batch_[first + i]); });
  }

  // Counts the classes of a share, in the order of its draws, until the sample has had enough.
  void Judge(const Share& share) {
    Active& active = *share.active;
    for (size_t i = 0; i < share.count && !active.finished; ++i) {
      Count(active, &logits_[(share.first_slot + i) * classes_]);
    }
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
  void Retire() {
    const auto left = std::stable_partition(active_.begin(), active_.end(),
                                            [](const auto& active) { return !active->finished; });
    for (auto it = left; it != active_.end(); ++it) {
      outcomes_[(*it)->sample] = OutcomeOf(**it);
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

  double Fraction() const {
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
  const size_t image_size_, batch_size_, classes_;
  std::vector<float> noisy_, logits_;
  std::vector<v1::Outcome> outcomes_;
  // In the order in which they began.
  std::vector<std::unique_ptr<Active>> active_;
  // The first `planned_` are what looks wait for, the others ahead.
  std::vector<Share> batch_;
  size_t planned_ = 0;
  std::vector<std::pair<Active*, int64_t>> slots_;
  size_t started_ = 0, finished_ = 0;
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
