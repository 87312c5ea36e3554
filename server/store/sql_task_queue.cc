// The queue: claims under leases with fencing tokens, commits, and what there is to do.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/pass_counts.h"
#include "server/store/lifecycle_log.h"
#include "server/store/sql_job_store.h"

namespace assay::store {
namespace {

using v1::Evaluation;

// A condition on an evaluation e whose ?7 is the kind of the device: that its tasks may
// be begun there, now.
constexpr char kMayBegin[] =
    "NOT EXISTS (SELECT 1 FROM pinned_evaluations p WHERE p.evaluation = e.id "
    "AND p.device_kind <> ?7) AND NOT EXISTS (SELECT 1 FROM pauses) ";

// No task waits longer for its next attempt (worker.h), unless the clock was set back.
constexpr int64_t kLongestWaitMicros = int64_t{3600} * 1'000'000;

absl::Status LeaseLost(const ClaimedTask& claim) {
  return Error(Reason::kLeaseLost,
               absl::StrCat("claim ", claim.fence, " of task ", claim.task.id, " of ",
                            claim.task.evaluation, " is no longer the current one"));
}

}  // namespace

absl::StatusOr<std::optional<SqlJobStore::Work>> SqlJobStore::FindWork(int64_t now,
                                                                       const WorkFilter& filter,
                                                                       const Work& after) {
  // Both loops walk their index in the wanted order and stop at the first hit; INDEXED BY makes
  // that a condition instead of a hope. An evaluation costs one probe, and one step for each task
  // that is leased to others.
  const Dialect dialect = db_.dialect();
  const absl::string_view index = filter.model   ? "claims_by_model"
                                  : filter.share ? "claims_by_share"
                                                 : "claims";
  const auto end_of_shares = [&](absl::string_view function) {
    return absl::StrCat("(SELECT ", function, "(s.share) FROM evaluations s",
                        IndexedBy(dialect, "claims_by_share"), " WHERE s.state <= 3)");
  };
  Statement row = db_.Query(
      absl::StrCat(
          "SELECT e.urgency, e.id, e.name, e.model, e.share, ", end_of_shares("min"), " <> ",
          end_of_shares("max"), ", e.state = 2 OR e.start_micros IS NULL FROM evaluations e",
          IndexedBy(dialect, index), " WHERE e.state <= 3 AND (e.urgency, e.id) > (?1, ?2)",
          // Without a wish, whatever the column has.
          filter.model ? " AND e.model = ?3" : " AND (?3 = '' OR e.model = ?3)",
          filter.share ? " AND e.share = ?4" : " AND (?4 = '' OR e.share = ?4)",
          filter.urgency ? " AND e.urgency = ?5" : " AND e.urgency >= ?5",
          " AND EXISTS (SELECT 1 FROM tasks t", IndexedBy(dialect, "unfinished_tasks"),
          " WHERE t.evaluation = e.id AND t.state < 2 AND t.lease_micros <= ?6) AND ", kMayBegin,
          "ORDER BY e.urgency, e.id LIMIT 1"),
      after.urgency, after.id, filter.model.value_or(""), filter.share.value_or(""),
      filter.urgency.value_or(0), now, filter.device_kind);
  if (row.Next()) {
    Work work;
    work.urgency = row.Int(0);
    work.id = row.Int(1);
    work.name = row.Text(2);
    work.model = row.Text(3);
    work.share = row.Text(4);
    work.several_shares = row.Int(5) != 0;
    work.begins = row.Int(6) != 0;
    return work;
  }
  ASSAY_RETURN_IF_ERROR(row.status());
  return std::nullopt;
}

absl::StatusOr<std::optional<SqlJobStore::Found>> SqlJobStore::FindTask(int64_t now,
                                                                        const Work& work) {
  Statement row = db_.Query(
      absl::StrCat("SELECT t.id, t.condition, t.first_sample, t.samples, t.work, t.fence, "
                   "t.attempts FROM tasks t",
                   IndexedBy(db_.dialect(), "unfinished_tasks"),
                   // As a range, it is in the order of that index alone, not of the primary key.
                   " WHERE (t.evaluation, t.id) > (?1, 0) AND (t.evaluation, t.id) < (?1 + 1, 0) "
                   "AND t.state < 2 AND t.lease_micros <= ?2 ORDER BY t.evaluation, t.id LIMIT 1",
                   ForUpdate(db_.dialect(), "t", /*skip_locked=*/true)),
      work.id, now);
  if (!row.Next()) {
    ASSAY_RETURN_IF_ERROR(row.status());
    return std::nullopt;
  }
  Found claim;
  claim.task.id = row.Int(0);
  claim.task.evaluation = work.name;
  claim.begins = work.begins;
  claim.task.condition = static_cast<int>(row.Int(1));
  claim.task.first_sample = row.Int(2);
  claim.task.samples = static_cast<int32_t>(row.Int(3));
  claim.task.work = row.Double(4);
  claim.fence = row.Int(5);
  claim.attempt = static_cast<int>(row.Int(6));
  return claim;
}

absl::StatusOr<std::optional<SqlJobStore::Found>> SqlJobStore::FindClaimable(
    int64_t now, const WorkFilter& filter, const std::string& prefer_model) {
  Work first;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const auto next, FindWork(now, filter, first));
    if (!next) return std::nullopt;
    if (next->several_shares && !filter.share) {
      ASSAY_ASSIGN_OR_RETURN(auto claim,
                             FindByTurns(now, next->urgency, filter.device_kind, prefer_model));
      if (claim) return claim;
      // Others are claiming all that is so urgent.
      first.urgency = next->urgency;
      first.id = std::numeric_limits<int64_t>::max();
      continue;
    }
    if (!prefer_model.empty() && next->model != prefer_model) {
      WorkFilter of_model = filter;
      of_model.urgency = next->urgency;
      of_model.model = prefer_model;
      ASSAY_ASSIGN_OR_RETURN(const auto preferred, FindWork(now, of_model, first));
      if (preferred) {
        ASSAY_ASSIGN_OR_RETURN(auto claim, FindTask(now, *preferred));
        if (claim) return claim;
      }
    }
    ASSAY_ASSIGN_OR_RETURN(auto claim, FindTask(now, *next));
    if (claim) return claim;
    // Others are claiming all that it has at this moment.
    first = *next;
  }
}

absl::StatusOr<std::optional<SqlJobStore::Found>> SqlJobStore::FindByTurns(
    int64_t now, int64_t urgency, const std::string& device_kind, const std::string& prefer_model) {
  // Start-time fair queueing (Goyal, Vin, Cheng 1996): a share that comes back after it had nothing
  // to do begins where the others are, and brings no claims from the past.
  struct Turn {
    int64_t running = 0;
    double start = 0;
    std::string share;
  };
  std::vector<Turn> turns;
  {
    Statement rows = db_.Query(
        "SELECT w.share, coalesce(s.served, 0), (SELECT coalesce(max(start), 0) FROM shares), "
        "coalesce(r.tasks, 0) FROM "
        "(SELECT DISTINCT share FROM evaluations WHERE state <= 3 AND urgency = ?) w "
        "LEFT JOIN shares s ON s.name = w.share "
        "LEFT JOIN (SELECT e.share AS share, count(*) AS tasks FROM tasks t "
        "           JOIN evaluations e ON e.id = t.evaluation WHERE t.state = 1 "
        "           GROUP BY e.share) r ON r.share = w.share",
        urgency);
    while (rows.Next()) {
      turns.push_back({rows.Int(3), std::max(rows.Double(1), rows.Double(2)), rows.Text(0)});
    }
    ASSAY_RETURN_IF_ERROR(rows.status());
  }
  std::sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) {
    return std::tie(a.running, a.start, a.share) < std::tie(b.running, b.start, b.share);
  });
  for (const Turn& turn : turns) {
    WorkFilter filter;
    filter.device_kind = device_kind;
    filter.urgency = urgency;
    filter.share = turn.share;
    ASSAY_ASSIGN_OR_RETURN(auto claim, FindClaimable(now, filter, prefer_model));
    if (!claim) continue;
    claim->share = turn.share;
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO shares (name, served, start) VALUES (?1, ?2, ?2) "
                "ON CONFLICT (name) DO UPDATE SET served = ?2, start = ?2",
                turn.share, turn.start));
    return claim;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<ClaimedTask>> SqlJobStore::ClaimTask(const std::string& owner,
                                                                  int64_t lease_micros,
                                                                  const std::string& prefer_model,
                                                                  const std::string& device_kind) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kTask);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  WorkFilter filter;
  filter.device_kind = device_kind;
  ASSAY_ASSIGN_OR_RETURN(std::optional<Found> claim, FindClaimable(now, filter, prefer_model));
  if (!claim) {
    // The next claim finds them.
    ASSAY_RETURN_IF_ERROR(EndWaitsOfAnotherTime(now));
    ASSAY_RETURN_IF_ERROR(transaction.Commit());
    return std::nullopt;
  }
  ++claim->fence;
  ++claim->attempt;
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET state = 1, lease_micros = ?, fence = ?, attempts = ?, owner = ?, "
              "running_samples = 0, running_work = 0 WHERE id = ?",
              now + lease_micros, claim->fence, claim->attempt, owner, claim->task.id));
  // Later claims leave its row alone, so that they do not wait for each other's commits.
  if (claim->begins) {
    ASSAY_RETURN_IF_ERROR(
        db_.Run("UPDATE evaluations SET state = CASE WHEN state = ? THEN ? ELSE state END, "
                "start_micros = coalesce(start_micros, ?), revision = revision + 1 WHERE name = ?",
                static_cast<int>(Evaluation::QUEUED), static_cast<int>(Evaluation::RUNNING), now,
                claim->task.evaluation));
  }
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  return std::optional<ClaimedTask>(*std::move(claim));
}

void SqlJobStore::ShareBy(const std::string& label) {
  MutexLock lock(mutex_);
  share_label_ = label;
}

absl::Status SqlJobStore::EndWaitsOfAnotherTime(int64_t now) {
  // Of unfinished evaluations only a few tasks wait, if nothing can be claimed. Done ones are not
  // walked over: SQLite takes the index of unfinished tasks where it reads its very condition.
  const std::string waits =
      absl::StrCat("state < 2 AND state = 0 AND lease_micros > ? AND lease_micros < ", kNever,
                   " AND evaluation IN (SELECT id FROM evaluations WHERE state <= 3)");
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
      absl::StrCat("SELECT t.state, t.fence, e.id, e.state, t.lease_micros, "
                   "EXISTS (SELECT 1 FROM checkpoints c WHERE c.task = t.id) FROM tasks t "
                   "JOIN evaluations e ON e.id = t.evaluation WHERE t.id = ?",
                   ForUpdate(db_.dialect(), "t")),
      claim.task.id);
  ClaimState found;
  if (row.Next()) {
    found.current = row.Int(0) == kLeased && row.Int(1) == claim.fence;
    found.evaluation = row.Int(2);
    found.stopped = row.Int(3) == Evaluation::FAILED || row.Int(3) == Evaluation::CANCELLED ||
                    row.Int(4) == kNever;
    found.has_checkpoint = row.Int(5) != 0;
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

absl::Status SqlJobStore::RenewLease(const ClaimedTask& claim, int64_t lease_micros,
                                     const std::optional<TaskProgress>& progress) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kTask);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_RETURN_IF_ERROR(CheckClaim(claim).status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  if (progress) {
    ASSAY_RETURN_IF_ERROR(
        db_.Run("UPDATE tasks SET lease_micros = ?, running_samples = ?, running_work = ? "
                "WHERE id = ?",
                now + lease_micros, progress->samples_done, progress->work_done, claim.task.id));
  } else {
    ASSAY_RETURN_IF_ERROR(db_.Run("UPDATE tasks SET lease_micros = ? WHERE id = ?",
                                  now + lease_micros, claim.task.id));
  }
  return transaction.Commit();
}

absl::StatusOr<int64_t> SqlJobStore::FindOrInsertFingerprint(
    const v1::NumericsFingerprint& numerics) {
  if (fingerprints_connection_ != db_.connections()) fingerprints_.clear();
  fingerprints_connection_ = db_.connections();
  const std::string bytes = numerics.SerializeAsString();
  if (const auto known = fingerprints_.find(bytes); known != fingerprints_.end()) {
    return known->second;
  }
  // Another may insert the same between the two.
  for (const bool last : {false, true}) {
    Statement row = db_.Query("SELECT id FROM fingerprints WHERE fingerprint = ?", numerics);
    if (row.Next()) {
      // What this transaction has inserted may not stay.
      if (!last) fingerprints_[bytes] = row.Int(0);
      return row.Int(0);
    }
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
  if (claim.share) {
    // Before the row of the evaluation is locked, as in a claim.
    ASSAY_RETURN_IF_ERROR(db_.Run("UPDATE shares SET served = served + ? WHERE name = ?",
                                  effort.model_seconds + effort.other_seconds, *claim.share));
  }
  ASSAY_ASSIGN_OR_RETURN(const int64_t fingerprint, FindOrInsertFingerprint(numerics));
  const std::optional<std::string> adversarials =
      outcomes.has_adversarials() ? std::optional<std::string>(outcomes.adversarials().digest())
                                  : std::nullopt;
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (?, ?, ?, ?)",
              claim.task.id, fingerprint, adversarials, outcomes));
  if (found.has_checkpoint) {
    ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM checkpoints WHERE task = ?", claim.task.id));
  }
  for (const ContentRange& range : effort.content) {
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO contents (key, first_sample, samples, fingerprint, task) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                range.key, range.first_sample, range.samples, fingerprint, claim.task.id));
  }
  for (const v1::OutcomeBatch::Vectors& vectors : outcomes.vectors()) {
    if (vectors.digest().empty()) continue;
    // Vectors of two kinds can be the same bytes.
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO kept_vectors (task, digest) VALUES (?, ?) ON CONFLICT DO NOTHING",
                claim.task.id, vectors.digest()));
  }
  ASSAY_RETURN_IF_ERROR(db_.Run(
      "UPDATE tasks SET state = 2, lease_micros = 0, owner = NULL WHERE id = ?", claim.task.id));
  bool all_done = false;
  {
    // The last task brings work_done to work exactly, however the sums of the others were rounded.
    Statement row = db_.Query(
        "UPDATE evaluations SET tasks_done = tasks_done + 1, samples_done = samples_done + ?2, "
        "work_done = CASE WHEN tasks_done + 1 = tasks OR work_done + ?3 > work THEN work "
        "            ELSE work_done + ?3 END, "
        "revision = revision + 1 WHERE id = ?1 RETURNING tasks = tasks_done + tasks_given_up",
        found.evaluation, claim.task.samples, claim.task.work);
    if (!row.Next()) return row.ErrorOr(Database::NoRow());
    all_done = row.Int(0) != 0;
  }
  // Each version once, in the order in which they committed.
  ASSAY_RETURN_IF_ERROR(db_.Run(
      "UPDATE provenance SET model_seconds = model_seconds + ?2, other_seconds = other_seconds + "
      "?3, "
      // One that is not known makes the sum unknown.
      "energy_joules = energy_joules + ?5, reused_samples = reused_samples + ?6, "
      "versions = CASE WHEN ', ' || versions || ', ' LIKE '%, ' || ?4 || ', %' THEN versions "
      "                WHEN versions = '' THEN ?4 ELSE versions || ', ' || ?4 END "
      "WHERE evaluation = ?1",
      found.evaluation, effort.model_seconds, effort.other_seconds, effort.assay_version,
      effort.energy_joules, effort.reused_samples));
  std::optional<End> end;
  if (all_done) {
    ASSAY_ASSIGN_OR_RETURN(end, EndIfNothingIsLeft(found.evaluation));
  }
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  if (end) LogEnded(claim.task.evaluation, end->state, end->failure);
  return absl::OkStatus();
}

absl::Status SqlJobStore::AddToCheckpoint(const ClaimedTask& claim, const TaskCheckpoint& part) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kTask);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_RETURN_IF_ERROR(CheckClaim(claim).status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t fingerprint, FindOrInsertFingerprint(part.numerics));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("DELETE FROM checkpoints WHERE task = ? AND (fingerprint <> ? OR version <> ?)",
              claim.task.id, fingerprint, part.effort.assay_version));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO checkpoints (task, part, fingerprint, version, model_seconds, "
              "other_seconds, energy_joules, batch) "
              "VALUES (?1, (SELECT coalesce(max(part), 0) + 1 FROM checkpoints WHERE task = ?1), "
              "?2, ?3, ?4, ?5, ?6, ?7)",
              claim.task.id, fingerprint, part.effort.assay_version, part.effort.model_seconds,
              part.effort.other_seconds, part.effort.energy_joules, part.outcomes));
  return transaction.Commit();
}

absl::StatusOr<std::optional<TaskCheckpoint>> SqlJobStore::ReadCheckpoint(
    const ClaimedTask& claim) {
  TaskCheckpoint all;
  all.effort.energy_joules = 0;
  std::vector<std::string> batches;
  {
    MutexLock lock(mutex_);
    Statement rows = db_.Query(
        "SELECT f.fingerprint, c.version, c.model_seconds, c.other_seconds, c.energy_joules, "
        "c.batch FROM checkpoints c JOIN fingerprints f ON f.id = c.fingerprint "
        "WHERE c.task = ? ORDER BY c.part",
        claim.task.id);
    while (rows.Next()) {
      ASSAY_RETURN_IF_ERROR(rows.Message(0, all.numerics));
      all.effort.assay_version = rows.Text(1);
      all.effort.model_seconds += rows.Double(2);
      all.effort.other_seconds += rows.Double(3);
      if (rows.IsNull(4)) {
        all.effort.energy_joules = std::nullopt;
      } else if (all.effort.energy_joules) {
        *all.effort.energy_joules += rows.Double(4);
      }
      batches.push_back(rows.Text(5));
    }
    ASSAY_RETURN_IF_ERROR(rows.status());
  }
  if (batches.empty()) return std::nullopt;
  // Outside of the lock, as outcomes are.
  v1::PassCounts passes;
  for (const std::string& bytes : batches) {
    v1::OutcomeBatch batch;
    if (!batch.ParseFromString(bytes)) {
      return Error(Reason::kInternal,
                   absl::StrCat("a checkpoint of ", claim.task.evaluation, " cannot be read"))
          .ToStatus();
    }
    AddPasses(batch.passes(), &passes);
    all.outcomes.mutable_outcomes()->MergeFrom(batch.outcomes());
  }
  *all.outcomes.mutable_passes() = passes;
  return all;
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

absl::Status SqlJobStore::SplitTask(const ClaimedTask& claim, int attempts) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const ClaimState found, FindClaim(claim));
  if (!found.current) return absl::OkStatus();
  const Task& task = claim.task;
  // Of both parts; who dies again and again has lost little.
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM checkpoints WHERE task = ?", task.id));
  const int32_t half = task.samples / 2;
  const double work = task.work * half / task.samples;
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO tasks (evaluation, condition, first_sample, samples, work, "
              "create_micros, attempts) SELECT evaluation, condition, first_sample + ?2, "
              "samples - ?2, work - ?3, create_micros, ?4 FROM tasks WHERE id = ?1",
              task.id, half, work, attempts));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET samples = ?2, work = ?3, attempts = ?4, state = 0, "
              "lease_micros = 0, owner = NULL WHERE id = ?1",
              task.id, half, work, attempts));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET tasks = tasks + 1, revision = revision + 1 WHERE id = ?",
              found.evaluation));
  ASSAY_RETURN_IF_ERROR(db_.Notify(kWorkChannel));
  return transaction.Commit();
}

absl::Status SqlJobStore::GiveUpCondition(const ClaimedTask& claim, const v1::Failure& failure) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const ClaimState found, CheckClaim(claim));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO failed_conditions (evaluation, condition, failure) VALUES (?, ?, ?) "
              "ON CONFLICT DO NOTHING",
              found.evaluation, claim.task.condition, failure));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE tasks SET state = 0, lease_micros = ?, owner = NULL "
              "WHERE evaluation = ? AND condition = ? AND state < 2",
              kNever, found.evaluation, claim.task.condition));
  ASSAY_RETURN_IF_ERROR(
      db_.Run("UPDATE evaluations SET tasks_given_up = (SELECT count(*) FROM tasks t "
              "WHERE t.evaluation = ?1 AND t.state < 2 AND t.lease_micros = ?2), "
              "revision = revision + 1 WHERE id = ?1",
              found.evaluation, kNever));
  ASSAY_ASSIGN_OR_RETURN(const auto end, EndIfNothingIsLeft(found.evaluation));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  if (end) LogEnded(claim.task.evaluation, end->state, end->failure);
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, int64_t>> SqlJobStore::CountTasks() {
  MutexLock lock(mutex_);
  // The tasks that an ended evaluation left unfinished are nobody's work, so they are in no state.
  Statement row = db_.Query(
      "SELECT unfinished - leased, leased, done FROM "
      "(SELECT coalesce(sum(tasks_done), 0) AS done, "
      "        coalesce(sum(CASE WHEN state <= 3 THEN tasks - tasks_done - tasks_given_up "
      "ELSE 0 END), 0) AS "
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
