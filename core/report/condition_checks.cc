#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/report/checks.h"
#include "core/statistics/statistics.h"

namespace assay::report {
namespace {

Finding BatchDependence(const Facts& facts) {
  const std::vector<v1::NumericsFingerprint>& numerics = *facts.numerics;
  if (numerics.empty()) return NotApplicable("there are no outcomes yet");
  double difference = 0;
  bool looked = true;
  for (const v1::NumericsFingerprint& fingerprint : numerics) {
    looked = looked && fingerprint.has_batch_difference();
    difference = std::max(difference, fingerprint.batch_difference());
  }
  if (difference > 0) {
    return {1, absl::StrFormat(
                   "logits of an image move by up to %.3g with the other images of its batch",
                   difference)};
  }
  if (!looked) return NotApplicable("passes of the same images differ anyway");
  return {0, "logits of an image do not depend on the other images of its batch"};
}

// A renaming of classes that would explain the predictions better.
struct Renaming {
  struct Move {
    int from = 0, to = 0;
    int64_t count = 0;
  };
  std::vector<Move> moves;
  // Samples that it makes right and wrong.
  int64_t gained = 0, lost = 0;

  void Add(const v1::ConditionReport& report, int from, int to) {
    const auto& row = report.confusion_matrix(from).counts();
    moves.push_back({from, to, row[to]});
    gained += row[to];
    lost += row[from];
  }
  // Whether the gain is none of chance at `level`, were it the best of exp(log_choices) renamings.
  bool Significant(double log_choices, double level) const {
    return moves.size() > 1 && gained > lost &&
           std::log(McNemarExactTwoSided(lost, gained)) + log_choices < std::log(level);
  }
};

// Every label is `shift` away from the logit that the model means by it.
Renaming Shifted(const v1::ConditionReport& report, int shift) {
  Renaming renaming;
  const int classes = report.confusion_matrix_size();
  for (int from = 0; from < classes; ++from) {
    const int to = from + shift;
    if (to < 0 || to >= classes || report.classes(from).samples() == 0) continue;
    renaming.Add(report, from, to);
  }
  return renaming;
}

// Matches classes with predictions, the most frequent pair first, each class and prediction once:
// at least half of what the best of all renamings explains, in time that 1,000 classes can afford.
Renaming Matched(const v1::ConditionReport& report) {
  const int classes = report.confusion_matrix_size();
  // Larger counts first; among equals the class itself, then the order of the classes.
  std::vector<std::tuple<int64_t, bool, int, int>> pairs;
  for (int from = 0; from < classes; ++from) {
    for (int to = 0; to < classes; ++to) {
      const int64_t count = report.confusion_matrix(from).counts(to);
      if (count > 0) pairs.emplace_back(-count, from != to, from, to);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::vector<bool> named(static_cast<size_t>(classes)), taken(named.size());
  Renaming renaming;
  for (const auto& [count, other, from, to] : pairs) {
    if (named[static_cast<size_t>(from)] || taken[static_cast<size_t>(to)]) continue;
    named[static_cast<size_t>(from)] = taken[static_cast<size_t>(to)] = true;
    if (other) renaming.Add(report, from, to);
  }
  return renaming;
}

std::string Describe(const v1::ConditionReport& report, std::vector<Renaming::Move> moves) {
  constexpr size_t kNamed = 3;
  std::stable_sort(moves.begin(), moves.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min(moves.size(), kNamed); ++i) {
    parts.push_back(absl::StrCat(report.classes(moves[i].from).name(), " for ",
                                 report.classes(moves[i].to).name()));
  }
  if (moves.size() > kNamed) parts.push_back(absl::StrCat(moves.size() - kNamed, " more"));
  return absl::StrJoin(parts, ", ");
}

Finding ClassOrder(const Facts& facts) {
  const v1::ConditionReport& report = *facts.report;
  if (report.samples() == 0) return NotApplicable("no samples");
  const double level = 1 - facts.evaluation->confidence_level;
  const auto explains = [&](const Renaming& renaming, const std::string& what,
                            const std::string& todo) {
    const int64_t gain = renaming.gained - renaming.lost;
    Finding finding{
        Share(gain, report.samples()),
        absl::StrCat(what, ", accuracy would be ",
                     Percent(Share(report.correct() + gain, report.samples())), " instead of ",
                     Percent(Share(report.correct(), report.samples())))};
    finding.remedy = todo;
    return finding;
  };
  const Renaming lower = Shifted(report, -1), higher = Shifted(report, 1),
                 matched = Matched(report);
  // A shift says more than a renaming that explains no more.
  if (lower.Significant(std::log(2), level) &&
      lower.gained - lower.lost >= matched.gained - matched.lost) {
    return explains(lower, "with every label one lower", "do labels start at 1? They count from 0");
  }
  if (higher.Significant(std::log(2), level) &&
      higher.gained - higher.lost >= matched.gained - matched.lost) {
    return explains(higher, "with every label one higher",
                    "does logit 0 stand for the background? Labels must count the model's logits");
  }
  const double choices =
      static_cast<double>(matched.moves.size()) * std::log(report.confusion_matrix_size());
  if (matched.Significant(choices, level)) {
    return explains(matched,
                    absl::StrCat("with classes renamed (", Describe(report, matched.moves), ")"),
                    "are the classes in the order of the model's logits?");
  }
  return {0, "no other order of the classes explains more"};
}

}  // namespace

const std::vector<CheckRow>& ConditionChecks() {
  static const auto* const rows = new std::vector<CheckRow>{
      {"batch-dependent", kNothing, kFaultFails, "was it exported in training mode?",
       BatchDependence},
      {"better-than-guessing", kCleanImages, std::nullopt,
       "usual causes: another order of classes, labels that start at 1, a normalisation that is "
       "missing (--normalize) or applied twice, BGR for RGB (--channels), pixels of 0 to 1 where "
       "the model wants 0 to 255 (--input-range)",
       BetterThanGuessing},
      // Of all samples, those that another order would make right: many can only be a fault.
      {"class-order", kCleanImages, AtMost(0, 0.1), "", ClassOrder},
  };
  return *rows;
}

Finding BetterThanGuessing(const Facts& facts) {
  const v1::ConditionReport& report = *facts.report;
  const v1::Rate& clean =
      report.has_attack() ? report.attack().clean_accuracy() : report.accuracy();
  if (!clean.has_value()) return NotApplicable(clean.undefined_reason());
  // The best that can be had without looking at the image.
  double guessing = 1.0 / facts.evaluation->num_classes;
  for (const v1::ClassReport& c : report.classes()) {
    guessing = std::max(guessing, Share(c.samples(), report.samples()));
  }
  if (guessing == 1) return NotApplicable("all samples are of one class");
  Finding finding{clean.lower(), absl::StrCat("clean accuracy ", Percent(clean.value()),
                                              ", guessing gives ", Percent(guessing))};
  if (clean.value() <= guessing) {
    // The lower end of an interval around a value that is no better is beyond any limit.
    finding.limit = AtLeast(guessing, guessing);
  } else {
    finding.limit = AtLeast(guessing);
    finding.remedy = "use more samples";
  }
  return finding;
}

}  // namespace assay::report
