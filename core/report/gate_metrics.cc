#include "core/report/gate_metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/conditions/families.h"
#include "core/report/gate_scope.h"
#include "core/report/share_sequence.h"
#include "core/statistics/binomial_ends.h"
#include "core/statistics/separate_difference.h"

namespace assay::report {
namespace {

// nullopt where there is nothing to count, or what is said cannot be: a file may say anything.
std::optional<Share> ShareOf(const v1::Rate& rate) {
  const bool counted = rate.has_value() && rate.denominator() > 0 && rate.numerator() >= 0 &&
                       rate.numerator() <= rate.denominator();
  if (!counted) return std::nullopt;
  return Share{rate.numerator(), rate.denominator()};
}

Interval IntervalOf(const Share& share, double level, double scale) {
  if (share.of == 0) return {0, 1};
  const double count = static_cast<double>(share.count) * scale;
  const double of = static_cast<double>(share.of) * scale, alpha = (1 - level) / 2;
  return {BinomialLower(count, of, alpha), BinomialUpper(count, of, alpha)};
}

// As if there were `scale` times as many.
Share Scaled(const Share& share, double scale) {
  const int64_t of = std::llround(static_cast<double>(share.of) * scale);
  return {
      std::min(of, static_cast<int64_t>(std::llround(static_cast<double>(share.count) * scale))),
      of};
}

std::vector<Share> Scaled(std::vector<Share> shares, double scale) {
  for (Share& share : shares) share = Scaled(share, scale);
  return shares;
}

Measurement Undefined(std::string why) {
  Measurement measurement;
  measurement.undefined = std::move(why);
  return measurement;
}

Measurement OfRate(const v1::Rate& rate, std::string unit) {
  const std::optional<Share> share = ShareOf(rate);
  if (!share.has_value()) {
    return Undefined(rate.undefined_reason().empty() ? "it is not in the report"
                                                     : rate.undefined_reason());
  }
  return MeasureShare(share->count, share->of, std::move(unit));
}

// Of several classes at once: the ends of all of them hold together (Bonferroni).
struct ClassEnds {
  double smallest_lower = 1, largest_lower = 0, smallest_upper = 1, largest_upper = 0;
};

ClassEnds EndsOf(const std::vector<Share>& classes, double level, double scale) {
  const double each = LevelOfEach(static_cast<int64_t>(classes.size()), level);
  ClassEnds ends;
  for (const Share& one : classes) {
    const Interval interval = IntervalOf(one, each, scale);
    ends.smallest_lower = std::min(ends.smallest_lower, interval.lower);
    ends.largest_lower = std::max(ends.largest_lower, interval.lower);
    ends.smallest_upper = std::min(ends.smallest_upper, interval.upper);
    ends.largest_upper = std::max(ends.largest_upper, interval.upper);
  }
  return ends;
}

// Of one value of a column, however few its samples are: the interval knows.
Measurement OfSlice(const v1::ConditionReport& condition, const std::string& text) {
  const auto meant = FindSlice(text, ScopeColumnsOf(condition), "the report");
  if (!meant.ok()) return Undefined(std::string(meant.status().message()));
  for (const v1::SliceColumn& column : condition.slices()) {
    if (column.name() != meant->column) continue;
    if (!column.undefined_reason().empty()) return Undefined(column.undefined_reason());
    for (const v1::Slice& slice : column.slices()) {
      if (slice.value() == meant->value) return OfRate(slice.accuracy(), "samples of the slice");
    }
  }
  return Undefined("it is not in the report");
}

Measurement OverClasses(const v1::ConditionReport& condition, Metric metric) {
  std::vector<Share> classes;
  double smallest = 1, largest = 0;
  const v1::ClassReport* worst = nullptr;
  for (const v1::ClassReport& one : condition.classes()) {
    if (!one.accuracy().has_value()) continue;
    const std::optional<Share> share = ShareOf(one.accuracy());
    if (!share.has_value()) {
      return Undefined(absl::StrCat("the counts of '", one.name(), "' are none of a share"));
    }
    classes.push_back(*share);
    largest = std::max(largest, share->value());
    if (worst != nullptr && share->value() >= smallest) continue;
    smallest = share->value();
    worst = &one;
  }
  if (classes.empty()) return Undefined("no class has samples");
  Measurement measurement;
  measurement.samples = condition.samples();
  measurement.unit = "samples of all classes alike";
  measurement.note = absl::StrCat("worst is '", worst->name(), "'");
  const size_t without = static_cast<size_t>(condition.classes_size()) - classes.size();
  if (without > 0) {
    absl::StrAppend(&measurement.note, "; without samples, and not in it: ", without, " of ",
                    condition.classes_size(), " classes");
  }
  if (metric == Metric::kMinClassAccuracy) {
    measurement.value = smallest;
    measurement.interval = [classes](double level, double scale) {
      const ClassEnds ends = EndsOf(classes, level, scale);
      return Interval{ends.smallest_lower, ends.smallest_upper};
    };
    measurement.sequence = [classes, all = condition.classes_size()](double alpha, double scale) {
      return SmallestSequenceEnds(Scaled(classes, scale), all, alpha);
    };
  } else {
    measurement.value = largest - smallest;
    measurement.interval = [classes](double level, double scale) {
      const ClassEnds ends = EndsOf(classes, level, scale);
      return Interval{std::max(0.0, ends.largest_lower - ends.smallest_upper),
                      ends.largest_upper - ends.smallest_lower};
    };
    measurement.sequence = [classes, all = condition.classes_size()](double alpha, double scale) {
      return DisparitySequenceEnds(Scaled(classes, scale), all, alpha);
    };
  }
  return measurement;
}

// Certified accuracy falls with the radius. Between two points of the curve its lower end is that
// of the point behind, its upper end that of the point before; behind the last one it is 0.
Measurement Certified(const v1::ConditionReport& condition, double radius) {
  const v1::CertificationReport& certification = condition.certification();
  if (condition.samples() <= 0) return Undefined("no samples");
  if (certification.mode() == "predict" && radius > 0) {
    return Undefined("mode=predict gives no radii");
  }
  Share at_most{0, condition.samples()}, at_least{0, condition.samples()};
  double before = 0, behind = -1;
  for (const v1::CertifiedPoint& point : certification.curve()) {
    const std::optional<Share> share = ShareOf(point.accuracy());
    if (!share.has_value() || share->of != condition.samples()) {
      return Undefined("the counts of its curve are none of its samples");
    }
    if (point.radius() <= radius + kSameRadius) {
      at_most = *share;
      before = point.radius();
    }
    if (point.radius() >= radius - kSameRadius) {
      at_least = *share;
      behind = point.radius();
      break;
    }
  }
  // The curve ends where nothing more is certified.
  if (behind < 0) at_most.count = 0;
  Measurement measurement;
  measurement.value = at_least.value();
  measurement.samples = condition.samples();
  measurement.unit = "samples";
  measurement.interval = [at_least, at_most](double level, double scale) {
    return Interval{IntervalOf(at_least, level, scale).lower,
                    IntervalOf(at_most, level, scale).upper};
  };
  measurement.sequence = [at_least, at_most](double alpha, double scale) {
    return Interval{SequenceEnds(Scaled(at_least, scale), alpha, alpha).lower,
                    SequenceEnds(Scaled(at_most, scale), alpha, alpha).upper};
  };
  if (at_most.count != at_least.count) {
    measurement.limits = Interval{at_least.value(), at_most.value()};
    measurement.note =
        absl::StrFormat("between the radii %.4g and %.4g of the curve", before, behind);
  }
  return measurement;
}

// Of all corruptions: no interval.
Measurement Summary(bool defined, double value, const char* name, const v1::Report& report) {
  if (!defined) {
    const std::string& normaliser = report.corruption_summary().normaliser();
    return Undefined(absl::StrCat("the report has no ", name,
                                  ", which is over 15 corruptions and 5 severities",
                                  report.has_corruption_summary() && !normaliser.empty()
                                      ? absl::StrCat(" (normaliser: ", normaliser, ")")
                                      : ""));
  }
  Measurement measurement;
  measurement.value = value;
  return measurement;
}

}  // namespace

Measurement MeasureShare(int64_t count, int64_t of, std::string unit) {
  const Share share{count, of};
  Measurement measurement;
  measurement.value = share.value();
  measurement.samples = of;
  measurement.unit = std::move(unit);
  measurement.interval = [share](double level, double scale) {
    return IntervalOf(share, level, scale);
  };
  measurement.sequence = [share](double alpha, double scale) {
    return SequenceEnds(Scaled(share, scale), alpha, alpha);
  };
  return measurement;
}

const v1::ConditionReport* EntryOf(const v1::Report& report, const std::string& id) {
  const auto& all = report.conditions();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.id() == id; });
  return found == all.end() ? nullptr : &*found;
}

Measurement Measure(const GateExpression& gate, const v1::Report& report,
                    const v1::ConditionReport* condition, int class_index) {
  const v1::CorruptionSummary& summary = report.corruption_summary();
  const bool has_class = gate.metric->second != SecondArgument::kClass ||
                         (condition != nullptr && class_index < condition->classes_size());
  if ((gate.metric->of_condition && condition == nullptr) || !has_class) {
    return Undefined("it is not in the report");
  }
  switch (gate.metric->metric) {
    case Metric::kAccuracy:
      return OfRate(condition->accuracy(), "samples");
    case Metric::kClassAccuracy:
      return OfRate(condition->classes(class_index).accuracy(), "samples of the class");
    case Metric::kSliceAccuracy:
      return OfSlice(*condition, gate.slice);
    case Metric::kCfps:
      return OfRate(condition->classes(class_index).cfps(), "misclassified samples");
    case Metric::kSuccessRate:
      return OfRate(condition->attack().success_rate(), "attacked samples");
    case Metric::kMinClassAccuracy:
    case Metric::kDisparity:
      return OverClasses(*condition, gate.metric->metric);
    case Metric::kCertifiedAccuracy:
      return gate.radius.has_value() ? Certified(*condition, *gate.radius)
                                     : OfRate(condition->bounds().certified_accuracy(), "samples");
    case Metric::kMeanCorruptionError:
      return Summary(summary.has_mean_error(), summary.mean_error(), "mean error", report);
    case Metric::kMce:
      return Summary(summary.has_mce(), summary.mce(), "mCE", report);
    case Metric::kCheck:
      break;
  }
  return Undefined("a check has no value");
}

}  // namespace assay::report
