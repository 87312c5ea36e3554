// Jensen-Shannon divergence of the softmax outputs of two models, sample by sample.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/random.h"
#include "core/report/compared_vectors.h"
#include "core/similarity/bootstrap.h"
#include "core/similarity/divergence.h"

namespace assay::report {
namespace {

// Divergences with the labels of their samples.
struct Divergences {
  std::vector<double> bits;
  std::vector<int32_t> labels;
};

v1::Estimate MeanBits(const std::vector<double>& bits, const VectorInput& input) {
  v1::Estimate estimate;
  estimate.set_samples(static_cast<int64_t>(bits.size()));
  if (bits.empty()) {
    estimate.set_undefined_reason("no samples");
    return estimate;
  }
  const Interval interval = BootstrapMeanInterval(bits, input.rates.confidence_level(),
                                                  RandomKey(input.seed, "comparison/divergence"));
  estimate.set_value(Mean(bits));
  estimate.set_lower(interval.lower);
  estimate.set_upper(interval.upper);
  return estimate;
}

// Of the samples that both have.
Divergences Between(const Vectors& a, const Vectors& b, const ResolvedCondition& model) {
  Divergences result;
  const auto row = [](const Vectors& vectors, size_t i) {
    return vectors.values.data() + i * static_cast<size_t>(vectors.size);
  };
  for (const ResolvedSample& sample : model.samples) {
    const int64_t position = sample.outcome->sample();
    const auto find = [&](const Vectors& vectors) {
      return std::lower_bound(vectors.samples.begin(), vectors.samples.end(), position) -
             vectors.samples.begin();
    };
    const auto in_a = static_cast<size_t>(find(a)), in_b = static_cast<size_t>(find(b));
    if (in_a == a.samples.size() || a.samples[in_a] != position) continue;
    if (in_b == b.samples.size() || b.samples[in_b] != position) continue;
    result.bits.push_back(JensenShannonBits(row(a, in_a), static_cast<size_t>(a.size), row(b, in_b),
                                            static_cast<size_t>(b.size)));
    result.labels.push_back(sample.label());
  }
  return result;
}

void Fill(const Divergences& divergences, const VectorInput& input, v1::PairComparison* pair) {
  *pair->mutable_all()->mutable_divergence() = MeanBits(divergences.bits, input);
  std::vector<std::vector<double>> by_class(static_cast<size_t>(pair->classes_size()));
  if (by_class.empty()) return;
  for (size_t i = 0; i < divergences.bits.size(); ++i) {
    by_class[static_cast<size_t>(divergences.labels[i])].push_back(divergences.bits[i]);
  }
  for (size_t c = 0; c < by_class.size(); ++c) {
    *pair->mutable_classes(static_cast<int>(c))->mutable_outcomes()->mutable_divergence() =
        MeanBits(by_class[c], input);
  }
}

}  // namespace

absl::Status FillDivergences(const VectorInput& input, v1::ConditionComparison* condition) {
  int held_evaluation = -1;
  std::optional<Vectors> held;
  for (v1::PairComparison& pair : *condition->mutable_pairs()) {
    std::string& reason = *pair.mutable_all()->mutable_divergence()->mutable_undefined_reason();
    reason = input.undefined_reason;
    for (const int evaluation : {pair.first(), pair.second()}) {
      if (!reason.empty() || input.kept[static_cast<size_t>(evaluation)].probabilities) continue;
      reason = absl::StrCat(input.names[static_cast<size_t>(evaluation)],
                            " kept no softmax outputs; evaluate with --keep-probabilities");
    }
    if (!reason.empty()) continue;
    if (held_evaluation != pair.first()) {
      held.reset();
      ASSAY_ASSIGN_OR_RETURN(held, input.read(pair.first(), v1::PROBABILITIES, {}));
      held_evaluation = pair.first();
    }
    ASSAY_ASSIGN_OR_RETURN(const std::optional<Vectors> other,
                           input.read(pair.second(), v1::PROBABILITIES, {}));
    if (!held.has_value() || !other.has_value()) {
      reason = "softmax outputs are kept where one image of each sample is shown";
      continue;
    }
    Fill(Between(*held, *other, input.models[0]), input, &pair);
  }
  return absl::OkStatus();
}

}  // namespace assay::report
