#include "core/report/corruption_summary.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/rational.h"
#include "core/conditions/condition.h"

namespace assay::report {
namespace {

struct AlexNetRow {
  const char* corruption;
  std::array<double, 5> errors;
  double mean;
};

// By severity: RobustBench's unaggregated results on 5,000 images. Means: the full validation set.
constexpr std::array<AlexNetRow, 15> kAlexNet = {{
    {"gaussian_noise", {0.689, 0.8186, 0.9276, 0.9786, 0.9942}, 0.886428},
    {"shot_noise", {0.7056, 0.8402, 0.9274, 0.9804, 0.988}, 0.894468},
    {"impulse_noise", {0.7766, 0.8846, 0.9444, 0.986, 0.9946}, 0.92264},
    {"defocus_blur", {0.6596, 0.738, 0.8498, 0.915, 0.9478}, 0.81988},
    {"glass_blur", {0.6514, 0.7588, 0.8874, 0.92, 0.9364}, 0.826268},
    {"motion_blur", {0.5826, 0.705, 0.8206, 0.8978, 0.9302}, 0.785948},
    {"zoom_blur", {0.6972, 0.7692, 0.8064, 0.837, 0.8688}, 0.79836},
    {"snow", {0.7212, 0.886, 0.868, 0.915, 0.9498}, 0.866816},
    {"frost", {0.6212, 0.8024, 0.8948, 0.9006, 0.9384}, 0.826572},
    {"fog", {0.6846, 0.7676, 0.843, 0.8786, 0.9444}, 0.819324},
    {"brightness", {0.4496, 0.486, 0.536, 0.6114, 0.7094}, 0.564592},
    {"contrast", {0.6504, 0.7666, 0.8906, 0.9734, 0.9906}, 0.853204},
    {"elastic_transform", {0.529, 0.6978, 0.56, 0.6432, 0.8102}, 0.646056},
    {"pixelate", {0.5246, 0.5498, 0.733, 0.8712, 0.9142}, 0.71784},
    {"jpeg_compression", {0.5142, 0.5478, 0.5772, 0.6512, 0.7436}, 0.6065},
}};

v1::ReferenceErrors MakeAlexNet(const std::string& name, bool by_severity) {
  v1::ReferenceErrors reference;
  reference.set_name(name);
  // The mean's source has no clean error, so there is no relative measure.
  if (by_severity) reference.set_clean_error(0.4376);
  for (const AlexNetRow& row : kAlexNet) {
    auto& entry = *reference.add_corruptions();
    entry.set_corruption(row.corruption);
    if (by_severity) {
      for (double error : row.errors) entry.add_errors(error);
    } else {
      entry.add_errors(row.mean);
    }
  }
  return reference;
}

// The conditions of one corruption with one table, by severity.
using BySeverity = std::map<double, const v1::ConditionReport*>;

std::string Parameter(const v1::ConditionReport& condition, const std::string& name) {
  const auto found = condition.parameters().find(name);
  return found == condition.parameters().end() ? "" : found->second;
}

// Of published kind: a severity, on the whole image. Severity 0 is no corruption.
std::optional<double> SeverityOf(const v1::ConditionReport& condition) {
  const auto severity = Rational::Parse(Parameter(condition, "severity"));
  if (condition.family() != kFamilyCorruption || condition.samples() == 0 || !severity.ok() ||
      severity->numerator() == 0 || Parameter(condition, "grid") != "1") {
    return std::nullopt;
  }
  return severity->ToDouble();
}

double ErrorOf(const v1::ConditionReport& condition) {
  return 1 - static_cast<double>(condition.correct()) / static_cast<double>(condition.samples());
}

// The sum over severities 1 to 5; nullopt while one is missing.
std::optional<double> PublishedSum(const BySeverity& conditions) {
  double sum = 0;
  for (int severity = 1; severity <= 5; ++severity) {
    const auto found = conditions.find(severity);
    if (found == conditions.end()) return std::nullopt;
    sum += ErrorOf(*found->second);
  }
  return sum;
}

// The reference's sum over severities.
std::optional<double> ReferenceSum(const v1::ReferenceErrors& reference, const std::string& name) {
  for (const auto& entry : reference.corruptions()) {
    if (entry.corruption() != name) continue;
    if (entry.errors_size() == 1) return 5 * entry.errors(0);
    double sum = 0;
    for (double error : entry.errors()) sum += error;
    return sum;
  }
  return std::nullopt;
}

// Index of the largest value, the first of equals; -1 where all are 0.
int32_t Largest(const std::vector<double>& values) {
  const auto largest = std::max_element(values.begin(), values.end());
  return largest == values.end() || *largest <= 0 ? -1
                                                  : static_cast<int32_t>(largest - values.begin());
}

// By class: the sum of the errors over `conditions`; classes without samples have none.
class ClassErrors {
 public:
  void Add(const v1::ConditionReport& condition) {
    sums_.resize(std::max(sums_.size(), static_cast<size_t>(condition.classes_size())), 0);
    counts_.resize(sums_.size(), 0);
    for (int i = 0; i < condition.classes_size(); ++i) {
      const v1::ClassReport& report = condition.classes(i);
      if (report.samples() == 0) continue;
      sums_[static_cast<size_t>(i)] +=
          1 - static_cast<double>(report.correct()) / static_cast<double>(report.samples());
      ++counts_[static_cast<size_t>(i)];
    }
  }
  std::vector<double> Means() const {
    std::vector<double> means = sums_;
    for (size_t i = 0; i < means.size(); ++i)
      means[i] /= static_cast<double>(std::max<int64_t>(1, counts_[i]));
    return means;
  }
  const std::vector<int64_t>& counts() const { return counts_; }

 private:
  std::vector<double> sums_;
  std::vector<int64_t> counts_;
};

// Why there is no normaliser, or its name.
std::string NormaliserText(const v1::ReferenceErrors* reference, size_t tables) {
  if (tables > 1) return "none: the corruptions have different parameter tables";
  if (reference != nullptr) return reference->name();
  return "none: unnormalised (mean corruption error), which is what is published for all but "
         "ImageNet-C (table 224); to divide by a model's errors, ask with them as the reference "
         "(assay: --reference FILE, alexnet or alexnet-mean)";
}

// Whether the table is ImageNet-C's: by name, or the nearest to the smaller side of the images (of
// 32, 64, 224 and 299).
bool IsImageNetTable(const std::string& table, const v1::ImageShape& shape) {
  const int side = std::min(shape.height(), shape.width());
  return table == "224" || (table == "auto" && side > (64 + 224) / 2 && side <= (224 + 299) / 2);
}

}  // namespace

const std::vector<std::string>& CommonCorruptions() {
  static const auto* const names = [] {
    auto* all = new std::vector<std::string>;
    for (const AlexNetRow& row : kAlexNet) all->emplace_back(row.corruption);
    return all;
  }();
  return *names;
}

const v1::ReferenceErrors& AlexNetErrors() {
  static const auto* const errors = new v1::ReferenceErrors(
      MakeAlexNet("AlexNet, by severity, on RobustBench's 5,000 images of ImageNet-C", true));
  return *errors;
}

const v1::ReferenceErrors& AlexNetMeanErrors() {
  static const auto* const errors = new v1::ReferenceErrors(
      MakeAlexNet("AlexNet, means over severities, on all of ImageNet-C", false));
  return *errors;
}

absl::StatusOr<v1::ReferenceErrors> ResolveReference(const v1::ReferenceErrors& requested) {
  if (requested.corruptions().empty()) {
    if (requested.name() == "alexnet") return AlexNetErrors();
    if (requested.name() == "alexnet-mean") return AlexNetMeanErrors();
    return InvalidFields(
        {{"reference_errors", absl::StrCat("has no corruptions, and there is no built-in table '",
                                           requested.name(), "'; known: alexnet, alexnet-mean")}});
  }
  std::vector<FieldViolation> violations;
  const auto check = [&](const std::string& field, double error) {
    // Written so that NaN fails.
    if (!(error >= 0 && error <= 1)) {
      violations.push_back({field, absl::StrCat(error, " is no share of 1")});
    }
  };
  if (requested.has_clean_error()) {
    check("reference_errors.clean_error", requested.clean_error());
  }
  std::set<std::string> seen;
  for (const auto& entry : requested.corruptions()) {
    const std::string field =
        absl::StrCat("reference_errors.corruptions[", entry.corruption(), "]");
    if (!seen.insert(entry.corruption()).second) violations.push_back({field, "is there twice"});
    if (entry.errors_size() != 5 && entry.errors_size() != 1) {
      violations.push_back({field, absl::StrCat("needs the errors of severities 1 to 5, or their "
                                                "mean; it has ",
                                                entry.errors_size(), " errors")});
    }
    for (double error : entry.errors()) check(field, error);
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  v1::ReferenceErrors resolved = requested;
  if (resolved.name().empty()) resolved.set_name("the request's own errors");
  return resolved;
}

void FillCorruptionSummary(const v1::ReferenceErrors* reference, const v1::ImageShape& shape,
                           v1::Report* report) {
  std::map<std::pair<std::string, std::string>, BySeverity> corruptions;  // by method and table
  std::vector<std::pair<std::string, std::string>> order;
  std::set<std::string> tables;
  std::optional<double> clean;
  for (const v1::ConditionReport& condition : report->conditions()) {
    if (condition.family() == kFamilyClean && condition.samples() > 0) clean = ErrorOf(condition);
    const std::optional<double> severity = SeverityOf(condition);
    if (!severity.has_value()) continue;
    const std::pair<std::string, std::string> key(condition.method(),
                                                  Parameter(condition, "table"));
    if (corruptions.count(key) == 0) order.push_back(key);
    corruptions[key][*severity] = &condition;
    tables.insert(key.second);
  }
  if (corruptions.empty()) return;

  v1::CorruptionSummary& summary = *report->mutable_corruption_summary();
  if (tables.size() > 1) {
    reference = nullptr;
  } else if (reference == nullptr && IsImageNetTable(*tables.begin(), shape)) {
    reference = &AlexNetErrors();
  }
  summary.set_normaliser(NormaliserText(reference, tables.size()));

  ClassErrors all_classes;
  std::map<std::string, double> sums, ces, relative_ces;
  for (const auto& key : order) {
    const BySeverity& conditions = corruptions[key];
    v1::CorruptionError& entry = *summary.add_corruptions();
    const std::string& name = key.first;
    entry.set_corruption(tables.size() == 1 ? name : absl::StrCat(name, "/table=", key.second));
    ClassErrors classes;
    std::vector<double> sinks;
    double sum = 0;
    for (const auto& [severity, condition] : conditions) {
      entry.add_severities(severity);
      entry.add_errors(ErrorOf(*condition));
      sum += ErrorOf(*condition);
      classes.Add(*condition);
      all_classes.Add(*condition);
      sinks.resize(std::max(sinks.size(), static_cast<size_t>(condition->classes_size())), 0);
      for (int i = 0; i < condition->classes_size(); ++i) {
        sinks[static_cast<size_t>(i)] +=
            static_cast<double>(condition->classes(i).false_positives());
      }
    }
    entry.set_mean_error(sum / static_cast<double>(conditions.size()));
    entry.set_weakest_class(Largest(classes.Means()));
    entry.set_strongest_sink(Largest(sinks));

    const std::optional<double> published = PublishedSum(conditions);
    if (!published.has_value()) continue;
    sums[name] = *published;
    const std::optional<double> normal =
        reference == nullptr ? std::nullopt : ReferenceSum(*reference, name);
    if (!normal.has_value()) continue;
    if (*normal > 0) {
      ces[name] = *published / *normal;
      entry.set_ce(ces[name]);
    }
    if (!clean.has_value() || !reference->has_clean_error()) continue;
    const double normal_rise = *normal - 5 * reference->clean_error();
    if (normal_rise > 0) {
      relative_ces[name] = (*published - 5 * *clean) / normal_rise;
      entry.set_relative_ce(relative_ces[name]);
    }
  }
  const std::vector<double> class_means = all_classes.Means();
  for (size_t i = 0; i < class_means.size(); ++i) {
    v1::ClassMean& mean = *summary.add_class_errors();
    mean.set_index(static_cast<int32_t>(i));
    if (all_classes.counts()[i] > 0) mean.set_mean(class_means[i]);
  }
  if (tables.size() > 1) return;
  // The mean over the 15, if all have a value.
  const auto mean = [](const std::map<std::string, double>& values) -> std::optional<double> {
    double sum = 0;
    for (const std::string& name : CommonCorruptions()) {
      const auto found = values.find(name);
      if (found == values.end()) return std::nullopt;
      sum += found->second;
    }
    return sum / static_cast<double>(CommonCorruptions().size());
  };
  if (const auto error = mean(sums)) summary.set_mean_error(*error / 5);
  if (const auto mce = mean(ces)) summary.set_mce(*mce);
  if (const auto relative = mean(relative_ces)) summary.set_relative_mce(*relative);
}

}  // namespace assay::report
