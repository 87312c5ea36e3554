// What randomized smoothing costs: draws of a sample, draws a second, and the share of the time
// that is not in the model's forward pass. Decisions at wanted radii are compared with those of the
// first condition, which is meant to have a fixed number of draws.
//
//   bench_certification MODEL.pt DATA LIMIT THREADS CONDITION...
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/subject.h"
#include "core/base/errors.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/smoothing_certificate.h"
#include "server/engine/run_task.h"

namespace assay::bench {
namespace {

struct Result {
  SmoothingSetting setting;
  std::vector<v1::Outcome> outcomes;
};

int64_t Draws(const Result& result) {
  int64_t draws = 0;
  for (const v1::Outcome& outcome : result.outcomes) {
    draws += result.setting.n0 + EstimationDraws(outcome.smoothing(), result.setting);
  }
  return draws;
}

// For each wanted radius: how often both certify it, and how often one alone; "against" counts the
// samples where one proves what the other excludes, each at its alpha; giving up proves nothing.
void Compare(const Result& fixed, const Result& anytime) {
  for (const double radius : anytime.setting.radii) {
    const double needed = ProbabilityFor(anytime.setting, radius);
    int both = 0, neither = 0, only_fixed = 0, only_anytime = 0, against = 0, other_class = 0;
    for (size_t i = 0; i < fixed.outcomes.size(); ++i) {
      const v1::SmoothingOutcome& counts = fixed.outcomes[i].smoothing();
      const Certificate a = Certify(counts, fixed.setting);
      const Certificate b = Certify(anytime.outcomes[i].smoothing(), anytime.setting);
      const bool in_a = a.prediction >= 0 && a.radius >= radius;
      const bool in_b = b.prediction >= 0 && b.radius >= radius;
      if (in_a && in_b && a.prediction != b.prediction) ++other_class;
      ++(in_a ? in_b ? both : only_fixed : in_b ? only_anytime : neither);
      // Upper bound of the probability of the class that anytime certified.
      int64_t of_b = 0;
      for (const v1::ClassCount& count : counts.estimation()) {
        if (count.index() == b.top_class) of_b = count.count();
      }
      const double upper =
          1 - ClopperPearsonLower(fixed.setting.n - of_b, fixed.setting.n, fixed.setting.alpha);
      const bool refuted = Refutes(anytime.outcomes[i].smoothing(), anytime.setting, radius);
      if ((in_b && upper < needed) || (in_a && refuted)) ++against;
    }
    std::cout << absl::StreamFormat(
        "  radius %g: both %d, neither %d, only the first %d, only this %d; against each other %d, "
        "other class %d\n",
        radius, both, neither, only_fixed, only_anytime, against, other_class);
  }
}

absl::Status Measure(const Subject& subject) {
  engine::TorchClassifier& classifier = *subject.classifier;
  std::vector<Result> results;
  for (const v1::Condition& condition : subject.conditions) {
    ASSAY_ASSIGN_OR_RETURN(const RawPasses raw, subject.MeasureRaw(2));
    const auto before = classifier.usage();
    const auto start = std::chrono::steady_clock::now();
    QuietObserver observer;
    Result result;
    ASSAY_ASSIGN_OR_RETURN(result.setting, ParseSmoothingSetting(condition));
    result.setting.dimension = static_cast<int64_t>(subject.samples->shape.size());
    ASSAY_ASSIGN_OR_RETURN(result.outcomes,
                           engine::RunTask({condition, 0, *subject.samples, classifier, observer}));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double in_model = (classifier.usage() - before).seconds / classifier.lanes();
    const auto draws = static_cast<double>(Draws(result));
    std::cout << absl::StreamFormat(
        "%s\n  %.0f draws a sample, %.2f s, %.0f draws/s (model alone %.0f/s), %.1f %% of the time "
        "outside the forward pass\n",
        condition.id(), draws / static_cast<double>(subject.samples->size()), seconds,
        draws / seconds, raw.forward, 100 * (1 - in_model / seconds));
    if (!results.empty()) {
      std::cout << absl::StreamFormat("  %.1f times fewer draws than the first\n",
                                      static_cast<double>(Draws(results[0])) / draws);
      Compare(results[0], result);
    }
    std::cout << std::flush;
    results.push_back(std::move(result));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  return assay::bench::RunBenchmark(argc, argv, assay::bench::Measure);
}
