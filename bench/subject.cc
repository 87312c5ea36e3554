#include "bench/subject.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "server/engine/memory.h"

namespace assay::bench {
namespace {

absl::StatusOr<Subject> Open(const std::vector<std::string>& arguments) {
  Subject subject;
  ASSAY_ASSIGN_OR_RETURN(subject.samples,
                         ReadSamples(arguments[1], std::atoll(arguments[2].c_str())));
  ASSAY_ASSIGN_OR_RETURN(subject.conditions,
                         ParseConditions({arguments.begin() + 4, arguments.end()}));
  engine::LoadOptions& options = subject.options;
  options.model_path = arguments[0];
  options.shape = subject.samples->shape;
  options.device = engine::AvailableDevices().front();
  options.threads = std::atoi(arguments[3].c_str());
  ASSAY_ASSIGN_OR_RETURN(subject.classifier, engine::TorchClassifier::Load(options));
  std::cout << absl::StreamFormat("%s, %d samples, %s, batches of up to %d, %d lanes\n",
                                  options.model_path, subject.samples->size(), options.device,
                                  subject.classifier->gradient_sizes().largest(),
                                  subject.classifier->lanes());
  return subject;
}

}  // namespace

absl::StatusOr<RawPasses> Subject::MeasureRaw(double seconds) const {
  return MeasureRawPasses(options.model_path, options.device,
                          classifier->gradient_sizes().largest(), options.shape.channels,
                          options.shape.height, options.shape.width, classifier->lanes(), seconds);
}

int RunBenchmark(int argc, char** argv, absl::Status (*measure)(const Subject& subject)) {
  if (argc < 6) {
    std::cerr << "usage: " << argv[0] << " MODEL.pt DATA LIMIT THREADS CONDITION...\n";
    return 2;
  }
  engine::KeepFreedMemory();
  const auto subject = Open({argv + 1, argv + argc});
  const absl::Status status = subject.ok() ? measure(*subject) : subject.status();
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace assay::bench
