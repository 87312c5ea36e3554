// The queue: claims under leases with fencing tokens, commits, and what there is to do.
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/lifecycle_log.h"
#include "server/store/sqlite_job_store_impl.h"

namespace assay::store {
namespace {

using v1::Evaluation;

absl::Status LeaseLost(const ClaimedTask& claim) {
  return Error(Reason::kLeaseLost,
               absl::StrCat("claim ", claim.fence, " of task ", claim.task.id, " of ",
                            claim.task.evaluation, " is no longer the current one"));
}

}  // namespace

absl::StatusOr<std::optional<ClaimedTask>> SqliteJobStore::FindClaimable(
    int64_t now, const std::string& prefer_model) {
  // Both loops walk their index in the wanted order and stop at the first hit; INDEXED BY makes
  // that a condition instead of a hope. An evaluation costs one probe, and one step for each task
  // that is leased to others.
  const auto query = [](absl::string_view index, absl::string_view filter) {
    return absl::StrCat(
        "SELECT t.id, e.name, t.condition, t.first_sample, t.samples, t.work, t.fence, t.attempts "
        "FROM evaluations e INDEXED BY ",
        index,
        " CROSS JOIN tasks t INDEXED BY unfinished_tasks ON t.evaluation = e.id "
        "WHERE e.state <= 3 AND ",
        filter,
        "t.state < 2 AND t.lease_micros <= ? "
        "ORDER BY e.id, t.id LIMIT 1");
  };
  static const auto* const kAny = new std::string(query("unfinished_evaluations", ""));
  static const auto* const kPreferred =
      new std::string(query("unfinished_evaluations_by_model", "e.model = ? AND "));

  const auto first = [](Statement row) -> absl::StatusOr<std::optional<ClaimedTask>> {
    if (!row.Next()) {
      ASSAY_RETURN_IF_ERROR(row.status());
      return std::nullopt;
    }
    ClaimedTask claim;
    claim.task.id = row.Int(0);
    claim.task.evaluation = row.Text(1);
    claim.task.condition = static_cast<int>(row.Int(2));
    claim.task.first_sample = row.Int(3);
    claim.task.samples = static_cast<int32_t>(row.Int(4));
    claim.task.work = row.Double(5);
    claim.fence = row.Int(6);
    claim.attempt = static_cast<int>(row.Int(7));
    return claim;
  };
  if (!prefer_model.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const std::optional<ClaimedTask> preferred,
                           first(db_.Query(*kPreferred, prefer_model, now)));
    if (preferred) return preferred;
  }
  return first(db_.Query(*kAny, now));
}

absl::StatusOr<std::optional<ClaimedTask>> SqliteJobStore::ClaimTask(
    const std::string& owner, int64_t lease_micros, const std::string& prefer_model) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  const int64_t now = clock_.NowMicros();
  ASSAY_ASSIGN_OR_RETURN(std::optional<ClaimedTask> claim, FindClaimable(now, prefer_model));
  if (!claim) return std::nullopt;
  ++claim->fence;
  ++claim->attempt;
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET state = 1, lease_micros = ?, fence = ?, attempts = ?, owner = ? "
              "WHERE id = ?",
              now + lease_micros, claim->fence, claim->attempt, owner, claim->task.id));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET state = iif(state = ?, ?, state), "
              "start_micros = coalesce(start_micros, ?), revision = revision + 1 WHERE name = ?",
              static_cast<int>(Evaluation::QUEUED), static_cast<int>(Evaluation::RUNNING), now,
              claim->task.evaluation));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  return claim;
}

absl::StatusOr<SqliteJobStore::ClaimState> SqliteJobStore::FindClaim(const ClaimedTask& claim) {
  Statement row = db_.Query(
      "SELECT t.state, t.fence, e.id, e.state FROM tasks t JOIN evaluations e "
      "ON e.id = t.evaluation WHERE t.id = ?",
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

absl::StatusOr<SqliteJobStore::ClaimState> SqliteJobStore::CheckClaim(const ClaimedTask& claim) {
  ASSAY_ASSIGN_OR_RETURN(const ClaimState found, FindClaim(claim));
  if (found.stopped) {
    return Error(Reason::kCancelled, absl::StrCat(claim.task.evaluation, " has ended")).ToStatus();
  }
  if (!found.current) return LeaseLost(claim);
  return found;
}

absl::Status SqliteJobStore::RenewLease(const ClaimedTask& claim, int64_t lease_micros) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_RETURN_IF_ERROR(CheckClaim(claim).status());
  ASSAY_RETURN_IF_ERROR(db_.Run("UPDATE tasks SET lease_micros = ? WHERE id = ?",
                                clock_.NowMicros() + lease_micros, claim.task.id));
  return transaction.Commit();
}

absl::StatusOr<int64_t> SqliteJobStore::FindOrInsertFingerprint(
    const v1::NumericsFingerprint& numerics) {
  {
    Statement row = db_.Query("SELECT id FROM fingerprints WHERE fingerprint = ?", numerics);
    if (row.Next()) return row.Int(0);
    ASSAY_RETURN_IF_ERROR(row.status());
  }
  ASSAY_RETURN_IF_ERROR(db_.Run("INSERT INTO fingerprints (fingerprint) VALUES (?)", numerics));
  return db_.last_insert_id();
}

absl::Status SqliteJobStore::CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                                        const v1::NumericsFingerprint& numerics,
                                        const TaskEffort& effort) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
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
    ASSAY_RETURN_IF_ERROR(db_.Run("INSERT OR IGNORE INTO kept_vectors (task, digest) VALUES (?, ?)",
                                  claim.task.id, vectors.digest()));
  }
  ASSAY_RETURN_IF_ERROR(db_.Run(
      "UPDATE tasks SET state = 2, lease_micros = 0, owner = NULL WHERE id = ?", claim.task.id));
  // The last task brings work_done to work exactly, however the sums of the others were rounded.
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET tasks_done = tasks_done + 1, "
              "samples_done = samples_done + t.samples, "
              "work_done = iif(tasks_done + 1 = tasks, evaluations.work, "
              "                min(evaluations.work, work_done + t.work)), "
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

absl::Status SqliteJobStore::ReleaseTask(const ClaimedTask& claim, bool count_attempt,
                                         int64_t wait_micros) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const ClaimState found, FindClaim(claim));
  if (!found.current) return absl::OkStatus();
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET state = 0, lease_micros = ?, owner = NULL, attempts = attempts - ? "
              "WHERE id = ?",
              wait_micros > 0 ? clock_.NowMicros() + wait_micros : 0, count_attempt ? 0 : 1,
              claim.task.id));
  ASSAY_RETURN_IF_ERROR(BumpRevision(found.evaluation));
  return transaction.Commit();
}

absl::StatusOr<std::map<std::string, int64_t>> SqliteJobStore::CountTasks() {
  MutexLock lock(mutex_);
  // The tasks that an ended evaluation left unfinished are nobody's work, so they are in no state.
  Statement row = db_.Query(
      "SELECT unfinished - leased, leased, done FROM "
      "(SELECT coalesce(sum(tasks_done), 0) AS done, "
      "        coalesce(sum(iif(state <= 3, tasks - tasks_done, 0)), 0) AS unfinished "
      " FROM evaluations), "
      "(SELECT count(*) AS leased FROM tasks WHERE state = 1)");
  if (!row.Next()) return row.ErrorOr(Error(Reason::kStorageFailed, "SQLite: no row"));
  return std::map<std::string, int64_t>{
      {"OPEN", row.Int(0)}, {"LEASED", row.Int(1)}, {"DONE", row.Int(2)}};
}

absl::StatusOr<std::optional<int64_t>> SqliteJobStore::OldestOpenTaskMicros() {
  MutexLock lock(mutex_);
  // Tasks of one evaluation are created in the order of their ids, so the first claimable one of
  // each is its oldest.
  Statement row = db_.Query(
      "SELECT min((SELECT t.create_micros FROM tasks t INDEXED BY unfinished_tasks "
      "WHERE t.evaluation = e.id AND t.state < 2 AND t.lease_micros <= ? ORDER BY t.id LIMIT 1)) "
      "FROM evaluations e INDEXED BY unfinished_evaluations WHERE e.state <= 3",
      clock_.NowMicros());
  if (!row.Next()) return row.ErrorOr(Error(Reason::kStorageFailed, "SQLite: no row"));
  if (row.IsNull(0)) return std::nullopt;
  return row.Int(0);
}

}  // namespace assay::store
