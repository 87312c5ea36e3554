// What two models make of the same images before they classify them: linear CKA, nearest
// neighbours, and classifiers trained anew on each model's features.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/random.h"
#include "core/report/compared_vectors.h"
#include "core/similarity/bootstrap.h"
#include "core/similarity/linear_cka.h"
#include "core/similarity/linear_head.h"
#include "core/similarity/neighbours.h"

namespace assay::report {
namespace {

constexpr int kNeighbours = 10;
constexpr char kConstant[] = "the features of a model are the same for every sample";
// What bounds the time of a condition, some seconds a model and a pair: samples, and
// multiplications of each matrix.
constexpr int64_t kMostCkaSamples = 10'000;
constexpr int64_t kMostNeighbourSamples = 2'000;
constexpr double kMostCkaWork = 1e10, kMostNeighbourWork = 4e9, kMostHeadWork = 1e8;
// Of a class, in the mean, where there are more to be had.
constexpr int64_t kFewestTrainedOn = 10;

// What is left of a model's features once its table is gone.
struct Reduced {
  std::unique_ptr<CenteredFeatures> centered;
  std::vector<int32_t> neighbours;
  // Of the new head, for the judged samples.
  absl::StatusOr<std::vector<int32_t>> predictions = std::vector<int32_t>();
};

// Which samples of those that all models have features of, by their positions in that list.
struct Choice {
  std::vector<int64_t> cka, neighbours, trained_on, judged_on;
  // Why there are no heads.
  std::string no_heads;
};

class Features {
 public:
  explicit Features(const VectorInput& input)
      : input_(input), reasons_(input.models.size()), reduced_(input.models.size()) {}

  absl::Status Read() {
    ASSAY_RETURN_IF_ERROR(FindSamples());
    if (!samples_.empty()) Choose();
    for (size_t i = 0; i < reduced_.size(); ++i) {
      if (reasons_[i].empty() && !samples_.empty()) ASSAY_RETURN_IF_ERROR(Reduce(i));
    }
    return absl::OkStatus();
  }

  void Fill(v1::PairComparison* pair, FeatureRemarks* remarks) {
    const auto first = static_cast<size_t>(pair->first());
    const auto second = static_cast<size_t>(pair->second());
    std::string reason = reasons_[first].empty() ? reasons_[second] : reasons_[first];
    if (reason.empty() && samples_.empty()) reason = "no sample has features of all models";
    if (!reason.empty()) {
      pair->mutable_cka()->set_undefined_reason(reason);
      pair->mutable_neighbours()->set_undefined_reason(reason);
      pair->mutable_retrained_heads()->set_undefined_reason(reason);
      return;
    }
    *pair->mutable_cka() = Cka(reduced_[first], reduced_[second], remarks);
    *pair->mutable_neighbours() = Neighbours(reduced_[first], reduced_[second]);
    *pair->mutable_retrained_heads() = Heads(first, second);
    const auto all = samples_.size();
    remarks->subsampled |=
        choice_.cka.size() < all || choice_.neighbours.size() < all ||
        (choice_.no_heads.empty() && choice_.trained_on.size() + choice_.judged_on.size() < all);
  }

 private:
  // Those that all have features of, and who has none.
  absl::Status FindSamples() {
    bool any = false;
    for (size_t i = 0; i < reasons_.size(); ++i) {
      reasons_[i] = input_.undefined_reason;
      if (!reasons_[i].empty()) continue;
      if (input_.kept[i].features.empty()) {
        reasons_[i] = absl::StrCat(input_.names[i],
                                   " kept no features; evaluate with --keep-features penultimate");
        continue;
      }
      ASSAY_ASSIGN_OR_RETURN(
          const std::optional<Vectors> vectors,
          input_.read(static_cast<int>(i), v1::FEATURES, {std::nullopt, /*values=*/false}));
      if (!vectors.has_value()) {
        reasons_[i] = "features are kept where one image of each sample is shown";
        continue;
      }
      largest_size_ = std::max<int64_t>(largest_size_, vectors->size);
      std::vector<int64_t> common;
      std::set_intersection(vectors->samples.begin(), vectors->samples.end(), samples_.begin(),
                            samples_.end(), std::back_inserter(common));
      samples_ = any ? std::move(common) : vectors->samples;
      any = true;
    }
    // Of samples without an outcome nothing is known.
    std::vector<int64_t> known;
    for (const ResolvedSample& sample : input_.models[0].samples) {
      if (!std::binary_search(samples_.begin(), samples_.end(), sample.outcome->sample())) continue;
      known.push_back(sample.outcome->sample());
      rows_.push_back(static_cast<int64_t>(&sample - input_.models[0].samples.data()));
    }
    samples_ = std::move(known);
    return absl::OkStatus();
  }

  // In an order that the seed decides for each sample by itself, so that the halves are the same
  // under every condition.
  std::vector<int64_t> Shuffled() const {
    const RandomKey key(input_.seed, "comparison/split");
    std::vector<std::tuple<uint32_t, uint32_t, int64_t>> keyed;
    for (size_t i = 0; i < samples_.size(); ++i) {
      RandomStream random(key, samples_[i], /*stream=*/0);
      const uint32_t high = random.Bits();
      keyed.emplace_back(high, random.Bits(), static_cast<int64_t>(i));
    }
    std::sort(keyed.begin(), keyed.end());
    std::vector<int64_t> order;
    for (const auto& entry : keyed) order.push_back(std::get<2>(entry));
    return order;
  }

  void Choose() {
    const std::vector<int64_t> order = Shuffled();
    const auto all = static_cast<int64_t>(order.size());
    const auto size = static_cast<double>(largest_size_);
    const auto part = [&](int64_t from, int64_t to) {
      std::vector<int64_t> chosen(order.begin() + from, order.begin() + to);
      std::sort(chosen.begin(), chosen.end());
      return chosen;
    };
    // By the smaller of the matrices of features and of samples.
    const double cka = std::max(kMostCkaWork / (size * size), std::sqrt(kMostCkaWork / (2 * size)));
    choice_.cka = part(0, std::min({all, kMostCkaSamples, static_cast<int64_t>(cka)}));
    const double neighbours = std::sqrt(kMostNeighbourWork / size);
    choice_.neighbours =
        part(0, std::min({all, kMostNeighbourSamples, static_cast<int64_t>(neighbours)}));
    const int64_t classes = input_.models[0].num_classes;
    const auto affordable =
        static_cast<int64_t>(kMostHeadWork / (size * static_cast<double>(classes)));
    const int64_t trained = std::min(all / 2, affordable);
    if (all < 2 * kFewestTrainedOn) {
      choice_.no_heads =
          absl::StrCat("fewer than ", 2 * kFewestTrainedOn, " samples have features");
    } else if (trained < all / 2 && trained < kFewestTrainedOn * classes) {
      choice_.no_heads = absl::StrCat(
          "too much work: of ", classes, " classes and ", largest_size_, " features only ", trained,
          " samples can be trained on, fewer than ", kFewestTrainedOn, " a class");
    } else {
      choice_.trained_on = part(0, trained);
      // As many are judged, and one more of an odd number.
      choice_.judged_on = part(trained, trained < all / 2 ? 2 * trained : all);
    }
  }

  // Samples that some number is made of, by their positions in the dataset. Of large features they
  // are few, and a whole table would be gigabytes.
  std::vector<int64_t> ChosenSamples() const {
    std::set<int64_t> chosen;
    for (const auto* const part :
         {&choice_.cka, &choice_.neighbours, &choice_.trained_on, &choice_.judged_on}) {
      for (const int64_t i : *part) chosen.insert(samples_[static_cast<size_t>(i)]);
    }
    return {chosen.begin(), chosen.end()};
  }

  absl::Status Reduce(size_t model) {
    ASSAY_ASSIGN_OR_RETURN(const std::optional<Vectors> vectors,
                           input_.read(static_cast<int>(model), v1::FEATURES, {ChosenSamples()}));
    if (!vectors.has_value()) return Error(Reason::kInternal, "kept features have gone").ToStatus();
    const RowsView view(vectors->values.data(), static_cast<Eigen::Index>(vectors->samples.size()),
                        vectors->size);
    // From the list of common samples to rows of this table; of no meaning where it has none.
    std::vector<int64_t> row_of;
    for (const int64_t sample : samples_) {
      row_of.push_back(std::lower_bound(vectors->samples.begin(), vectors->samples.end(), sample) -
                       vectors->samples.begin());
    }
    const auto picked = [&](const std::vector<int64_t>& chosen) {
      std::vector<int64_t> positions;
      for (const int64_t i : chosen) positions.push_back(row_of[static_cast<size_t>(i)]);
      return Picked(view, positions);
    };
    Reduced& reduced = reduced_[model];
    if (choice_.cka.size() > 1) {
      reduced.centered = std::make_unique<CenteredFeatures>(picked(choice_.cka));
    }
    if (choice_.neighbours.size() > kNeighbours) {
      reduced.neighbours = NearestNeighbours(picked(choice_.neighbours), kNeighbours);
    }
    if (!choice_.no_heads.empty()) return absl::OkStatus();
    std::vector<int32_t> labels;
    for (const int64_t i : choice_.trained_on) labels.push_back(SampleOf(model, i).label());
    const auto head = LinearHead::Train(picked(choice_.trained_on), labels);
    if (head.ok()) {
      reduced.predictions = head->Predict(picked(choice_.judged_on));
    } else {
      reduced.predictions = head.status();
    }
    return absl::OkStatus();
  }

  // By its position in the list of common samples.
  const ResolvedSample& SampleOf(size_t model, int64_t common) const {
    return input_.models[model].samples[static_cast<size_t>(rows_[static_cast<size_t>(common)])];
  }

  v1::Estimate Cka(const Reduced& first, const Reduced& second, FeatureRemarks* remarks) const {
    v1::Estimate estimate;
    estimate.set_samples(static_cast<int64_t>(choice_.cka.size()));
    if (first.centered == nullptr) {
      estimate.set_undefined_reason("it needs two samples at least");
    } else if (first.centered->constant() || second.centered->constant()) {
      estimate.set_undefined_reason(kConstant);
    } else {
      const LinearCka cka(*first.centered, *second.centered);
      const Interval interval = cka.Bootstrapped(input_.rates.confidence_level(),
                                                 RandomKey(input_.seed, "comparison/cka"));
      estimate.set_value(cka.value());
      estimate.set_lower(interval.lower);
      estimate.set_upper(interval.upper);
      remarks->cka_by_chance = std::max(remarks->cka_by_chance, cka.by_chance());
    }
    return estimate;
  }

  v1::Estimate Neighbours(const Reduced& first, const Reduced& second) const {
    v1::Estimate estimate;
    estimate.set_samples(static_cast<int64_t>(choice_.neighbours.size()));
    if (first.neighbours.empty()) {
      estimate.set_undefined_reason(
          absl::StrCat(kNeighbours, " neighbours need ", kNeighbours + 1, " samples at least"));
      return estimate;
    }
    if (first.centered->constant() || second.centered->constant()) {
      estimate.set_undefined_reason(kConstant);
      return estimate;
    }
    const std::vector<double> jaccard =
        NeighbourJaccard(first.neighbours, second.neighbours, kNeighbours);
    const Interval interval = BootstrapMeanInterval(
        jaccard, input_.rates.confidence_level(), RandomKey(input_.seed, "comparison/neighbours"));
    estimate.set_value(Mean(jaccard));
    estimate.set_lower(interval.lower);
    estimate.set_upper(interval.upper);
    return estimate;
  }

  v1::RetrainedHeads Heads(size_t first, size_t second) const {
    v1::RetrainedHeads heads;
    heads.set_undefined_reason(choice_.no_heads);
    for (const size_t model : {first, second}) {
      if (!reduced_[model].predictions.ok() && heads.undefined_reason().empty()) {
        heads.set_undefined_reason(std::string(reduced_[model].predictions.status().message()));
      }
    }
    if (!heads.undefined_reason().empty()) return heads;
    int64_t agreed_before = 0, agreed_after = 0;
    int64_t first_before = 0, first_after = 0, second_before = 0, second_after = 0;
    for (size_t i = 0; i < choice_.judged_on.size(); ++i) {
      const ResolvedSample& a = SampleOf(first, choice_.judged_on[i]);
      const ResolvedSample& b = SampleOf(second, choice_.judged_on[i]);
      const int32_t new_a = (*reduced_[first].predictions)[i];
      const int32_t new_b = (*reduced_[second].predictions)[i];
      agreed_before += a.Agrees(b) ? 1 : 0;
      agreed_after += new_a == new_b ? 1 : 0;
      first_before += a.correct ? 1 : 0;
      second_before += b.correct ? 1 : 0;
      first_after += new_a == a.label() ? 1 : 0;
      second_after += new_b == b.label() ? 1 : 0;
    }
    const auto judged = static_cast<int64_t>(choice_.judged_on.size());
    const auto rate = [&](int64_t count) { return input_.rates.Make(count, judged, "no samples"); };
    heads.set_trained_on(static_cast<int64_t>(choice_.trained_on.size()));
    heads.set_judged_on(judged);
    *heads.mutable_agreement_before() = rate(agreed_before);
    *heads.mutable_agreement_after() = rate(agreed_after);
    *heads.mutable_first_accuracy_before() = rate(first_before);
    *heads.mutable_first_accuracy_after() = rate(first_after);
    *heads.mutable_second_accuracy_before() = rate(second_before);
    *heads.mutable_second_accuracy_after() = rate(second_after);
    return heads;
  }

  const VectorInput& input_;
  // Of each model, why it has no features here.
  std::vector<std::string> reasons_;
  // Ascending positions in the dataset, and in the samples of the models.
  std::vector<int64_t> samples_, rows_;
  // Of features, at least 1.
  int64_t largest_size_ = 1;
  Choice choice_;
  std::vector<Reduced> reduced_;
};

}  // namespace

absl::Status FillFeatures(const VectorInput& input, v1::ConditionComparison* condition,
                          FeatureRemarks* remarks) {
  Features features(input);
  ASSAY_RETURN_IF_ERROR(features.Read());
  for (v1::PairComparison& pair : *condition->mutable_pairs()) features.Fill(&pair, remarks);
  return absl::OkStatus();
}

}  // namespace assay::report
