// Evaluations, their outcomes and their streams.
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "google/protobuf/util/time_util.h"
#include "nlohmann/json.hpp"
#include "server/store/lifecycle_log.h"
#include "server/store/sql_job_store.h"

namespace assay::store {
namespace {

using google::protobuf::util::TimeUtil;
using v1::Evaluation;

constexpr char kTokenPrefix[] = "evaluations/";

bool HasEnded(Evaluation::State state) { return state > Evaluation::RUNNING; }

absl::Status WrongState(const std::string& name, Evaluation::State state, absl::string_view text) {
  return Error(Reason::kWrongState,
               absl::StrCat(name, " is ", Evaluation::State_Name(state), "; ", text))
      .With("state", Evaluation::State_Name(state))
      .Resource(kEvaluations, name);
}

// A condition of SQL: that the column has one of these states; of none, that it has any. As a text,
// of which there are a few dozen at most.
std::string IsOneOf(absl::string_view column, const std::set<Evaluation::State>& states) {
  if (states.empty()) return absl::StrCat(column, " > 0");
  return absl::StrCat(column, " IN (", absl::StrJoin(states, ", "), ")");
}

absl::Status NotAStream(const std::string& name) {
  return Error(Reason::kWrongState, absl::StrCat(name, " did not come from a stream"))
      .Resource(kEvaluations, name);
}

// What ReadRecord reads, in this order, from kRecordTables.
constexpr char kRecordColumns[] =
    "e.id, e.dataset, e.state, e.revision, e.create_micros, e.start_micros, e.end_micros, "
    "e.tasks, e.tasks_done, e.samples, e.samples_done, e.work, e.work_done, e.failure, "
    "e.evaluation, (SELECT t.condition FROM tasks t WHERE t.evaluation = e.id AND t.state = 1 "
    "ORDER BY t.id LIMIT 1), "
    "p.versions, p.model_digest, p.model_seconds, p.other_seconds, p.energy_joules, "
    "p.reused_samples, "
    "(SELECT sum(t.running_samples) FROM tasks t WHERE t.evaluation = e.id AND t.state = 1), "
    "(SELECT sum(t.running_work) FROM tasks t WHERE t.evaluation = e.id AND t.state = 1), "
    "e.tasks_given_up";
constexpr int kTasksGivenUp = 24;
constexpr char kRecordTables[] =
    " FROM evaluations e LEFT JOIN provenance p ON p.evaluation = e.id ";

absl::StatusOr<EvaluationRecord> ReadRecord(const Statement& row) {
  EvaluationRecord record;
  Evaluation& evaluation = record.proto;
  ASSAY_RETURN_IF_ERROR(row.Message(14, evaluation));
  evaluation.mutable_spec()->set_dataset(row.Text(1));
  evaluation.set_state(static_cast<Evaluation::State>(row.Int(2)));
  record.revision = row.Int(3);
  *evaluation.mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(row.Int(4));
  if (!row.IsNull(5)) {
    *evaluation.mutable_start_time() = TimeUtil::MicrosecondsToTimestamp(row.Int(5));
  }
  if (!row.IsNull(6)) {
    *evaluation.mutable_end_time() = TimeUtil::MicrosecondsToTimestamp(row.Int(6));
  }
  v1::Progress& progress = *evaluation.mutable_progress();
  progress.set_tasks(row.Int(7));
  progress.set_tasks_done(row.Int(8));
  progress.set_samples(row.Int(9));
  progress.set_samples_done(row.Int(10));
  progress.set_work(row.Double(11));
  progress.set_work_done(row.Double(12));
  if (!row.IsNull(13)) ASSAY_RETURN_IF_ERROR(row.Message(13, *evaluation.mutable_failure()));
  if (!row.IsNull(15)) {
    const int64_t condition = row.Int(15);
    if (condition >= 0 && condition < evaluation.conditions_size()) {
      progress.set_current_condition(evaluation.conditions(static_cast<int>(condition)).id());
    }
  }
  if (!row.IsNull(22)) record.running_samples = row.Int(22);
  if (!row.IsNull(23)) record.running_work = row.Double(23);
  if (!row.IsNull(16)) {
    record.provenance.set_assay_version(row.Text(16));
    record.provenance.set_model_digest(row.Text(17));
    record.provenance.set_model_seconds(row.Double(18));
    record.provenance.set_other_seconds(row.Double(19));
    // None has been measured before the first task is done.
    if (!row.IsNull(20) && progress.tasks_done() > 0) {
      record.provenance.set_energy_joules(row.Double(20));
    }
    record.provenance.set_reused_samples(row.Int(21));
  }
  return record;
}

// What an evaluation of so many conditions has failed with when it could finish all but these.
v1::Failure SummaryOf(const std::vector<v1::ConditionFailure>& failed, int conditions) {
  if (failed.empty()) return {};
  v1::Failure failure = failed.front().failure();
  if (conditions == 1) return failure;
  failure.set_message(
      absl::StrCat(failed.size(), " of ", conditions,
                   " conditions failed: ", failed.front().condition(), ": ", failure.message(),
                   failed.size() > 1 ? absl::StrCat("; and ", failed.size() - 1, " more") : ""));
  return failure;
}

// HIGH comes first.
int UrgencyOf(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_HIGH:
      return 1;
    case v1::PRIORITY_LOW:
      return 3;
    default:
      return 2;
  }
}

}  // namespace

absl::StatusOr<SqlJobStore::EvaluationRow> SqlJobStore::FindEvaluation(const std::string& name) {
  Statement row = db_.Query(
      "SELECT id, state, tasks = tasks_done, manifest FROM evaluations WHERE name = ?", name);
  if (!row.Next()) return row.ErrorOr(NotFound(kEvaluations, name));
  EvaluationRow found;
  found.id = row.Int(0);
  found.state = static_cast<Evaluation::State>(row.Int(1));
  found.all_tasks_done = row.Int(2) != 0;
  if (!row.IsNull(3)) found.manifest = row.Int(3);
  return found;
}

absl::StatusOr<EvaluationRecord> SqlJobStore::ReadEvaluation(const std::string& name) {
  Statement row =
      db_.Query(absl::StrCat("SELECT ", kRecordColumns, kRecordTables, "WHERE e.name = ?"), name);
  if (!row.Next()) return row.ErrorOr(NotFound(kEvaluations, name));
  return ReadWhole(row);
}

absl::StatusOr<EvaluationRecord> SqlJobStore::ReadWhole(const Statement& row) {
  ASSAY_ASSIGN_OR_RETURN(EvaluationRecord record, ReadRecord(row));
  if (row.Int(kTasksGivenUp) > 0) {
    ASSAY_ASSIGN_OR_RETURN(const auto failed, FailedConditions(row.Int(0), record.proto));
    *record.proto.mutable_failed_conditions() = {failed.begin(), failed.end()};
  }
  return record;
}

absl::StatusOr<std::vector<v1::ConditionFailure>> SqlJobStore::FailedConditions(
    int64_t evaluation, const Evaluation& conditions) {
  std::vector<v1::ConditionFailure> failed;
  Statement rows = db_.Query(
      "SELECT condition, failure FROM failed_conditions WHERE evaluation = ? ORDER BY condition",
      evaluation);
  while (rows.Next()) {
    const auto condition = static_cast<int>(rows.Int(0));
    if (condition >= conditions.conditions_size()) continue;
    v1::ConditionFailure& next = failed.emplace_back();
    next.set_condition(conditions.conditions(condition).id());
    ASSAY_RETURN_IF_ERROR(rows.Message(1, *next.mutable_failure()));
  }
  ASSAY_RETURN_IF_ERROR(rows.status());
  return failed;
}

absl::StatusOr<Evaluation> SqlJobStore::ReadFixed(int64_t evaluation) {
  Statement row = db_.Query("SELECT evaluation FROM evaluations WHERE id = ?", evaluation);
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  Evaluation fixed;
  ASSAY_RETURN_IF_ERROR(row.Message(0, fixed));
  return fixed;
}

absl::Status SqlJobStore::InsertTasks(int64_t evaluation, const std::vector<Task>& tasks) {
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  std::set<int64_t> given_up;
  {
    Statement rows =
        db_.Query("SELECT condition FROM failed_conditions WHERE evaluation = ?", evaluation);
    while (rows.Next()) given_up.insert(rows.Int(0));
    ASSAY_RETURN_IF_ERROR(rows.status());
  }
  int64_t nobodys = 0;
  int64_t samples = 0;
  double work = 0;
  for (const Task& task : tasks) {
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO tasks (evaluation, condition, first_sample, samples, work, "
                "create_micros, lease_micros) VALUES (?, ?, ?, ?, ?, ?, ?)",
                evaluation, task.condition, task.first_sample, task.samples, task.work, now,
                given_up.count(task.condition) > 0 ? kNever : 0));
    nobodys += given_up.count(task.condition) > 0 ? 1 : 0;
    samples += task.samples;
    work += task.work;
  }
  ASSAY_RETURN_IF_ERROR(db_.Notify(kWorkChannel));
  return db_.Run(
      "UPDATE evaluations SET tasks = tasks + ?, tasks_given_up = tasks_given_up + ?, "
      "samples = samples + ?, work = work + ? WHERE id = ?",
      static_cast<int64_t>(tasks.size()), nobodys, samples, work, evaluation);
}

absl::Status SqlJobStore::BumpRevision(int64_t evaluation) {
  return db_.Run("UPDATE evaluations SET revision = revision + 1 WHERE id = ?", evaluation);
}

absl::Status SqlJobStore::EndEvaluation(int64_t evaluation, Evaluation::State state,
                                        const std::optional<v1::Failure>& failure) {
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET state = 0, lease_micros = 0, owner = NULL "
              "WHERE evaluation = ? AND state = 1",
              evaluation));
  ASSAY_RETURN_IF_ERROR(db_.Notify(kChangeChannel));
  return db_.Run(
      "UPDATE evaluations SET state = ?, failure = ?, end_micros = ?, revision = revision + 1 "
      "WHERE id = ?",
      static_cast<int>(state), failure, now, evaluation);
}

absl::StatusOr<std::optional<SqlJobStore::End>> SqlJobStore::EndIfNothingIsLeft(
    int64_t evaluation) {
  bool given_up = false;
  {
    Statement row = db_.Query(
        "SELECT tasks = tasks_done + tasks_given_up AND state <> ?, tasks_given_up > 0 "
        "FROM evaluations WHERE id = ?",
        static_cast<int>(Evaluation::RECEIVING), evaluation);
    if (!row.Next()) return row.ErrorOr(Database::NoRow());
    if (row.Int(0) == 0) return std::nullopt;
    given_up = row.Int(1) != 0;
  }
  ASSAY_ASSIGN_OR_RETURN(const Evaluation fixed, ReadFixed(evaluation));
  if (fixed.spec().has_stop_when_decided()) return std::nullopt;
  End end;
  if (given_up) {
    ASSAY_ASSIGN_OR_RETURN(const auto failed, FailedConditions(evaluation, fixed));
    end.state = Evaluation::FAILED;
    end.failure = SummaryOf(failed, fixed.conditions_size());
  }
  ASSAY_RETURN_IF_ERROR(EndEvaluation(
      evaluation, end.state, given_up ? std::optional<v1::Failure>(end.failure) : std::nullopt));
  return end;
}

absl::StatusOr<int64_t> SqlJobStore::InsertEvaluation(const Evaluation& evaluation,
                                                      Evaluation::State state,
                                                      const std::string& request_id) {
  const std::string& name = evaluation.name();
  const absl::Status taken = FindEvaluation(name).status();
  if (taken.ok()) {
    return Error(Reason::kAlreadyExists, absl::StrCat(name, " exists; choose another name"))
        .Resource(kEvaluations, name)
        .ToStatus();
  }
  if (!absl::IsNotFound(taken)) return taken;
  const v1::EvaluationSpec& spec = evaluation.spec();
  // What can change has columns of its own.
  Evaluation fixed = evaluation;
  fixed.clear_state();
  fixed.clear_failure();
  fixed.clear_progress();
  fixed.clear_create_time();
  fixed.clear_start_time();
  fixed.clear_end_time();
  fixed.clear_failed_conditions();
  fixed.clear_waiting_reason();
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  const auto whose = spec.labels().find(share_label_);
  const std::string share = whose == spec.labels().end() ? "" : whose->second;
  std::optional<int64_t> allowed, deadline;
  if (spec.has_deadline()) {
    allowed = TimeUtil::DurationToMicroseconds(spec.deadline());
    deadline = now + *allowed;
  }
  ASSAY_ASSIGN_OR_RETURN(
      const int64_t id,
      db_.Insert("INSERT INTO evaluations (name, request_id, model, dataset, state, "
                 "create_micros, evaluation, urgency, share, allowed_micros, deadline_micros) "
                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 name, OrNull(request_id), spec.model(), spec.dataset(), static_cast<int>(state),
                 now, fixed, UrgencyOf(spec.priority()), share, allowed, deadline));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO provenance (evaluation, model_digest, energy_joules) "
              "SELECT ?, coalesce((SELECT digest FROM models WHERE name = ?), ''), 0",
              id, evaluation.spec().model()));
  for (const auto& [key, value] : evaluation.spec().labels()) {
    ASSAY_RETURN_IF_ERROR(db_.Run(
        "INSERT INTO evaluation_labels (evaluation, key, value) VALUES (?, ?, ?)", id, key, value));
  }
  if (!evaluation.spec().pin_numerics().empty()) {
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO pinned_evaluations (evaluation, device_kind) VALUES (?, ?)", id,
                evaluation.spec().pin_numerics()));
  }
  for (const v1::Condition& condition : evaluation.conditions()) {
    for (const std::string& model : OtherModels(condition)) {
      ASSAY_RETURN_IF_ERROR(
          db_.Run("INSERT INTO other_models (evaluation, model) VALUES (?, ?) "
                  "ON CONFLICT DO NOTHING",
                  id, ResourceName(kModels, model)));
    }
  }
  return id;
}

absl::StatusOr<EvaluationRecord> SqlJobStore::CreateEvaluation(const Evaluation& evaluation,
                                                               const std::vector<Task>& tasks,
                                                               const std::string& request_id) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const std::optional<std::string> created,
                         FindRequest(kEvaluations, request_id));
  if (created) return ReadEvaluation(*created);
  ASSAY_ASSIGN_OR_RETURN(const int64_t id,
                         InsertEvaluation(evaluation, Evaluation::QUEUED, request_id));
  ASSAY_RETURN_IF_ERROR(InsertTasks(id, tasks));
  ASSAY_ASSIGN_OR_RETURN(EvaluationRecord record, ReadEvaluation(evaluation.name()));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogCreated(record.proto);
  return record;
}

absl::StatusOr<std::optional<EvaluationRecord>> SqlJobStore::FindCreatedEvaluation(
    const std::string& request_id) {
  MutexLock lock(mutex_);
  ASSAY_ASSIGN_OR_RETURN(const std::optional<std::string> name,
                         FindRequest(kEvaluations, request_id));
  if (!name) return std::nullopt;
  return ReadEvaluation(*name);
}

absl::StatusOr<EvaluationRecord> SqlJobStore::GetEvaluation(const std::string& name) {
  MutexLock lock(mutex_);
  return ReadEvaluation(name);
}

absl::StatusOr<Listing<EvaluationRecord>> SqlJobStore::ListEvaluations(
    const Page& page, const EvaluationFilter& filter) {
  ASSAY_ASSIGN_OR_RETURN(const std::string key, DecodePageToken(kTokenPrefix, page.token));
  std::optional<int64_t> before;
  if (!key.empty() && !absl::SimpleAtoi(absl::StripPrefix(key, kTokenPrefix), &before.emplace())) {
    return InvalidPageToken();
  }
  const int limit = PageLimit(page);

  MutexLock lock(mutex_);
  Listing<EvaluationRecord> listing;
  Statement rows = db_.Query(
      absl::StrCat("SELECT ", kRecordColumns, kRecordTables,
                   "WHERE e.id < coalesce(?, "
                   "9223372036854775807) AND e.model = coalesce(?, e.model) "
                   "AND e.dataset = coalesce(?, e.dataset) "
                   "AND ",
                   IsOneOf("e.state", filter.states), " AND ",
                   HasLabels(db_.dialect(), "evaluation_labels", "evaluation", "e.id"),
                   " ORDER BY e.id DESC LIMIT ?"),
      before, OrNull(filter.model), OrNull(filter.dataset), LabelsJson(filter.labels), limit + 1);
  int64_t last = 0;
  while (rows.Next()) {
    if (static_cast<int>(listing.records.size()) == limit) {
      listing.next_token = EncodePageToken(absl::StrCat(kTokenPrefix, last));
      break;
    }
    last = rows.Int(0);
    ASSAY_ASSIGN_OR_RETURN(EvaluationRecord record, ReadWhole(rows));
    listing.records.push_back(std::move(record));
  }
  ASSAY_RETURN_IF_ERROR(rows.status());
  return listing;
}

absl::StatusOr<std::map<std::string, int64_t>> SqlJobStore::CountEvaluations() {
  std::map<std::string, int64_t> counts;
  for (int state = Evaluation::RECEIVING; state <= Evaluation::CANCELLED; ++state) {
    counts[Evaluation::State_Name(static_cast<Evaluation::State>(state))] = 0;
  }
  MutexLock lock(mutex_);
  Statement rows = db_.Query("SELECT state, count(*) FROM evaluations GROUP BY state");
  while (rows.Next()) {
    counts[Evaluation::State_Name(static_cast<Evaluation::State>(rows.Int(0)))] = rows.Int(1);
  }
  ASSAY_RETURN_IF_ERROR(rows.status());
  return counts;
}

absl::StatusOr<EvaluationRecord> SqlJobStore::CancelEvaluation(const std::string& name) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(name));
  if (HasEnded(row.state)) return WrongState(name, row.state, "it has ended already");
  ASSAY_RETURN_IF_ERROR(EndEvaluation(row.id, Evaluation::CANCELLED, std::nullopt));
  ASSAY_ASSIGN_OR_RETURN(EvaluationRecord record, ReadEvaluation(name));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogEnded(name, Evaluation::CANCELLED);
  return record;
}

absl::StatusOr<EvaluationRecord> SqlJobStore::RetryEvaluation(const std::string& name) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(name));
  if (row.state != Evaluation::FAILED && row.state != Evaluation::CANCELLED) {
    return WrongState(name, row.state, "only a FAILED or CANCELLED one can be retried");
  }
  bool done = row.all_tasks_done;
  if (done) {
    ASSAY_ASSIGN_OR_RETURN(const bool by_decision, StopsWhenDecided(row.id));
    done = !by_decision;
  }
  if (done) {
    // A stream that was cancelled when all that had landed was done: no commit is to come that
    // could end it.
    ASSAY_RETURN_IF_ERROR(EndEvaluation(row.id, Evaluation::SUCCEEDED, std::nullopt));
  } else {
    ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
    ASSAY_RETURN_IF_ERROR(
        db_.Run("UPDATE evaluations SET state = ?, failure = NULL, start_micros = NULL, "
                "end_micros = NULL, deadline_micros = ? + allowed_micros, tasks_given_up = 0, "
                "revision = revision + 1 WHERE id = ?",
                static_cast<int>(Evaluation::QUEUED), now, row.id));
    ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM failed_conditions WHERE evaluation = ?", row.id));
    ASSAY_RETURN_IF_ERROR(db_.Run(
        "UPDATE tasks SET attempts = 0, lease_micros = 0 WHERE evaluation = ? AND state < 2",
        row.id));
    ASSAY_RETURN_IF_ERROR(db_.Notify(kWorkChannel));
  }
  ASSAY_ASSIGN_OR_RETURN(EvaluationRecord record, ReadEvaluation(name));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogRetried(name);
  if (done) LogEnded(name, Evaluation::SUCCEEDED);
  return record;
}

absl::Status SqlJobStore::FailEvaluation(const std::string& name, const v1::Failure& failure) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(name));
  if (HasEnded(row.state)) return WrongState(name, row.state, "it has ended already");
  ASSAY_RETURN_IF_ERROR(EndEvaluation(row.id, Evaluation::FAILED, failure));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogEnded(name, Evaluation::FAILED, failure);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SqlJobStore::EndOverdue() {
  MutexLock lock(mutex_);
  // Asked every second, and mostly there is none.
  const auto find = [&]() -> absl::StatusOr<std::vector<int64_t>> {
    ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
    std::vector<int64_t> found;
    Statement rows =
        db_.Query(absl::StrCat("SELECT id FROM evaluations", IndexedBy(db_.dialect(), "deadlines"),
                               " WHERE state <= 3 AND deadline_micros IS NOT NULL "
                               "AND deadline_micros <= ? ORDER BY deadline_micros"),
                  now);
    while (rows.Next()) found.push_back(rows.Int(0));
    ASSAY_RETURN_IF_ERROR(rows.status());
    return found;
  };
  ASSAY_ASSIGN_OR_RETURN(std::vector<int64_t> overdue, find());
  if (overdue.empty()) return std::vector<std::string>();
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(overdue, find());
  std::vector<std::pair<std::string, v1::Failure>> ended;
  for (const int64_t id : overdue) {
    v1::Failure failure;
    failure.set_reason(std::string(ReasonName(Reason::kDeadlineReached)));
    {
      Statement row = db_.Query(
          "SELECT name, allowed_micros, tasks, tasks_done FROM evaluations WHERE id = ?", id);
      if (!row.Next()) return row.ErrorOr(Database::NoRow());
      failure.set_message(absl::StrCat(
          "did not end within ", absl::FormatDuration(absl::Microseconds(row.Int(1))), "; ",
          row.Int(3), " of ", row.Int(2), " tasks are done, and a retry goes on with the rest"));
      ended.emplace_back(row.Text(0), failure);
    }
    ASSAY_RETURN_IF_ERROR(EndEvaluation(id, Evaluation::FAILED, failure));
  }
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  std::vector<std::string> names;
  for (const auto& [name, failure] : ended) {
    LogEnded(name, Evaluation::FAILED, failure);
    names.push_back(name);
  }
  return names;
}

absl::StatusOr<bool> SqlJobStore::StopsWhenDecided(int64_t evaluation) {
  ASSAY_ASSIGN_OR_RETURN(const Evaluation fixed, ReadFixed(evaluation));
  return fixed.spec().has_stop_when_decided();
}

absl::StatusOr<std::optional<int64_t>> SqlJobStore::FirstMissingSample(const std::string& name) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kRead);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow evaluation, FindEvaluation(name));
  Statement row = db_.Query(absl::StrCat("SELECT min(first_sample) FROM tasks",
                                         IndexedBy(db_.dialect(), "unfinished_tasks"),
                                         " WHERE evaluation = ? AND state < 2"),
                            evaluation.id);
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  if (row.IsNull(0)) return std::nullopt;
  return row.Int(0);
}

absl::Status SqlJobStore::SetDecision(const std::string& name, const v1::Decision& decision,
                                      bool ends) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(name));
  if (HasEnded(row.state)) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(Evaluation fixed, ReadFixed(row.id));
  // Two who looked at the same time may come in the other order.
  if (!ends && fixed.decision().samples() >= decision.samples()) return absl::OkStatus();
  *fixed.mutable_decision() = decision;
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET evaluation = ?, revision = revision + 1 WHERE id = ?", fixed,
              row.id));
  if (ends) {
    ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM tasks WHERE evaluation = ? AND state < 2", row.id));
    ASSAY_RETURN_IF_ERROR(
        db_.Run("UPDATE evaluations SET tasks = tasks_done, samples = samples_done, "
                "work = work_done WHERE id = ?",
                row.id));
    ASSAY_RETURN_IF_ERROR(EndEvaluation(row.id, Evaluation::SUCCEEDED, std::nullopt));
  }
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  if (ends) LogEnded(name, Evaluation::SUCCEEDED);
  return absl::OkStatus();
}

absl::Status SqlJobStore::DeleteEvaluation(const std::string& name) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(name));
  if (!HasEnded(row.state)) {
    return Error(Reason::kInUse, absl::StrCat(name, " is ", Evaluation::State_Name(row.state),
                                              "; cancel it, or wait for its end"))
        .With("state", Evaluation::State_Name(row.state))
        .Resource(kEvaluations, name);
  }
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM evaluations WHERE id = ?", row.id));
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM manifests WHERE id = ?", row.manifest));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogDeleted("evaluation", name);
  return absl::OkStatus();
}

absl::StatusOr<OutcomeReader> SqlJobStore::ReadOutcomes(const std::string& name,
                                                        const std::set<int>& conditions) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kRead);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow evaluation, FindEvaluation(name));
  std::vector<std::pair<int, int>> wanted;  // first and last
  if (conditions.empty()) wanted.emplace_back(0, std::numeric_limits<int>::max());
  for (const int condition : conditions) wanted.emplace_back(condition, condition);
  std::vector<int64_t> tasks;
  for (const auto& [first, last] : wanted) {
    Statement rows = db_.Query(
        "SELECT t.id FROM tasks t JOIN outcomes o ON o.task = t.id "
        "WHERE t.evaluation = ? AND t.condition BETWEEN ? AND ? "
        "ORDER BY t.condition, t.first_sample",
        evaluation.id, first, last);
    while (rows.Next()) tasks.push_back(rows.Int(0));
    ASSAY_RETURN_IF_ERROR(rows.status());
  }
  return [this, name, tasks = std::move(tasks),
          next = size_t{0}]() mutable -> absl::StatusOr<std::optional<TaskOutcomes>> {
    if (next == tasks.size()) return std::nullopt;
    return ReadTaskOutcomes(name, tasks[next++]);
  };
}

absl::StatusOr<TaskOutcomes> SqlJobStore::ReadTaskOutcomes(const std::string& evaluation,
                                                           int64_t task) {
  TaskOutcomes read;
  std::string batch;
  {
    MutexLock lock(mutex_);
    Statement row = db_.Query(
        "SELECT t.condition, t.first_sample, o.batch, f.fingerprint "
        "FROM tasks t JOIN outcomes o ON o.task = t.id JOIN fingerprints f ON f.id = o.fingerprint "
        "WHERE t.id = ?",
        task);
    // Outcomes go with their evaluation only.
    if (!row.Next()) return row.ErrorOr(NotFound(kEvaluations, evaluation));
    read.condition = static_cast<int>(row.Int(0));
    read.first_sample = row.Int(1);
    batch = row.Text(2);
    ASSAY_RETURN_IF_ERROR(row.Message(3, read.numerics));
  }
  // Parsing takes most of the time, and claims and renewals must not wait for it.
  if (!read.outcomes.ParseFromString(batch)) {
    // Trying again would not mend them.
    return Error(Reason::kInternal,
                 absl::StrCat("stored outcomes of ", evaluation, " cannot be read"))
        .ToStatus();
  }
  return read;
}

absl::StatusOr<std::vector<ContentPlace>> SqlJobStore::FindContent(
    const std::vector<std::string>& keys) {
  std::map<std::string, std::string> wanted;
  for (const std::string& key : keys) wanted[key] = "";
  MutexLock lock(mutex_);
  // From the keys to the index: CROSS tells SQLite so.
  Statement rows = db_.Query(
      absl::StrCat("SELECT c.key, c.first_sample, c.samples, c.fingerprint, max(c.task) FROM ",
                   JsonEach(db_.dialect()),
                   " wanted CROSS JOIN contents c WHERE c.key = wanted.key "
                   "GROUP BY c.key, c.first_sample, c.samples, c.fingerprint "
                   "ORDER BY c.key, c.first_sample, c.samples, c.fingerprint"),
      nlohmann::json(wanted).dump());
  std::vector<ContentPlace> places;
  while (rows.Next()) {
    places.push_back({{rows.Text(0), rows.Int(1), rows.Int(2)}, rows.Int(4), rows.Int(3)});
  }
  ASSAY_RETURN_IF_ERROR(rows.status());
  return places;
}

absl::StatusOr<std::optional<TaskOutcomes>> SqlJobStore::ReadContent(int64_t task) {
  auto read = ReadTaskOutcomes("an evaluation", task);
  if (absl::IsNotFound(read.status())) return std::nullopt;
  if (!read.ok()) return read.status();
  return *std::move(read);
}

// --- streams

absl::StatusOr<EvaluationRecord> SqlJobStore::CreateStream(const Evaluation& evaluation,
                                                           const v1::DatasetManifest& manifest) {
  v1::DatasetManifest header = manifest;
  header.clear_chunks();
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t id,
                         InsertEvaluation(evaluation, Evaluation::RECEIVING, /*request_id=*/""));
  ASSAY_ASSIGN_OR_RETURN(const int64_t manifest_id, InsertManifest(header));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET manifest = ? WHERE id = ?", manifest_id, id));
  ASSAY_ASSIGN_OR_RETURN(EvaluationRecord record, ReadEvaluation(evaluation.name()));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogCreated(record.proto);
  return record;
}

absl::StatusOr<v1::DatasetManifest> SqlJobStore::GetStreamManifest(const std::string& evaluation) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kRead);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(evaluation));
  if (!row.manifest) return NotAStream(evaluation);
  return ReadManifest(*row.manifest);
}

absl::Status SqlJobStore::AppendStreamChunk(const std::string& evaluation, int64_t index,
                                            const v1::DatasetManifest::Chunk& chunk,
                                            const std::vector<Task>& tasks) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(evaluation));
  if (row.state != Evaluation::RECEIVING) {
    return WrongState(evaluation, row.state, "it does not receive batches");
  }
  if (!row.manifest) return NotAStream(evaluation);
  {
    Statement counted = db_.Query(
        "SELECT (SELECT digest FROM chunks WHERE manifest = ?1 AND position = ?2), "
        "(SELECT coalesce(max(position), -1) + 1 FROM chunks WHERE manifest = ?1)",
        *row.manifest, index);
    if (!counted.Next()) {
      return counted.ErrorOr(Error(Reason::kStorageFailed, "a manifest is missing"));
    }
    if (!counted.IsNull(0)) {
      if (counted.Text(0) == chunk.digest()) return absl::OkStatus();
      return InvalidFields(
          {{"index", absl::StrCat("batch ", index, " has arrived before with other content")}});
    }
    if (counted.Int(1) != index) {
      return InvalidFields(
          {{"index", absl::StrCat("the next batch is ", counted.Int(1), "; got ", index)}});
    }
  }
  ASSAY_RETURN_IF_ERROR(InsertChunk(*row.manifest, index, chunk));
  ASSAY_RETURN_IF_ERROR(InsertTasks(row.id, tasks));
  ASSAY_RETURN_IF_ERROR(BumpRevision(row.id));
  return transaction.Commit();
}

absl::Status SqlJobStore::FinishStream(const std::string& evaluation, const std::string& dataset,
                                       const std::vector<Task>& tasks) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const EvaluationRow row, FindEvaluation(evaluation));
  if (row.state != Evaluation::RECEIVING) {
    return WrongState(evaluation, row.state, "it does not receive batches");
  }
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET dataset = ?, state = ?, revision = revision + 1 WHERE id = ?",
              dataset, static_cast<int>(Evaluation::QUEUED), row.id));
  ASSAY_RETURN_IF_ERROR(InsertTasks(row.id, tasks));
  ASSAY_ASSIGN_OR_RETURN(const auto end, EndIfNothingIsLeft(row.id));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  if (end) LogEnded(evaluation, end->state, end->failure);
  return absl::OkStatus();
}

}  // namespace assay::store
