#include "core/report/gate_decision.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace assay::report {
namespace {

// Nobody evaluates more to decide a gate.
constexpr int64_t kMostSamples = 10'000'000;
// Sums of shares that are equal on paper differ by this much.
constexpr double kRounding = 1e-12;

GateVerdict VerdictOf(const Question& question, const Interval& interval) {
  const double threshold = question.threshold;
  const auto verdict = [](bool passed, bool failed) {
    return passed ? GateVerdict::kPassed : failed ? GateVerdict::kFailed : GateVerdict::kUndecided;
  };
  switch (question.comparison) {
    case Comparison::kAtLeast:
      return verdict(interval.lower >= threshold, interval.upper < threshold);
    case Comparison::kAbove:
      return verdict(interval.lower > threshold, interval.upper <= threshold);
    case Comparison::kAtMost:
      return verdict(interval.upper <= threshold, interval.lower > threshold);
    case Comparison::kBelow:
      return verdict(interval.upper < threshold, interval.lower >= threshold);
  }
  return GateVerdict::kUndecided;
}

// How many samples beyond those that there are would decide it if all shares stayed as they are;
// nullopt for more than kMostSamples.
std::optional<int64_t> MoreSamples(const Question& question) {
  const int64_t samples = question.samples;
  if (samples <= 0) return std::nullopt;
  const auto decided = [&](int64_t more) {
    const double scale = static_cast<double>(samples + more) / static_cast<double>(samples);
    return VerdictOf(question, question.interval(scale)) != GateVerdict::kUndecided;
  };
  if (!decided(kMostSamples)) return std::nullopt;
  int64_t high = 1;
  while (high < kMostSamples && !decided(high)) high = std::min(2 * high, kMostSamples);
  int64_t low = high / 2;
  while (low + 1 < high) {
    const int64_t middle = low + (high - low) / 2;
    (decided(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

const char* Name(GateVerdict verdict) {
  switch (verdict) {
    case GateVerdict::kPassed:
      return "PASSED";
    case GateVerdict::kFailed:
      return "FAILED";
    case GateVerdict::kUndecided:
      return "UNDECIDED";
    case GateVerdict::kError:
      break;
  }
  return "ERROR";
}

std::string Reasoning(Comparison comparison, bool passed) {
  switch (comparison) {
    case Comparison::kAtLeast:
      return passed ? "the lower end is at least the threshold"
                    : "the upper end is below the threshold";
    case Comparison::kAbove:
      return passed ? "the lower end is above the threshold"
                    : "the upper end is not above the threshold";
    case Comparison::kAtMost:
      return passed ? "the upper end is at most the threshold"
                    : "the lower end is above the threshold";
    case Comparison::kBelow:
      return passed ? "the upper end is below the threshold"
                    : "the lower end is not below the threshold";
  }
  return "";
}

Decision Decide(const Question& question) {
  Decision decision;
  if (question.interval == nullptr) {
    decision.verdict = VerdictOf(question, {question.value, question.value});
    decision.why = "judged by its value: it has no interval";
    return decision;
  }
  decision.verdict = VerdictOf(question, question.interval(1));
  if (decision.verdict != GateVerdict::kUndecided) {
    decision.why = Reasoning(question.comparison, decision.verdict == GateVerdict::kPassed);
    return decision;
  }
  decision.why = "the threshold is inside the interval; ";
  if (question.limits.has_value() && question.threshold > question.limits->lower - kRounding &&
      question.threshold < question.limits->upper + kRounding) {
    absl::StrAppend(&decision.why,
                    "no number of samples decides it: ask for a radius of the curve");
    return decision;
  }
  if (std::abs(question.value - question.threshold) < kRounding) {
    absl::StrAppend(&decision.why,
                    "no number of samples decides it while the value is the threshold");
    return decision;
  }
  decision.more_samples = MoreSamples(question);
  absl::StrAppend(
      &decision.why,
      decision.more_samples.has_value()
          ? absl::StrCat("about ", Grouped(*decision.more_samples), " more ", question.unit,
                         " would decide it if the value stayed what it is")
          : "more than 10 million samples would be needed");
  return decision;
}

// "1,234,567"
std::string Grouped(int64_t count) {
  std::string digits = absl::StrCat(count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, ",");
  return digits;
}

}  // namespace assay::report
