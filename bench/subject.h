// What the programs that measure a model have in common: their command line, the model as the
// engine loads it, the images, and plain LibTorch beside it.
//
//   bench_NAME MODEL.pt DATA LIMIT THREADS CONDITION...
#ifndef ASSAY_BENCH_SUBJECT_H_
#define ASSAY_BENCH_SUBJECT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"
#include "bench/bench_data.h"
#include "bench/raw_passes.h"
#include "server/engine/torch/torch_classifier.h"

namespace assay::bench {

struct Subject {
  engine::LoadOptions options;
  std::unique_ptr<MemorySamples> samples;
  std::unique_ptr<engine::TorchClassifier> classifier;
  std::vector<v1::Condition> conditions;

  // At the classifier's largest batch, on as many lanes, about `seconds` for each kind of pass. To
  // be measured beside each condition, as machines change their speed.
  absl::StatusOr<RawPasses> MeasureRaw(double seconds) const;
};

// Reads and loads what the command line names, prints a line on it, and runs `measure`. Returns the
// exit code.
int RunBenchmark(int argc, char** argv, absl::Status (*measure)(const Subject& subject));

}  // namespace assay::bench

#endif  // ASSAY_BENCH_SUBJECT_H_
