#include "server/api/decided_samples.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/sample_order.h"

namespace assay::api {

DecidedSamples::DecidedSamples(const v1::Evaluation& evaluation, int64_t allowed) {
  if (!evaluation.decision().stopped_early()) return;
  const std::vector<int64_t> order = SampleOrder(evaluation.spec().seed(), allowed);
  kept_.resize(order.size());
  for (int64_t i = 0; i < evaluation.decision().samples(); ++i) {
    kept_[static_cast<size_t>(order[static_cast<size_t>(i)])] = true;
  }
}

void DecidedSamples::Cut(v1::OutcomeBatch* outcomes) const {
  auto& all = *outcomes->mutable_outcomes();
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const v1::Outcome& outcome) { return !Has(outcome.sample()); }),
            all.end());
}

absl::StatusOr<int64_t> AllowedSamples(store::Catalog& catalog, store::Evaluations& evaluations,
                                       const v1::Evaluation& evaluation) {
  v1::DatasetManifest manifest;
  if (evaluation.spec().dataset().empty()) {
    ASSAY_ASSIGN_OR_RETURN(manifest, evaluations.GetStreamManifest(evaluation.name()));
  } else {
    ASSAY_ASSIGN_OR_RETURN(auto dataset, catalog.GetDataset(evaluation.spec().dataset()));
    manifest.Swap(dataset.mutable_manifest());
  }
  return LimitedSamples(manifest, evaluation.spec().limit());
}

absl::StatusOr<store::OutcomeReader> ReadDecidedOutcomes(store::Catalog& catalog,
                                                         store::Evaluations& evaluations,
                                                         const v1::Evaluation& evaluation,
                                                         const std::set<int>& conditions) {
  ASSAY_ASSIGN_OR_RETURN(auto next, evaluations.ReadOutcomes(evaluation.name(), conditions));
  if (!evaluation.decision().stopped_early()) return next;
  ASSAY_ASSIGN_OR_RETURN(const int64_t allowed, AllowedSamples(catalog, evaluations, evaluation));
  return [next = std::move(next),
          decided = std::make_shared<DecidedSamples>(
              evaluation, allowed)]() -> absl::StatusOr<std::optional<store::TaskOutcomes>> {
    ASSAY_ASSIGN_OR_RETURN(auto task, next());
    if (task) decided->Cut(&task->outcomes);
    return task;
  };
}

}  // namespace assay::api
