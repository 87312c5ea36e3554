#include "client/render/report_csv.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/render/class_labels.h"
#include "client/render/condition_facts.h"
#include "client/render/csv.h"
#include "client/render/numbers.h"

namespace assay::render {
namespace {

// Rows of one condition: of all its samples, of one class, or of one slice.
class Rows {
 public:
  Rows(const v1::ConditionReport& condition, const OnReportNumber& take)
      : condition_(condition), take_(take) {}

  // The rows that follow are about that class.
  void ForClass(int32_t index) {
    const v1::ClassReport* own = FindClass(condition_, index);
    const bool named = own != nullptr && !own->name().empty();
    class_ = named ? own->name() : absl::StrCat("class ", index);
    samples_ = own == nullptr ? 0 : own->samples();
  }
  void ForAll() {
    class_.clear();
    slice_.clear();
    samples_ = condition_.samples();
  }
  void ForSlice(const v1::SliceColumn& column, const v1::Slice& slice) {
    ForAll();
    slice_ = absl::StrCat(column.name(), "=", slice.value());
    samples_ = slice.samples();
  }

  void Add(absl::string_view metric, const v1::Rate& rate) {
    ReportNumber number = Begin(metric);
    if (rate.has_value()) number.value = rate.value();
    if (rate.has_lower()) number.lower = rate.lower();
    if (rate.has_upper()) number.upper = rate.upper();
    number.samples = rate.denominator();
    take_(number);
  }
  // A number without an interval, over the samples.
  void Add(absl::string_view metric, double value) {
    ReportNumber number = Begin(metric);
    number.value = value;
    take_(number);
  }
  void Add(absl::string_view metric, int64_t value) {
    ReportNumber number = Begin(metric);
    number.value = static_cast<double>(value);
    number.is_count = true;
    take_(number);
  }
  // A number that may be undefined.
  void AddIf(bool defined, absl::string_view metric, double value) {
    defined ? Add(metric, value) : take_(Begin(metric));
  }

 private:
  ReportNumber Begin(absl::string_view metric) const {
    ReportNumber number;
    number.condition = condition_.id();
    number.class_name = class_;
    number.slice = slice_;
    number.metric = std::string(metric);
    number.samples = samples_;
    return number;
  }

  const v1::ConditionReport& condition_;
  const OnReportNumber& take_;
  std::string class_;
  std::string slice_;
  int64_t samples_ = 0;
};

std::string At(absl::string_view metric, double place) {
  return absl::StrCat(metric, "@", Exact(place));
}

template <typename Curve>
void AddCertified(const Curve& curve, Rows& rows) {
  for (const auto& point : curve) {
    rows.Add(At("certified_accuracy", point.radius()), point.accuracy());
    rows.Add(At("certified_accuracy_simultaneous_lower", point.radius()),
             point.simultaneous_lower());
  }
}

// Alike for a condition and for a class.
template <typename Certification>
void AddRadii(bool defined, const Certification& certification, Rows& rows) {
  rows.AddIf(defined, "average_certified_radius", certification.average_certified_radius());
  rows.AddIf(defined, "median_radius", certification.median_radius());
  rows.Add("abstention_rate", certification.abstention_rate());
  AddCertified(certification.curve(), rows);
}

void AddAll(const v1::ConditionReport& condition, Rows& rows) {
  rows.ForAll();
  rows.Add("accuracy", condition.accuracy());
  rows.Add("undecided", condition.undecided());
  rows.Add("ties", condition.ties());
  if (condition.has_disparity()) rows.Add("disparity", condition.disparity().max_minus_min());
  if (condition.has_attack()) {
    const v1::AttackReport& attack = condition.attack();
    rows.Add("clean_accuracy", attack.clean_accuracy());
    rows.Add("success_rate", attack.success_rate());
    rows.Add("survives_rounding", attack.survives_rounding());
    for (const auto& point : attack.security_curve()) {
      rows.Add(At("robust_accuracy", point.eps()), point.robust_accuracy());
    }
  }
  if (condition.has_certification()) {
    AddRadii(HasRadii(condition, condition.samples()), condition.certification(), rows);
    rows.Add("share_at_cap", condition.certification().share_at_cap());
  }
  if (condition.has_bounds()) {
    rows.Add("certified_accuracy", condition.bounds().certified_accuracy());
  }
  if (condition.has_conformal()) {
    const v1::ConformalReport& sets = condition.conformal();
    rows.Add("coverage", sets.coverage());
    rows.AddIf(sets.coverage().has_value(), "mean_set_size", sets.mean_set_size());
    rows.Add("plain_coverage", sets.plain_coverage());
    rows.AddIf(sets.plain_coverage().has_value(), "plain_mean_set_size",
               sets.plain_mean_set_size());
  }
  if (condition.has_sequence()) rows.Add("flip_rate", condition.sequence().flip_rate());
}

void AddClass(const v1::ConditionReport& condition, const v1::ClassReport& own, Rows& rows) {
  rows.ForClass(own.index());
  rows.Add("accuracy", own.accuracy());
  rows.Add("cfps", own.cfps());
  rows.Add("false_positives", own.false_positives());
  rows.Add("precision", own.precision());
  rows.Add("undecided", own.undecided());
  if (own.has_attack()) {
    rows.Add("success_rate", own.attack().success_rate());
    rows.Add("adversarial_false_positives", own.attack().adversarial_false_positives());
  }
  if (own.has_certification()) {
    AddRadii(HasRadii(condition, own.samples()), own.certification(), rows);
  }
}

void AddClassesOfFamily(const v1::ConditionReport& condition, Rows& rows) {
  for (const auto& own : condition.bounds().classes()) {
    rows.ForClass(own.index());
    rows.Add("certified_accuracy", own.certified_accuracy());
  }
  for (const auto& own : condition.conformal().classes()) {
    rows.ForClass(own.index());
    rows.Add("coverage", own.coverage());
    rows.AddIf(own.coverage().has_value(), "mean_set_size", own.mean_set_size());
  }
  for (const auto& own : condition.sequence().classes()) {
    rows.ForClass(own.index());
    rows.Add("flip_rate", own.flip_rate());
  }
}

void AddSlice(const v1::ConditionReport& condition, const v1::SliceColumn& column,
              const v1::Slice& slice, Rows& rows) {
  rows.ForSlice(column, slice);
  rows.Add("accuracy", slice.accuracy());
  rows.AddIf(slice.has_adjusted_p_value(), "adjusted_p_value", slice.adjusted_p_value());
  if (condition.has_attack()) {
    rows.Add("clean_accuracy", slice.clean_accuracy());
    rows.Add("success_rate", slice.success_rate());
  }
  if (condition.has_certification()) rows.Add("abstention_rate", slice.abstention_rate());
  for (const v1::SliceAtRadius& at : slice.certified_accuracy()) {
    rows.Add(condition.has_bounds() ? "certified_accuracy" : At("certified_accuracy", at.radius()),
             at.accuracy());
  }
}

}  // namespace

void VisitReport(const v1::Report& report, const OnReportNumber& take) {
  for (const auto& condition : report.conditions()) {
    Rows rows(condition, take);
    AddAll(condition, rows);
    for (const auto& own : condition.classes()) AddClass(condition, own, rows);
    AddClassesOfFamily(condition, rows);
    for (const auto& column : condition.slices()) {
      for (const auto& slice : column.slices()) AddSlice(condition, column, slice, rows);
    }
  }
}

std::string ReportCsv(const v1::Report& report) {
  std::string out = "condition,class,slice,metric,value,lower,upper,n\n";
  VisitReport(report, [&out](const ReportNumber& number) {
    CsvRow row;
    row.Add(number.condition).Add(number.class_name);
    row.Add(number.slice).Add(number.metric);
    if (number.is_count) {
      row.Add(static_cast<int64_t>(*number.value));
    } else {
      number.value ? row.Add(*number.value) : row.AddEmpty();
    }
    number.lower ? row.Add(*number.lower) : row.AddEmpty();
    number.upper ? row.Add(*number.upper) : row.AddEmpty();
    absl::StrAppend(&out, row.Add(number.samples).Line());
  });
  return out;
}

}  // namespace assay::render
