// `assay evaluate`: upload what is missing, create, wait, report; or all of it over one stream.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/base/command.h"
#include "client/cli/base/evaluation_file.h"
#include "client/cli/base/evaluations.h"
#include "client/cli/base/gates.h"
#include "client/cli/base/output_file.h"
#include "client/cli/base/reference_errors.h"
#include "client/cli/base/resources.h"
#include "client/cli/base/results.h"
#include "client/cli/base/uploads.h"
#include "client/cli/commands/evaluate_options.h"
#include "client/cli/commands/ready_made_set.h"
#include "client/data/byte_source.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/base/priority.h"
#include "core/base/quantities.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "core/report/early_decision.h"

namespace assay::cli {
namespace {

constexpr char kStopWhenDecided[] = "--stop-when-decided";

// Whether `text` names a resource of the server. A file of that path is meant first:
// "models/resnet.pt" is a fine path.
bool IsResource(const char* collection, const std::string& text) {
  std::error_code error;
  return IsFullName(collection, text) && !std::filesystem::exists(text, error);
}

// "ID=FILE"; without '=' the id is empty.
std::pair<std::string, std::string> IdAndFile(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

class Evaluation {
 public:
  // `command` has parsed the options.
  Evaluation(Session& session, const CLI::App& command, EvaluateOptions options)
      : session_(session),
        command_(command),
        options_(std::move(options)),
        server_model_(IsResource(kModels, options_.model)),
        server_data_(options_.data.paths.size() == 1 &&
                     IsResource(kDatasets, options_.data.paths[0])) {
    for (const std::string& suite : options_.suites) {
      options_.conditions.push_back(absl::StrCat("suite/", suite));
    }
    if (options_.local) session_.UseLocalServer(options_.server);
  }

  absl::Status Run() {
    // What can be wrong without a server comes first, then what the server can refuse before
    // anything is uploaded.
    ASSAY_RETURN_IF_ERROR(CheckLocally());
    WarnOfMlflow(session_, options_.results.mlflow);
    if (!options_.save.empty()) {
      const std::string folder = std::filesystem::path(options_.save).parent_path().string();
      ASSAY_RETURN_IF_ERROR(WriteOutput(options_.save, EvaluationFileText(command_, folder)));
    }
    ASSAY_ASSIGN_OR_RETURN(client_, session_.Client());
    const auto conditions = client_->ResolveConditions(options_.conditions);
    if (!conditions.ok()) return conditions.status();
    if (blocks_.empty()) ASSAY_RETURN_IF_ERROR(CheckGates(*conditions));
    for (const std::string& other : options_.other_models) {
      const auto [id, path] = IdAndFile(other);
      ASSAY_RETURN_IF_ERROR(UploadModel(session_, path, id, {}).status());
    }
    if (server_data_) {
      ASSAY_RETURN_IF_ERROR(client_->GetDataset(options_.data.paths[0]).status());
      ASSAY_RETURN_IF_ERROR(gates_.CheckDataset(options_.data.paths[0]));
    }
    if (server_model_) {
      ASSAY_RETURN_IF_ERROR(client_->GetModel(options_.model).status());
      model_ = options_.model;
    } else {
      ASSAY_ASSIGN_OR_RETURN(const v1::Model model,
                             UploadModel(session_, options_.model, "", interface_));
      model_ = model.name();
    }
    if (!blocks_.empty()) {
      return EvaluateReadyMade(session_, options_, gates_, model_, labels_, blocks_);
    }
    return options_.stream ? Stream() : Submit();
  }

 private:
  absl::Status CheckLocally() {
    if (options_.conditions.empty()) {
      return InvalidFields({{"--condition", "give conditions with -c, or a --suite"}});
    }
    ASSAY_RETURN_IF_ERROR(options_.results.CheckWritable());
    ASSAY_RETURN_IF_ERROR(CheckWritable("--save", options_.save));
    ASSAY_ASSIGN_OR_RETURN(labels_, options_.labels.Read());
    ASSAY_ASSIGN_OR_RETURN(gates_, Gates::Read(options_.results.gates));
    if (options_.detach && !gates_.empty()) {
      return InvalidFields({{"--require",
                             "is judged when the evaluation has ended, and --detach "
                             "does not wait for that; give it to `assay evaluation "
                             "watch` or `assay evaluation report`"}});
    }
    if (!options_.results.vectors_path.empty() && !options_.keep_probabilities &&
        options_.keep_features.empty()) {
      return InvalidFields(
          {{"--vectors", "goes with --keep-probabilities or --keep-features: nothing is kept"}});
    }
    if (options_.detach && !options_.results.mlflow.uri.empty()) {
      return InvalidFields({{"--mlflow",
                             "logs a report, and --detach does not wait for one; give it to `assay "
                             "evaluation watch` or `assay evaluation report`"}});
    }
    if (options_.stop_when_decided) ASSAY_RETURN_IF_ERROR(CheckCanStop());
    if (!options_.results.reference.empty()) {
      ASSAY_RETURN_IF_ERROR(ReadReferenceErrors(options_.results.reference).status());
    }
    if (!options_.id.empty() && !IsValidId(options_.id)) {
      return InvalidFields(
          {{"--id", absl::StrCat("must be ", kIdRule, "; got '", options_.id, "'")}});
    }
    if (!options_.deadline.empty()) {
      const auto seconds = ParseDuration(options_.deadline);
      if (!seconds.ok() || *seconds <= 0) {
        return InvalidFields(
            {{"--deadline", absl::StrCat("must be a time such as 2h (s, m, h, d or "
                                         "w); got '",
                                         options_.deadline, "'")}});
      }
      deadline_seconds_ = *seconds;
    }
    for (const std::string& other : options_.other_models) {
      if (!IsValidId(IdAndFile(other).first)) {
        return InvalidFields({{"--other-model", absl::StrCat("must be ID=FILE, the ID ", kIdRule,
                                                             "; got '", other, "'")}});
      }
    }
    ASSAY_ASSIGN_OR_RETURN(interface_, ParseModelInterface(options_.interface));
    if (server_model_ && interface_.ByteSizeLong() > 0) {
      return InvalidFields({{"--model", absl::StrCat(options_.model,
                                                     " is at the server already, and wants its "
                                                     "images as it was uploaded; options on that "
                                                     "go with a file")}});
    }
    std::error_code error;
    if (!server_model_ && !std::filesystem::exists(options_.model, error)) {
      return Error(Reason::kUnreadableInput,
                   absl::StrCat("there is no file ", options_.model,
                                ", and it is no name of the form models/ID"));
    }
    // Before a private server is started for it.
    if (!server_model_) {
      ASSAY_RETURN_IF_ERROR(client::ByteSource::Open(options_.model).status());
    }
    for (const std::string& other : options_.other_models) {
      ASSAY_RETURN_IF_ERROR(client::ByteSource::Open(IdAndFile(other).second).status());
    }
    if (server_data_ && options_.stream) {
      return InvalidFields(
          {{"--stream", "needs files: the samples of a dataset are at the server already"}});
    }
    if (server_data_) {
      ASSAY_RETURN_IF_ERROR(CheckNoFileOptions());
      return CheckNoCleanData();
    }
    // With --format a folder of any names is what it is said to be.
    if (options_.data.paths.size() == 1 && options_.data.format == "auto") {
      ASSAY_ASSIGN_OR_RETURN(blocks_, client::ReadyMadeBlocks(options_.data.paths[0]));
      if (!blocks_.empty() && options_.stop_when_decided) {
        return InvalidFields({{kStopWhenDecided,
                               "does not go with a ready-made set, whose blocks are evaluations of "
                               "their own; evaluate single blocks"}});
      }
      if (!blocks_.empty()) return CheckReadyMade(session_, options_, gates_, blocks_);
    }
    ASSAY_RETURN_IF_ERROR(CheckNoCleanData());
    ASSAY_ASSIGN_OR_RETURN(reader_, OpenData(session_, options_.data));
    ASSAY_ASSIGN_OR_RETURN(metadata_,
                           ReadMetadata(options_.metadata, *reader_, options_.data.limit));
    return absl::OkStatus();
  }

  absl::Status CheckCanStop() const {
    std::vector<FieldViolation> violations;
    if (gates_.empty()) {
      violations.push_back(
          {kStopWhenDecided, "needs gates that decide when to stop: give --require EXPRESSION"});
    }
    if (options_.stream) {
      violations.push_back({kStopWhenDecided,
                            "draws samples in a random order, and --stream works on them in the "
                            "order of the files; leave --stream out"});
    }
    if (options_.keep_probabilities || !options_.keep_features.empty()) {
      violations.push_back({kStopWhenDecided,
                            "does not go with --keep-probabilities and --keep-features, which are "
                            "of all samples; keep none, or evaluate all samples"});
    }
    return violations.empty() ? absl::OkStatus() : InvalidFields(std::move(violations));
  }

  v1::StopWhenDecided StopWhenDecided() const {
    v1::StopWhenDecided stop = gates_.ToStopWhenDecided();
    stop.set_confidence_level(options_.results.confidence_level);
    return stop;
  }

  // Whether gates speak of what there will be.
  absl::Status CheckGates(const std::vector<v1::Condition>& conditions) {
    if (gates_.empty()) return absl::OkStatus();
    report::GateScope scope;
    scope.conditions = report::ScopeOf(conditions);
    if (server_data_) {
      v1::EvaluationSpec spec;
      spec.set_dataset(options_.data.paths[0]);
      spec.set_allow_missing_classes(options_.data.allow_missing_classes);
      ASSAY_ASSIGN_OR_RETURN(scope.class_names, KnownClasses(session_, spec));
      ASSAY_ASSIGN_OR_RETURN(scope.columns, KnownColumns(session_, spec.dataset()));
    } else {
      if (!options_.data.allow_missing_classes) scope.class_names = reader_->class_names();
      scope.columns = ScopeColumns(Metadata());
    }
    ASSAY_ASSIGN_OR_RETURN(const auto request, options_.results.ReportRequest(""));
    ASSAY_RETURN_IF_ERROR(gates_.Check(session_, scope, request));
    if (!options_.stop_when_decided) return absl::OkStatus();
    // What the server would say after the upload.
    std::vector<FieldViolation> violations =
        report::CheckStopWhenDecided(StopWhenDecided(), conditions, scope.class_names);
    for (FieldViolation& violation : violations) violation.field = kStopWhenDecided;
    return violations.empty() ? absl::OkStatus() : InvalidFields(std::move(violations));
  }

  // Options on how files are read would be without effect, and the user would not know.
  absl::Status CheckNoFileOptions() const {
    std::vector<FieldViolation> violations;
    const auto refuse = [&](const std::string& value, const char* option) {
      if (value.empty()) return;
      violations.push_back({option, absl::StrCat("goes with files; ", options_.data.paths[0],
                                                 " has labels, names and metadata of its own")});
    };
    refuse(options_.data.labels, "--labels");
    refuse(options_.data.classes, "--classes");
    refuse(options_.metadata.path, "--metadata");
    return violations.empty() ? absl::OkStatus() : InvalidFields(std::move(violations));
  }

  absl::Status CheckNoCleanData() const {
    if (options_.clean_data.empty()) return absl::OkStatus();
    return InvalidFields({{"--clean-data",
                           "goes with the folder of a ready-made set (CIFAR-10-C, ImageNet-C); for "
                           "other data add the condition clean"}});
  }

  absl::Status Submit() {
    v1::EvaluationSpec spec;
    spec.set_model(model_);
    if (server_data_) {
      spec.set_dataset(options_.data.paths[0]);
      spec.set_limit(options_.data.limit);
    } else {
      ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                             UploadDataset(session_, options_.data.paths[0], *reader_,
                                           options_.data.limit, "", Metadata()));
      spec.set_dataset(dataset.name());
      ASSAY_RETURN_IF_ERROR(gates_.CheckDataset(dataset.name()));
    }
    for (const std::string& condition : options_.conditions) spec.add_conditions(condition);
    spec.set_seed(options_.seed);
    spec.set_task_samples(options_.task_samples);
    spec.set_pin_numerics(options_.pin_numerics);
    spec.set_allow_missing_classes(options_.data.allow_missing_classes);
    spec.set_keep_adversarials(!options_.results.adversarials_path.empty());
    spec.set_keep_probabilities(options_.keep_probabilities);
    spec.set_keep_features(options_.keep_features);
    spec.set_no_cache(options_.no_cache);
    SetLabels(labels_, spec.mutable_labels());
    SetUrgency(&spec);
    if (options_.stop_when_decided) *spec.mutable_stop_when_decided() = StopWhenDecided();
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation evaluation,
                           client_->CreateEvaluation(spec, options_.id));
    if (options_.detach) {
      SayWaiting(session_, evaluation);
      return session_.Print(evaluation.name() + "\n");
    }
    session_.Say(absl::StrCat(evaluation.name(), ": ", evaluation.conditions_size(),
                              evaluation.conditions_size() == 1 ? " condition" : " conditions"));
    return WatchAndReport(session_, evaluation.name(), options_.results, gates_);
  }

  absl::Status Stream() {
    v1::EvaluateRequest::Start start;
    start.set_model(model_);
    for (const std::string& condition : options_.conditions) start.add_conditions(condition);
    start.set_seed(options_.seed);
    start.set_evaluation_id(options_.id);
    start.set_allow_missing_classes(options_.data.allow_missing_classes);
    start.set_keep_adversarials(!options_.results.adversarials_path.empty());
    start.set_keep_probabilities(options_.keep_probabilities);
    start.set_keep_features(options_.keep_features);
    start.set_no_cache(options_.no_cache);
    start.set_pin_numerics(options_.pin_numerics);
    SetLabels(labels_, start.mutable_labels());
    SetUrgency(&start);
    std::string name;
    bool sent = false;
    client::StreamListener listener;
    ShowEvents(session_, &listener);
    listener.on_accepted = [&](const v1::Evaluation& evaluation) {
      name = evaluation.name();
      session_.Say(absl::StrCat(name, ": accepted"));
      session_.progress().Begin();
    };
    listener.on_acknowledged = [&](int64_t done, int64_t total) { sent = done >= total; };
    const auto end =
        client_->Evaluate(std::move(start), *reader_, options_.data.limit, listener, Metadata());
    session_.progress().Clear();
    SayNotes(session_, *reader_);
    if (end.ok()) {
      return WriteEnd(session_, end->evaluation(), options_.results, gates_);
    }
    if (!session_.interrupt().triggered() || name.empty() || options_.local) return end.status();
    // With all of its data there, the evaluation can go on without us; otherwise nobody else could
    // finish it.
    if (sent) return WatchAndReport(session_, name, options_.results, gates_);
    ASSAY_RETURN_IF_ERROR(Cancel(name));
    return Error(Reason::kCancelled, absl::StrCat(name, " was cancelled while its data was sent"));
  }

  // Of an EvaluationSpec, or the start of a stream.
  template <typename Message>
  void SetUrgency(Message* message) const {
    message->set_priority(PriorityOf(options_.priority).value_or(v1::PRIORITY_UNSPECIFIED));
    if (deadline_seconds_ > 0) message->mutable_deadline()->set_seconds(deadline_seconds_);
  }

  // The session's own client is interrupted for good.
  absl::Status Cancel(const std::string& name) {
    const client::Interrupt::Ending ending(session_.interrupt());
    client::ClientOptions options;
    options.address = session_.address();
    ASSAY_ASSIGN_OR_RETURN(const auto other, client::Client::Connect(options));
    return other->CancelEvaluation(name).status();
  }

  // Null: there is none.
  const MetadataTable* Metadata() const { return metadata_.has_value() ? &*metadata_ : nullptr; }

  Session& session_;
  const CLI::App& command_;
  EvaluateOptions options_;
  const bool server_model_;
  const bool server_data_;
  client::Client* client_ = nullptr;
  Gates gates_;
  Labels labels_;
  v1::ModelInterface interface_;
  int64_t deadline_seconds_ = 0;  // 0: none
  std::string model_;
  // The files' reader; null for a dataset of the server, and for a ready-made set.
  std::unique_ptr<client::DatasetReader> reader_;
  // Of the samples that are used of the files.
  std::optional<MetadataTable> metadata_;
  // Of a ready-made set; empty for other data.
  std::vector<client::ReadyMadeBlock> blocks_;
};

}  // namespace

CommandRun Evaluate(Leaf& leaf) {
  const auto options = std::make_shared<EvaluateOptions>();
  leaf.Add("-m,--model", &options->model, absl::StrCat(kModelFile, ", or models/ID of the server"))
      .Required()
      .TypeName("FILE|models/ID");
  leaf.Add("-d,--data", &options->data.paths,
           "File or folder of images (several CIFAR files are joined), datasets/ID, or "
           "the folder of a ready-made set (CIFAR-10-C, ImageNet-C)")
      .Required()
      .TypeName("FILE|datasets/ID");
  leaf.Add("-c,--condition", &options->conditions,
           "Conditions, for example clean attack/pgd:norm=linf,eps=8/255")
      .TypeName("CONDITION");
  std::vector<std::string> suites;
  for (const SuiteHelp& suite : AllSuites()) suites.push_back(suite.name);
  leaf.Add("--suite", &options->suites, "Sets of conditions, beside those of -c").OneOf(suites);
  leaf.Add("--other-model", &options->other_models,
           "Models that conditions name (surrogates=ID, ensemble=ID), to be uploaded")
      .TypeName("ID=FILE");
  options->interface.AddTo(leaf);
  options->data.AddTo(leaf);
  options->metadata.AddTo(leaf);
  leaf.Add("--clean-data", &options->clean_data,
           "With a ready-made set: its images without corruption, for the relative error")
      .TypeName("FILE");
  leaf.Add("--seed", &options->seed, "Seed of every random draw (default 0)");
  leaf.Add("--id", &options->id, "Id of the evaluation (default: chosen)");
  options->labels.AddTo(leaf, LabelUse::kStored, "the evaluation");
  const Option task_samples =
      leaf.Add("--task-samples", &options->task_samples,
               "Samples of one task (default: chosen; outcomes do not depend on it)")
          .Positive();
  leaf.Add("--priority", &options->priority,
           "Before others or after them in the queue (default normal)")
      .OneOf(PriorityNames());
  leaf.Add("--deadline", &options->deadline,
           "End when this much time is over, with the report of what is done by then: 90s, 2h, 1d")
      .TypeName("TIME");
  leaf.Add("--no-cache", &options->no_cache,
           "Compute every outcome, even where the server has it from an earlier evaluation");
  leaf.Add("--pin-numerics", &options->pin_numerics,
           "Run on devices of one kind alone, as fingerprints name it: cpu, 'NVIDIA H200'")
      .TypeName("KIND");
  ResultOptions& results = options->results;
  results.AddTo(leaf);
  results.AddOutcomesTo(leaf);
  leaf.Add("--keep-adversarials", &results.adversarials_path,
           "Keep the adversarial examples, and write them as NPY into this directory")
      .TypeName("DIR");
  leaf.Add("--keep-probabilities", &options->keep_probabilities,
           "Keep the softmax of every sample under clean, corruption and attack conditions");
  leaf.Add("--keep-features", &options->keep_features,
           "Likewise what this layer answers: penultimate, or a name that model show has")
      .TypeName("LAYER");
  leaf.Add("--vectors", &results.vectors_path,
           "Write what these two keep as NPY into this directory")
      .TypeName("DIR");
  leaf.Add("-f,--file", &options->file,
           "Take what is not given here from this YAML file, whose keys are these options")
      .TypeName("FILE");
  leaf.Add("--save", &options->save, "Write such a file of all that was given").TypeName("FILE");
  leaf.Add(kStopWhenDecided, &options->stop_when_decided,
           "Draw samples in a random order, and end as soon as every --require is decided");
  Option stream =
      leaf.Add("--stream", &options->stream, "Work on samples while the rest is still being sent");
  const Option detach =
      leaf.Add("--detach", &options->detach, "Do not wait: print the evaluation's name");
  Option local = leaf.Add("--local", &options->local, "Start a private server for this call");
  LocalServerOptions& server = options->server;
  leaf.Add("--data-dir", &server.data_dir,
           "Data directory of the private server (default: temporary)")
      .Needs(local)
      .TypeName("DIR");
  leaf.Add("--batch-size", &server.batch_size,
           "Images in a model pass of the private server: at most on a CPU, exactly on a GPU; "
           "0: chosen for each model")
      .Needs(local)
      .From(0, 65536);
  leaf.Add("--threads", &server.threads, "CPU cores that the private server uses; 0: all")
      .Needs(local)
      .From(0, 1024);
  leaf.Add("--frost-directory", &server.frost_directory,
           "Photographs for corruption/frost, given to the private server")
      .Needs(local)
      .TypeName("DIR");
  local.Excludes(detach).Excludes(leaf.Common("--server"));
  stream.Excludes(detach).Excludes(task_samples);
  leaf.Footer(
      absl::StrCat(kOrderOfClasses,
                   "Example: assay evaluate --local -m resnet.pt -d test_batch.bin -c clean "
                   "attack/pgd:norm=linf,eps=8/255\nServer, format, quiet: see assay "
                   "--help."));
  return [options, &command = leaf.app()](Session& session) {
    return Evaluation(session, command, *options).Run();
  };
}

}  // namespace assay::cli
