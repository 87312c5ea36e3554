#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/conditions/condition.h"
#include "core/report/sections.h"
#include "core/report/slice_order.h"
#include "core/statistics/statistics.h"

namespace assay::report {
namespace {

// Slices of fewer samples are shown and no more: any rate can be had by chance.
constexpr int64_t kFewSamples = 10;
constexpr char kNoSamples[] = "no samples";

// What the samples of one slice have in common.
struct Counts {
  int64_t samples = 0;
  int64_t correct = 0;
  int64_t attacked = 0;
  int64_t successes = 0;
  int64_t abstentions = 0;
  int64_t proven = 0;
  // Of correct samples.
  std::vector<double> radii;
};

std::vector<Counts> CountSlices(const SectionInput& input, const SampleColumn& column) {
  std::vector<Counts> slices(column.slices.size());
  for (const ResolvedSample& sample : input.resolved.samples) {
    const size_t position = static_cast<size_t>(sample.outcome->sample());
    if (position >= column.slice_of.size()) continue;
    const int32_t slice = column.slice_of[position];
    if (slice == SampleColumn::kNone) continue;
    Counts& own = slices[static_cast<size_t>(slice)];
    ++own.samples;
    own.correct += sample.correct ? 1 : 0;
    own.attacked += sample.outcome->attack().attacked() ? 1 : 0;
    own.successes += sample.outcome->attack().success() ? 1 : 0;
    own.proven += sample.correct && sample.outcome->bounds().certified() ? 1 : 0;
    own.abstentions += sample.column == input.resolved.num_classes ? 1 : 0;
    if (input.resolved.smoothing.has_value() && sample.correct) {
      own.radii.push_back(sample.certificate.radius);
    }
  }
  for (Counts& own : slices) std::sort(own.radii.begin(), own.radii.end());
  return slices;
}

v1::Slice MakeSlice(const SampleSlice& definition, const Counts& counts,
                    const v1::ConditionReport& report, RateMaker& rates) {
  v1::Slice slice;
  slice.set_value(definition.value);
  if (definition.from.has_value()) slice.set_from(*definition.from);
  if (definition.to.has_value()) slice.set_to(*definition.to);
  slice.set_samples(counts.samples);
  slice.set_correct(counts.correct);
  slice.set_few(counts.samples < kFewSamples);
  *slice.mutable_accuracy() = rates.Make(counts.correct, counts.samples, kNoSamples);
  if (report.has_attack()) {
    *slice.mutable_clean_accuracy() = rates.Make(counts.attacked, counts.samples, kNoSamples);
    *slice.mutable_success_rate() =
        rates.Make(counts.successes, counts.attacked, "no sample was attacked");
  }
  if (report.has_bounds()) {
    v1::SliceAtRadius& at = *slice.add_certified_accuracy();
    at.set_radius(report.bounds().eps());
    *at.mutable_accuracy() = rates.Make(counts.proven, counts.samples, kNoSamples);
  }
  if (report.has_certification()) {
    *slice.mutable_abstention_rate() = rates.Make(counts.abstentions, counts.samples, kNoSamples);
    for (const v1::CertifiedPoint& point : report.certification().curve()) {
      const auto first = std::lower_bound(counts.radii.begin(), counts.radii.end(), point.radius());
      v1::SliceAtRadius& at = *slice.add_certified_accuracy();
      at.set_radius(point.radius());
      *at.mutable_accuracy() = rates.Make(counts.radii.end() - first, counts.samples, kNoSamples);
    }
  }
  return slice;
}

}  // namespace

SampleColumn ConfidenceColumn(const ReportInput& input) {
  const auto clean = std::find_if(input.conditions.begin(), input.conditions.end(),
                                  [](const ConditionOutcomes& condition) {
                                    return condition.condition.family() == kFamilyClean;
                                  });
  if (clean != input.conditions.end()) return ConfidenceColumn(clean->outcomes);
  SampleColumn column;
  column.name = kConfidence;
  column.built_in = true;
  column.undefined_reason = "the evaluation does not have the condition clean";
  return column;
}

void FillSlices(const SectionInput& input, const std::vector<const SampleColumn*>& columns,
                const FisherExact& fisher, v1::ConditionReport* report) {
  std::vector<v1::Slice*> tested;
  std::vector<double> p_values;
  for (const SampleColumn* column : columns) {
    v1::SliceColumn& entry = *report->add_slices();
    entry.set_name(column->name);
    entry.set_built_in(column->built_in);
    entry.set_undefined_reason(column->undefined_reason);
    const std::vector<Counts> counts = CountSlices(input, *column);
    for (size_t i = 0; i < counts.size(); ++i) {
      *entry.add_slices() = MakeSlice(column->slices[i], counts[i], *report, input.rates);
    }
    for (v1::Slice& slice : *entry.mutable_slices()) {
      const int64_t others = report->samples() - slice.samples();
      if (slice.few() || others == 0) continue;
      tested.push_back(&slice);
      p_values.push_back(fisher.TwoSidedPValue(slice.correct(), slice.samples(),
                                               report->correct() - slice.correct(), others));
    }
  }
  const std::vector<double> adjusted = HolmAdjusted(p_values);
  for (size_t i = 0; i < tested.size(); ++i) tested[i]->set_adjusted_p_value(adjusted[i]);
  for (v1::SliceColumn& entry : *report->mutable_slices()) {
    std::stable_sort(entry.mutable_slices()->begin(), entry.mutable_slices()->end(), SliceBefore);
  }
}

}  // namespace assay::report
