#include "server/api/reports.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/report/evaluation_input.h"
#include "core/report/report.h"
#include "core/report/sample_columns.h"
#include "server/api/decided_samples.h"
#include "server/api/image_statistics.h"
#include "server/api/stored_metadata.h"
#include "server/api/timestamps.h"

namespace assay::api {

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
  ASSAY_ASSIGN_OR_RETURN(const v1::DatasetManifest manifest,
                         ManifestOf(catalog, evaluations, proto));
  return report::InputOf(proto, manifest, TotalSamples(manifest), validation);
}

absl::StatusOr<v1::Provenance> ProvenanceOf(store::Catalog& catalog,
                                            const store::EvaluationRecord& evaluation) {
  const v1::Evaluation& proto = evaluation.proto;
  v1::Provenance provenance = evaluation.provenance;
  const auto model = catalog.GetModel(proto.spec().model());
  if (!model.ok() && ReasonOf(model.status()) != Reason::kNotFound) return model.status();
  if (model.ok()) {
    // Evaluations from before digests were kept with them. A model that came later is another one.
    if (provenance.model_digest().empty() &&
        ToMicros(model->create_time()) <= ToMicros(proto.create_time())) {
      provenance.set_model_digest(model->digest());
    }
    if (provenance.model_digest() == model->digest()) {
      provenance.set_model_format(model->validation().format());
    }
  }
  if (!proto.spec().dataset().empty()) {
    ASSAY_ASSIGN_OR_RETURN(const auto dataset, catalog.GetDataset(proto.spec().dataset()));
    provenance.set_dataset_digest(dataset.digest());
  }
  *provenance.mutable_create_time() = proto.create_time();
  if (proto.has_start_time()) *provenance.mutable_start_time() = proto.start_time();
  if (proto.has_end_time()) *provenance.mutable_end_time() = proto.end_time();
  *provenance.mutable_labels() = proto.spec().labels();
  return provenance;
}

namespace {

// What has been committed so far of what the evaluation is about.
absl::Status ReadOutcomesInto(store::Catalog& catalog, store::Evaluations& evaluations,
                              const v1::Evaluation& proto, report::ReportInput& input) {
  ASSAY_ASSIGN_OR_RETURN(const auto next_task,
                         ReadDecidedOutcomes(catalog, evaluations, proto, /*conditions=*/{}));
  std::map<std::string, v1::NumericsFingerprint> numerics;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(auto task, next_task());
    if (!task) break;
    for (auto& outcome : *task->outcomes.mutable_outcomes()) {
      report::AddOutcome(static_cast<size_t>(task->condition), std::move(outcome), &input);
    }
    numerics.emplace(task->numerics.digest(), task->numerics);
    const v1::PassCounts& passes = task->outcomes.passes();
    input.passes.set_forwards(input.passes.forwards() + passes.forwards());
    input.passes.set_needed_forwards(input.passes.needed_forwards() + passes.needed_forwards());
    input.passes.set_backwards(input.passes.backwards() + passes.backwards());
    input.passes.set_needed_backwards(input.passes.needed_backwards() + passes.needed_backwards());
  }
  for (auto& [digest, fingerprint] : numerics) input.numerics.push_back(fingerprint);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<report::ReportInput> InputWithOutcomes(
    store::Catalog& catalog, store::Evaluations& evaluations,
    const store::EvaluationRecord& evaluation,
    const std::optional<v1::ModelValidation>& validation) {
  ASSAY_ASSIGN_OR_RETURN(report::ReportInput input,
                         InputOf(catalog, evaluations, evaluation, validation));
  ASSAY_RETURN_IF_ERROR(report::AddRequest(evaluation.proto, v1::GetReportRequest(), &input));
  ASSAY_RETURN_IF_ERROR(ReadOutcomesInto(catalog, evaluations, evaluation.proto, input));
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
  ASSAY_RETURN_IF_ERROR(report::AddRequest(proto, options, &input));
  ASSAY_RETURN_IF_ERROR(ReadOutcomesInto(catalog, evaluations, proto, input));
  ASSAY_ASSIGN_OR_RETURN(input.provenance, ProvenanceOf(catalog, evaluation));
  return report::BuildReport(input);
}

}  // namespace assay::api
