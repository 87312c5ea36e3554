#include "server/api/reports.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/pass_counts.h"
#include "core/conditions/families.h"
#include "core/report/evaluation_input.h"
#include "core/report/report.h"
#include "core/report/sample_columns.h"
#include "server/api/decided_samples.h"
#include "server/api/image_statistics.h"
#include "server/api/stored_metadata.h"
#include "server/api/timestamps.h"

namespace assay::api {

namespace {

// Reads the outcomes of one condition after the other, of the state in which it was opened.
class OutcomesByCondition {
 public:
  explicit OutcomesByCondition(store::OutcomeReader next_task) : next_task_(std::move(next_task)) {}

  // For conditions in their order.
  absl::StatusOr<report::StoredOutcomes> Read(size_t condition) {
    if (ahead_.has_value()) {
      report::StoredOutcomes ahead = *std::move(ahead_);
      ahead_.reset();
      return ahead;
    }
    report::StoredOutcomes stored;
    std::map<std::string, v1::NumericsFingerprint> numerics;
    while (true) {
      if (!task_.has_value()) {
        ASSAY_ASSIGN_OR_RETURN(task_, next_task_());
        if (!task_.has_value()) break;
      }
      if (static_cast<size_t>(task_->condition) != condition) break;
      for (auto& outcome : *task_->outcomes.mutable_outcomes()) {
        stored.outcomes.push_back(std::move(outcome));
      }
      numerics.emplace(task_->numerics.digest(), task_->numerics);
      AddPasses(task_->outcomes.passes(), &stored.passes);
      task_.reset();
    }
    for (auto& [digest, fingerprint] : numerics) stored.numerics.push_back(fingerprint);
    return stored;
  }
  // Of the first condition, before it is read.
  absl::StatusOr<const report::StoredOutcomes*> ReadAhead() {
    ASSAY_ASSIGN_OR_RETURN(ahead_, Read(0));
    return &*ahead_;
  }

 private:
  const store::OutcomeReader next_task_;
  std::optional<report::StoredOutcomes> ahead_;
  // Of the condition to come.
  std::optional<store::TaskOutcomes> task_;
};

}  // namespace

absl::Status CountClasses(store::Evaluations& evaluations, report::ReportInput* input) {
  if (input->validation) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const auto next_task,
                         evaluations.ReadOutcomes(input->evaluation, /*conditions=*/{}));
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const auto task, next_task());
    if (!task) return absl::OkStatus();
    for (const auto& outcome : task->outcomes.outcomes()) {
      input->num_classes = std::max(input->num_classes, report::ClassesIn(outcome));
    }
  }
}

absl::StatusOr<std::optional<v1::ModelValidation>> ValidationOf(
    store::Catalog& catalog, const store::EvaluationRecord& evaluation) {
  const auto model = catalog.GetModel(evaluation.proto.spec().model());
  if (!model.ok() && ReasonOf(model.status()) != Reason::kNotFound) return model.status();
  if (!model.ok() || !model->has_validation()) return std::nullopt;
  // Another model may have the name by now.
  const std::string& digest = evaluation.provenance.model_digest();
  if (!digest.empty() && digest != model->digest()) return std::nullopt;
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

// Of the confidence of the clean prediction, which is known before any other condition is read;
// absent where there is no clean condition.
absl::StatusOr<std::optional<report::SampleColumn>> ConfidenceOf(store::Catalog& catalog,
                                                                 store::Evaluations& evaluations,
                                                                 const v1::Evaluation& proto,
                                                                 OutcomesByCondition& all) {
  const auto clean =
      std::find_if(proto.conditions().begin(), proto.conditions().end(),
                   [](const v1::Condition& each) { return each.family() == kFamilyClean; });
  if (clean == proto.conditions().end()) return std::nullopt;
  const auto condition = static_cast<int>(clean - proto.conditions().begin());
  if (condition == 0) {
    ASSAY_ASSIGN_OR_RETURN(const report::StoredOutcomes* const first, all.ReadAhead());
    return report::ConfidenceColumn(first->outcomes);
  }
  ASSAY_ASSIGN_OR_RETURN(auto next_task,
                         ReadDecidedOutcomes(catalog, evaluations, proto, {condition}));
  OutcomesByCondition outcomes(std::move(next_task));
  ASSAY_ASSIGN_OR_RETURN(const report::StoredOutcomes stored,
                         outcomes.Read(static_cast<size_t>(condition)));
  return report::ConfidenceColumn(stored.outcomes);
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

absl::StatusOr<report::ReportInput> InputWithOutcomes(
    store::Catalog& catalog, store::Evaluations& evaluations,
    const store::EvaluationRecord& evaluation,
    const std::optional<v1::ModelValidation>& validation) {
  ASSAY_ASSIGN_OR_RETURN(report::ReportInput input,
                         InputOf(catalog, evaluations, evaluation, validation));
  ASSAY_RETURN_IF_ERROR(report::AddRequest(evaluation.proto, v1::GetReportRequest(), &input));
  ASSAY_ASSIGN_OR_RETURN(auto next_task, ReadDecidedOutcomes(catalog, evaluations, evaluation.proto,
                                                             /*conditions=*/{}));
  ASSAY_RETURN_IF_ERROR(CountClasses(evaluations, &input));
  OutcomesByCondition outcomes(std::move(next_task));
  for (size_t i = 0; i < input.conditions.size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(report::StoredOutcomes stored, outcomes.Read(i));
    input.conditions[i].outcomes = std::move(stored.outcomes);
    for (auto& numerics : stored.numerics) input.numerics.push_back(std::move(numerics));
    AddPasses(stored.passes, &input.passes);
  }
  return input;
}

absl::StatusOr<v1::Report> ReportOf(store::Catalog& catalog, store::Evaluations& evaluations,
                                    const store::BlobStore& blobs,
                                    const store::EvaluationRecord& evaluation,
                                    const std::optional<v1::ModelValidation>& validation,
                                    const v1::GetReportRequest& options) {
  const v1::Evaluation& proto = evaluation.proto;
  // First, so that no outcome is of a sample that a stream had not brought yet.
  ASSAY_ASSIGN_OR_RETURN(auto next_task, ReadDecidedOutcomes(catalog, evaluations, proto,
                                                             /*conditions=*/{}));
  ASSAY_ASSIGN_OR_RETURN(const v1::DatasetManifest manifest,
                         ManifestOf(catalog, evaluations, proto));
  report::ReportInput input = report::InputOf(proto, manifest, TotalSamples(manifest), validation);
  ASSAY_ASSIGN_OR_RETURN(input.columns, ColumnsOf(catalog, blobs, manifest));
  ASSAY_RETURN_IF_ERROR(report::AddRequest(proto, options, &input));
  ASSAY_ASSIGN_OR_RETURN(input.provenance, ProvenanceOf(catalog, evaluation));
  // After the reader was opened: what is committed meanwhile is counted, and not read.
  ASSAY_RETURN_IF_ERROR(CountClasses(evaluations, &input));
  OutcomesByCondition outcomes(std::move(next_task));
  ASSAY_ASSIGN_OR_RETURN(input.confidence, ConfidenceOf(catalog, evaluations, proto, outcomes));
  input.read_outcomes = [&outcomes](size_t condition) { return outcomes.Read(condition); };
  return report::BuildReport(input);
}

}  // namespace assay::api
