// The queue: claims under leases with fencing tokens, commits, and what there is to do.
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/lifecycle_log.h"
#include "server/store/sql_job_store.h"

namespace assay::store {
namespace {

using v1::Evaluation;

// No task waits longer for its next attempt (worker.h), unless the clock was set back.
constexpr int64_t kLongestWaitMicros = int64_t{3600} * 1'000'000;

absl::Status LeaseLost(const ClaimedTask& claim) {
  return Error(Reason::kLeaseLost,
               absl::StrCat("claim ", claim.fence, " of task ", claim.task.id, " of ",
                            claim.task.evaluation, " is no longer the current one"));
}

}  // namespace

absl::StatusOr<std::optional<SqlJobStore::EvaluationKey>> SqlJobStore::FindWork(
    int64_t now, const std::string& model, int64_t after) {
  // Both loops walk their index in the wanted order and stop at the first hit; INDEXED BY makes
  // that a condition instead of a hope. An evaluation costs one probe, and one step for each task
  // that is leased to others.
  const auto query = [&](absl::string_view index, absl::string_view filter) {
    return absl::StrCat("SELECT e.id, e.name FROM evaluations e", IndexedBy(db_.dialect(), index),
                        " WHERE e.state <= 3 AND e.id > ? AND ", filter,
                        "EXISTS (SELECT 1 FROM tasks t",
                        IndexedBy(db_.dialect(), "unfinished_tasks"),
                        " WHERE t.evaluation = e.id AND t.state < 2 AND t.lease_micros <= ?) "
                        "ORDER BY e.id LIMIT 1");
  };
  const auto first = [](const Statement& row) { return EvaluationKey{row.Int(0), row.Text(1)}; };
  if (model.empty()) {
    Statement row = db_.Query(query("unfinished_evaluations", ""), after, now);
    if (row.Next()) return first(row);
    ASSAY_RETURN_IF_ERROR(row.status());
    return std::nullopt;
  }
  Statement row =
      db_.Query(query("unfinished_evaluations_by_model", "e.model = ? AND "), after, model, now);
  if (row.Next()) return first(row);
  ASSAY_RETURN_IF_ERROR(row.status());
  return std::nullopt;
}

absl::StatusOr<std::optional<ClaimedTask>> SqlJobStore::FindClaimable(int64_t now,
                                                                      const std::string& model) {
  EvaluationKey evaluation;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(auto next, FindWork(now, model, evaluation.id));
    if (!next) return std::nullopt;
    evaluation = *std::move(next);
    Statement row = db_.Query(
        absl::StrCat("SELECT t.id, t.condition, t.first_sample, t.samples, t.work, t.fence, "
                     "t.attempts FROM tasks t",
                     IndexedBy(db_.dialect(), "unfinished_tasks"),
                     " WHERE t.evaluation = ? AND t.state < 2 AND t.lease_micros <= ? "
                     "ORDER BY t.id LIMIT 1",
                     ForUpdate(db_.dialect(), "t", /*skip_locked=*/true)),
        evaluation.id, now);
    if (!row.Next()) {
      ASSAY_RETURN_IF_ERROR(row.status());
      // Others are claiming all that it has at this moment.
      continue;
    }
    ClaimedTask claim;
    claim.task.id = row.Int(0);
    claim.task.evaluation = evaluation.name;
    claim.task.condition = static_cast<int>(row.Int(1));
    claim.task.first_sample = row.Int(2);
    claim.task.samples = static_cast<int32_t>(row.Int(3));
    claim.task.work = row.Double(4);
    claim.fence = row.Int(5);
    claim.attempt = static_cast<int>(row.Int(6));
    return claim;
  }
}

absl::StatusOr<std::optional<ClaimedTask>> SqlJobStore::ClaimTask(const std::string& owner,
                                                                  int64_t lease_micros,
                                                                  const std::string& prefer_model) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kTask);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  std::optional<ClaimedTask> claim;
  if (!prefer_model.empty()) {
    ASSAY_ASSIGN_OR_RETURN(claim, FindClaimable(now, prefer_model));
  }
  if (!claim) {
    ASSAY_ASSIGN_OR_RETURN(claim, FindClaimable(now, ""));
  }
  if (!claim) {
    // The next claim finds them.
    ASSAY_RETURN_IF_ERROR(EndWaitsOfAnotherTime(now));
    ASSAY_RETURN_IF_ERROR(transaction.Commit());
    return std::nullopt;
  }
  ++claim->fence;
  ++claim->attempt;
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET state = 1, lease_micros = ?, fence = ?, attempts = ?, owner = ? "
              "WHERE id = ?",
              now + lease_micros, claim->fence, claim->attempt, owner, claim->task.id));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET state = CASE WHEN state = ? THEN ? ELSE state END, "
              "start_micros = coalesce(start_micros, ?), revision = revision + 1 WHERE name = ?",
              static_cast<int>(Evaluation::QUEUED), static_cast<int>(Evaluation::RUNNING), now,
              claim->task.evaluation));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  return claim;
}

absl::Status SqlJobStore::EndWaitsOfAnotherTime(int64_t now) {
  // Of unfinished evaluations only a few tasks wait, if nothing can be claimed.
  const std::string waits =
      "state = 0 AND lease_micros > ? AND evaluation IN (SELECT id FROM evaluations WHERE state <= "
      "3)";
  {
    Statement row = db_.Query(absl::StrCat("SELECT 1 FROM tasks WHERE ", waits, " LIMIT 1"),
                              now + kLongestWaitMicros);
    if (!row.Next()) return row.status();
  }
  return db_.Run(absl::StrCat("UPDATE tasks SET lease_micros = 0 WHERE ", waits),
                 now + kLongestWaitMicros);
}

absl::StatusOr<SqlJobStore::ClaimState> SqlJobStore::FindClaim(const ClaimedTask& claim) {
  Statement row = db_.Query(
      absl::StrCat("SELECT t.state, t.fence, e.id, e.state FROM tasks t JOIN evaluations e "
                   "ON e.id = t.evaluation WHERE t.id = ?",
                   ForUpdate(db_.dialect(), "t")),
      claim.task.id);
  ClaimState found;
  if (row.Next()) {
    found.current = row.Int(0) == kLeased && row.Int(1) == claim.fence;
    found.evaluation = row.Int(2);
    found.stopped = row.Int(3) == Evaluation::FAILED || row.Int(3) == Evaluation::CANCELLED;
  } else {
    // Only what has ended can be deleted.
    found.stopped = true;
  }
  ASSAY_RETURN_IF_ERROR(row.status());
  return found;
}

absl::StatusOr<SqlJobStore::ClaimState> SqlJobStore::CheckClaim(const ClaimedTask& claim) {
  ASSAY_ASSIGN_OR_RETURN(const ClaimState found, FindClaim(claim));
  if (found.stopped) {
    return Error(Reason::kCancelled, absl::StrCat(claim.task.evaluation, " has ended")).ToStatus();
  }
  if (!found.current) return LeaseLost(claim);
  return found;
}

absl::Status SqlJobStore::RenewLease(const ClaimedTask& claim, int64_t lease_micros) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kTask);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_RETURN_IF_ERROR(CheckClaim(claim).status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET lease_micros = ? WHERE id = ?", now + lease_micros, claim.task.id));
  return transaction.Commit();
}

absl::StatusOr<int64_t> SqlJobStore::FindOrInsertFingerprint(
    const v1::NumericsFingerprint& numerics) {
  // Another may insert the same between the two.
  for (const bool last : {false, true}) {
    Statement row = db_.Query("SELECT id FROM fingerprints WHERE fingerprint = ?", numerics);
    if (row.Next()) return row.Int(0);
    if (last) return row.ErrorOr(Database::NoRow());
    ASSAY_RETURN_IF_ERROR(row.status());
    ASSAY_RETURN_IF_ERROR(db_.Run(
        "INSERT INTO fingerprints (fingerprint) VALUES (?) ON CONFLICT DO NOTHING", numerics));
  }
  return Database::NoRow();
}

absl::Status SqlJobStore::CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                                     const v1::NumericsFingerprint& numerics,
                                     const TaskEffort& effort) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kTask);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const ClaimState found, CheckClaim(claim));
  ASSAY_ASSIGN_OR_RETURN(const int64_t fingerprint, FindOrInsertFingerprint(numerics));
  const std::optional<std::string> adversarials =
      outcomes.has_adversarials() ? std::optional<std::string>(outcomes.adversarials().digest())
                                  : std::nullopt;
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (?, ?, ?, ?)",
              claim.task.id, fingerprint, adversarials, outcomes));
  for (const v1::OutcomeBatch::Vectors& vectors : outcomes.vectors()) {
    if (vectors.digest().empty()) continue;
    // Vectors of two kinds can be the same bytes.
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO kept_vectors (task, digest) VALUES (?, ?) ON CONFLICT DO NOTHING",
                claim.task.id, vectors.digest()));
  }
  ASSAY_RETURN_IF_ERROR(db_.Run(
      "UPDATE tasks SET state = 2, lease_micros = 0, owner = NULL WHERE id = ?", claim.task.id));
  // The last task brings work_done to work exactly, however the sums of the others were rounded.
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET tasks_done = tasks_done + 1, "
              "samples_done = samples_done + t.samples, "
              "work_done = CASE WHEN tasks_done + 1 = tasks "
              "            OR work_done + t.work > evaluations.work THEN evaluations.work "
              "            ELSE work_done + t.work END, "
              "revision = revision + 1 "
              "FROM tasks t WHERE t.id = ? AND evaluations.id = t.evaluation",
              claim.task.id));
  // Each version once, in the order in which they committed.
  ASSAY_RETURN_IF_ERROR(db_.Run(
      "UPDATE provenance SET model_seconds = model_seconds + ?2, other_seconds = other_seconds + "
      "?3, "
      // One that is not known makes the sum unknown.
      "energy_joules = energy_joules + ?5, "
      "versions = CASE WHEN ', ' || versions || ', ' LIKE '%, ' || ?4 || ', %' THEN versions "
      "                WHEN versions = '' THEN ?4 ELSE versions || ', ' || ?4 END "
      "WHERE evaluation = ?1",
      found.evaluation, effort.model_seconds, effort.other_seconds, effort.assay_version,
      effort.energy_joules));
  bool last = false;
  {
    Statement row =
        db_.Query("SELECT tasks = tasks_done AND state <> ? FROM evaluations WHERE id = ?",
                  static_cast<int>(Evaluation::RECEIVING), found.evaluation);
    if (!row.Next()) return row.ErrorOr(LeaseLost(claim));
    last = row.Int(0) != 0;
  }
  if (last) {
    ASSAY_ASSIGN_OR_RETURN(const bool by_decision, StopsWhenDecided(found.evaluation));
    last = !by_decision;
  }
  if (last) {
    ASSAY_RETURN_IF_ERROR(EndEvaluation(found.evaluation, Evaluation::SUCCEEDED, std::nullopt));
  }
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  if (last) LogEnded(claim.task.evaluation, Evaluation::SUCCEEDED);
  return absl::OkStatus();
}

absl::Status SqlJobStore::ReleaseTask(const ClaimedTask& claim, bool count_attempt,
                                      int64_t wait_micros) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kTask);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const ClaimState found, FindClaim(claim));
  if (!found.current) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET state = 0, lease_micros = ?, owner = NULL, attempts = attempts - ? "
              "WHERE id = ?",
              wait_micros > 0 ? now + wait_micros : 0, count_attempt ? 0 : 1, claim.task.id));
  ASSAY_RETURN_IF_ERROR(BumpRevision(found.evaluation));
  ASSAY_RETURN_IF_ERROR(db_.Notify(kWorkChannel));
  return transaction.Commit();
}

absl::StatusOr<std::map<std::string, int64_t>> SqlJobStore::CountTasks() {
  MutexLock lock(mutex_);
  // The tasks that an ended evaluation left unfinished are nobody's work, so they are in no state.
  Statement row = db_.Query(
      "SELECT unfinished - leased, leased, done FROM "
      "(SELECT coalesce(sum(tasks_done), 0) AS done, "
      "        coalesce(sum(CASE WHEN state <= 3 THEN tasks - tasks_done ELSE 0 END), 0) AS "
      "unfinished "
      " FROM evaluations) sums, "
      "(SELECT count(*) AS leased FROM tasks WHERE state = 1) now");
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  return std::map<std::string, int64_t>{
      {"OPEN", row.Int(0)}, {"LEASED", row.Int(1)}, {"DONE", row.Int(2)}};
}

absl::StatusOr<std::optional<int64_t>> SqlJobStore::OldestOpenTaskMicros() {
  MutexLock lock(mutex_);
  // Tasks of one evaluation are created in the order of their ids, so the first claimable one of
  // each is its oldest.
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  Statement row = db_.Query(
      absl::StrCat("SELECT min((SELECT t.create_micros FROM tasks t",
                   IndexedBy(db_.dialect(), "unfinished_tasks"),
                   " WHERE t.evaluation = e.id AND t.state < 2 AND t.lease_micros <= ? "
                   "ORDER BY t.id LIMIT 1)) FROM evaluations e",
                   IndexedBy(db_.dialect(), "unfinished_evaluations"), " WHERE e.state <= 3"),
      now);
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  if (row.IsNull(0)) return std::nullopt;
  return row.Int(0);
}

}  // namespace assay::store
