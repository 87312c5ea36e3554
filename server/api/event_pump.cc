#include "server/api/event_pump.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/api/waiting_reason.h"

namespace assay::api {
namespace {

constexpr auto kReportInterval = std::chrono::seconds(1);
// A resume token is the revision that it saw.
constexpr char kTokenPrefix[] = "r";

absl::StatusOr<int64_t> ParseToken(absl::string_view token) {
  int64_t revision = -1;
  if (token.empty()) return revision;
  if (absl::ConsumePrefix(&token, kTokenPrefix) && absl::SimpleAtoi(token, &revision)) {
    return revision;
  }
  return InvalidFields({{"resume_token",
                         "not a token of an earlier event; leave it empty to start "
                         "with the current state"}});
}

// What tasks of this process have told since they renewed their leases, and what is stored of those
// of all: the one that is further.
void AddRunning(const scheduler::RunningProgress& running, store::EvaluationRecord* record) {
  v1::Evaluation& evaluation = record->proto;
  if (HasEnded(evaluation)) return;
  v1::Progress& progress = *evaluation.mutable_progress();
  progress.set_samples_done(
      std::min(progress.samples(),
               progress.samples_done() + std::max(running.samples_done, record->running_samples)));
  progress.set_work_done(std::min(
      progress.work(), progress.work_done() + std::max(running.work_done, record->running_work)));
  if (!running.condition.empty()) progress.set_current_condition(running.condition);
}

}  // namespace

bool HasEnded(const v1::Evaluation& evaluation) {
  return evaluation.state() == v1::Evaluation::SUCCEEDED ||
         evaluation.state() == v1::Evaluation::FAILED ||
         evaluation.state() == v1::Evaluation::CANCELLED;
}

// Running progress is asked for before what is stored: a task that is committed in between is then
// counted twice for a moment, and capped in AddRunning, rather than not at all.
absl::StatusOr<store::EvaluationRecord> CurrentEvaluation(Context& context,
                                                          const std::string& name) {
  const scheduler::RunningProgress running = context.hub.GetRunning(name);
  ASSAY_ASSIGN_OR_RETURN(auto record, context.evaluations.GetEvaluation(name));
  AddRunning(running, &record);
  SetWaitingReason(context, &record.proto);
  return record;
}

absl::StatusOr<store::Listing<store::EvaluationRecord>> CurrentEvaluations(
    Context& context, const store::Page& page, const store::EvaluationFilter& filter) {
  const auto running = context.hub.GetAllRunning();
  ASSAY_ASSIGN_OR_RETURN(auto listing, context.evaluations.ListEvaluations(page, filter));
  for (store::EvaluationRecord& record : listing.records) {
    const auto it = running.find(record.proto.name());
    AddRunning(it == running.end() ? scheduler::RunningProgress() : it->second, &record);
  }
  SetWaitingReasons(context, &listing.records);
  return listing;
}

EventPump::EventPump(Context& context, Deliver deliver)
    : context_(context), deliver_(std::move(deliver)) {}

std::shared_ptr<EventPump> EventPump::Create(Context& context, Deliver deliver) {
  return std::shared_ptr<EventPump>(new EventPump(context, std::move(deliver)));
}

absl::Status EventPump::Begin(const std::string& evaluation, const std::string& resume_token,
                              bool interim_reports) {
  ASSAY_ASSIGN_OR_RETURN(told_revision_, ParseToken(resume_token));
  ASSAY_RETURN_IF_ERROR(context_.evaluations.GetEvaluation(evaluation).status());
  resumed_ = told_revision_ >= 0;
  evaluation_ = evaluation;
  interim_reports_ = interim_reports;
  {
    MutexLock lock(mutex_);
    if (detached_) return absl::OkStatus();
    subscription_ = context_.hub.Subscribe(evaluation, [weak = weak_from_this()] {
      if (const auto locked = weak.lock()) locked->Schedule();
    });
  }
  // The first event does not wait for the hub.
  Schedule();
  return absl::OkStatus();
}

void EventPump::Ready() {
  {
    MutexLock lock(mutex_);
    ready_ = true;
    if (!dirty_) return;
  }
  Schedule();
}

void EventPump::Detach() {
  int64_t subscription = 0;
  {
    MutexLock lock(mutex_);
    detached_ = true;
    std::swap(subscription, subscription_);
  }
  if (subscription != 0) context_.hub.Unsubscribe(subscription);
}

void EventPump::Schedule() {
  {
    MutexLock lock(mutex_);
    dirty_ = true;
    if (detached_ || busy_ || !ready_) return;
    busy_ = true;
    dirty_ = false;
  }
  context_.executor.Continue([self = shared_from_this()] { self->Step(); });
}

void EventPump::Step() {
  absl::StatusOr<std::optional<v1::EvaluationEvent>> next = Next();
  const bool deliver = !next.ok() || next->has_value();
  bool detached = false;
  {
    MutexLock lock(mutex_);
    detached = detached_;
    if (deliver) ready_ = false;
  }
  if (deliver && !detached) {
    if (!next.ok()) {
      deliver_(next.status(), /*last=*/true);
    } else {
      const bool last = HasEnded((*next)->evaluation());
      deliver_(std::move(**next), last);
    }
  }
  bool again = false;
  {
    MutexLock lock(mutex_);
    busy_ = false;
    again = dirty_ && ready_ && !detached_;
  }
  if (again) Schedule();
}

absl::StatusOr<std::optional<v1::EvaluationEvent>> EventPump::Next() {
  ASSAY_ASSIGN_OR_RETURN(auto record, CurrentEvaluation(context_, evaluation_));
  const bool ended = HasEnded(record.proto);
  const double work = record.proto.progress().work_done();
  // What the token's event told is not told again. How far running tasks were by then is not known.
  const std::string waiting = record.proto.waiting_reason();
  const std::string condition = record.proto.progress().current_condition();
  if (resumed_) {
    told_work_ = work;
    told_waiting_ = waiting;
    told_condition_ = condition;
  }
  resumed_ = false;
  if (!ended && record.revision == told_revision_ && work == told_work_ &&
      waiting == told_waiting_ && condition == told_condition_) {
    return std::optional<v1::EvaluationEvent>();
  }
  v1::EvaluationEvent event;
  event.set_sequence(++sequence_);
  event.set_resume_token(absl::StrCat(kTokenPrefix, record.revision));
  const auto now = std::chrono::steady_clock::now();
  const int64_t tasks_done = record.proto.progress().tasks_done();
  const bool interim =
      interim_reports_ && tasks_done > reported_tasks_ && now - last_report_ >= kReportInterval;
  if (record.proto.state() == v1::Evaluation::SUCCEEDED || (interim && !ended)) {
    ASSAY_ASSIGN_OR_RETURN(const auto report, context_.reports.Get(record));
    *event.mutable_report() = *report;
    last_report_ = now;
    reported_tasks_ = tasks_done;
  }
  told_revision_ = record.revision;
  told_work_ = work;
  told_waiting_ = waiting;
  told_condition_ = condition;
  event.mutable_evaluation()->Swap(&record.proto);
  return std::optional<v1::EvaluationEvent>(std::move(event));
}

}  // namespace assay::api
