// What attacks cost beside the model: the time of each, against the time that the same passes take
// in plain LibTorch in full batches.
//
//   bench_attacks MODEL.pt DATA LIMIT THREADS CONDITION...
#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/subject.h"
#include "core/base/errors.h"
#include "server/engine/run_task.h"

namespace assay::bench {
namespace {

absl::Status Measure(const Subject& subject) {
  engine::TorchClassifier& classifier = *subject.classifier;
  std::cout << absl::StreamFormat("%-40s %7s %10s %10s %8s %9s %6s %6s %6s\n", "condition",
                                  "robust", "samples/s", "limit", "seconds", "in model", "fill",
                                  "model", "ratio");
  for (const v1::Condition& condition : subject.conditions) {
    ASSAY_ASSIGN_OR_RETURN(const RawPasses raw_before, subject.MeasureRaw(3));
    const auto before = classifier.usage();
    const auto start = std::chrono::steady_clock::now();
    QuietObserver observer;
    ASSAY_ASSIGN_OR_RETURN(const auto outcomes,
                           engine::RunTask({condition, 0, *subject.samples, classifier, observer}));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    // Before and after: machines that are shared change their speed.
    ASSAY_ASSIGN_OR_RETURN(const RawPasses raw_after, subject.MeasureRaw(3));
    const auto mean = [](double a, double b) { return 2 / (1 / a + 1 / b); };
    const RawPasses raw = {mean(raw_before.forward, raw_after.forward),
                           mean(raw_before.gradient, raw_after.gradient)};
    // What the samples needed, in full batches: padding counts as overhead.
    const auto usage = classifier.usage() - before;
    const auto seconds_for = [&](int64_t forwards, int64_t gradients) {
      return static_cast<double>(forwards - gradients) / raw.forward +
             static_cast<double>(gradients) / raw.gradient;
    };
    const double needed = seconds_for(usage.needed_forwards, usage.needed_backwards);
    const double made = seconds_for(usage.forward_images, usage.backward_images);
    const auto robust = std::count_if(
        outcomes.begin(), outcomes.end(),
        [](const v1::Outcome& outcome) { return outcome.prediction() == outcome.label(); });
    const auto count = static_cast<double>(outcomes.size());
    // Where the ratio comes from: padded slots, slower passes, and time outside the model.
    const double in_model = usage.seconds / classifier.lanes();
    std::cout << absl::StreamFormat("%-40s %7d %10.1f %10.1f %8.2f %9.2f %6.2f %6.2f %6.2f\n",
                                    condition.id(), robust, count / seconds, count / needed,
                                    seconds, in_model, needed / made, in_model / made,
                                    seconds / needed)
              << std::flush;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  return assay::bench::RunBenchmark(argc, argv, assay::bench::Measure);
}
