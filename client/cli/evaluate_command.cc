// `assay evaluate`: upload what is missing, create, wait, report; or all of it over one stream.
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/commands.h"
#include "client/cli/output_file.h"
#include "client/cli/ready_made_set.h"
#include "client/cli/reference_errors.h"
#include "client/data/byte_source.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {
namespace {

// Whether `text` names a resource of the server. A file of that path is meant first:
// "models/resnet.pt" is a fine path.
bool IsResource(const char* collection, const std::string& text) {
  absl::string_view id = text;
  std::error_code error;
  return absl::ConsumePrefix(&id, absl::StrCat(collection, "/")) && IsValidId(id) &&
         !std::filesystem::exists(text, error);
}

// "ID=FILE"; without '=' the id is empty.
std::pair<std::string, std::string> IdAndFile(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

class Evaluate {
 public:
  explicit Evaluate(Session& session)
      : session_(session),
        arguments_(session.arguments()),
        server_model_(IsResource(kModels, arguments_.model)),
        server_data_(arguments_.data.size() == 1 && IsResource(kDatasets, arguments_.data[0])) {}

  absl::Status Run() {
    // What can be wrong without a server comes first, then what the server can refuse before
    // anything is uploaded.
    ASSAY_RETURN_IF_ERROR(CheckLocally());
    ASSAY_ASSIGN_OR_RETURN(client_, session_.Client());
    const auto conditions = client_->ResolveConditions(arguments_.conditions);
    if (!conditions.ok()) return conditions.status();
    for (const std::string& other : arguments_.other_models) {
      const auto [id, path] = IdAndFile(other);
      ASSAY_RETURN_IF_ERROR(UploadModel(session_, path, id).status());
    }
    if (server_data_) {
      ASSAY_RETURN_IF_ERROR(client_->GetDataset(arguments_.data[0]).status());
    }
    if (server_model_) {
      ASSAY_RETURN_IF_ERROR(client_->GetModel(arguments_.model).status());
      model_ = arguments_.model;
    } else {
      ASSAY_ASSIGN_OR_RETURN(const v1::Model model, UploadModel(session_, arguments_.model, ""));
      model_ = model.name();
    }
    if (!blocks_.empty()) return EvaluateReadyMade(session_, model_, blocks_);
    return arguments_.stream ? Stream() : Submit();
  }

 private:
  absl::Status CheckLocally() {
    ASSAY_RETURN_IF_ERROR(CheckWritable("--report", arguments_.report_path));
    ASSAY_RETURN_IF_ERROR(CheckWritable("--outcomes", arguments_.outcomes_path));
    if (!arguments_.reference.empty()) {
      ASSAY_RETURN_IF_ERROR(ReadReferenceErrors(arguments_.reference).status());
    }
    if (!arguments_.id.empty() && !IsValidId(arguments_.id)) {
      return InvalidFields(
          {{"--id", absl::StrCat("must be ", kIdRule, "; got '", arguments_.id, "'")}});
    }
    for (const std::string& other : arguments_.other_models) {
      if (!IsValidId(IdAndFile(other).first)) {
        return InvalidFields({{"--other-model", absl::StrCat("must be ID=FILE, the ID ", kIdRule,
                                                             "; got '", other, "'")}});
      }
    }
    std::error_code error;
    if (!server_model_ && !std::filesystem::exists(arguments_.model, error)) {
      return Error(Reason::kUnreadableInput,
                   absl::StrCat("there is no file ", arguments_.model,
                                ", and it is no name of the form models/ID"));
    }
    // Before a private server is started for it.
    if (!server_model_) {
      ASSAY_RETURN_IF_ERROR(client::ByteSource::Open(arguments_.model).status());
    }
    for (const std::string& other : arguments_.other_models) {
      ASSAY_RETURN_IF_ERROR(client::ByteSource::Open(IdAndFile(other).second).status());
    }
    if (server_data_ && arguments_.stream) {
      return InvalidFields(
          {{"--stream", "needs files: the samples of a dataset are at the server already"}});
    }
    if (server_data_) {
      ASSAY_RETURN_IF_ERROR(CheckNoFileOptions());
      return CheckNoCleanData();
    }
    // With --format a folder of any names is what it is said to be.
    if (arguments_.data.size() == 1 && arguments_.data_format == "auto") {
      ASSAY_ASSIGN_OR_RETURN(blocks_, client::ReadyMadeBlocks(arguments_.data[0]));
      if (!blocks_.empty()) return CheckReadyMade(session_, blocks_);
    }
    ASSAY_RETURN_IF_ERROR(CheckNoCleanData());
    ASSAY_ASSIGN_OR_RETURN(reader_, OpenData(session_));
    return absl::OkStatus();
  }

  // Options on how files are read would be without effect, and the user would not know.
  absl::Status CheckNoFileOptions() const {
    std::vector<FieldViolation> violations;
    const auto refuse = [&](const std::string& value, const char* option) {
      if (value.empty()) return;
      violations.push_back({option, absl::StrCat("goes with files; ", arguments_.data[0],
                                                 " has labels and names of its own")});
    };
    refuse(arguments_.labels, "--labels");
    refuse(arguments_.classes, "--classes");
    return violations.empty() ? absl::OkStatus() : InvalidFields(std::move(violations));
  }

  absl::Status CheckNoCleanData() const {
    if (arguments_.clean_data.empty()) return absl::OkStatus();
    return InvalidFields({{"--clean-data",
                           "goes with the folder of a ready-made set (CIFAR-10-C, ImageNet-C); for "
                           "other data add the condition clean"}});
  }

  absl::Status Submit() {
    v1::EvaluationSpec spec;
    spec.set_model(model_);
    if (server_data_) {
      spec.set_dataset(arguments_.data[0]);
      spec.set_limit(arguments_.limit);
    } else {
      ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                             UploadDataset(session_, arguments_.data[0], *reader_, ""));
      spec.set_dataset(dataset.name());
    }
    for (const std::string& condition : arguments_.conditions) spec.add_conditions(condition);
    spec.set_seed(arguments_.seed);
    spec.set_task_samples(arguments_.task_samples);
    spec.set_allow_missing_classes(arguments_.allow_missing_classes);
    spec.set_keep_adversarials(!arguments_.adversarials_path.empty());
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation evaluation,
                           client_->CreateEvaluation(spec, arguments_.id));
    if (arguments_.detach) return session_.Print(evaluation.name() + "\n");
    session_.Say(absl::StrCat(evaluation.name(), ": ", evaluation.conditions_size(),
                              evaluation.conditions_size() == 1 ? " condition" : " conditions"));
    return WatchAndReport(session_, evaluation.name());
  }

  absl::Status Stream() {
    v1::EvaluateRequest::Start start;
    start.set_model(model_);
    for (const std::string& condition : arguments_.conditions) start.add_conditions(condition);
    start.set_seed(arguments_.seed);
    start.set_evaluation_id(arguments_.id);
    start.set_allow_missing_classes(arguments_.allow_missing_classes);
    start.set_keep_adversarials(!arguments_.adversarials_path.empty());
    std::string name;
    bool sent = false;
    client::StreamListener listener;
    listener.on_accepted = [&](const v1::Evaluation& evaluation) {
      name = evaluation.name();
      session_.Say(absl::StrCat(name, ": accepted"));
      session_.progress().Begin();
    };
    listener.on_acknowledged = [&](int64_t done, int64_t total) { sent = done >= total; };
    listener.on_event = [&](const v1::EvaluationEvent& event) {
      session_.progress().Update(PointOf(event.evaluation()));
    };
    listener.on_interruption = [&](const absl::Status& status) {
      session_.Say(absl::StrCat("the connection broke (", status.message(), "); trying again"));
    };
    const auto end = client_->Evaluate(std::move(start), *reader_, arguments_.limit, listener);
    session_.progress().Clear();
    SayNotes(session_, *reader_);
    if (end.ok()) {
      ASSAY_RETURN_IF_ERROR(client::EndStatus(end->evaluation()));
      return WriteResults(session_, end->evaluation());
    }
    if (!session_.interrupt().triggered() || name.empty() || arguments_.local) return end.status();
    // With all of its data there, the evaluation can go on without us; otherwise nobody else could
    // finish it.
    if (sent) return WatchAndReport(session_, name);
    ASSAY_RETURN_IF_ERROR(Cancel(name));
    return Error(Reason::kCancelled, absl::StrCat(name, " was cancelled while its data was sent"));
  }

  // The session's own client is interrupted for good.
  absl::Status Cancel(const std::string& name) {
    const client::Interrupt::Ending ending(session_.interrupt());
    client::ClientOptions options;
    options.address = session_.address();
    ASSAY_ASSIGN_OR_RETURN(const auto other, client::Client::Connect(options));
    return other->CancelEvaluation(name).status();
  }

  Session& session_;
  const Arguments& arguments_;
  const bool server_model_;
  const bool server_data_;
  client::Client* client_ = nullptr;
  std::string model_;
  // The files' reader; null for a dataset of the server, and for a ready-made set.
  std::unique_ptr<client::DatasetReader> reader_;
  // Of a ready-made set; empty for other data.
  std::vector<client::ReadyMadeBlock> blocks_;
};

}  // namespace

absl::Status RunEvaluate(Session& session) { return Evaluate(session).Run(); }

}  // namespace assay::cli
