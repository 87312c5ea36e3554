// Compares two or more models by what they answered to the same samples: agreement, error
// consistency, what a change of the model breaks and mends, in all and class by class; and by the
// vectors that were kept of them. Pure functions of what is stored; definitions: docs/metrics.md,
// "Two or more models".
#ifndef ASSAY_CORE_REPORT_COMPARISON_H_
#define ASSAY_CORE_REPORT_COMPARISON_H_

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/comparison.pb.h"
#include "core/report/compared_vectors.h"
#include "core/report/pair_counts.h"
#include "core/report/rates.h"
#include "core/report/report_input.h"
#include "core/report/resolved_outcomes.h"
#include "core/report/transfer_matrix.h"
#include "core/statistics/statistics.h"

namespace assay::report {

// Takes one condition after the other, so that no more than the outcomes of one need be in memory,
// and of its vectors those of two models. Not thread-safe.
//
// Example:
//   ComparisonBuilder builder(evaluations, 0.95, std::nullopt);
//   ASSAY_RETURN_IF_ERROR(builder.Add({clean_of_first, clean_of_second}));
//   ASSAY_ASSIGN_OR_RETURN(const v1::Comparison comparison, std::move(builder).Build());
class ComparisonBuilder {
 public:
  // What is known of each evaluation; their conditions and confidence levels are not looked at.
  // At least two, on the same data. `oracle`: the position of the one whose model is the oracle.
  // `kept`: of each evaluation, or empty where none kept any vectors.
  ComparisonBuilder(std::vector<ReportInput> evaluations, double confidence_level,
                    std::optional<int> oracle, std::vector<KeptVectors> kept = {});

  // The same condition of every evaluation, in their order, every sample there. One that asks for
  // several budgets becomes an entry for each. `read` reads its vectors, and is not called where
  // none were kept; its errors are returned. kInternal for outcomes that break their own rules or
  // are not of the same samples.
  absl::Status Add(const std::vector<ConditionOutcomes>& runs, const VectorReader& read = nullptr);

  // kInvalidArgument when no condition says anything about an oracle that was asked for.
  absl::StatusOr<v1::Comparison> Build() &&;

 private:
  using Resolved = std::vector<ResolvedCondition>;
  // Of the samples of one class, or of all, under one condition.
  struct Counts {
    PairCounts right;
    int64_t agreed = 0, wrong_alike = 0;

    void Add(const ResolvedSample& first, const ResolvedSample& second);
    void Add(const Counts& other);
  };

  // Without `read`: why no vector belongs to the answers.
  absl::Status AddOne(const v1::Condition& condition, const Resolved& models,
                      const VectorReader& read, const std::string& no_vectors);
  v1::PairComparison Compare(const Resolved& models, int first, int second);
  v1::PairedOutcomes Paired(const Counts& counts);
  v1::AccuracyDifference Difference(const PairCounts& counts);
  void FillClasses(const ResolvedCondition& first, const ResolvedCondition& second,
                   const std::vector<Counts>& by_class, v1::PairComparison* pair);
  v1::OracleComparison AgainstOracle(const std::string& family, const Resolved& models);
  void FillFmr();
  void AddNotes();

  std::vector<ReportInput> evaluations_;
  const std::vector<KeptVectors> kept_;
  const std::optional<int> oracle_;
  RateMaker rates_;
  // By counts: classes ask for the same ones again and again.
  absl::flat_hash_map<std::tuple<int64_t, int64_t, int64_t>, Interval> intervals_;
  FeatureRemarks remarks_;
  TransferCollector transfers_;
  v1::Comparison comparison_;
};

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_COMPARISON_H_
