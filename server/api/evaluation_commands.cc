#include "server/api/evaluation_commands.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/labels.h"
#include "core/base/layer_names.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/corruptions/frost_files.h"
#include "core/report/early_decision.h"
#include "core/report/report_input.h"
#include "core/statistics/smoothing_certificate.h"
#include "server/api/dataset_commit.h"
#include "server/api/image_statistics.h"
#include "server/api/quota.h"
#include "server/api/stored_metadata.h"
#include "server/api/timestamps.h"
#include "server/api/waiting_reason.h"
#include "server/scheduler/class_count.h"
#include "server/scheduler/planner.h"

namespace assay::api {
namespace {

// "e-20261120-231530-1a2b3c4d": sorts by time and is unique enough; a clash is refused by the
// store.
std::string NewEvaluationId(int64_t now_micros) {
  std::random_device random;
  const std::time_t seconds = now_micros / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char stamp[32];
  std::strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &utc);
  return absl::StrFormat("e-%s-%08x", stamp, random());
}

void Append(std::vector<FieldViolation> more, const std::string& prefix,
            std::vector<FieldViolation>* violations) {
  for (FieldViolation& violation : more) {
    violations->push_back({prefix + violation.field, std::move(violation.description)});
  }
}

// The model of a spec, or violations; an error where it is not known whether it is there.
absl::StatusOr<v1::Model> CheckModel(Context& context, const std::string& name,
                                     const std::string& field,
                                     std::vector<FieldViolation>* violations) {
  const auto parsed = ParseResourceName(kModels, name, field);
  if (!parsed.ok()) {
    Append(ViolationsOf(parsed.status()), "", violations);
    return v1::Model();
  }
  auto model = context.catalog.GetModel(name);
  if (absl::IsNotFound(model.status())) {
    violations->push_back({field, std::string(model.status().message())});
    return v1::Model();
  }
  return model;
}

// What is known of the model against what is known of the images.
void CheckFit(const v1::Model& model, const v1::ImageShape& shape, int max_label,
              const std::string& field, std::vector<FieldViolation>* violations) {
  if (!model.has_validation()) return;
  const v1::ModelValidation& known = model.validation();
  if (max_label >= known.num_classes()) {
    violations->push_back(
        {field, absl::StrCat("has label ", max_label, ", but the model has ", known.num_classes(),
                             " classes (labels 0 to ", known.num_classes() - 1, ")")});
  }
  if (shape.channels() != known.input_shape().channels()) {
    violations->push_back(
        {field, absl::StrCat("has images of ", shape.channels(), " channels, but the model takes ",
                             known.input_shape().channels())});
  }
}

// As many named classes as logits, if the model's are known; otherwise the worker finds out.
void CheckClasses(const v1::Model& model, const v1::DatasetManifest& manifest, bool allow_missing,
                  const std::string& field, std::vector<FieldViolation>* violations) {
  if (!model.has_validation()) return;
  const absl::Status status =
      scheduler::CheckClassCount(manifest, model.validation().num_classes(), allow_missing);
  if (!status.ok()) violations->push_back({field, std::string(status.message())});
}

// The layer whose answers are to be kept, if those that the model has are known; otherwise the
// engine finds out.
void CheckLayer(const v1::Model& model, const std::string& layer, const std::string& field,
                std::vector<FieldViolation>* violations) {
  const v1::ModelDetails& details = model.validation().details();
  if (layer.empty() || details.layers().empty()) return;
  std::vector<std::string> names;
  for (const v1::ModelDetails::Layer& known : details.layers()) names.push_back(known.name());
  if (std::find(names.begin(), names.end(), layer) != names.end()) return;
  violations->push_back({field, RefuseLayer(layer, names)});
}

// The other models that conditions name must be there and fit.
absl::Status CheckOtherModels(Context& context, const std::vector<v1::Condition>& conditions,
                              const v1::Model& model, const v1::ImageShape& shape,
                              const std::string& field, std::vector<FieldViolation>* violations) {
  std::set<std::string> ids;
  for (const v1::Condition& condition : conditions) {
    for (std::string& id : OtherModels(condition)) ids.insert(std::move(id));
  }
  for (const std::string& id : ids) {
    ASSAY_ASSIGN_OR_RETURN(const v1::Model other,
                           CheckModel(context, ResourceName(kModels, id), field, violations));
    CheckFit(other, shape, -1, field, violations);
    if (!other.has_validation() || !model.has_validation()) continue;
    const int classes = other.validation().num_classes();
    if (classes != model.validation().num_classes()) {
      violations->push_back(
          {field, absl::StrCat("models/", id, " has ", classes, " classes, but the model has ",
                               model.validation().num_classes())});
    }
  }
  return absl::OkStatus();
}

// A violation for each condition for which `check` is not OK.
template <typename Conditions, typename Check>
void CheckEach(const Conditions& conditions, const std::string& field, const Check& check,
               std::vector<FieldViolation>* violations) {
  for (const v1::Condition& condition : conditions) {
    const absl::Status status = check(condition);
    if (status.ok()) continue;
    violations->push_back({field, absl::StrCat(condition.id(), ": ", status.message())});
  }
}

// The conditions that `expressions` become, for this model and images of this shape; or violations.
absl::StatusOr<std::vector<v1::Condition>> CheckConditions(
    Context& context, const google::protobuf::RepeatedPtrField<std::string>& expressions,
    const v1::Model& model, const v1::ImageShape& shape, const std::string& prefix,
    std::vector<FieldViolation>* violations) {
  auto conditions = ParseConditions({expressions.begin(), expressions.end()});
  if (conditions.ok()) {
    ASSAY_RETURN_IF_ERROR(
        CheckOtherModels(context, *conditions, model, shape, prefix + "conditions", violations));
    if (model.has_validation()) {
      const int classes = model.validation().num_classes();
      CheckEach(
          *conditions, prefix + "conditions",
          [&](const v1::Condition& condition) { return CheckTargetClass(condition, classes); },
          violations);
    }
    const bool frost = std::any_of(conditions->begin(), conditions->end(), NeedsFrostPhotographs);
    if (frost && context.pool.options().frost_directory.empty()) {
      violations->push_back({prefix + "conditions", kFrostNeedsPhotographs});
    }
    return *std::move(conditions);
  }
  Append(ViolationsOf(conditions.status()), prefix, violations);
  return std::vector<v1::Condition>();
}

// Smoothing whose alpha is for all samples together, once their number is known.
template <typename Conditions>
void CheckDraws(const Conditions& conditions, int64_t samples, const std::string& field,
                std::vector<FieldViolation>* violations) {
  CheckEach(
      conditions, field,
      [&](const v1::Condition& condition) { return CheckEnoughDraws(condition, samples); },
      violations);
}

// Names of the classes as reports will have them; none where the model has not been looked at and
// the data do not say.
std::vector<std::string> ReportedClasses(const v1::Model& model,
                                         const v1::DatasetManifest& manifest) {
  report::ReportInput input;
  input.class_names = {manifest.class_names().begin(), manifest.class_names().end()};
  if (!model.has_validation()) return input.class_names;
  input.num_classes = model.validation().num_classes();
  return report::ClassNames(input);
}

// A kind of devices, which nobody need have yet.
void CheckPin(const std::string& kind, const std::string& field,
              std::vector<FieldViolation>* violations) {
  constexpr size_t kMostBytes = 100;
  const bool printable = std::all_of(kind.begin(), kind.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  if (kind.size() <= kMostBytes && printable) return;
  violations->push_back(
      {field, absl::StrCat("must be the kind of a device as fingerprints name it (cpu, NVIDIA "
                           "H200), printable and of at most ",
                           kMostBytes, " bytes")});
}

void CheckId(const std::string& id, std::vector<FieldViolation>* violations) {
  if (!id.empty() && !IsValidId(id)) {
    violations->push_back({"evaluation_id", absl::StrCat("must be ", kIdRule)});
  }
}

// One violation that is about conditions alone keeps its own reason.
absl::Status Refuse(std::vector<FieldViolation> violations) {
  const bool only_conditions =
      std::all_of(violations.begin(), violations.end(), [](const FieldViolation& violation) {
        return violation.field.find("conditions") != std::string::npos;
      });
  return InvalidFields(std::move(violations),
                       only_conditions ? Reason::kInvalidCondition : Reason::kInvalidArgument);
}

absl::Status CheckQuota(Context& context) {
  ASSAY_RETURN_IF_ERROR(CheckDiskQuota(context, 0));
  ASSAY_ASSIGN_OR_RETURN(const auto counts, context.evaluations.CountEvaluations());
  int64_t unfinished = 0;
  for (const char* state : {"RECEIVING", "QUEUED", "RUNNING"}) {
    const auto it = counts.find(state);
    if (it != counts.end()) unfinished += it->second;
  }
  const int64_t most = context.max_queued_evaluations;
  if (unfinished < most) return absl::OkStatus();
  return QuotaExceeded(
      "--max-evaluations",
      absl::StrCat("there are ", unfinished, " unfinished evaluations; at most ", most,
                   " are accepted. Wait, cancel some, or raise --max-evaluations"),
      60);
}

// Labels with the owner's, which nobody else can set.
void SetOwner(const access::Caller& caller, google::protobuf::Map<std::string, std::string>* labels,
              const std::string& field, std::vector<FieldViolation>* violations) {
  if (caller.by == access::kByNobody) return;
  const auto found = labels->find(kOwnerLabel);
  if (found != labels->end() && found->second != caller.name) {
    violations->push_back({absl::StrCat(field, "[", kOwnerLabel, "]"),
                           absl::StrCat("is set by the server, to ", caller.name)});
  }
  (*labels)[kOwnerLabel] = caller.name;
}

// When its work is to be done and by when it must be.
template <typename Message>
void CheckUrgency(const Message& message, const std::string& prefix,
                  std::vector<FieldViolation>* violations) {
  if (!v1::Priority_IsValid(message.priority())) {
    violations->push_back({prefix + "priority", "must be LOW, NORMAL or HIGH"});
  }
  if (!message.has_deadline()) return;
  // A microsecond to about a hundred years.
  constexpr int64_t kMostSeconds = int64_t{100} * 366 * 24 * 3600;
  if (const auto& deadline = message.deadline();
      deadline.seconds() < 0 || deadline.nanos() < 0 || deadline.nanos() > 999'999'999 ||
      deadline.seconds() > kMostSeconds || (deadline.seconds() == 0 && deadline.nanos() < 1000)) {
    violations->push_back({prefix + "deadline", "must be a positive time of at most a century"});
  }
}

// Engines hold what they keep of a task until its end: of attacks, to know what the model answers
// to it, the examples, too.
int64_t MostTaskSamples(const v1::EvaluationSpec& spec, const v1::ImageShape& shape) {
  constexpr int64_t kMostBytes = int64_t{1} << 30;
  if (!spec.keep_features().empty()) return scheduler::kMaxTaskSamplesWithFeatures;
  if (!spec.keep_probabilities()) return scheduler::kMaxTaskSamples;
  return std::clamp(kMostBytes / SampleBytes(shape, v1::FLOAT32), int64_t{1},
                    scheduler::kMaxTaskSamples);
}

v1::Evaluation NewEvaluation(Context& context, const std::string& id, v1::Evaluation::State state,
                             std::vector<v1::Condition> conditions) {
  const int64_t now = context.clock.NowMicros();
  v1::Evaluation evaluation;
  evaluation.set_name(ResourceName(kEvaluations, id.empty() ? NewEvaluationId(now) : id));
  evaluation.set_state(state);
  *evaluation.mutable_create_time() = ToTimestamp(now);
  for (v1::Condition& condition : conditions) evaluation.add_conditions()->Swap(&condition);
  return evaluation;
}

}  // namespace

absl::Status CheckCallerQuota(Context& context, const access::Caller& caller) {
  if (!caller.max_unfinished_evaluations.has_value()) return absl::OkStatus();
  const int64_t most = *caller.max_unfinished_evaluations;
  store::EvaluationFilter filter;
  filter.labels[kOwnerLabel] = caller.name;
  filter.states = {v1::Evaluation::RECEIVING, v1::Evaluation::QUEUED, v1::Evaluation::RUNNING};
  int64_t unfinished = 0;
  store::Page page{/*size=*/1000, /*token=*/""};
  do {
    ASSAY_ASSIGN_OR_RETURN(const auto listing, context.evaluations.ListEvaluations(page, filter));
    unfinished += static_cast<int64_t>(listing.records.size());
    page.token = listing.next_token;
  } while (!page.token.empty() && unfinished < most);
  if (unfinished < most) return absl::OkStatus();
  return Error(
             Reason::kQuotaExceeded,
             absl::StrCat("the ", caller.by, " ", caller.name, " has ", unfinished,
                          " unfinished evaluations, and may have ", most, ". Wait, or cancel some"))
      .Quota(absl::StrCat(caller.by, ":", caller.name),
             absl::StrCat("max_unfinished_evaluations = ", most))
      .RetryAfterSeconds(60);
}

absl::StatusOr<store::EvaluationRecord> CreateEvaluation(Context& context,
                                                         const v1::CreateEvaluationRequest& request,
                                                         const access::Caller& caller) {
  ASSAY_RETURN_IF_ERROR(context.CheckTakesWork());
  // Before all checks: what the first call changed (the quota is used up, ...) must not refuse the
  // second.
  ASSAY_ASSIGN_OR_RETURN(const auto created,
                         context.evaluations.FindCreatedEvaluation(request.request_id()));
  if (created.has_value()) return *created;
  v1::EvaluationSpec spec = request.spec();
  std::vector<FieldViolation> violations;
  CheckId(request.evaluation_id(), &violations);
  SetOwner(caller, spec.mutable_labels(), "spec.labels", &violations);
  Append(CheckLabels(LabelsOf(spec.labels()), LabelUse::kStored, "labels"), "spec.", &violations);
  ASSAY_ASSIGN_OR_RETURN(const v1::Model model,
                         CheckModel(context, spec.model(), "spec.model", &violations));
  v1::Dataset dataset;
  if (const auto parsed = ParseResourceName(kDatasets, spec.dataset(), "spec.dataset");
      !parsed.ok()) {
    Append(ViolationsOf(parsed.status()), "", &violations);
  } else if (auto stored = context.catalog.GetDataset(spec.dataset());
             absl::IsNotFound(stored.status())) {
    violations.push_back({"spec.dataset", std::string(stored.status().message())});
  } else if (!stored.ok()) {
    return stored.status();
  } else {
    dataset.Swap(&*stored);
    CheckFit(model, dataset.manifest().shape(), dataset.max_label(), "spec.dataset", &violations);
    CheckClasses(model, dataset.manifest(), spec.allow_missing_classes(), "spec.dataset",
                 &violations);
    if (spec.limit() > dataset.samples()) {
      violations.push_back({"spec.limit", absl::StrCat("must be at most the ", dataset.samples(),
                                                       " samples of the dataset")});
    }
  }
  if (spec.limit() < 0) violations.push_back({"spec.limit", "must not be negative"});
  if (spec.task_samples() < 0) violations.push_back({"spec.task_samples", "must not be negative"});
  CheckUrgency(spec, "spec.", &violations);
  ASSAY_ASSIGN_OR_RETURN(const std::vector<v1::Condition> conditions,
                         CheckConditions(context, spec.conditions(), model,
                                         dataset.manifest().shape(), "spec.", &violations));
  const int64_t samples = spec.limit() > 0 ? spec.limit() : dataset.samples();
  CheckDraws(conditions, samples, "spec.conditions", &violations);
  CheckLayer(model, spec.keep_features(), "spec.keep_features", &violations);
  CheckPin(spec.pin_numerics(), "spec.pin_numerics", &violations);
  if (spec.has_stop_when_decided() && !conditions.empty()) {
    Append(report::CheckStopWhenDecided(spec.stop_when_decided(), conditions,
                                        ReportedClasses(model, dataset.manifest())),
           "spec.", &violations);
    if (spec.keep_probabilities() || !spec.keep_features().empty()) {
      violations.push_back({"spec.stop_when_decided",
                            "does not go with kept probabilities and features, which are of all "
                            "samples; keep none, or evaluate all samples"});
    }
  }
  if (!violations.empty()) return Refuse(std::move(violations));
  ASSAY_RETURN_IF_ERROR(CheckQuota(context));
  ASSAY_RETURN_IF_ERROR(CheckCallerQuota(context, caller));

  v1::Evaluation evaluation =
      NewEvaluation(context, request.evaluation_id(), v1::Evaluation::QUEUED, conditions);
  *evaluation.mutable_spec() = spec;
  if (request.validate_only()) {
    if (context.evaluations.GetEvaluation(evaluation.name()).ok()) {
      return NameTaken(kEvaluations, evaluation.name());
    }
    return store::EvaluationRecord{evaluation, 0};
  }
  const int batch = context.registry.UsualBatch();
  ASSAY_ASSIGN_OR_RETURN(
      auto record,
      context.evaluations.CreateEvaluation(
          evaluation,
          spec.has_stop_when_decided()
              ? scheduler::PlanRounds(conditions, samples, spec.task_samples(), batch,
                                      MostTaskSamples(spec, dataset.manifest().shape()))
              : scheduler::PlanTasks(conditions, 0, samples, spec.task_samples(),
                                     scheduler::Moment::kComplete, batch,
                                     MostTaskSamples(spec, dataset.manifest().shape())),
          request.request_id()));
  context.hub.NotifyWork();
  SetWaitingReason(context, &record.proto);
  return record;
}

absl::Status DeleteEvaluation(Context& context, const std::string& name,
                              const std::string& reason) {
  ASSAY_RETURN_IF_ERROR(
      context.WithReserve([&] { return context.evaluations.DeleteEvaluation(name); }));
  context.FreeSpaceSoon();
  context.reports.Forget(name);
  context.metrics.WithdrawReport(name);
  context.metrics.CountEvaluationDeleted(reason);
  context.hub.NotifyChanged(name);
  return absl::OkStatus();
}

absl::StatusOr<store::EvaluationRecord> StartStream(Context& context,
                                                    const v1::EvaluateRequest::Start& start,
                                                    const access::Caller& caller) {
  ASSAY_RETURN_IF_ERROR(context.CheckTakesWork());
  if (!start.resume().empty()) {
    ASSAY_RETURN_IF_ERROR(ParseResourceName(kEvaluations, start.resume(), "start.resume").status());
    return context.evaluations.GetEvaluation(start.resume());
  }
  std::vector<FieldViolation> violations;
  CheckId(start.evaluation_id(), &violations);
  auto labels = start.labels();
  SetOwner(caller, &labels, "start.labels", &violations);
  Append(CheckLabels(LabelsOf(start.labels()), LabelUse::kStored, "labels"), "start.", &violations);
  ASSAY_ASSIGN_OR_RETURN(const v1::Model model,
                         CheckModel(context, start.model(), "start.model", &violations));
  v1::DatasetManifest manifest;
  *manifest.mutable_shape() = start.shape();
  manifest.set_pixel_type(start.pixel_type());
  *manifest.mutable_class_names() = start.class_names();
  if (start.has_metadata()) *manifest.mutable_metadata() = start.metadata();
  for (FieldViolation& violation : CheckManifest(manifest, "start")) {
    // It is empty yet, of course.
    if (violation.field != "start.chunks") violations.push_back(std::move(violation));
  }
  CheckFit(model, start.shape(), -1, "start.shape", &violations);
  CheckClasses(model, manifest, start.allow_missing_classes(), "start.class_names", &violations);
  ASSAY_ASSIGN_OR_RETURN(
      const std::vector<v1::Condition> conditions,
      CheckConditions(context, start.conditions(), model, start.shape(), "start.", &violations));
  CheckLayer(model, start.keep_features(), "start.keep_features", &violations);
  CheckUrgency(start, "start.", &violations);
  CheckPin(start.pin_numerics(), "start.pin_numerics", &violations);
  if (!violations.empty()) return Refuse(std::move(violations));
  ASSAY_RETURN_IF_ERROR(CheckQuota(context));
  ASSAY_RETURN_IF_ERROR(CheckCallerQuota(context, caller));

  v1::Evaluation evaluation =
      NewEvaluation(context, start.evaluation_id(), v1::Evaluation::RECEIVING, conditions);
  evaluation.mutable_spec()->set_model(start.model());
  *evaluation.mutable_spec()->mutable_conditions() = start.conditions();
  evaluation.mutable_spec()->set_seed(start.seed());
  evaluation.mutable_spec()->set_keep_adversarials(start.keep_adversarials());
  evaluation.mutable_spec()->set_keep_probabilities(start.keep_probabilities());
  evaluation.mutable_spec()->set_keep_features(start.keep_features());
  evaluation.mutable_spec()->set_pin_numerics(start.pin_numerics());
  evaluation.mutable_spec()->set_allow_missing_classes(start.allow_missing_classes());
  evaluation.mutable_spec()->set_no_cache(start.no_cache());
  *evaluation.mutable_spec()->mutable_labels() = labels;
  evaluation.mutable_spec()->set_priority(start.priority());
  if (start.has_deadline()) *evaluation.mutable_spec()->mutable_deadline() = start.deadline();
  if (!start.has_metadata()) return context.evaluations.CreateStream(evaluation, manifest);
  const std::string& digest = start.metadata().digest();
  ASSAY_ASSIGN_OR_RETURN(const bool there, context.blobs.Has(digest, evaluation.name()));
  if (!there) {
    return Error(Reason::kChunkMissing, absl::StrCat("the metadata of the samples, chunk ", digest,
                                                     ", has not been uploaded"))
        .ToStatus();
  }
  ASSAY_RETURN_IF_ERROR(
      ReadStoredMetadata(context.blobs, start.metadata(), /*samples=*/std::nullopt).status());
  const auto created = context.evaluations.CreateStream(evaluation, manifest);
  context.blobs.Settle({digest}, evaluation.name());
  return created;
}

absl::Status AppendBatch(Context& context, const store::EvaluationRecord& evaluation,
                         const v1::EvaluateRequest::Batch& batch) {
  const std::string& name = evaluation.proto.name();
  ASSAY_ASSIGN_OR_RETURN(const auto manifest, context.evaluations.GetStreamManifest(name));
  if (batch.labels().empty()) {
    return InvalidFields({{"batch.labels", "a batch needs at least one sample"}});
  }
  if (batch.index() < 0 || batch.index() > manifest.chunks_size()) {
    return InvalidFields(
        {{"batch.index", absl::StrCat("the next batch is number ", manifest.chunks_size(), "; got ",
                                      batch.index())}});
  }
  // A batch becomes one chunk of the dataset, which has a limit.
  if (const int64_t size =
          batch.labels_size() * SampleBytes(manifest.shape(), manifest.pixel_type());
      size > kMaxChunkBytes) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("batch ", batch.index(), " would have ", size, " bytes; at most ",
                              kMaxChunkBytes, " are accepted, so send smaller batches"));
  }
  ASSAY_RETURN_IF_ERROR(CheckDiskQuota(
      context, batch.labels_size() * SampleBytes(manifest.shape(), manifest.pixel_type())));
  const auto samples = static_cast<int32_t>(batch.labels_size());
  std::string bytes(static_cast<size_t>(samples) * sizeof(int32_t), '\0');
  std::memcpy(bytes.data(), batch.labels().data(), bytes.size());
  bytes += batch.images();
  int64_t first = 0;
  for (int i = 0; i < batch.index(); ++i) first += manifest.chunks(i).samples();
  const std::string what = absl::StrCat("batch ", batch.index());
  ASSAY_ASSIGN_OR_RETURN(const int max_label, CheckChunk(manifest, bytes, samples, what, first));
  ASSAY_ASSIGN_OR_RETURN(const auto model,
                         context.catalog.GetModel(evaluation.proto.spec().model()));
  std::vector<FieldViolation> violations;
  CheckFit(model, manifest.shape(), max_label, "batch.labels", &violations);
  if (!violations.empty()) {
    return InvalidFields(std::move(violations), Reason::kLabelOutOfRange);
  }
  CheckDraws(evaluation.proto.conditions(), first + samples, "batch.labels", &violations);
  if (!violations.empty()) {
    return InvalidFields(std::move(violations), Reason::kInvalidCondition);
  }
  v1::DatasetManifest::Chunk chunk;
  ASSAY_ASSIGN_OR_RETURN(*chunk.mutable_digest(), context.blobs.Put(bytes, name));
  chunk.set_samples(samples);
  StatisticsKeeper statistics(context.catalog, manifest);
  ASSAY_RETURN_IF_ERROR(statistics.Add(chunk, bytes));
  ASSAY_RETURN_IF_ERROR(statistics.Keep());
  const auto& conditions = evaluation.proto.conditions();
  const absl::Status appended = context.evaluations.AppendStreamChunk(
      name, batch.index(), chunk,
      scheduler::PlanTasks({conditions.begin(), conditions.end()}, first, samples, 0,
                           scheduler::Moment::kPartArrived, context.registry.UsualBatch(),
                           MostTaskSamples(evaluation.proto.spec(), manifest.shape())));
  context.blobs.Settle({chunk.digest()}, name);
  ASSAY_RETURN_IF_ERROR(appended);
  context.hub.NotifyWork();
  context.hub.NotifyChanged(name);
  return absl::OkStatus();
}

absl::Status FinishStream(Context& context, const std::string& evaluation, int64_t batches) {
  ASSAY_ASSIGN_OR_RETURN(const auto manifest, context.evaluations.GetStreamManifest(evaluation));
  if (batches != manifest.chunks_size()) {
    return InvalidFields(
        {{"finish.batches",
          absl::StrCat("the server holds ", manifest.chunks_size(), " batches, not ", batches)}});
  }
  ASSAY_ASSIGN_OR_RETURN(
      const auto dataset,
      PrepareDataset(context, absl::StrCat("stream-", ManifestDigest(manifest).substr(0, 12)),
                     manifest, evaluation));
  ASSAY_ASSIGN_OR_RETURN(const auto record, context.evaluations.GetEvaluation(evaluation));
  // Who may have so much was asked batch by batch.
  store::Owner owner;
  if (const auto found = record.proto.spec().labels().find(kOwnerLabel);
      found != record.proto.spec().labels().end()) {
    owner.name = found->second;
  }
  ASSAY_ASSIGN_OR_RETURN(const auto stored, context.catalog.CreateDataset(dataset, "", owner));
  context.blobs.Settle(BlobsOf(manifest), evaluation);
  const auto& conditions = record.proto.conditions();
  ASSAY_RETURN_IF_ERROR(context.evaluations.FinishStream(
      evaluation, stored.name(),
      scheduler::PlanTasks({conditions.begin(), conditions.end()}, 0, stored.samples(), 0,
                           scheduler::Moment::kLastArrived, context.registry.UsualBatch(),
                           MostTaskSamples(record.proto.spec(), stored.manifest().shape()))));
  context.hub.NotifyWork();
  context.hub.NotifyChanged(evaluation);
  return absl::OkStatus();
}

}  // namespace assay::api
