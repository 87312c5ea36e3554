#include "server/api/reports.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/report/corruption_summary.h"
#include "core/report/report.h"
#include "core/report/sample_columns.h"
#include "server/api/image_statistics.h"
#include "server/api/stored_metadata.h"

namespace assay::api {

int ClassesIn(const v1::Outcome& outcome) {
  int most = std::max({outcome.label(), outcome.prediction(), outcome.attack().clean_prediction()});
  for (const auto& counts : {outcome.smoothing().selection(), outcome.smoothing().estimation()}) {
    for (const v1::ClassCount& count : counts) most = std::max(most, count.index());
  }
  return most + 1;
}

absl::StatusOr<std::optional<v1::ModelValidation>> ValidationOf(
    store::Catalog& catalog, const store::EvaluationRecord& evaluation) {
  const auto model = catalog.GetModel(evaluation.proto.spec().model());
  if (!model.ok() && ReasonOf(model.status()) != Reason::kNotFound) return model.status();
  if (!model.ok() || !model->has_validation()) return std::nullopt;
  return model->validation();
}

namespace {

absl::StatusOr<v1::DatasetManifest> ManifestOf(store::Catalog& catalog,
                                               store::Evaluations& evaluations,
                                               const v1::Evaluation& evaluation) {
  const std::string& name = evaluation.spec().dataset();
  if (name.empty()) return evaluations.GetStreamManifest(evaluation.name());
  ASSAY_ASSIGN_OR_RETURN(v1::Dataset dataset, catalog.GetDataset(name));
  return std::move(*dataset.mutable_manifest());
}

// What is known of the samples of a dataset: its metadata, then what every image has. Ranges are of
// the whole dataset, whatever part of it is evaluated, so that its evaluations have the same.
absl::StatusOr<std::vector<report::SampleColumn>> ColumnsOf(store::Catalog& catalog,
                                                            const store::BlobStore& blobs,
                                                            const v1::DatasetManifest& manifest) {
  std::vector<report::SampleColumn> columns;
  if (manifest.has_metadata()) {
    // Of a stream that goes on there are more rows than samples.
    ASSAY_ASSIGN_OR_RETURN(const MetadataTable table, ReadStoredMetadata(blobs, manifest.metadata(),
                                                                         /*samples=*/std::nullopt));
    columns = report::ColumnsOf(table);
  }
  ASSAY_ASSIGN_OR_RETURN(const ImageStatistics images, StatisticsOf(catalog, blobs, manifest));
  columns.push_back(report::CutNumbers(kBrightness, images.brightness, {}));
  columns.back().built_in = true;
  columns.push_back(report::CutNumbers(kContrast, images.contrast, {}));
  columns.back().built_in = true;
  return columns;
}

}  // namespace

absl::StatusOr<report::ReportInput> InputOf(store::Catalog& catalog,
                                            store::Evaluations& evaluations,
                                            const store::EvaluationRecord& evaluation,
                                            const std::optional<v1::ModelValidation>& validation) {
  const v1::Evaluation& proto = evaluation.proto;
  report::ReportInput input;
  input.evaluation = proto.name();
  input.model = proto.spec().model();
  input.dataset = proto.spec().dataset();
  input.seed = proto.spec().seed();
  input.allow_missing_classes = proto.spec().allow_missing_classes();

  ASSAY_ASSIGN_OR_RETURN(const v1::DatasetManifest manifest,
                         ManifestOf(catalog, evaluations, proto));
  input.class_names = {manifest.class_names().begin(), manifest.class_names().end()};
  input.shape = manifest.shape();
  input.expected_samples = TotalSamples(manifest);
  if (proto.spec().limit() > 0) {
    input.expected_samples = std::min(input.expected_samples, proto.spec().limit());
  }
  // A model that no engine has seen yet has no outcomes either; the names tell how many classes to
  // expect. A report outlives its model: then the names and the outcomes tell.
  if (validation) input.validation = *validation;
  input.num_classes =
      std::max(2, validation ? validation->num_classes() : manifest.class_names_size());
  return input;
}

absl::StatusOr<v1::Report> ReportOf(store::Catalog& catalog, store::Evaluations& evaluations,
                                    const store::BlobStore& blobs,
                                    const store::EvaluationRecord& evaluation,
                                    const std::optional<v1::ModelValidation>& validation,
                                    const v1::GetReportRequest& options) {
  const v1::Evaluation& proto = evaluation.proto;
  ASSAY_ASSIGN_OR_RETURN(report::ReportInput input,
                         InputOf(catalog, evaluations, evaluation, validation));
  ASSAY_ASSIGN_OR_RETURN(const v1::DatasetManifest manifest,
                         ManifestOf(catalog, evaluations, proto));
  ASSAY_ASSIGN_OR_RETURN(input.columns, ColumnsOf(catalog, blobs, manifest));
  if (options.confidence_level() != 0) input.confidence_level = options.confidence_level();
  input.alpha = options.alpha();
  input.n = options.n();
  if (options.has_reference_errors()) {
    ASSAY_ASSIGN_OR_RETURN(input.reference_errors,
                           report::ResolveReference(options.reference_errors()));
  }
  for (const v1::Condition& condition : proto.conditions()) {
    input.conditions.push_back({condition, {}});
  }
  ASSAY_ASSIGN_OR_RETURN(const auto next_task,
                         evaluations.ReadOutcomes(proto.name(), /*conditions=*/{}));
  std::map<std::string, v1::NumericsFingerprint> numerics;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(auto task, next_task());
    if (!task) break;
    auto& outcomes = input.conditions.at(static_cast<size_t>(task->condition)).outcomes;
    for (auto& outcome : *task->outcomes.mutable_outcomes()) {
      if (!validation) input.num_classes = std::max(input.num_classes, ClassesIn(outcome));
      outcomes.push_back(std::move(outcome));
    }
    numerics.emplace(task->numerics.digest(), task->numerics);
    const v1::PassCounts& passes = task->outcomes.passes();
    input.passes.set_forwards(input.passes.forwards() + passes.forwards());
    input.passes.set_needed_forwards(input.passes.needed_forwards() + passes.needed_forwards());
    input.passes.set_backwards(input.passes.backwards() + passes.backwards());
    input.passes.set_needed_backwards(input.passes.needed_backwards() + passes.needed_backwards());
  }
  for (auto& [digest, fingerprint] : numerics) input.numerics.push_back(fingerprint);
  return report::BuildReport(input);
}

}  // namespace assay::api
