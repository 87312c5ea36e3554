// How long the report, its page and a comparison take from stored outcomes, and how much memory:
//
//   bench_report SAMPLES CONDITIONS CLASSES [FOLDER]
//
// Fills a store with the made-up outcomes of two models, a mix of all families in tasks as the
// server cuts them, and reads it back. With FOLDER it writes there what came of it, to be compared
// byte by byte with that of another version.
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/render/render.h"
#include "core/base/clock.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/conditions/condition.h"
#include "server/api/comparisons.h"
#include "server/api/reports.h"
#include "server/scheduler/planner.h"
#include "server/store/sqlite_job_store.h"
#include "tests/client/render/made_up_report.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kDataset[] = "datasets/d";

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// "VmHWM" or "VmRSS", in MiB.
double StatusMiB(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    double kib = 0;
    if (word == name + ":" && status >> kib) return kib / 1024;
  }
  return 0;
}

// Runs `work` and prints what it took. The peak of memory is that of this work: the kernel forgets
// the one before.
template <typename Work>
auto Measure(const std::string& what, Work work) {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = StatusMiB("VmRSS");
  const double cpu = CpuSeconds();
  const auto start = std::chrono::steady_clock::now();
  auto result = work();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  std::cout << absl::StreamFormat("%-12s wall %7.2f s   CPU %7.2f s   peak %7.0f MiB (+ %.0f)\n",
                                  what, wall.count(), CpuSeconds() - cpu, StatusMiB("VmHWM"),
                                  StatusMiB("VmHWM") - before)
            << std::flush;
  return result;
}

// The first `count` conditions of a mix of families. With many classes without those that store a
// number of each class for every sample (conformal sets, attacks on every target).
absl::StatusOr<std::vector<std::string>> Mix(int count, int classes) {
  std::vector<std::string> expressions = {"clean",
                                          "attack/pgd:eps=2/255+4/255+8/255",
                                          "attack/fgsm:eps=8/255",
                                          "smoothing/gaussian:sigma=0.25+0.5,n0=100,n=1000",
                                          "bounds/ibp:eps=2/255",
                                          "attack/square:eps=8/255",
                                          "attack/fmn:norm=l2,eps=0.25+0.5"};
  if (classes <= 100) {
    expressions.push_back("conformal/rscp");
    expressions.push_back("attack/pgd:eps=4/255,target=every");
  }
  expressions.push_back("sequence/rotate");
  for (const char* name :
       {"fog", "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur",
        "motion_blur", "zoom_blur", "snow", "brightness", "contrast", "elastic_transform",
        "pixelate", "jpeg_compression", "spatter", "saturate", "gaussian_blur", "speckle_noise"}) {
    for (int severity = 1; severity <= 5; ++severity) {
      expressions.push_back(absl::StrCat("corruption/", name, ":severity=", severity));
    }
  }
  std::vector<std::string> mix;
  size_t found = 0;
  for (const std::string& expression : expressions) {
    ASSAY_ASSIGN_OR_RETURN(const auto conditions,
                           ParseConditions(std::vector<std::string>{expression}));
    // A run that looks for distances has an entry for each budget.
    size_t entries = 0;
    for (const v1::Condition& condition : conditions) {
      entries += IsMinimumNorm(condition) ? AtEachBudget(condition).size() : 1;
    }
    if (found + entries > static_cast<size_t>(count)) continue;
    found += entries;
    mix.push_back(expression);
  }
  if (found == static_cast<size_t>(count)) return mix;
  return absl::InvalidArgumentError(
      absl::StrCat("no mix of ", count, " conditions, only of ", found));
}

v1::Dataset MakeDataset(const render::MadeUp& what) {
  v1::Dataset dataset;
  dataset.set_name(kDataset);
  dataset.set_digest(std::string(64, 'd'));
  dataset.set_samples(what.samples);
  v1::DatasetManifest& manifest = *dataset.mutable_manifest();
  manifest.mutable_shape()->set_channels(3);
  manifest.mutable_shape()->set_height(32);
  manifest.mutable_shape()->set_width(32);
  manifest.set_pixel_type(v1::UINT8);
  for (const std::string& name : what.class_names) manifest.add_class_names(name);
  v1::DatasetManifest::Chunk& chunk = *manifest.add_chunks();
  chunk.set_digest(std::string(64, 'c'));
  chunk.set_samples(static_cast<int32_t>(what.samples));
  return dataset;
}

// Stores the outcomes of the model `id`; returns the evaluation's name.
absl::StatusOr<std::string> Fill(store::JobStore& store, const std::string& id,
                                 const render::MadeUp& what) {
  v1::Model model;
  model.set_name(absl::StrCat("models/", id));
  model.set_digest(std::string(64, id[0]));
  ASSAY_RETURN_IF_ERROR(store.CreateModel(model, "").status());
  v1::ModelValidation validation;
  validation.set_num_classes(static_cast<int32_t>(what.class_names.size()));
  validation.set_deterministic(true);
  validation.set_differentiable(true);
  ASSAY_RETURN_IF_ERROR(store.SetModelValidation(model.name(), validation));

  v1::Evaluation evaluation;
  evaluation.set_name(absl::StrCat("evaluations/", id));
  evaluation.mutable_spec()->set_model(model.name());
  evaluation.mutable_spec()->set_dataset(kDataset);
  ASSAY_ASSIGN_OR_RETURN(const auto conditions, ParseConditions(what.conditions));
  for (const v1::Condition& condition : conditions) *evaluation.add_conditions() = condition;
  std::vector<store::Task> tasks = scheduler::PlanTasks(conditions, 0, what.samples, 0);
  for (store::Task& task : tasks) task.evaluation = evaluation.name();
  ASSAY_RETURN_IF_ERROR(store.CreateEvaluation(evaluation, tasks, "").status());
  v1::NumericsFingerprint numerics;
  numerics.set_device("cpu");
  numerics.set_digest(std::string(64, 'a'));
  absl::Status status;
  // Tasks are claimed condition by condition, as they are planned.
  render::ForEachCondition(
      what, [&](const v1::Condition& condition, std::vector<v1::Outcome> outcomes) {
        size_t done = 0;
        while (status.ok() && done < outcomes.size()) {
          const auto claim = store.ClaimTask("bench", int64_t{3600} * 1000000, "");
          if (!claim.ok() || !claim->has_value() ||
              conditions[static_cast<size_t>((*claim)->task.condition)].id() != condition.id()) {
            status = claim.ok() ? absl::InternalError("another task was expected") : claim.status();
            return;
          }
          v1::OutcomeBatch batch;
          for (int32_t i = 0; i < (*claim)->task.samples; ++i) {
            batch.add_outcomes()->Swap(&outcomes[done++]);
          }
          status = store.CommitTask(**claim, batch, numerics);
        }
      });
  ASSAY_RETURN_IF_ERROR(status);
  return evaluation.name();
}

absl::Status Run(int argc, char** argv) {
  render::MadeUp what;
  int conditions = 0, classes = 0;
  if (argc < 4 || argc > 5 || !absl::SimpleAtoi(argv[1], &what.samples) ||
      !absl::SimpleAtoi(argv[2], &conditions) || !absl::SimpleAtoi(argv[3], &classes) ||
      what.samples < 1 || classes < 2) {
    return absl::InvalidArgumentError("bench_report SAMPLES CONDITIONS CLASSES [FOLDER]");
  }
  for (int i = 0; i < classes; ++i) what.class_names.push_back(absl::StrCat("class number ", i));
  ASSAY_ASSIGN_OR_RETURN(what.conditions, Mix(conditions, classes));

  std::string folder = (fs::temp_directory_path() / "assay-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return absl::InternalError("no temporary folder");
  const std::unique_ptr<const std::string, void (*)(const std::string*)> cleaner(
      &folder, [](const std::string* made) { fs::remove_all(*made); });
  const SystemClock clock;
  ASSAY_ASSIGN_OR_RETURN(const auto store, store::OpenSqliteJobStore(folder + "/store", clock));
  ASSAY_RETURN_IF_ERROR(store->CreateDataset(MakeDataset(what), "").status());
  ASSAY_ASSIGN_OR_RETURN(const std::string first, Fill(*store, "first", what));
  what.seed = 8;
  ASSAY_ASSIGN_OR_RETURN(const std::string second, Fill(*store, "second", what));
  std::cout << what.samples << " samples, " << conditions << " conditions, " << classes
            << " classes: "
            << absl::StrFormat("%.0f MiB stored\n",
                               static_cast<double>(fs::file_size(folder + "/store")) / (1 << 20));

  ASSAY_ASSIGN_OR_RETURN(const auto record, store->GetEvaluation(first));
  ASSAY_ASSIGN_OR_RETURN(const auto validation, api::ValidationOf(*store, record));
  ASSAY_ASSIGN_OR_RETURN(const v1::Report report, Measure("report", [&] {
                           return api::ReportOf(*store, *store, record, validation,
                                                v1::GetReportRequest());
                         }));
  const std::string page =
      Measure("page", [&] { return render::RenderReport(report, render::Format::kHtml, false); });
  v1::CompareEvaluationsRequest request;
  request.add_names(first);
  request.add_names(second);
  ASSAY_ASSIGN_OR_RETURN(const v1::Comparison comparison, Measure("comparison", [&] {
                           return api::ComparisonOf(*store, *store, request, [] { return false; });
                         }));
  std::cout << absl::StreamFormat("report %.1f MB, page %.1f MB, comparison %.1f MB\n",
                                  static_cast<double>(report.ByteSizeLong()) / 1e6,
                                  static_cast<double>(page.size()) / 1e6,
                                  static_cast<double>(comparison.ByteSizeLong()) / 1e6);
  if (argc < 5) return absl::OkStatus();
  const std::string out = argv[4];
  std::ofstream(out + "/report.json") << render::RenderReport(report, render::Format::kJson, false);
  std::ofstream(out + "/report.html") << page;
  std::ofstream(out + "/comparison.json")
      << render::RenderComparison(comparison, render::Format::kJson, false);
  return absl::OkStatus();
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  const absl::Status status = assay::bench::Run(argc, argv);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
