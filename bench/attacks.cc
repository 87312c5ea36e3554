// What attacks cost beside the model: the time of each, against the time that the same passes take
// in plain LibTorch at the same batch shape.
//
//   bench_attacks MODEL.pt DATA LIMIT THREADS CONDITION...
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/bench_data.h"
#include "bench/raw_passes.h"
#include "common/condition.h"
#include "common/errors.h"
#include "server/engine/torch_classifier.h"

namespace assay::bench {
namespace {

absl::Status Run(const std::vector<std::string>& arguments) {
  const std::string& model = arguments[0];
  const int threads = std::atoi(arguments[3].c_str());
  ASSAY_ASSIGN_OR_RETURN(const auto samples,
                         ReadSamples(arguments[1], std::atoll(arguments[2].c_str())));
  ASSAY_ASSIGN_OR_RETURN(const auto conditions,
                         ParseConditions({arguments.begin() + 4, arguments.end()}));
  engine::LoadOptions options;
  options.model_path = model;
  options.shape = samples->shape;
  options.device = engine::AvailableDevices().front();
  options.threads = threads;
  ASSAY_ASSIGN_OR_RETURN(const auto classifier, engine::TorchClassifier::Load(options));
  classifier->BindThread();
  std::cout << absl::StreamFormat("%s, %d samples, %s, batch %d, %d threads\n", model,
                                  samples->size(), options.device, classifier->batch_size(),
                                  threads);
  std::cout << absl::StreamFormat("%-40s %7s %10s %10s %8s %9s %6s %6s %6s\n", "condition",
                                  "robust", "samples/s", "limit", "seconds", "in model", "fill",
                                  "model", "ratio");
  for (const v1::Condition& condition : conditions) {
    // Beside each condition, as machines change their speed.
    ASSAY_ASSIGN_OR_RETURN(
        const RawPasses raw,
        MeasureRawPasses(model, options.device, classifier->batch_size(), samples->shape.channels,
                         samples->shape.height, samples->shape.width, threads, 3));
    const auto before = classifier->usage();
    const auto start = std::chrono::steady_clock::now();
    QuietObserver observer;
    ASSAY_ASSIGN_OR_RETURN(const auto outcomes,
                           engine::RunTask({condition, 0, *samples, *classifier, observer}));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    // What the samples needed, in full batches: padding counts as overhead.
    double needed = 0;
    int64_t robust = 0;
    for (const v1::Outcome& outcome : outcomes) {
      const auto backwards = static_cast<double>(outcome.attack().backwards());
      needed += (static_cast<double>(outcome.attack().forwards()) - backwards) / raw.forward +
                backwards / raw.gradient;
      robust += outcome.prediction() == outcome.label() ? 1 : 0;
    }
    const auto count = static_cast<double>(outcomes.size());
    // Where the ratio comes from: padded slots, slower passes, and time outside the model.
    const auto after = classifier->usage();
    const double in_model = after.seconds - before.seconds;
    const auto gradients = static_cast<double>(after.backward_batches - before.backward_batches);
    const auto plain =
        static_cast<double>(after.forward_batches - before.forward_batches) - gradients;
    const double made = classifier->batch_size() * (plain / raw.forward + gradients / raw.gradient);
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
  if (argc < 6) {
    std::cerr << "usage: bench_attacks MODEL.pt DATA LIMIT THREADS CONDITION...\n";
    return 2;
  }
  const absl::Status status = assay::bench::Run({argv + 1, argv + argc});
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
