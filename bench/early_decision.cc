// What stopping when the gates are decided saves, and how often it decides wrongly: simulated
// evaluations of independent samples, through the rounds and the decision of the server. No model
// and no engine.
//
//   bench_early_decision savings|coverage SAMPLES RUNS
#include "core/report/early_decision.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/sample_order.h"
#include "core/conditions/condition.h"
#include "core/report/report_input.h"
#include "server/scheduler/planner.h"

namespace assay::bench {
namespace {

constexpr int kClasses = 10, kBatch = 32;

struct Scenario {
  std::string what;
  std::vector<std::string> gates;
  // Of each class alike, but for that of class 0.
  double accuracy, accuracy_of_first;
};

// Independent samples of a model with these accuracies. `exact`: as many right as there should be,
// which are then drawn without replacement.
report::ReportInput Simulate(const Scenario& scenario, int64_t samples, uint32_t seed, bool exact) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform;
  report::ReportInput input;
  input.num_classes = kClasses;
  input.expected_samples = samples;
  report::ConditionOutcomes& run = input.conditions.emplace_back();
  run.condition = ParseConditions({"clean"})->front();
  const auto right = static_cast<int64_t>(scenario.accuracy * static_cast<double>(samples) + 0.5);
  for (int64_t i = 0; i < samples; ++i) {
    const int label = static_cast<int>(i % kClasses);
    const double accuracy = label == 0 ? scenario.accuracy_of_first : scenario.accuracy;
    const bool correct = exact ? i < right : uniform(random) < accuracy;
    v1::Outcome& outcome = run.outcomes.emplace_back();
    outcome.set_sample(i);
    outcome.set_label(label);
    outcome.set_prediction(
        correct ? label : (label + 1 + static_cast<int>(random() % (kClasses - 1))) % kClasses);
  }
  return input;
}

v1::Decision Decide(const Scenario& scenario, int64_t samples, uint32_t seed, bool exact) {
  v1::StopWhenDecided stop;
  for (const std::string& gate : scenario.gates) stop.add_gates(gate);
  const auto decision = report::DecideEarly(Simulate(scenario, samples, seed, exact),
                                            SampleOrder(seed, samples), stop);
  if (decision.ok()) return *decision;
  std::cerr << decision.status() << "\n";
  std::exit(1);
}

// The end of the round in which all gates are decided: what is computed before it stops.
int64_t Computed(const v1::Decision& decision, const std::vector<store::Task>& rounds,
                 int64_t samples) {
  if (!report::AllDecided(decision)) return samples;
  int64_t needed = 0;
  for (const auto& gate : decision.gates()) needed = std::max(needed, gate.samples());
  for (const store::Task& task : rounds) {
    if (task.first_sample + task.samples >= needed) return task.first_sample + task.samples;
  }
  return samples;
}

int64_t Quantile(std::vector<int64_t> values, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

void Savings(int64_t samples, int runs) {
  std::vector<Scenario> scenarios;
  for (const double threshold : {0.5, 0.9}) {
    for (const double points : {0.1, 0.05, 0.02, 0.01}) {
      const double truth = threshold - points;
      scenarios.push_back({absl::StrFormat("%g points", 100 * points),
                           {absl::StrCat("accuracy(clean) >= ", threshold)},
                           truth,
                           truth});
    }
  }
  scenarios.push_back(
      {"10 points, 5 gates",
       {"accuracy(clean) >= 0.5", "accuracy(clean) <= 0.7", "class_accuracy(clean, 0) >= 0.5",
        "class_accuracy(clean, 1) >= 0.5", "cfps(clean, 0) < 0.2"},
       0.6,
       0.6});
  scenarios.push_back({"worst class 10 points", {"min_class_accuracy(clean) >= 0.6"}, 0.8, 0.5});
  scenarios.push_back({"all classes 10 points", {"min_class_accuracy(clean) >= 0.6"}, 0.7, 0.7});
  scenarios.push_back({"disparity 20 points", {"disparity(clean) <= 0.1"}, 0.8, 0.5});
  const std::vector<store::Task> rounds =
      scheduler::PlanRounds(*ParseConditions({"clean"}), samples, 0, kBatch);
  std::cout << "| truth | gates | samples: mean | median | 90 % | of | times fewer | undecided | "
               "wrong |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const Scenario& scenario : scenarios) {
    std::vector<int64_t> computed;
    int64_t sum = 0;
    int undecided = 0, wrong = 0;
    const v1::Decision expected = Decide(scenario, 1'000'000 / 5, 999, false);
    for (int run = 0; run < runs; ++run) {
      const v1::Decision decision = Decide(scenario, samples, static_cast<uint32_t>(run), false);
      computed.push_back(Computed(decision, rounds, samples));
      sum += computed.back();
      undecided += report::AllDecided(decision) ? 0 : 1;
      bool any = false;
      for (int g = 0; g < decision.gates_size(); ++g) {
        const std::string& verdict = decision.gates(g).verdict();
        any = any || (verdict != "undecided" && verdict != expected.gates(g).verdict());
      }
      wrong += any ? 1 : 0;
    }
    const double mean = static_cast<double>(sum) / runs;
    std::cout << absl::StrFormat("| %s | %s | %.0f | %d | %d | %d | %.1f | %.1f %% | %.2f %% |\n",
                                 scenario.what, scenario.gates.size() == 1 ? scenario.gates[0] : "",
                                 mean, Quantile(computed, 0.5), Quantile(computed, 0.9), samples,
                                 static_cast<double>(samples) / mean, 100.0 * undecided / runs,
                                 100.0 * wrong / runs)
              << std::flush;
  }
}

void Coverage(int64_t samples, int runs) {
  std::cout << "| truth is the threshold | drawn | ever decided, of at most 5 % |\n|---|---|---|\n";
  for (const double truth : {0.05, 0.1, 0.3, 0.5, 0.9, 0.95}) {
    for (const bool exact : {false, true}) {
      const Scenario scenario{"", {absl::StrCat("accuracy(clean) >= ", truth)}, truth, truth};
      int decided = 0;
      for (int run = 0; run < runs; ++run) {
        decided += report::AllDecided(Decide(scenario, samples, static_cast<uint32_t>(run), exact))
                       ? 1
                       : 0;
      }
      std::cout << absl::StrFormat("| %g | %s | %.2f %% |\n", truth,
                                   exact ? "without replacement" : "independently",
                                   100.0 * decided / runs)
                << std::flush;
    }
  }
}

int Main(int argc, char** argv) {
  int64_t samples = 0;
  int runs = 0;
  const std::string mode = argc == 4 ? argv[1] : "";
  if ((mode != "savings" && mode != "coverage") || !absl::SimpleAtoi(argv[2], &samples) ||
      !absl::SimpleAtoi(argv[3], &runs) || samples < 1 || runs < 1) {
    std::cerr << "usage: bench_early_decision savings|coverage SAMPLES RUNS\n";
    return 2;
  }
  mode == "savings" ? Savings(samples, runs) : Coverage(samples, runs);
  return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) { return assay::bench::Main(argc, argv); }
