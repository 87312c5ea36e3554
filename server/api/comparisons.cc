#include "server/api/comparisons.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "core/report/comparability.h"
#include "core/report/comparison.h"
#include "core/report/evaluation_input.h"
#include "server/api/decided_samples.h"
#include "server/api/reports.h"
#include "server/api/vectors.h"

namespace assay::api {
namespace {

absl::StatusOr<std::vector<v1::Outcome>> OutcomesUnder(store::Catalog& catalog,
                                                       store::Evaluations& evaluations,
                                                       const v1::Evaluation& evaluation,
                                                       int condition) {
  std::vector<v1::Outcome> outcomes;
  ASSAY_ASSIGN_OR_RETURN(const auto next_task,
                         ReadDecidedOutcomes(catalog, evaluations, evaluation, {condition}));
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(auto task, next_task());
    if (!task) return outcomes;
    for (auto& outcome : *task->outcomes.mutable_outcomes()) outcomes.push_back(std::move(outcome));
  }
}

absl::Status Cancelled() { return Error(Reason::kCancelled, "the call was cancelled"); }

absl::StatusOr<std::optional<report::Vectors>> VectorsUnder(
    store::Evaluations& evaluations, store::BlobStore& blobs, const std::string& name,
    int condition, v1::VectorKind kind, const report::WantedVectors& wanted,
    const std::function<bool()>& cancelled) {
  if (cancelled()) return Cancelled();
  return ReadVectors(evaluations, blobs, name, condition, kind, wanted);
}

// What tells data apart: the samples, whatever else is known of them.
absl::StatusOr<std::string> DigestOf(store::Catalog& catalog, const std::string& dataset) {
  // Of a stream that has not ended, which cannot be compared.
  if (dataset.empty()) return std::string();
  ASSAY_ASSIGN_OR_RETURN(const v1::Dataset found, catalog.GetDataset(dataset));
  return SamplesDigest(found.manifest());
}

}  // namespace

absl::StatusOr<v1::Comparison> ComparisonOf(store::Catalog& catalog,
                                            store::Evaluations& evaluations,
                                            store::BlobStore& blobs,
                                            const v1::CompareEvaluationsRequest& request,
                                            const std::function<bool()>& cancelled) {
  for (int i = 0; i < request.names_size(); ++i) {
    ASSAY_RETURN_IF_ERROR(
        ParseResourceName(kEvaluations, request.names(i), absl::StrCat("names[", i, "]")).status());
  }
  ASSAY_RETURN_IF_ERROR(report::CheckRequest(request));
  std::vector<report::Candidate> candidates;
  std::vector<report::ReportInput> inputs;
  for (const std::string& name : request.names()) {
    ASSAY_ASSIGN_OR_RETURN(store::EvaluationRecord record, evaluations.GetEvaluation(name));
    ASSAY_ASSIGN_OR_RETURN(const auto validation, ValidationOf(catalog, record));
    ASSAY_ASSIGN_OR_RETURN(report::ReportInput input,
                           InputOf(catalog, evaluations, record, validation));
    ASSAY_ASSIGN_OR_RETURN(const std::string digest, DigestOf(catalog, input.dataset));
    candidates.push_back({std::move(record.proto), digest, input.expected_samples});
    inputs.push_back(std::move(input));
  }
  ASSAY_ASSIGN_OR_RETURN(const report::ComparedConditions compared,
                         report::CheckComparable(candidates, request.common()));
  for (report::ReportInput& input : inputs) {
    ASSAY_RETURN_IF_ERROR(CountClasses(evaluations, &input));
  }

  std::optional<int> oracle;
  for (int i = 0; i < request.names_size(); ++i) {
    if (request.names(i) == request.oracle()) oracle = i;
  }
  const double level = request.confidence_level() != 0 ? request.confidence_level() : 0.95;
  std::vector<report::KeptVectors> kept;
  for (const report::Candidate& candidate : candidates) {
    const v1::EvaluationSpec& spec = candidate.evaluation.spec();
    kept.push_back({spec.keep_probabilities(), spec.keep_features()});
  }
  report::ComparisonBuilder builder(std::move(inputs), level, oracle, std::move(kept));
  for (const std::vector<int>& positions : compared.positions) {
    if (cancelled()) return Cancelled();
    std::vector<report::ConditionOutcomes> runs;
    for (size_t i = 0; i < candidates.size(); ++i) {
      const v1::Evaluation& evaluation = candidates[i].evaluation;
      ASSAY_ASSIGN_OR_RETURN(auto outcomes,
                             OutcomesUnder(catalog, evaluations, evaluation, positions[i]));
      runs.push_back({evaluation.conditions(positions[i]), std::move(outcomes)});
    }
    const auto read = [&](int i, v1::VectorKind kind, const report::WantedVectors& wanted) {
      const auto index = static_cast<size_t>(i);
      return VectorsUnder(evaluations, blobs, candidates[index].evaluation.name(), positions[index],
                          kind, wanted, cancelled);
    };
    ASSAY_RETURN_IF_ERROR(builder.Add(runs, read));
  }
  ASSAY_ASSIGN_OR_RETURN(v1::Comparison comparison, std::move(builder).Build());
  for (const v1::LeftOutCondition& condition : compared.left_out) {
    *comparison.add_left_out() = condition;
  }
  return comparison;
}

}  // namespace assay::api
