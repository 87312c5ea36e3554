#include "core/report/gate_sequence.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/report/share_sequence.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::report {
namespace {

// What the threshold is known to be, seen from the metric.
enum class Side { kUnknown, kBelowMetric, kAboveMetric };

// A metric at least as large as 0 and at most as large as 1 says this much without a sample.
bool AlwaysHolds(Comparison comparison, double threshold) {
  switch (comparison) {
    case Comparison::kAtLeast:
      return threshold <= 0;
    case Comparison::kAbove:
      return threshold < 0;
    case Comparison::kAtMost:
      return threshold >= 1;
    case Comparison::kBelow:
      return threshold > 1;
  }
  return false;
}

bool NeverHolds(Comparison comparison, double threshold) {
  switch (comparison) {
    case Comparison::kAtLeast:
      return threshold > 1;
    case Comparison::kAbove:
      return threshold >= 1;
    case Comparison::kAtMost:
      return threshold < 0;
    case Comparison::kBelow:
      return threshold <= 0;
  }
  return false;
}

// A verdict of either kind rests on the rejection of "at most the threshold" or of "at least the
// threshold", so that strict and other comparisons are decided alike.
class Watched : public GateSequence {
 public:
  Watched(const GateExpression& gate, double alpha)
      : comparison_(*gate.comparison), threshold_(gate.offset), alpha_(alpha) {
    if (AlwaysHolds(comparison_, threshold_)) verdict_ = GateVerdict::kPassed;
    if (NeverHolds(comparison_, threshold_)) verdict_ = GateVerdict::kFailed;
  }

  GateVerdict Verdict() const final { return verdict_; }

 protected:
  bool decided() const { return verdict_ != GateVerdict::kUndecided; }
  double threshold() const { return threshold_; }
  double alpha() const { return alpha_; }

  void Take(Side side) {
    if (decided() || side == Side::kUnknown) return;
    const bool wants_more =
        comparison_ == Comparison::kAtLeast || comparison_ == Comparison::kAbove;
    verdict_ =
        (side == Side::kBelowMetric) == wants_more ? GateVerdict::kPassed : GateVerdict::kFailed;
  }

 private:
  const Comparison comparison_;
  const double threshold_;
  const double alpha_;
  GateVerdict verdict_ = GateVerdict::kUndecided;
};

// What a sample says about a share: right, wrong, or nothing.
using Draw = std::optional<bool>;

Draw DrawOf(const GateExpression& gate, int num_classes, int class_index,
            const ResolvedSample& sample) {
  switch (gate.metric->metric) {
    case Metric::kAccuracy:
      return sample.correct;
    case Metric::kClassAccuracy:
      return sample.label() == class_index ? Draw(sample.correct) : std::nullopt;
    case Metric::kCfps:
      // Of the samples that were taken for another class; abstentions are not.
      if (sample.column < 0 || sample.column >= num_classes || sample.correct) return std::nullopt;
      return sample.column == class_index;
    case Metric::kSuccessRate:
      return sample.outcome->attack().attacked() ? Draw(sample.outcome->attack().success())
                                                 : std::nullopt;
    case Metric::kCertifiedAccuracy:
      if (!gate.radius.has_value()) return sample.correct && sample.outcome->bounds().certified();
      return sample.correct && sample.certificate.radius >= *gate.radius - kSameRadius;
    default:
      return std::nullopt;
  }
}

class ShareGate final : public Watched {
 public:
  ShareGate(const GateExpression& gate, int num_classes, int class_index, double alpha)
      : Watched(gate, alpha), gate_(gate), num_classes_(num_classes), class_index_(class_index) {}

  void Add(const ResolvedSample& sample) override {
    const Draw draw = DrawOf(gate_, num_classes_, class_index_, sample);
    if (!draw.has_value()) return;
    share_.count += *draw ? 1 : 0;
    ++share_.of;
    if (decided()) return;
    if (ProvenAbove(share_, threshold(), alpha())) Take(Side::kBelowMetric);
    if (ProvenBelow(share_, threshold(), alpha())) Take(Side::kAboveMetric);
  }

  Interval Ends() const override { return SequenceEnds(share_, alpha(), alpha()); }

 private:
  const GateExpression gate_;
  const int num_classes_;
  const int class_index_;
  Share share_;
};

// The smallest of the accuracies of classes. It is above the threshold when all of them are, for
// which each may spend the whole alpha: a wrong answer needs one about the worst class. It is below
// when any of them is, which shares alpha among them.
class SmallestGate final : public Watched {
 public:
  SmallestGate(const GateExpression& gate, int num_classes, double alpha)
      : Watched(gate, alpha),
        classes_(static_cast<size_t>(num_classes)),
        above_(static_cast<size_t>(num_classes)) {}

  void Add(const ResolvedSample& sample) override {
    const auto c = static_cast<size_t>(sample.label());
    Share& share = classes_[c];
    share.count += sample.correct ? 1 : 0;
    ++share.of;
    if (decided()) return;
    if (!above_[c] && ProvenAbove(share, threshold(), alpha())) {
      above_[c] = true;
      if (++above_count_ == classes_.size()) Take(Side::kBelowMetric);
    }
    const double each = alpha() / static_cast<double>(classes_.size());
    if (ProvenBelow(share, threshold(), each)) Take(Side::kAboveMetric);
  }

  void Finish() override {
    for (size_t c = 0; c < classes_.size(); ++c) {
      if (classes_[c].of > 0 || above_[c]) continue;
      above_[c] = true;
      if (++above_count_ == classes_.size()) Take(Side::kBelowMetric);
    }
  }

  Interval Ends() const override {
    // What was proven stays so, though the class may have come closer to the threshold again.
    std::vector<Share> open;
    for (size_t c = 0; c < classes_.size(); ++c) {
      if (!above_[c]) open.push_back(classes_[c]);
    }
    const auto all = static_cast<int64_t>(classes_.size());
    Interval ends = SmallestSequenceEnds(classes_, all, alpha());
    if (above_count_ > 0) {
      ends.lower = std::max(ends.lower,
                            std::min(threshold(), SmallestSequenceEnds(open, all, alpha()).lower));
    }
    return ends;
  }

 private:
  std::vector<Share> classes_;
  std::vector<bool> above_;
  size_t above_count_ = 0;
};

// Largest minus smallest accuracy of a class.
class DisparityGate final : public Watched {
 public:
  DisparityGate(const GateExpression& gate, int num_classes, double alpha)
      : Watched(gate, alpha),
        num_classes_(num_classes),
        classes_(static_cast<size_t>(num_classes)) {}

  void Add(const ResolvedSample& sample) override {
    Share& share = classes_[static_cast<size_t>(sample.label())];
    share.count += sample.correct ? 1 : 0;
    ++share.of;
    ++samples_;
    // Ends of all classes take long, and what holds at every moment holds at some of them.
    if (decided() || samples_ < next_look_) return;
    next_look_ = samples_ + 1 + samples_ / kLooksPerDoubling + num_classes_;
    Look();
  }

  void Finish() override {
    LeaveOutUnseen(&classes_);
    if (!decided()) Look();
  }

  Interval Ends() const override { return DisparitySequenceEnds(classes_, num_classes_, alpha()); }

 private:
  static constexpr int64_t kLooksPerDoubling = 32;

  void Look() {
    const Interval ends = Ends();
    if (ends.lower > threshold()) Take(Side::kBelowMetric);
    if (ends.upper < threshold()) Take(Side::kAboveMetric);
  }

  const int64_t num_classes_;
  std::vector<Share> classes_;
  int64_t samples_ = 0;
  int64_t next_look_ = 1;
};

absl::Status NotWatchable(absl::string_view why) {
  return Error(Reason::kInvalidArgument,
               absl::StrCat(why, "; leave it out here, and require it of the report"));
}

}  // namespace

absl::Status CheckWatchable(const GateExpression& gate, const v1::Condition* condition) {
  switch (gate.metric->metric) {
    case Metric::kCheck:
      return NotWatchable("a check is no share of samples, so nothing decides it early");
    case Metric::kMeanCorruptionError:
    case Metric::kMce:
      return NotWatchable(absl::StrCat(gate.metric->name,
                                       "() is judged by its value and has no interval, so nothing "
                                       "decides it early"));
    case Metric::kSliceAccuracy:
      return NotWatchable("slices are not followed while samples are drawn, so none decides early");
    default:
      break;
  }
  if (gate.against_baseline) {
    return Error(Reason::kInvalidArgument,
                 "a comparison with a baseline needs all samples, so nothing decides it early; "
                 "evaluate without stopping early, or write the threshold as a number");
  }
  if (condition != nullptr && condition->family() == kFamilySmoothing &&
      gate.radius.value_or(0) > 0) {
    ASSAY_ASSIGN_OR_RETURN(const SmoothingSetting setting, ParseSmoothingSetting(*condition));
    if (setting.mode == SmoothingMode::kPredict) {
      return NotWatchable("mode=predict gives no radii");
    }
  }
  return absl::OkStatus();
}

double AlphaOfEnd(double level, int64_t gates) {
  return (1 - level) / (2 * static_cast<double>(gates));
}

std::unique_ptr<GateSequence> NewGateSequence(const GateExpression& gate, int num_classes,
                                              int class_index, double alpha) {
  switch (gate.metric->metric) {
    case Metric::kMinClassAccuracy:
      return std::make_unique<SmallestGate>(gate, num_classes, alpha);
    case Metric::kDisparity:
      return std::make_unique<DisparityGate>(gate, num_classes, alpha);
    default:
      return std::make_unique<ShareGate>(gate, num_classes, class_index, alpha);
  }
}

}  // namespace assay::report
