#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "core/report/sections.h"

namespace assay::report {
namespace {

struct Flips {
  int64_t flips = 0;
  int64_t steps = 0;
};

// The steps of one sequence depend on each other, so there is no interval.
v1::Rate RateOf(const Flips& flips, const char* undefined_reason) {
  v1::Rate rate;
  rate.set_numerator(flips.flips);
  rate.set_denominator(flips.steps);
  if (flips.steps == 0) {
    rate.set_undefined_reason(undefined_reason);
  } else {
    rate.set_value(static_cast<double>(flips.flips) / static_cast<double>(flips.steps));
  }
  return rate;
}

}  // namespace

absl::Status FillSequence(const SectionInput& input, v1::ConditionReport* report) {
  const ResolvedCondition& resolved = input.resolved;
  Params params(input.condition);
  const auto frames = static_cast<int>(params.Integer("frames"));
  const bool to_first = params.Text("compare") == "first";
  ASSAY_RETURN_IF_ERROR(params.status());
  Flips all;
  std::vector<Flips> classes(static_cast<size_t>(resolved.num_classes));
  for (const ResolvedSample& sample : resolved.samples) {
    const auto& predictions = sample.outcome->sequence().predictions();
    if (predictions.size() != frames) {
      return Error(Reason::kInternal,
                   absl::StrCat("outcome of sample ", sample.outcome->sample(), " under '",
                                input.condition.id(), "' has ", predictions.size(), " of ", frames,
                                " predictions"));
    }
    Flips& own = classes[static_cast<size_t>(sample.label())];
    for (int frame = 1; frame < frames; ++frame) {
      const int32_t before = predictions[to_first ? 0 : frame - 1];
      // Undecided frames (-1) agree with nothing.
      const bool flip = predictions[frame] != before || before < 0;
      own.flips += flip ? 1 : 0;
      ++own.steps;
    }
  }
  v1::SequenceReport& sequence = *report->mutable_sequence();
  sequence.set_frames(frames);
  for (size_t i = 0; i < classes.size(); ++i) {
    all.flips += classes[i].flips;
    all.steps += classes[i].steps;
    v1::SequenceClass& entry = *sequence.add_classes();
    entry.set_index(static_cast<int32_t>(i));
    *entry.mutable_flip_rate() = RateOf(classes[i], "the class has no samples");
  }
  *sequence.mutable_flip_rate() = RateOf(all, "no samples");
  return absl::OkStatus();
}

}  // namespace assay::report
