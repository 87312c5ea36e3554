// Which samples an evaluation is about, where it stopped early.
#ifndef ASSAY_SERVER_API_DECIDED_SAMPLES_H_
#define ASSAY_SERVER_API_DECIDED_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/outcomes.pb.h"
#include "server/store/catalog.h"
#include "server/store/evaluations.h"

namespace assay::api {

// Of an evaluation that stopped early, the samples that it is about. Conditions that were quicker
// than others have more.
class DecidedSamples {
 public:
  // `allowed`: how many it was to have at most.
  DecidedSamples(const v1::Evaluation& evaluation, int64_t allowed);

  // Whether there are samples that it is not about.
  bool some() const { return !kept_.empty(); }
  bool Has(int64_t sample) const { return kept_.empty() || kept_[static_cast<size_t>(sample)]; }
  // Removes outcomes that it is not about.
  void Cut(v1::OutcomeBatch* outcomes) const;

 private:
  // By position in the dataset; empty: all.
  std::vector<bool> kept_;
};

// How many samples the evaluation was to have at most, which for those that did not stop early is
// how many it has in the end.
absl::StatusOr<int64_t> AllowedSamples(store::Catalog& catalog, store::Evaluations& evaluations,
                                       const v1::Evaluation& evaluation);

// As Evaluations::ReadOutcomes, without what DecidedSamples cuts.
absl::StatusOr<store::OutcomeReader> ReadDecidedOutcomes(store::Catalog& catalog,
                                                         store::Evaluations& evaluations,
                                                         const v1::Evaluation& evaluation,
                                                         const std::set<int>& conditions);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_DECIDED_SAMPLES_H_
