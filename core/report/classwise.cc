#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/report/sections.h"

namespace assay::report {
namespace {

// Exact counts of one condition; rates come last.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(const ResolvedCondition& condition)
      : classes_(static_cast<size_t>(condition.num_classes)),
        columns_(classes_ + (condition.smoothing.has_value() ? 1 : 0)),
        counts_(classes_ * columns_),
        row_samples_(classes_),
        row_undecided_(classes_),
        column_sums_(columns_) {
    for (const ResolvedSample& sample : condition.samples) {
      const size_t row = static_cast<size_t>(sample.label());
      ++row_samples_[row];
      row_undecided_[row] += sample.undecided ? 1 : 0;
      ties_ += sample.tie ? 1 : 0;
      if (sample.column == ResolvedSample::kNoColumn) continue;
      const size_t column = static_cast<size_t>(sample.column);
      ++counts_[row * columns_ + column];
      ++column_sums_[column];
    }
    for (size_t c = 0; c < classes_; ++c) {
      correct_ += at(c, c);
      misclassified_ += FalsePositives(c);
    }
  }

  size_t classes() const { return classes_; }
  size_t columns() const { return columns_; }
  int64_t at(size_t row, size_t column) const { return counts_[row * columns_ + column]; }
  // Samples of the class, those in no column included.
  int64_t samples(size_t c) const { return row_samples_[c]; }
  int64_t undecided(size_t c) const { return row_undecided_[c]; }
  int64_t predicted(size_t c) const { return column_sums_[c]; }
  int64_t FalsePositives(size_t c) const { return column_sums_[c] - at(c, c); }
  int64_t correct() const { return correct_; }
  // Samples that were taken for another class; abstentions are not.
  int64_t misclassified() const { return misclassified_; }
  int64_t ties() const { return ties_; }

 private:
  const size_t classes_;
  const size_t columns_;
  std::vector<int64_t> counts_;
  std::vector<int64_t> row_samples_;
  std::vector<int64_t> row_undecided_;
  std::vector<int64_t> column_sums_;
  int64_t correct_ = 0;
  int64_t misclassified_ = 0;
  int64_t ties_ = 0;
};

void FillStrongestConfusion(const ConfusionMatrix& matrix, size_t c,
                            const std::vector<std::string>& class_names, RateMaker& rates,
                            v1::ClassReport* report) {
  size_t strongest = c;
  int64_t count = 0;
  for (size_t j = 0; j < matrix.classes(); ++j) {
    if (j == c || matrix.at(c, j) <= count) continue;
    strongest = j;
    count = matrix.at(c, j);
  }
  if (count == 0) return;
  v1::StrongestConfusion& confusion = *report->mutable_strongest_confusion();
  confusion.set_index(static_cast<int32_t>(strongest));
  confusion.set_name(class_names[strongest]);
  confusion.set_count(count);
  *confusion.mutable_share() = rates.Make(count, matrix.samples(c), "");
}

void FillRoles(const v1::Rate& overall, size_t num_classes, v1::ClassReport* report) {
  const v1::Rate& accuracy = report->accuracy();
  if (accuracy.has_value()) {
    if (accuracy.upper() < overall.value()) report->add_roles("weak");
    if (accuracy.lower() > overall.value()) report->add_roles("strong");
  }
  const v1::Rate& cfps = report->cfps();
  if (cfps.has_value()) {
    const double even_share = 1 / static_cast<double>(num_classes);
    if (cfps.lower() > even_share) report->add_roles("sink");
    if (cfps.upper() < even_share) report->add_roles("source");
  }
}

void FillDisparity(v1::ConditionReport* report) {
  std::vector<double> accuracies;
  const v1::ClassReport* best = nullptr;
  const v1::ClassReport* worst = nullptr;
  for (const v1::ClassReport& c : report->classes()) {
    if (!c.accuracy().has_value()) continue;
    accuracies.push_back(c.accuracy().value());
    if (best == nullptr || c.accuracy().value() > best->accuracy().value()) best = &c;
    if (worst == nullptr || c.accuracy().value() < worst->accuracy().value()) worst = &c;
  }
  if (best == nullptr) return;
  v1::Disparity& disparity = *report->mutable_disparity();
  disparity.set_max_minus_min(best->accuracy().value() - worst->accuracy().value());
  disparity.set_standard_deviation(StandardDeviation(accuracies));
  disparity.set_best_class(best->index());
  disparity.set_worst_class(worst->index());
}

void FillDifferences(const FisherExact& fisher, double alpha, v1::ConditionReport* report) {
  if (report->classes_size() > kMaxComparedClasses) return;
  struct Pair {
    const v1::ClassReport* first;
    const v1::ClassReport* second;
  };
  std::vector<Pair> pairs;
  std::vector<double> p_values;
  for (int i = 0; i < report->classes_size(); ++i) {
    const v1::ClassReport& first = report->classes(i);
    if (first.samples() == 0) continue;
    for (int j = i + 1; j < report->classes_size(); ++j) {
      const v1::ClassReport& second = report->classes(j);
      if (second.samples() == 0) continue;
      pairs.push_back({&first, &second});
      p_values.push_back(fisher.TwoSidedPValue(first.correct(), first.samples(), second.correct(),
                                               second.samples()));
    }
  }
  const std::vector<double> adjusted = HolmAdjusted(p_values);
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (adjusted[i] > alpha) continue;
    v1::ClassDifference& difference = *report->add_significant_differences();
    difference.set_first(pairs[i].first->index());
    difference.set_second(pairs[i].second->index());
    difference.set_accuracy_difference(pairs[i].first->accuracy().value() -
                                       pairs[i].second->accuracy().value());
    difference.set_adjusted_p_value(adjusted[i]);
  }
}

}  // namespace

void FillClasswise(const SectionInput& input, const std::vector<std::string>& class_names,
                   const FisherExact& fisher, v1::ConditionReport* report) {
  const ResolvedCondition& condition = input.resolved;
  RateMaker& rates = input.rates;
  const ConfusionMatrix matrix(condition);
  const int64_t samples = static_cast<int64_t>(condition.samples.size());
  report->set_samples(samples);
  report->set_correct(matrix.correct());
  report->set_ties(matrix.ties());
  *report->mutable_accuracy() = rates.Make(matrix.correct(), samples, "no samples");
  report->set_has_abstain_column(condition.smoothing.has_value());

  int64_t undecided = 0;
  for (size_t c = 0; c < matrix.classes(); ++c) {
    v1::ClassReport& entry = *report->add_classes();
    entry.set_index(static_cast<int32_t>(c));
    entry.set_name(class_names[c]);
    entry.set_samples(matrix.samples(c));
    entry.set_correct(matrix.at(c, c));
    entry.set_undecided(matrix.undecided(c));
    undecided += matrix.undecided(c);
    *entry.mutable_accuracy() =
        rates.Make(matrix.at(c, c), matrix.samples(c), "the class has no samples");
    *entry.mutable_cfps() = rates.Make(matrix.FalsePositives(c), matrix.misclassified(),
                                       "no sample was taken for another class");
    entry.set_false_positives(matrix.FalsePositives(c));
    *entry.mutable_precision() =
        rates.Make(matrix.at(c, c), matrix.predicted(c), "the class was never predicted");
    FillStrongestConfusion(matrix, c, class_names, rates, &entry);
    FillRoles(report->accuracy(), matrix.classes(), &entry);

    google::protobuf::RepeatedField<int64_t>& row =
        *report->add_confusion_matrix()->mutable_counts();
    row.Reserve(static_cast<int>(matrix.columns()));
    for (size_t j = 0; j < matrix.columns(); ++j) row.AddAlreadyReserved(matrix.at(c, j));
  }
  report->set_undecided(undecided);
  FillDisparity(report);
  FillDifferences(fisher, 1 - rates.confidence_level(), report);
}

}  // namespace assay::report
