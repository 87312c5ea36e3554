#include "client/render/comparison_csv.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/render/csv.h"

namespace assay::render {
namespace {

class LongForm {
 public:
  LongForm() : out_("condition,first,second,class_index,class,metric,value,lower,upper,") {
    absl::StrAppend(&out_, "numerator,denominator\n");
  }
  // What the next numbers are about.
  std::string condition, first, second;
  void AboutAll() { class_cells_ = {}; }
  void AboutClass(const v1::ClassComparison& entry) {
    class_cells_ = {absl::StrCat(entry.index()), entry.name()};
  }

  void Add(const char* metric, const v1::Rate& rate) {
    CsvRow row = Begin(metric);
    AddOptional(rate.has_value(), rate.value(), row);
    AddOptional(rate.has_lower(), rate.lower(), row);
    AddOptional(rate.has_upper(), rate.upper(), row);
    row.Add(rate.numerator()).Add(rate.denominator());
    absl::StrAppend(&out_, row.Line());
  }
  // `samples` stand as the denominator.
  void Add(const char* metric, const v1::Estimate& estimate) {
    CsvRow row = Begin(metric);
    AddOptional(estimate.has_value(), estimate.value(), row);
    AddOptional(estimate.has_lower(), estimate.lower(), row);
    AddOptional(estimate.has_upper(), estimate.upper(), row);
    absl::StrAppend(&out_, row.AddEmpty().Add(estimate.samples()).Line());
  }
  void Add(const v1::RetrainedHeads& heads) {
    if (heads.judged_on() == 0) return;
    Add("retrained_trained_on", heads.trained_on(), heads.trained_on() + heads.judged_on());
    Add("retrained_agreement_before", heads.agreement_before());
    Add("retrained_agreement_after", heads.agreement_after());
    Add("retrained_first_accuracy_before", heads.first_accuracy_before());
    Add("retrained_first_accuracy_after", heads.first_accuracy_after());
    Add("retrained_second_accuracy_before", heads.second_accuracy_before());
    Add("retrained_second_accuracy_after", heads.second_accuracy_after());
  }
  void Add(const char* metric, bool there, double value) {
    CsvRow row = Begin(metric);
    AddOptional(there, value, row);
    absl::StrAppend(&out_, row.AddEmpty(4).Line());
  }
  void Add(const char* metric, int64_t count, int64_t of) {
    CsvRow row = Begin(metric);
    absl::StrAppend(&out_, row.AddEmpty(3).Add(count).Add(of).Line());
  }
  void Add(const v1::AccuracyDifference& difference) {
    CsvRow row = Begin("accuracy_difference");
    AddOptional(difference.has_value(), difference.value(), row);
    AddOptional(difference.has_lower(), difference.lower(), row);
    AddOptional(difference.has_upper(), difference.upper(), row);
    absl::StrAppend(&out_, row.AddEmpty(2).Line());
    Add("p_value", difference.has_p_value(), difference.p_value());
  }
  void Add(const v1::PairedOutcomes& outcomes) {
    const int64_t n = outcomes.samples();
    Add("both_right", outcomes.both_right(), n);
    Add("only_first_right", outcomes.only_first_right(), n);
    Add("only_second_right", outcomes.only_second_right(), n);
    Add("both_wrong", outcomes.both_wrong(), n);
    Add("agreement", outcomes.agreement());
    Add("error_agreement", outcomes.error_agreement());
    Add("error_consistency", outcomes.error_consistency().has_kappa(),
        outcomes.error_consistency().kappa());
    Add(outcomes.accuracy_difference());
    if (outcomes.has_divergence()) Add("divergence", outcomes.divergence());
  }
  std::string Take() { return std::move(out_); }

 private:
  CsvRow Begin(const char* metric) const {
    CsvRow row;
    row.Add(condition).Add(first).Add(second).Add(class_cells_.first).Add(class_cells_.second);
    row.Add(absl::string_view(metric));
    return row;
  }
  static void AddOptional(bool there, double value, CsvRow& row) {
    there ? row.Add(value) : row.AddEmpty();
  }

  std::pair<std::string, std::string> class_cells_;
  std::string out_;
};

}  // namespace

std::string ComparisonCsv(const v1::Comparison& comparison) {
  LongForm csv;
  const auto name = [&](int i) { return comparison.evaluations(i).name(); };
  for (const v1::ConditionComparison& condition : comparison.conditions()) {
    csv.condition = condition.id();
    csv.second.clear();
    csv.AboutAll();
    for (int i = 0; i < condition.accuracies_size(); ++i) {
      csv.first = name(i);
      csv.Add("accuracy", condition.accuracies(i));
    }
    for (const v1::OracleModel& model : condition.oracle().models()) {
      csv.first = name(model.evaluation());
      csv.Add("oracle_accuracy", model.accuracy());
      csv.Add("fmr", model.has_fmr(), model.fmr());
    }
    for (const v1::PairComparison& pair : condition.pairs()) {
      csv.first = name(pair.first());
      csv.second = name(pair.second());
      csv.AboutAll();
      csv.Add(pair.all());
      if (pair.has_cka()) csv.Add("cka", pair.cka());
      if (pair.has_neighbours()) csv.Add("neighbours", pair.neighbours());
      csv.Add(pair.retrained_heads());
      for (const v1::ClassComparison& entry : pair.classes()) {
        csv.AboutClass(entry);
        csv.Add(entry.outcomes());
        csv.Add("adjusted_p_value", entry.has_adjusted_p_value(), entry.adjusted_p_value());
        csv.Add("first_cfps", entry.first_cfps());
        csv.Add("second_cfps", entry.second_cfps());
        csv.Add("cfps_change", entry.has_cfps_change(), entry.cfps_change());
      }
    }
  }
  csv.AboutAll();
  for (const v1::TransferMatrix& matrix : comparison.transfers()) {
    for (const v1::TransferMatrix::Row& row : matrix.rows()) {
      csv.condition = row.condition();
      csv.first = name(row.surrogate());
      for (int i = 0; i < row.success_rates_size(); ++i) {
        csv.second = name(i);
        csv.Add("transfer_success", row.success_rates(i));
      }
    }
  }
  return csv.Take();
}

}  // namespace assay::render
