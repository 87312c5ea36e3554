#include "client/cli/commands/ready_made_set.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/base/reference_errors.h"
#include "client/cli/base/resources.h"
#include "client/cli/base/results.h"
#include "client/cli/base/uploads.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "core/report/corruption_summary.h"
#include "core/report/ready_made_report.h"
#include "google/protobuf/util/message_differencer.h"

namespace assay::cli {
namespace {

using client::DatasetReader;
using client::ReadyMadeBlock;
using google::protobuf::util::MessageDifferencer;
using report::ReadyMadePart;

// The images of one block, or without labels of their own those that are not corrupted.
absl::StatusOr<std::unique_ptr<DatasetReader>> Open(Session& session,
                                                    const EvaluateOptions& options,
                                                    const std::string& path,
                                                    const std::string& labels = "") {
  DataOptions data = options.data;
  data.paths = {path};
  data.labels = labels;
  return OpenData(session, data);
}

class ReadyMadeSet {
 public:
  ReadyMadeSet(Session& session, const EvaluateOptions& options, const std::string& model,
               const Labels& labels)
      : session_(session), options_(options), model_(model), labels_(labels) {}

  absl::Status Run(const std::vector<ReadyMadeBlock>& blocks, const Gates& gates) {
    std::optional<v1::ReferenceErrors> reference;
    if (!options_.results.reference.empty()) {
      ASSAY_ASSIGN_OR_RETURN(const auto read, ReadReferenceErrors(options_.results.reference));
      ASSAY_ASSIGN_OR_RETURN(reference, report::ResolveReference(read));
    }
    total_ = blocks.size() + (options_.clean_data.empty() ? 0 : 1);
    if (!options_.clean_data.empty()) {
      ASSAY_ASSIGN_OR_RETURN(const auto reader, Open(session_, options_, options_.clean_data));
      ASSAY_RETURN_IF_ERROR(Add({"", 0, options_.clean_data}, *reader, "clean"));
    }
    v1::ImageShape shape;
    for (const ReadyMadeBlock& block : blocks) {
      ASSAY_ASSIGN_OR_RETURN(const auto reader,
                             Open(session_, options_, block.path, options_.data.labels));
      shape = reader->shape();
      ASSAY_RETURN_IF_ERROR(
          Add(block, *reader, absl::StrCat(block.corruption, "-", block.severity)));
    }
    const v1::Report combined =
        report::CombineReadyMade(client::ReadyMadeName(options_.data.paths[0]), parts_,
                                 reference.has_value() ? &*reference : nullptr, shape);
    return WriteReport(session_, nullptr, combined, options_.results, gates);
  }

 private:
  absl::Status Add(const ReadyMadeBlock& block, DatasetReader& reader, const std::string& suffix) {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session_.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                           UploadDataset(session_, block.path, reader, options_.data.limit, ""));
    v1::EvaluationSpec spec;
    spec.set_model(model_);
    spec.set_dataset(dataset.name());
    spec.add_conditions("clean");
    spec.set_seed(options_.seed);
    spec.set_task_samples(options_.task_samples);
    spec.set_pin_numerics(options_.pin_numerics);
    spec.set_allow_missing_classes(options_.data.allow_missing_classes);
    spec.set_no_cache(options_.no_cache);
    SetLabels(labels_, spec.mutable_labels());
    const std::string id =
        options_.id.empty() ? std::string() : absl::StrCat(options_.id, "-", suffix);
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation evaluation, CreateOrFind(*client, spec, id));
    session_.Say(absl::StrCat(evaluation.name(), ": ", parts_.size() + 1, " of ", total_));
    ASSAY_ASSIGN_OR_RETURN(const auto end, WatchToEnd(session_, evaluation.name()));
    if (!end.has_value()) {
      return Error(Reason::kCancelled,
                   absl::StrCat("interrupted after ", parts_.size(), " of ", total_,
                                " evaluations; with --id the same call goes on where it was"));
    }
    ASSAY_RETURN_IF_ERROR(client::EndStatus(*end));
    v1::GetReportRequest request;
    request.set_name(end->name());
    request.set_confidence_level(options_.results.confidence_level);
    ASSAY_ASSIGN_OR_RETURN(v1::Report report, client->GetReport(request));
    parts_.push_back({block.corruption, block.severity, std::move(report)});
    return absl::OkStatus();
  }

  // An evaluation of that id which an earlier call made is taken as it is, if it is of the same.
  absl::StatusOr<v1::Evaluation> CreateOrFind(client::Client& client,
                                              const v1::EvaluationSpec& spec,
                                              const std::string& id) {
    auto created = client.CreateEvaluation(spec, id);
    if (created.ok() || ReasonOf(created.status()) != Reason::kAlreadyExists) return created;
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation found,
                           client.GetEvaluation(FullName(kEvaluations, id)));
    const bool same = found.spec().model() == spec.model() &&
                      found.spec().dataset() == spec.dataset() &&
                      found.spec().seed() == spec.seed() &&
                      found.spec().allow_missing_classes() == spec.allow_missing_classes() &&
                      found.conditions_size() == 1 && found.conditions(0).family() == kFamilyClean;
    if (!same) return created;
    if (LabelsOf(found.spec().labels()) != LabelsOf(spec.labels())) {
      session_.Say(absl::StrCat(found.name(), ": is there already, with its labels: ",
                                LabelsText(LabelsOf(found.spec().labels()))));
    }
    return found;
  }

  Session& session_;
  const EvaluateOptions& options_;
  const std::string model_;
  const Labels& labels_;
  size_t total_ = 0;
  std::vector<ReadyMadePart> parts_;
};

// Whether gates speak of what the report will have.
absl::Status CheckGates(Session& session, const EvaluateOptions& options, Gates& gates,
                        const std::vector<ReadyMadeBlock>& blocks) {
  report::GateScope scope;
  if (!options.clean_data.empty()) scope.conditions.push_back({kFamilyClean, kFamilyClean});
  const std::string set = client::ReadyMadeName(options.data.paths[0]);
  for (const ReadyMadeBlock& block : blocks) {
    scope.conditions.push_back(
        {report::ReadyMadeId(set, block.corruption, block.severity), kFamilyCorruption});
  }
  return gates.Check(session, scope, {});
}

}  // namespace

absl::Status CheckReadyMade(Session& session, const EvaluateOptions& options, Gates& gates,
                            const std::vector<ReadyMadeBlock>& blocks) {
  std::vector<FieldViolation> violations;
  if (options.conditions != std::vector<std::string>{"clean"}) {
    violations.push_back(
        {"--condition", absl::StrCat("a ready-made set is corrupted already and evaluated under "
                                     "'clean' alone; for other conditions give one block, ",
                                     blocks[0].path)});
  }
  const auto refuse = [&](bool given, const char* option) {
    if (given) {
      violations.push_back(
          {option, absl::StrCat("goes with one evaluation, and a ready-made set is ", blocks.size(),
                                " of them")});
    }
  };
  refuse(options.stream, "--stream");
  refuse(options.detach, "--detach");
  refuse(!options.metadata.path.empty(), "--metadata");
  refuse(!options.results.outcomes_path.empty(), "--outcomes");
  refuse(!options.results.adversarials_path.empty(), "--keep-adversarials");
  refuse(!options.priority.empty(), "--priority");
  refuse(!options.deadline.empty(), "--deadline");
  refuse(options.keep_probabilities, "--keep-probabilities");
  refuse(!options.keep_features.empty(), "--keep-features");
  refuse(gates.baseline_at_server(), "--baseline evaluations/ID");
  if (!violations.empty()) return InvalidFields(std::move(violations));
  ASSAY_RETURN_IF_ERROR(CheckGates(session, options, gates, blocks));
  std::unique_ptr<DatasetReader> first;
  for (const ReadyMadeBlock& block : blocks) {
    ASSAY_ASSIGN_OR_RETURN(auto reader, Open(session, options, block.path, options.data.labels));
    if (first == nullptr) {
      first = std::move(reader);
    } else if (!MessageDifferencer::Equals(first->shape(), reader->shape()) ||
               first->class_names() != reader->class_names()) {
      return Error(Reason::kUnreadableInput,
                   absl::StrCat(block.path, " has images of another shape, or other classes, than ",
                                blocks[0].path, "; the blocks of a set are of the same images"));
    }
  }
  if (options.clean_data.empty()) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const auto clean, Open(session, options, options.clean_data));
  if (MessageDifferencer::Equals(first->shape(), clean->shape())) return absl::OkStatus();
  return Error(
      Reason::kUnreadableInput,
      absl::StrCat(options.clean_data, " has images of another shape than ", blocks[0].path));
}

absl::Status EvaluateReadyMade(Session& session, const EvaluateOptions& options, const Gates& gates,
                               const std::string& model, const Labels& labels,
                               const std::vector<ReadyMadeBlock>& blocks) {
  return ReadyMadeSet(session, options, model, labels).Run(blocks, gates);
}

}  // namespace assay::cli
