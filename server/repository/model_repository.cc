#include "server/repository/model_repository.h"

#include <algorithm>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/digest.h"
#include "core/base/durable_file.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "core/models/model_file.h"
#include "core/report/gate_scope.h"
#include "server/api/evaluation_commands.h"
#include "server/api/timestamps.h"
#include "server/repository/import_model.h"
#include "server/repository/trigger_file.h"
#include "server/repository/triton_config.h"

namespace assay::repository {
namespace {

constexpr int64_t kMostOptionsBytes = 64 << 10;
constexpr int kMostItems = 1000;
constexpr int kMostPage = 1000;
constexpr int kUsualPage = 100;
// Evaluations that are judged at the start, the newest; the gauges have no room for more.
constexpr size_t kMostJudgedAtStart = monitoring::Metrics::kMaxReports;
constexpr char kPresent[] = "present";
constexpr char kRemoved[] = "removed";
constexpr char kNew[] = "new";
constexpr char kExisting[] = "existing";

using Item = v1::SyncModelRepositoryResponse::Item;

std::string LabelOf(const v1::Model& model, const std::string& key) {
  const auto found = model.labels().find(key);
  return found == model.labels().end() ? "" : found->second;
}

// The stamp of everything that a version is read from.
std::string StampOf(const FoundVersion& found) {
  return absl::StrCat(found.file, " ", found.stamp.ToString(), " ", found.options_file, " ",
                      found.options_file.empty() ? "" : found.options_stamp.ToString());
}

std::string Short(const std::string& digest) { return digest.substr(0, 12); }

// Of an error, without the field that is named before it.
std::string Text(const absl::Status& status) { return PublicText(status); }

void AddItem(Item::Outcome outcome, const std::string& path, const std::string& model,
             const std::string& reason, v1::SyncModelRepositoryResponse* response) {
  if (response->items_size() >= kMostItems) return;
  Item& item = *response->add_items();
  item.set_path(path);
  item.set_outcome(outcome);
  item.set_model(model);
  item.set_reason(reason);
}

// Whether a request for what the file is was met by something that another look may not find so.
bool IsPassing(const absl::Status& status) {
  const std::optional<Reason> reason = ReasonOf(status);
  return reason != Reason::kInvalidModel && reason != Reason::kInvalidArgument &&
         reason != Reason::kTooLarge;
}

}  // namespace

ModelRepository::ModelRepository(const RepositoryOptions& options, const FileTree& tree,
                                 api::Context& context)
    : options_(options),
      tree_(tree),
      context_(context),
      scanner_(tree, context.clock),
      looked_before_(LookedBefore()) {}

bool ModelRepository::LookedBefore() const {
  std::ifstream file(options_.marker_file);
  std::string line;
  return std::getline(file, line) && line == options_.directory;
}

absl::Status ModelRepository::RememberLook() const {
  return WriteDurably(options_.marker_file, options_.directory + "\n");
}

absl::Status ModelRepository::CheckTrigger() {
  if (!options_.trigger.has_value()) return absl::OkStatus();
  const v1::EvaluationSpec& spec = options_.trigger->spec;
  ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset, context_.catalog.GetDataset(spec.dataset()));
  if (spec.limit() > dataset.samples()) {
    return InvalidFields({{"limit", absl::StrCat("must be at most the ", dataset.samples(),
                                                 " samples of ", dataset.name())}});
  }
  if (absl::StartsWith(options_.trigger->baseline, kEvaluations)) {
    return context_.evaluations.GetEvaluation(options_.trigger->baseline).status();
  }
  return absl::OkStatus();
}

// --- looking

absl::StatusOr<ModelRepository::Stored> ModelRepository::StoredVersions() {
  Stored stored;
  store::Page page;
  page.size = kMostPage;
  do {
    ASSAY_ASSIGN_OR_RETURN(auto listing, context_.catalog.ListModels(page, {{kModelLabel, ""}}));
    for (v1::Model& model : listing.records) {
      Key key(LabelOf(model, kModelLabel), 0);
      // Labels are anybody's; names are what versions are known by.
      if (!absl::SimpleAtoi(LabelOf(model, kVersionLabel), &key.second) ||
          model.name() != ResourceName(kModels, VersionId(key.first, key.second))) {
        continue;
      }
      stored[std::move(key)] = std::move(model);
    }
    page.token = listing.next_token;
  } while (!page.token.empty());
  return stored;
}

absl::StatusOr<v1::SyncModelRepositoryResponse> ModelRepository::Look() {
  ASSAY_RETURN_IF_ERROR(context_.CheckTakesWork());
  auto scan = scanner_.Look();
  if (!scan.ok()) {
    const std::string text =
        absl::StrCat("the model repository cannot be read: ", scan.status().message());
    {
      MutexLock lock(mutex_);
      unreadable_ = true;
    }
    ShowMetrics();
    return WithMessage(scan.status(), text);
  }
  ASSAY_ASSIGN_OR_RETURN(Stored stored, StoredVersions());
  const bool first = !looked_before_;
  v1::SyncModelRepositoryResponse response;
  std::set<std::string> told;
  const auto tell = [&](const std::string& path, const std::string& reason) {
    std::string text = absl::StrCat("model repository: ", path, " ", reason);
    if (told_.count(text) == 0) LogWarning(text);
    told.insert(std::move(text));
  };
  for (const Problem& problem : scan->problems) {
    tell(problem.path, problem.reason);
    AddItem(Item::FAILED, problem.path, "", problem.reason, &response);
  }
  response.set_failed(static_cast<int32_t>(scan->problems.size()));
  std::vector<Key> keys;
  for (const FoundVersion& found : scan->versions) {
    ASSAY_RETURN_IF_ERROR(context_.CheckTakesWork());
    const Key key(found.model, found.version);
    Version version;
    {
      MutexLock lock(mutex_);
      const auto before = versions_.find(key);
      if (before != versions_.end()) version = before->second;
    }
    Take(found, first, &stored, &version, &response);
    if (version.state != Version::State::kCopying && !version.reason.empty()) {
      tell(found.path(), version.reason);
    }
    keys.push_back(key);
    MutexLock lock(mutex_);
    versions_[key] = std::move(version);
  }
  MarkRemoved(*scan, &stored, &response);
  if (first) {
    ASSAY_RETURN_IF_ERROR(RememberLook());
    looked_before_ = true;
  }
  {
    MutexLock lock(mutex_);
    for (auto it = versions_.begin(); it != versions_.end();) {
      it = std::binary_search(keys.begin(), keys.end(), it->first) ? std::next(it)
                                                                   : versions_.erase(it);
    }
    problems_ = static_cast<int64_t>(scan->problems.size());
    unreadable_ = false;
    look_micros_ = context_.clock.NowMicros();
  }
  told_ = std::move(told);
  StartEvaluations(keys, &stored);
  response.set_found(static_cast<int32_t>(scan->versions.size()));
  ShowMetrics();
  return response;
}

void ModelRepository::Take(const FoundVersion& found, bool first, Stored* stored, Version* version,
                           v1::SyncModelRepositoryResponse* response) {
  const Key key(found.model, found.version);
  const bool was_stored = stored->count(key) > 0;
  version->found = found;
  bool created = false;
  if (found.state == FoundVersion::State::kCopying) {
    *version = {found, Version::State::kCopying, found.reason, "", "", ""};
  } else if (found.state == FoundVersion::State::kRefused) {
    *version = {found, Version::State::kFailed, found.reason, "", "", ""};
  } else if (const std::string stamp = StampOf(found);
             version->stamp != stamp ||
             // Deleted at the server while its file is here.
             (version->state != Version::State::kFailed && !was_stored)) {
    version->stamp = stamp;
    version->reason.clear();
    version->digest.clear();
    const absl::Status read = Read(found, first, stored, version, &created);
    if (!read.ok()) {
      version->state = Version::State::kFailed;
      version->reason = Text(read);
      api::LogIfInternal(read);
      if (IsPassing(read)) version->stamp.clear();
      // Somebody writes to it.
      if (ReasonOf(read) == Reason::kUnavailable) version->state = Version::State::kCopying;
    }
  }
  const auto model = stored->find(key);
  const std::string name = model == stored->end() ? "" : model->second.name();
  if (!name.empty() && LabelOf(model->second, kStateLabel) == kRemoved) {
    const Labels back = {{kStateLabel, kPresent}};
    if (context_.catalog.SetModelLabels(name, back).ok()) {
      (*model->second.mutable_labels())[kStateLabel] = kPresent;
      LogInfo(absl::StrCat("model repository: ", found.path(), " is back: ", name));
    }
  }
  switch (version->state) {
    case Version::State::kStored:
      if (created) {
        response->set_created(response->created() + 1);
        AddItem(Item::CREATED, found.path(), name, "", response);
        LogInfo(absl::StrCat("model repository: ", found.path(), " is ", name));
      } else if (!version->reason.empty()) {
        response->set_changed(response->changed() + 1);
        AddItem(Item::CHANGED, found.path(), name, version->reason, response);
      }
      break;
    case Version::State::kChanged:
      response->set_changed(response->changed() + 1);
      AddItem(Item::CHANGED, found.path(), name, version->reason, response);
      break;
    case Version::State::kCopying:
      response->set_copying(response->copying() + 1);
      AddItem(Item::COPYING, found.path(), name, version->reason, response);
      break;
    case Version::State::kFailed:
      response->set_failed(response->failed() + 1);
      AddItem(Item::FAILED, found.path(), name, version->reason, response);
      break;
  }
}

absl::Status ModelRepository::Read(const FoundVersion& found, bool first, Stored* stored,
                                   Version* version, bool* created) {
  const Key key(found.model, found.version);
  if (const auto model = stored->find(key); model != stored->end()) {
    return Compare(found, model->second, version);
  }
  std::string trailer;
  if (!found.options_file.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const std::string text,
                           ReadSmallFile(tree_, found.options_file, kMostOptionsBytes));
    ASSAY_ASSIGN_OR_RETURN(const v1::ModelInterface interface,
                           ReadModelOptions(text, found.options_file));
    trailer = InterfaceTrailer(interface);
  }
  const auto cancelled = [this] { return context_.draining.load(); };
  ASSAY_ASSIGN_OR_RETURN(const ModelSource source, ModelSource::Open(tree_, found));
  ASSAY_RETURN_IF_ERROR(source.Check(trailer));
  v1::Model model;
  model.set_name(ResourceName(kModels, VersionId(found.model, found.version)));
  const std::string holder = absl::StrCat("repository ", model.name());
  ASSAY_ASSIGN_OR_RETURN(version->digest, source.Digest(trailer, cancelled));
  const std::string& digest = version->digest;
  if (const auto taken = context_.catalog.GetModel(model.name());
      taken.ok() && taken->digest() != digest) {
    return Error(Reason::kAlreadyExists,
                 absl::StrCat("cannot become ", model.name(),
                              ", which has been uploaded with other content; delete it, or use "
                              "another name or version"));
  }
  ASSAY_RETURN_IF_ERROR(source.Store(trailer, digest, context_.blobs, holder, cancelled));
  // Of the stored bytes, which nobody changes.
  ASSAY_ASSIGN_OR_RETURN(const store::LocalBlob file, context_.blobs.Fetch(digest, cancelled));
  ASSAY_RETURN_IF_ERROR(CheckModelFile(file.path()));
  ASSAY_ASSIGN_OR_RETURN(const int64_t size, context_.blobs.Size(digest));
  model.set_digest(digest);
  model.set_size_bytes(size);
  auto& labels = *model.mutable_labels();
  labels[kModelLabel] = found.model;
  labels[kVersionLabel] = absl::StrCat(found.version);
  labels[kStateLabel] = kPresent;
  labels[kEvaluatedLabel] = first || !options_.trigger.has_value() ? kExisting : kNew;
  ASSAY_ASSIGN_OR_RETURN((*stored)[key], context_.catalog.CreateModel(model, ""));
  context_.blobs.Settle({digest}, holder);
  version->state = Version::State::kStored;
  *created = true;
  return absl::OkStatus();
}

absl::Status ModelRepository::Compare(const FoundVersion& found, const v1::Model& model,
                                      Version* version) {
  const auto cancelled = [this] { return context_.draining.load(); };
  ASSAY_ASSIGN_OR_RETURN(const ModelSource source, ModelSource::Open(tree_, found));
  // The file with the interface that was stored: what assay.yaml says now is compared apart.
  ASSAY_ASSIGN_OR_RETURN(const store::LocalBlob stored,
                         context_.blobs.Fetch(model.digest(), cancelled));
  ASSAY_ASSIGN_OR_RETURN(const ModelFile before, ReadModelFile(stored.path()));
  const std::string trailer = InterfaceTrailer(before.interface);
  ASSAY_ASSIGN_OR_RETURN(const std::string with_trailer, source.Digest(trailer, cancelled));
  std::string plain = with_trailer;
  if (with_trailer != model.digest() && !trailer.empty()) {
    // A file that carries its interface itself.
    ASSAY_ASSIGN_OR_RETURN(plain, source.Digest("", cancelled));
  }
  if (with_trailer != model.digest() && plain != model.digest()) {
    version->state = Version::State::kChanged;
    version->digest = plain;
    version->reason = absl::StrCat(
        "is not the file that ", model.name(), " was stored from (SHA-256 ", Short(model.digest()),
        "..., now ", Short(plain),
        "...). A version is one content, so it is not taken: copy it as the next version, or "
        "delete ",
        model.name(), " first to have it replaced");
    return absl::OkStatus();
  }
  version->state = Version::State::kStored;
  version->digest = model.digest();
  if (plain == model.digest() && with_trailer != model.digest()) return absl::OkStatus();
  std::string now;
  if (!found.options_file.empty()) {
    const auto text = ReadSmallFile(tree_, found.options_file, kMostOptionsBytes);
    const auto interface = text.ok() ? ReadModelOptions(*text, found.options_file) : text.status();
    if (!interface.ok()) {
      version->reason =
          absl::StrCat("keeps the options that it was stored with: ", Text(interface.status()));
      return absl::OkStatus();
    }
    now = InterfaceTrailer(*interface);
  }
  // A file with an interface of its own and no assay.yaml.
  const bool carries = found.options_file.empty() && source.size() == model.size_bytes();
  if (now != trailer && !carries) {
    version->reason = absl::StrCat(
        "keeps the options that it was stored with, and assay.yaml says something else now; copy "
        "it as the next version to have it evaluated with these");
  }
  return absl::OkStatus();
}

void ModelRepository::MarkRemoved(const Scan& scan, Stored* stored,
                                  v1::SyncModelRepositoryResponse* response) {
  std::set<Key> there;
  for (const FoundVersion& found : scan.versions) there.insert({found.model, found.version});
  int64_t removed = 0;
  for (auto& [key, model] : *stored) {
    if (there.count(key) > 0 || scan.unread.count(key.first) > 0 || scan.truncated) continue;
    ++removed;
    if (LabelOf(model, kStateLabel) == kRemoved) continue;
    const absl::Status marked =
        context_.catalog.SetModelLabels(model.name(), {{kStateLabel, kRemoved}});
    if (!marked.ok()) continue;
    (*model.mutable_labels())[kStateLabel] = kRemoved;
    const std::string path = absl::StrCat(key.first, "/", key.second);
    response->set_removed(response->removed() + 1);
    AddItem(Item::REMOVED, path, model.name(), "", response);
    LogInfo(absl::StrCat("model repository: ", path, " has been removed; ", model.name(),
                         " and its results stay"));
  }
  MutexLock lock(mutex_);
  removed_ = removed;
}

// --- evaluations

void ModelRepository::StartEvaluations(const std::vector<Key>& keys, Stored* stored) {
  if (!options_.trigger.has_value()) return;
  const std::string trigger = ShortDigest(*options_.trigger);
  for (const Key& key : keys) {
    const auto model = stored->find(key);
    if (model == stored->end()) continue;
    const std::string evaluated = LabelOf(model->second, kEvaluatedLabel);
    const bool due = evaluated == kNew || (options_.evaluate_existing && evaluated != trigger);
    std::string reason;
    if (due) {
      Version version;
      {
        MutexLock lock(mutex_);
        version = versions_[key];
      }
      const auto started = StartEvaluation(key, model->second, version);
      if (started.ok()) {
        const absl::Status kept =
            context_.catalog.SetModelLabels(model->second.name(), {{kEvaluatedLabel, trigger}});
        // Then the next look finds the same evaluation by its request id.
        if (!kept.ok()) LogWarning(kept.message());
      } else {
        reason = absl::StrCat("no evaluation was started: ", Text(started.status()));
        api::LogIfInternal(started.status());
        if (version.evaluation_reason != reason) {
          LogError(absl::StrCat("model repository: ", model->second.name(), ": ", reason,
                                "; it is tried again at every look"));
        }
      }
    }
    MutexLock lock(mutex_);
    versions_[key].evaluation_reason = reason;
  }
}

absl::StatusOr<std::string> ModelRepository::StartEvaluation(const Key& key, const v1::Model& model,
                                                             const Version& version) {
  const Trigger& trigger = *options_.trigger;
  v1::CreateEvaluationRequest request;
  request.set_request_id(Sha256Hex(absl::StrCat("model repository\n", model.name(), "\n",
                                                model.digest(), "\n", trigger.digest)));
  if (const auto there = context_.evaluations.FindCreatedEvaluation(request.request_id());
      there.ok() && there->has_value()) {
    return (*there)->proto.name();
  }
  v1::EvaluationSpec& spec = *request.mutable_spec();
  spec = trigger.spec;
  spec.set_model(model.name());
  ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset, context_.catalog.GetDataset(spec.dataset()));
  if (!version.found.config_file.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const auto named, ReadNamedClasses(tree_, version.found.config_file));
    for (const NamedClasses& classes : named) {
      ASSAY_RETURN_IF_ERROR(CheckNamedClasses(classes, dataset));
    }
  }
  report::GateScope scope;
  ASSAY_ASSIGN_OR_RETURN(const auto conditions,
                         ParseConditions({spec.conditions().begin(), spec.conditions().end()}));
  scope.conditions = report::ScopeOf(conditions);
  if (!spec.allow_missing_classes()) {
    scope.class_names = {dataset.manifest().class_names().begin(),
                         dataset.manifest().class_names().end()};
  }
  for (const report::GateExpression& gate : trigger.gates) {
    const absl::Status status = report::CheckGate(gate, scope);
    if (!status.ok()) {
      return WithMessage(status, absl::StrCat("'", gate.text, "': ", status.message()));
    }
  }
  std::string baseline = trigger.baseline;
  if (baseline == kPrevious) {
    ASSAY_ASSIGN_OR_RETURN(baseline, PreviousEvaluation(key));
  } else if (!baseline.empty()) {
    ASSAY_RETURN_IF_ERROR(context_.evaluations.GetEvaluation(baseline).status());
  }
  for (const auto& [label, value] : EvaluationLabels(trigger, key.first, key.second, baseline)) {
    (*spec.mutable_labels())[label] = value;
  }
  const std::string id =
      absl::StrCat(VersionId(key.first, key.second), "-", trigger.digest.substr(0, 6));
  if (IsValidId(id)) request.set_evaluation_id(id);
  auto created = api::CreateEvaluation(context_, request);
  if (ReasonOf(created.status()) == Reason::kAlreadyExists) {
    // Somebody else's. Any other name does.
    request.clear_evaluation_id();
    created = api::CreateEvaluation(context_, request);
  }
  ASSAY_RETURN_IF_ERROR(created.status());
  LogInfo(absl::StrCat("model repository: ", model.name(), " is evaluated: ", created->proto.name(),
                       baseline.empty() ? "" : absl::StrCat(", against ", baseline)));
  return created->proto.name();
}

absl::StatusOr<std::optional<store::EvaluationRecord>> ModelRepository::LatestEvaluation(
    const std::string& model, const std::string& dataset) {
  store::EvaluationFilter filter;
  filter.model = model;
  filter.dataset = dataset;
  filter.labels = {{kTriggerLabel, ""}};
  store::Page page;
  page.size = 1;
  ASSAY_ASSIGN_OR_RETURN(auto listing, context_.evaluations.ListEvaluations(page, filter));
  if (listing.records.empty()) return std::nullopt;
  return std::optional<store::EvaluationRecord>(std::move(listing.records[0]));
}

absl::StatusOr<std::string> ModelRepository::PreviousEvaluation(const Key& key) {
  ASSAY_ASSIGN_OR_RETURN(const Stored stored, StoredVersions());
  for (auto it = stored.lower_bound(key); it != stored.begin();) {
    --it;
    if (it->first.first != key.first) break;
    ASSAY_ASSIGN_OR_RETURN(const auto latest,
                           LatestEvaluation(it->second.name(), options_.trigger->spec.dataset()));
    // One that failed is no baseline, and the version before it is one.
    if (latest.has_value() && latest->proto.state() <= v1::Evaluation::SUCCEEDED) {
      return latest->proto.name();
    }
  }
  return std::string();
}

// --- gates

void ModelRepository::JudgeEnded() {
  const auto counts = context_.evaluations.CountEvaluations();
  if (!counts.ok()) return;
  const bool at_start = succeeded_ < 0;
  const auto found = counts->find("SUCCEEDED");
  const int64_t succeeded = found == counts->end() ? 0 : found->second;
  // New ones come first in the list, but an old one may succeed late: its success shows in the
  // count.
  const bool all = succeeded != succeeded_;
  succeeded_ = succeeded;
  store::EvaluationFilter filter;
  filter.labels = {{kTriggerLabel, ""}};
  filter.states = {v1::Evaluation::SUCCEEDED};
  store::Page page;
  size_t judged = 0;
  std::set<std::string> waiting;
  do {
    const auto listing = context_.evaluations.ListEvaluations(page, filter);
    if (!listing.ok()) {
      LogWarning(absl::StrCat("cannot list evaluations for gates: ", listing.status().message()));
      succeeded_ = -1;
      return;
    }
    for (const store::EvaluationRecord& record : listing->records) {
      if (context_.draining) return;
      const auto key = std::make_pair(record.proto.name(), api::ToMicros(record.proto.end_time()));
      if (judged_.count(key) > 0) continue;
      const auto& labels = record.proto.spec().labels();
      if (!HasGates(record.proto) || labels.count(kModelLabel) == 0 ||
          labels.count(kVersionLabel) == 0 || (at_start && judged >= kMostJudgedAtStart)) {
        judged_.insert(key);
        continue;
      }
      ++judged;
      const absl::Status status = JudgeOne(record);
      MutexLock lock(mutex_);
      if (status.ok()) {
        gate_errors_.erase(record.proto.name());
        continue;
      }
      waiting.insert(record.proto.name());
      std::string& error = gate_errors_[record.proto.name()];
      if (error == status.message()) continue;
      error = std::string(status.message());
      LogError(absl::StrCat("cannot judge the gates of ", record.proto.name(), ": ", error));
    }
    page.token = listing->next_token;
  } while (all && !page.token.empty());
  {
    MutexLock lock(mutex_);
    for (auto it = gate_errors_.begin(); all && it != gate_errors_.end();) {
      it = waiting.count(it->first) > 0 ? std::next(it) : gate_errors_.erase(it);
    }
  }
  if (judged > 0) ShowMetrics();
}

absl::Status ModelRepository::JudgeOne(const store::EvaluationRecord& evaluation) {
  const v1::Evaluation& proto = evaluation.proto;
  ASSAY_ASSIGN_OR_RETURN(std::optional<Verdicts> verdicts, Judge(context_, evaluation));
  // Its baseline runs.
  if (!verdicts.has_value()) return absl::OkStatus();
  auto model = context_.catalog.GetModel(proto.spec().model());
  if (!model.ok() && ReasonOf(model.status()) != Reason::kNotFound) return model.status();
  const bool known = model.ok() && LabelOf(*model, kJudgedLabel) == proto.name();
  if (known) Remember(evaluation, *model, &*verdicts);
  monitoring::JudgedGates gauges;
  gauges.series = proto.spec().labels().at(kModelLabel);
  // Labels are anybody's.
  if (!absl::SimpleAtoi(proto.spec().labels().at(kVersionLabel), &gauges.version)) {
    return InvalidFields({{kVersionLabel, "must be a number"}});
  }
  gauges.evaluation = proto.name();
  gauges.model = proto.spec().model();
  gauges.dataset = proto.spec().dataset();
  gauges.end_time_micros = api::ToMicros(proto.end_time());
  std::vector<std::string> words;
  std::string lines;
  size_t holding = 0;
  for (const v1::RepositoryGate& gate : verdicts->gates) {
    gauges.gates.push_back({gate.expression(), gate.holds(), gate.verdict() == "undecided"});
    words.push_back(gate.verdict());
    holding += gate.holds() ? 1 : 0;
    if (!gate.holds()) absl::StrAppend(&lines, "; ", gate.text());
  }
  if (!known) {
    // Of the latest evaluation alone: an older one may end later.
    ASSAY_ASSIGN_OR_RETURN(const auto latest, LatestEvaluation(proto.spec().model(), ""));
    if (model.ok() && latest.has_value() && latest->proto.name() == proto.name()) {
      const absl::Status kept = context_.catalog.SetModelLabels(
          model->name(), {{kVerdictLabel, verdicts->overall},
                          {kVerdictsLabel, absl::StrJoin(words, ",")},
                          {kJudgedLabel, proto.name()}});
      if (!kept.ok() && ReasonOf(kept) != Reason::kNotFound) return kept;
    }
    const std::string line = absl::StrCat(
        "gates of ", proto.name(), " (", proto.spec().model(), " on ", proto.spec().dataset(),
        verdicts->baseline.empty() ? "" : absl::StrCat(", against ", verdicts->baseline),
        "): ", verdicts->overall, ", ", holding, " of ", verdicts->gates.size(), " hold", lines);
    verdicts->overall == "passed" ? LogInfo(line) : LogWarning(line);
  }
  context_.metrics.PublishGates(gauges);
  // Deleted meanwhile: its withdrawal may have come too early.
  if (absl::IsNotFound(context_.evaluations.GetEvaluation(proto.name()).status())) {
    context_.metrics.WithdrawReport(proto.name());
  }
  judged_.insert({proto.name(), gauges.end_time_micros});
  return absl::OkStatus();
}

void ModelRepository::Remember(const store::EvaluationRecord& evaluation, const v1::Model& model,
                               Verdicts* verdicts) {
  if (LabelOf(model, kJudgedLabel) != evaluation.proto.name()) return;
  const std::vector<std::string> words = absl::StrSplit(LabelOf(model, kVerdictsLabel), ',');
  if (words.size() != verdicts->gates.size()) return;
  verdicts->overall = LabelOf(model, kVerdictLabel);
  for (size_t i = 0; i < words.size(); ++i) {
    v1::RepositoryGate& gate = verdicts->gates[i];
    if (gate.verdict() == words[i]) continue;
    // Its baseline has been deleted, or the server computes otherwise by now.
    gate.set_text(absl::StrCat(words[i], " ", gate.expression(),
                               ": as it was judged when the evaluation ended. Now: ", gate.text()));
    gate.set_holds(words[i] == "passed" || (words[i] == "undecided" && gate.holds()));
    gate.set_verdict(words[i]);
  }
}

// --- telling

void ModelRepository::ShowMetrics() {
  monitoring::RepositorySnapshot snapshot;
  MutexLock lock(mutex_);
  snapshot.versions["removed"] = removed_;
  for (const auto& [key, version] : versions_) {
    switch (version.state) {
      case Version::State::kStored:
        ++snapshot.versions["stored"];
        break;
      case Version::State::kChanged:
        ++snapshot.versions["changed"];
        break;
      case Version::State::kCopying:
        ++snapshot.versions["copying"];
        break;
      case Version::State::kFailed:
        ++snapshot.versions["failed"];
        break;
    }
    if (version.state == Version::State::kChanged || version.state == Version::State::kFailed) {
      ++snapshot.errors["file"];
    }
    if (!version.evaluation_reason.empty()) ++snapshot.errors["evaluation"];
  }
  snapshot.errors["directory"] = unreadable_ ? 1 : 0;
  snapshot.errors["name"] = problems_;
  snapshot.errors["gate"] = static_cast<int64_t>(gate_errors_.size());
  snapshot.look_micros = look_micros_;
  context_.metrics.SetRepository(snapshot);
}

absl::StatusOr<v1::ListRepositoryModelsResponse> ModelRepository::List(
    const v1::ListRepositoryModelsRequest& request) {
  ASSAY_ASSIGN_OR_RETURN(const Stored stored, StoredVersions());
  std::set<Key> keys;
  for (const auto& [key, model] : stored) keys.insert(key);
  {
    MutexLock lock(mutex_);
    for (const auto& [key, version] : versions_) keys.insert(key);
  }
  // Where the page before ended: "resnet/3".
  Key after;
  if (!request.page_token().empty()) {
    const size_t slash = request.page_token().rfind('/');
    if (slash == std::string::npos ||
        !absl::SimpleAtoi(request.page_token().substr(slash + 1), &after.second)) {
      return InvalidFields({{"page_token", "must be one that a call before returned"}});
    }
    after.first = request.page_token().substr(0, slash);
  }
  if (request.page_size() < 0) return InvalidFields({{"page_size", "must not be negative"}});
  const int size = request.page_size() == 0 ? kUsualPage : std::min(request.page_size(), kMostPage);
  v1::ListRepositoryModelsResponse response;
  for (auto it = keys.upper_bound(after); it != keys.end(); ++it) {
    if (!request.model().empty() && it->first != request.model()) continue;
    if (response.versions_size() == size) {
      const v1::RepositoryVersion& last = response.versions(size - 1);
      response.set_next_page_token(absl::StrCat(last.model(), "/", last.version()));
      break;
    }
    const auto model = stored.find(*it);
    Describe(*it, model == stored.end() ? nullptr : &model->second, !request.model().empty(),
             response.add_versions());
  }
  if (!request.model().empty() && keys.lower_bound({request.model(), 0}) != keys.end() &&
      keys.lower_bound({request.model(), 0})->first == request.model()) {
    return response;
  }
  if (request.model().empty()) return response;
  std::set<std::string> names;
  for (const Key& key : keys) names.insert(key.first);
  const std::string nearest = Nearest(request.model(), {names.begin(), names.end()});
  return Error(Reason::kNotFound,
               absl::StrCat("the model repository has no model '", request.model(), "'",
                            nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?")))
      .Resource("repository models", request.model());
}

void ModelRepository::Describe(const Key& key, const v1::Model* model, bool details,
                               v1::RepositoryVersion* shown) {
  shown->set_model(key.first);
  shown->set_version(key.second);
  if (model != nullptr) {
    v1::Model described = *model;
    context_.registry.DescribeState(&described);
    shown->set_name(model->name());
    shown->set_state(described.state());
    shown->set_state_reason(described.state_reason());
    shown->set_removed(LabelOf(*model, kStateLabel) == kRemoved);
    shown->set_digest(model->digest());
    *shown->mutable_create_time() = model->create_time();
    if (LabelOf(*model, kEvaluatedLabel) == kExisting && options_.trigger.has_value() &&
        !options_.evaluate_existing) {
      shown->set_evaluation_reason(
          "it was there before new versions were evaluated; --evaluate-existing evaluates it");
    }
  }
  {
    MutexLock lock(mutex_);
    const auto found = versions_.find(key);
    if (found != versions_.end()) {
      const Version& version = found->second;
      shown->set_removed(false);
      shown->set_path(version.found.path());
      if (version.state == Version::State::kCopying && model == nullptr) {
        shown->set_state(v1::Model::LOADING);
      } else if (version.state == Version::State::kFailed ||
                 version.state == Version::State::kChanged) {
        shown->set_state(v1::Model::UNAVAILABLE);
      }
      if (!version.reason.empty()) shown->set_state_reason(version.reason);
      if (!version.evaluation_reason.empty()) {
        shown->set_evaluation_reason(version.evaluation_reason);
      }
    }
  }
  if (model == nullptr) return;
  const auto latest = LatestEvaluation(model->name(), "");
  if (!latest.ok() || !latest->has_value()) return;
  const store::EvaluationRecord& record = **latest;
  shown->set_evaluation(record.proto.name());
  shown->set_evaluation_state(record.proto.state());
  shown->set_baseline(BaselineOf(record.proto));
  if (shown->evaluation_reason().empty() || LabelOf(*model, kEvaluatedLabel) == kExisting) {
    shown->set_evaluation_reason(record.proto.failure().message());
  }
  if (LabelOf(*model, kJudgedLabel) == record.proto.name()) {
    shown->set_verdict(LabelOf(*model, kVerdictLabel));
  }
  if (details) DescribeEvaluation(record, *model, shown);
}

void ModelRepository::DescribeEvaluation(const store::EvaluationRecord& record,
                                         const v1::Model& model, v1::RepositoryVersion* shown) {
  if (record.proto.state() != v1::Evaluation::SUCCEEDED) return;
  const auto report = context_.reports.Get(record);
  if (!report.ok()) {
    shown->set_evaluation_reason(Text(report.status()));
    return;
  }
  for (const v1::ConditionReport& condition : (*report)->conditions()) {
    v1::RepositoryVersion::Accuracy& accuracy = *shown->add_accuracies();
    accuracy.set_condition(condition.id());
    *accuracy.mutable_accuracy() = condition.accuracy();
  }
  if (!HasGates(record.proto)) return;
  auto verdicts = Judge(context_, record);
  if (!verdicts.ok()) {
    shown->set_evaluation_reason(
        absl::StrCat("its gates cannot be judged: ", Text(verdicts.status())));
    return;
  }
  // Its baseline runs.
  if (!verdicts->has_value()) return;
  Remember(record, model, &**verdicts);
  shown->set_verdict((*verdicts)->overall);
  for (const v1::RepositoryGate& gate : (*verdicts)->gates) *shown->add_gates() = gate;
}

}  // namespace assay::repository
