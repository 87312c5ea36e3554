#include "core/report/comparison.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/report/sections.h"
#include "core/statistics/paired_difference.h"

namespace assay::report {
namespace {

constexpr char kNoSamples[] = "no samples";

double Ratio(int64_t numerator, int64_t denominator) {
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

int64_t Right(const ResolvedCondition& model) {
  return std::count_if(model.samples.begin(), model.samples.end(),
                       [](const ResolvedSample& sample) { return sample.correct; });
}

// How often each class was predicted in the place of another.
std::vector<int64_t> FalsePositives(const ResolvedCondition& model) {
  std::vector<int64_t> counts(static_cast<size_t>(model.num_classes));
  for (const ResolvedSample& sample : model.samples) {
    const bool taken = sample.column != ResolvedSample::kNoColumn &&
                       sample.column < model.num_classes && !sample.correct;
    if (taken) ++counts[static_cast<size_t>(sample.column)];
  }
  return counts;
}

// Of n samples; on `alike` of them both are right or both wrong.
v1::ErrorConsistency Kappa(int64_t first_right, int64_t second_right, int64_t alike, int64_t n) {
  v1::ErrorConsistency result;
  if (n == 0) {
    result.set_undefined_reason(kNoSamples);
    return result;
  }
  const double first = Ratio(first_right, n), second = Ratio(second_right, n);
  result.set_observed(Ratio(alike, n));
  result.set_expected(first * second + (1 - first) * (1 - second));
  if ((first_right == n && second_right == n) || (first_right == 0 && second_right == 0)) {
    result.set_undefined_reason(absl::StrCat("both are always ",
                                             first_right == n ? "right" : "wrong",
                                             ", so that chance alone would agree as often"));
    return result;
  }
  result.set_kappa((result.observed() - result.expected()) / (1 - result.expected()));
  return result;
}

std::vector<std::string> ModelsOf(const std::vector<ReportInput>& evaluations) {
  std::vector<std::string> models;
  for (const ReportInput& evaluation : evaluations) models.push_back(evaluation.model);
  return models;
}

absl::Status CheckSameSamples(const std::string& condition,
                              const std::vector<ResolvedCondition>& models) {
  const auto same = [](const ResolvedSample& a, const ResolvedSample& b) {
    return a.outcome->sample() == b.outcome->sample() && a.label() == b.label();
  };
  for (const ResolvedCondition& model : models) {
    if (!std::equal(model.samples.begin(), model.samples.end(), models[0].samples.begin(),
                    models[0].samples.end(), same)) {
      return Error(Reason::kInternal, absl::StrCat("the outcomes under '", condition,
                                                   "' are not of the same labelled samples"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

ComparisonBuilder::ComparisonBuilder(std::vector<ReportInput> evaluations, double confidence_level,
                                     std::optional<int> oracle, std::vector<KeptVectors> kept)
    : evaluations_(std::move(evaluations)),
      kept_(kept.empty() ? std::vector<KeptVectors>(evaluations_.size()) : std::move(kept)),
      oracle_(oracle),
      rates_(confidence_level),
      transfers_(ModelsOf(evaluations_)) {
  // A model with fewer logits never predicts the other classes.
  int classes = 0;
  bool differ = false;
  for (const ReportInput& evaluation : evaluations_) {
    differ = differ || (classes != 0 && classes != evaluation.num_classes);
    classes = std::max(classes, evaluation.num_classes);
  }
  for (size_t i = 0; i < evaluations_.size(); ++i) {
    ReportInput& evaluation = evaluations_[i];
    evaluation.num_classes = classes;
    v1::ComparedEvaluation& entry = *comparison_.add_evaluations();
    entry.set_name(evaluation.evaluation);
    entry.set_model(evaluation.model);
    entry.set_features(kept_[i].features);
  }
  const ReportInput& first = evaluations_[0];
  comparison_.set_dataset(first.dataset);
  comparison_.set_seed(first.seed);
  comparison_.set_samples(first.expected_samples);
  comparison_.set_confidence_level(confidence_level);
  for (std::string& name : ClassNames(first)) comparison_.add_class_names(std::move(name));
  if (oracle_) {
    comparison_.set_oracle(evaluations_[static_cast<size_t>(*oracle_)].evaluation);
  }
  if (differ) comparison_.add_notes("the models differ in their numbers of classes");
}

void ComparisonBuilder::Counts::Add(const ResolvedSample& first, const ResolvedSample& second) {
  right.Add(first.correct, second.correct);
  agreed += first.Agrees(second) ? 1 : 0;
  wrong_alike += first.Agrees(second) && !first.correct ? 1 : 0;
}

void ComparisonBuilder::Counts::Add(const Counts& other) {
  right.Add(other.right);
  agreed += other.agreed;
  wrong_alike += other.wrong_alike;
}

absl::Status ComparisonBuilder::Add(const std::vector<ConditionOutcomes>& runs,
                                    const VectorReader& read) {
  const v1::Condition& condition = runs[0].condition;
  Resolved models;
  for (size_t i = 0; i < runs.size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(ResolvedCondition model, Resolve(runs[i], evaluations_[i]));
    models.push_back(std::move(model));
  }
  ASSAY_RETURN_IF_ERROR(CheckSameSamples(condition.id(), models));
  if (!IsMinimumNorm(condition)) return AddOne(condition, models, read, "");
  for (const v1::Condition& budget : AtEachBudget(condition)) {
    Resolved at_budget;
    for (const ResolvedCondition& model : models) at_budget.push_back(AtBudget(model, budget));
    ASSAY_RETURN_IF_ERROR(AddOne(budget, at_budget, nullptr,
                                 "the images of an attack that looks for distances are those of no "
                                 "budget"));
  }
  return absl::OkStatus();
}

absl::Status ComparisonBuilder::AddOne(const v1::Condition& condition, const Resolved& models,
                                       const VectorReader& read, const std::string& no_vectors) {
  v1::ConditionComparison& entry = *comparison_.add_conditions();
  entry.set_id(condition.id());
  entry.set_family(condition.family());
  entry.set_method(condition.method());
  *entry.mutable_parameters() = condition.parameters();
  entry.set_own_images(condition.family() == kFamilyAttack);
  for (const ResolvedCondition& model : models) {
    *entry.add_accuracies() =
        rates_.Make(Right(model), static_cast<int64_t>(model.samples.size()), kNoSamples);
  }
  const int count = static_cast<int>(models.size());
  for (int first = 0; first < count; ++first) {
    for (int second = first + 1; second < count; ++second) {
      *entry.add_pairs() = Compare(models, first, second);
    }
  }
  if (oracle_) *entry.mutable_oracle() = AgainstOracle(condition.family(), models);
  transfers_.Add(condition, models, rates_);
  std::vector<std::string> names;
  for (const ReportInput& evaluation : evaluations_) names.push_back(evaluation.evaluation);
  const VectorInput input{names, kept_, models, read, no_vectors, comparison_.seed(), rates_};
  ASSAY_RETURN_IF_ERROR(FillDivergences(input, &entry));
  return FillFeatures(input, &entry, &remarks_);
}

v1::PairComparison ComparisonBuilder::Compare(const Resolved& models, int first, int second) {
  const ResolvedCondition& a = models[static_cast<size_t>(first)];
  const ResolvedCondition& b = models[static_cast<size_t>(second)];
  std::vector<Counts> by_class(static_cast<size_t>(a.num_classes));
  for (size_t i = 0; i < a.samples.size(); ++i) {
    by_class[static_cast<size_t>(a.samples[i].label())].Add(a.samples[i], b.samples[i]);
  }
  Counts all;
  for (const Counts& counts : by_class) all.Add(counts);
  v1::PairComparison pair;
  pair.set_first(first);
  pair.set_second(second);
  *pair.mutable_all() = Paired(all);
  // What changed is told against the first; the classes of all pairs would be too many.
  if (first == 0) FillClasses(a, b, by_class, &pair);
  return pair;
}

v1::PairedOutcomes ComparisonBuilder::Paired(const Counts& counts) {
  const PairCounts& right = counts.right;
  v1::PairedOutcomes result;
  result.set_samples(right.samples);
  result.set_both_right(right.both_right);
  result.set_only_first_right(right.only_first);
  result.set_only_second_right(right.only_second);
  result.set_both_wrong(right.both_wrong());
  *result.mutable_agreement() = rates_.Make(counts.agreed, right.samples, kNoSamples);
  *result.mutable_error_agreement() =
      rates_.Make(counts.wrong_alike, right.both_wrong(), "no sample that both get wrong");
  *result.mutable_error_consistency() = Kappa(right.first_right(), right.second_right(),
                                              right.both_right + right.both_wrong(), right.samples);
  *result.mutable_accuracy_difference() = Difference(right);
  return result;
}

v1::AccuracyDifference ComparisonBuilder::Difference(const PairCounts& counts) {
  v1::AccuracyDifference result;
  if (counts.samples == 0) {
    result.set_undefined_reason(kNoSamples);
    return result;
  }
  const auto [entry, inserted] =
      intervals_.try_emplace({counts.only_second, counts.only_first, counts.samples});
  if (inserted) {
    entry->second = PairedDifferenceInterval(counts.only_second, counts.only_first, counts.samples,
                                             rates_.confidence_level());
  }
  result.set_value(Ratio(counts.only_second - counts.only_first, counts.samples));
  result.set_lower(entry->second.lower);
  result.set_upper(entry->second.upper);
  result.set_p_value(McNemarExactTwoSided(counts.only_first, counts.only_second));
  return result;
}

void ComparisonBuilder::FillClasses(const ResolvedCondition& first, const ResolvedCondition& second,
                                    const std::vector<Counts>& by_class, v1::PairComparison* pair) {
  const std::vector<int64_t> first_taken = FalsePositives(first);
  const std::vector<int64_t> second_taken = FalsePositives(second);
  int64_t first_errors = 0, second_errors = 0;
  for (const int64_t count : first_taken) first_errors += count;
  for (const int64_t count : second_taken) second_errors += count;
  std::vector<double> p_values;
  for (size_t c = 0; c < by_class.size(); ++c) {
    v1::ClassComparison& entry = *pair->add_classes();
    entry.set_index(static_cast<int32_t>(c));
    entry.set_name(comparison_.class_names(static_cast<int>(c)));
    *entry.mutable_outcomes() = Paired(by_class[c]);
    if (by_class[c].right.samples > 0) {
      p_values.push_back(entry.outcomes().accuracy_difference().p_value());
    }
    const auto cfps = [&](int64_t taken, int64_t errors) {
      return rates_.Make(taken, errors, "no sample was taken for another class");
    };
    *entry.mutable_first_cfps() = cfps(first_taken[c], first_errors);
    *entry.mutable_second_cfps() = cfps(second_taken[c], second_errors);
    if (entry.first_cfps().has_value() && entry.second_cfps().has_value()) {
      entry.set_cfps_change(entry.second_cfps().value() - entry.first_cfps().value());
    }
  }
  const std::vector<double> adjusted = HolmAdjusted(p_values);
  size_t next = 0;
  for (v1::ClassComparison& entry : *pair->mutable_classes()) {
    if (entry.outcomes().samples() > 0) entry.set_adjusted_p_value(adjusted[next++]);
  }
}

v1::OracleComparison ComparisonBuilder::AgainstOracle(const std::string& family,
                                                      const Resolved& models) {
  v1::OracleComparison result;
  if (family != kFamilyClean && family != kFamilyCorruption) {
    result.set_undefined_reason(
        family == kFamilyAttack
            ? "each model is attacked by itself, so that the oracle did not see the images that "
              "the others got"
            : absl::StrCat("answers under ", family, " are not to one perturbed image each"));
    return result;
  }
  const std::vector<ResolvedSample>& oracle = models[static_cast<size_t>(*oracle_)].samples;
  const int64_t recognised = Right(models[static_cast<size_t>(*oracle_)]);
  for (int i = 0; i < static_cast<int>(models.size()); ++i) {
    if (i == *oracle_) continue;
    const std::vector<ResolvedSample>& samples = models[static_cast<size_t>(i)].samples;
    int64_t right = 0;
    for (size_t s = 0; s < samples.size(); ++s) {
      right += oracle[s].correct && samples[s].correct ? 1 : 0;
    }
    v1::OracleModel& entry = *result.add_models();
    entry.set_evaluation(i);
    *entry.mutable_accuracy() = rates_.Make(right, recognised, "the oracle gets no sample right");
  }
  return result;
}

// Clean accuracies are known at the end only.
void ComparisonBuilder::FillFmr() {
  const v1::ConditionComparison* clean = nullptr;
  for (const v1::ConditionComparison& condition : comparison_.conditions()) {
    if (condition.family() == kFamilyClean) clean = &condition;
  }
  for (v1::ConditionComparison& condition : *comparison_.mutable_conditions()) {
    for (v1::OracleModel& model : *condition.mutable_oracle()->mutable_models()) {
      const auto undefined = [&](const std::string& why) { model.set_fmr_undefined_reason(why); };
      if (condition.family() == kFamilyClean) {
        undefined("nothing is perturbed");
      } else if (clean == nullptr) {
        undefined("clean accuracy is not among the conditions");
      } else if (!model.accuracy().has_value()) {
        undefined(model.accuracy().undefined_reason());
      } else if (clean->accuracies(model.evaluation()).numerator() == 0) {
        undefined("no clean image is right");
      } else {
        model.set_fmr(model.accuracy().value() / clean->accuracies(model.evaluation()).value());
      }
    }
  }
}

absl::StatusOr<v1::Comparison> ComparisonBuilder::Build() && {
  const auto& conditions = comparison_.conditions();
  if (oracle_) {
    const bool any = std::any_of(conditions.begin(), conditions.end(), [](const auto& condition) {
      return condition.oracle().models_size() > 0;
    });
    if (!any) {
      return InvalidFields(
          {{"oracle", absl::StrCat("no condition shows all models the same images: ",
                                   conditions.empty() ? "there is none"
                                                      : conditions[0].oracle().undefined_reason(),
                                   "; clean and corruption do")}});
    }
    FillFmr();
  }
  transfers_.Fill(&comparison_);
  AddNotes();
  return std::move(comparison_);
}

void ComparisonBuilder::AddNotes() {
  const auto& conditions = comparison_.conditions();
  const bool attacked = std::any_of(conditions.begin(), conditions.end(),
                                    [](const auto& condition) { return condition.own_images(); });
  if (attacked) {
    comparison_.add_notes(
        "under an attack each model answers to adversarial examples of its own, which the others "
        "have not seen");
  }
  // Below it nobody would be misled.
  constexpr double kWorthTelling = 0.05;
  if (remarks_.cka_by_chance > kWorthTelling) {
    comparison_.add_notes(absl::StrFormat(
        "linear CKA is biased upwards by few samples of many features: for models that have "
        "nothing to do with each other it would be up to %.2f here",
        remarks_.cka_by_chance));
  }
  if (remarks_.subsampled) {
    comparison_.add_notes(
        "CKA, neighbours or retrained heads are of a part of the samples, which the seed chose, "
        "since all would take too long; `samples` says of how many");
  }
}

}  // namespace assay::report
