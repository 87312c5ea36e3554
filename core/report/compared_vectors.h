// What comparisons take beside outcomes: vectors that evaluations kept of the images that their
// models were judged by. Defined in docs/metrics.md, "Two or more models".
#ifndef ASSAY_CORE_REPORT_COMPARED_VECTORS_H_
#define ASSAY_CORE_REPORT_COMPARED_VECTORS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/comparison.pb.h"
#include "assay/v1/outcomes.pb.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

struct Vectors {
  // Positions in the dataset, ascending; a sample whose vector is not finite has none here.
  std::vector<int64_t> samples;
  // Numbers for each sample.
  int size = 0;
  // samples.size() x size, row by row; finite.
  std::vector<float> values;
};

// What an evaluation was asked to keep.
struct KeptVectors {
  bool probabilities = false;
  // The layer; empty: none.
  std::string features;
};

// Which part of a table is read.
struct WantedVectors {
  // Ascending; nullopt: all samples that have one.
  std::optional<std::vector<int64_t>> samples;
  // Without, `values` stays empty.
  bool values = true;
};

// Reads what the evaluation of this position kept under one condition; nullopt where the condition
// has none. May be called several times for the same, so that no more than two need be in memory.
using VectorReader = std::function<absl::StatusOr<std::optional<Vectors>>(
    int evaluation, v1::VectorKind kind, const WantedVectors& wanted)>;

// What the vectors of one condition are compared with.
struct VectorInput {
  // Names of the evaluations, and what they kept: one for each model.
  const std::vector<std::string>& names;
  const std::vector<KeptVectors>& kept;
  const std::vector<ResolvedCondition>& models;
  const VectorReader& read;
  // Not empty: why no vector belongs to these answers, and none is read.
  std::string undefined_reason;
  int64_t seed;
  RateMaker& rates;
};

// --- divergences.cc

// `divergence` of every pair of the condition and of its classes.
absl::Status FillDivergences(const VectorInput& input, v1::ConditionComparison* condition);

// --- feature_comparison.cc

// What to know of the numbers of features, over all conditions.
struct FeatureRemarks {
  // The largest CKA that unrelated features would get.
  double cka_by_chance = 0;
  // Some number is of fewer samples than have features.
  bool subsampled = false;
};

// `cka`, `neighbours` and `retrained_heads` of every pair of the condition.
absl::Status FillFeatures(const VectorInput& input, v1::ConditionComparison* condition,
                          FeatureRemarks* remarks);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_COMPARED_VECTORS_H_
