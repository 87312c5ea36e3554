#include "client/render/comparison_verdict.h"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/render/class_labels.h"
#include "client/render/comparison_tables.h"
#include "client/render/numbers.h"
#include "client/render/plot_points.h"
#include "client/render/repeat_command.h"
#include "client/render/text.h"
#include "core/base/resource_names.h"
#include "core/statistics/statistics.h"

namespace assay::render {
namespace {

// What a model changes against the first under one condition.
struct Change {
  int evaluation = 0;
  const v1::ConditionComparison* condition = nullptr;
  const v1::AccuracyDifference* difference = nullptr;
  bool significant = false;
};

std::vector<Change> Changes(const v1::Comparison& comparison) {
  std::vector<Change> changes;
  std::vector<double> p_values;
  for (const v1::ConditionComparison& condition : comparison.conditions()) {
    for (const v1::PairComparison& pair : condition.pairs()) {
      const v1::AccuracyDifference& difference = pair.all().accuracy_difference();
      if (pair.first() != 0 || !difference.has_p_value()) continue;
      changes.push_back({pair.second(), &condition, &difference, false});
      p_values.push_back(difference.p_value());
    }
  }
  const std::vector<double> adjusted = HolmAdjusted(p_values);
  for (size_t i = 0; i < changes.size(); ++i) {
    changes[i].significant = adjusted[i] <= 1 - comparison.confidence_level();
  }
  return changes;
}

struct Tally {
  int better = 0, worse = 0, undecided = 0;
  const Change* largest = nullptr;

  void Add(const Change& change) {
    const double value = change.difference->value();
    better += change.significant && value > 0 ? 1 : 0;
    worse += change.significant && value < 0 ? 1 : 0;
    undecided += change.significant ? 0 : 1;
    if (!change.significant) return;
    if (largest == nullptr || std::abs(value) > std::abs(largest->difference->value())) {
      largest = &change;
    }
  }
  // "better under 2 conditions, worse under 1, no difference shown under 3"
  std::string Told() const {
    std::vector<std::string> parts;
    if (better > 0) parts.push_back(absl::StrCat("better under ", Counted(better, "condition")));
    if (worse > 0) parts.push_back(absl::StrCat("worse under ", Counted(worse, "condition")));
    if (undecided > 0) {
      parts.push_back(absl::StrCat("no difference shown under ", Counted(undecided, "condition")));
    }
    return parts.empty() ? "nothing to compare" : absl::StrJoin(parts, ", ");
  }
};

}  // namespace

PageHead ComparisonHead(const v1::Comparison& comparison) {
  PageHead head;
  // More are in the table of models.
  constexpr int kMostNamed = 3;
  std::vector<std::string> models;
  for (const auto& evaluation : comparison.evaluations()) {
    models.push_back(Printable(absl::StripPrefix(evaluation.model(), absl::StrCat(kModels, "/"))));
  }
  head.title = comparison.evaluations_size() > kMostNamed
                   ? absl::StrCat("Comparison of ", comparison.evaluations_size(), " models")
                   : absl::StrCat("Comparison of ", absl::StrJoin(models, ", "));
  head.lines = {
      Printable(absl::StrCat(comparison.dataset(), ": ", Counted(comparison.samples(), "sample"),
                             " of ", Count(comparison.class_names_size()),
                             comparison.class_names_size() == 1 ? " class" : " classes", ", seed ",
                             comparison.seed())),
      absl::StrCat(Counted(comparison.conditions_size(), "condition"), ", ",
                   Significant(comparison.confidence_level() * 100),
                   " % intervals; every model answered to the same samples")};
  const std::vector<Change> changes = Changes(comparison);
  std::vector<Tally> tallies(static_cast<size_t>(comparison.evaluations_size()));
  bool any_better = false, any_worse = false;
  for (const Change& change : changes) tallies[static_cast<size_t>(change.evaluation)].Add(change);
  std::vector<std::string> verdicts;
  for (int i = 1; i < comparison.evaluations_size(); ++i) {
    const Tally& tally = tallies[static_cast<size_t>(i)];
    any_better |= tally.better > 0;
    any_worse |= tally.worse > 0;
    std::string verdict = absl::StrCat(EvaluationLetter(i), " against A: ", tally.Told());
    if (tally.largest != nullptr) {
      absl::StrAppend(&verdict, "; most ", PointsWithInterval(*tally.largest->difference),
                      " points under ", Printable(tally.largest->condition->id()));
    }
    verdicts.push_back(std::move(verdict));
  }
  // Of many models the overview tells.
  constexpr size_t kMostTold = 3;
  if (verdicts.size() > kMostTold) {
    const size_t more = verdicts.size() - kMostTold;
    verdicts.resize(kMostTold);
    verdicts.push_back(absl::StrCat(more, " more in the overview"));
  }
  head.verdict = absl::StrJoin(verdicts, ". ");
  head.verdict_class = any_worse ? "bad" : any_better ? "good" : "notice";
  return head;
}

plot::IntervalPlot ComparedAccuracies(const v1::Comparison& comparison) {
  plot::IntervalPlot plot;
  plot.title = "Accuracy of every model under every condition";
  plot.description = absl::StrCat("Dots with exact intervals for ",
                                  Counted(comparison.evaluations_size(), "model"), " under ",
                                  Counted(comparison.conditions_size(), "condition"),
                                  "; the numbers are in the table that follows.");
  plot.x_title = "accuracy %";
  plot.x = kPercents;
  for (int i = 0; i < comparison.evaluations_size(); ++i) {
    plot.legend.push_back(
        {static_cast<size_t>(i),
         absl::StrCat(EvaluationLetter(i), " ",
                      plot::MiddleCut(Printable(comparison.evaluations(i).model()), 40))});
  }
  for (int c = 0; c < comparison.conditions_size(); ++c) {
    const v1::ConditionComparison& condition = comparison.conditions(c);
    for (int i = 0; i < condition.accuracies_size(); ++i) {
      plot::Interval row;
      const std::string letter = EvaluationLetter(i);
      row.name = i == 0 ? absl::StrCat(plot::MiddleCut(Printable(condition.id()), 36), "  ", letter)
                        : letter;
      row.group = static_cast<size_t>(i);
      row.block = static_cast<size_t>(c);
      if (condition.accuracies(i).has_value()) {
        const plot::Point point = RatePoint(0, condition.accuracies(i),
                                            absl::StrCat(letter, ", ", Printable(condition.id())));
        row.value = point.y;
        row.low = point.low;
        row.high = point.high;
        row.tip = point.tip;
      }
      plot.rows.push_back(std::move(row));
    }
  }
  return plot;
}

std::string CompareCommand(const v1::Comparison& comparison) {
  std::vector<std::string> words = {"assay compare"};
  for (const auto& evaluation : comparison.evaluations()) {
    words.push_back(ShellWord(evaluation.name()));
  }
  if (!comparison.left_out().empty()) words.push_back("--common");
  if (!comparison.oracle().empty()) {
    words.push_back(absl::StrCat("--oracle ", ShellWord(comparison.oracle())));
  }
  if (comparison.confidence_level() != 0.95) {
    words.push_back(absl::StrCat("--confidence-level ", Exact(comparison.confidence_level())));
  }
  return absl::StrJoin(words, " \\\n  ");
}

}  // namespace assay::render
