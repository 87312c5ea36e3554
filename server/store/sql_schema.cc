#include "server/store/sql_schema.h"

#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "assay/v1/evaluations.pb.h"
#include "core/base/errors.h"

namespace assay::store {
namespace {

// The indexes below call an evaluation unfinished when its state is at most 3.
static_assert(v1::Evaluation::RECEIVING == 1 && v1::Evaluation::QUEUED == 2 &&
              v1::Evaluation::RUNNING == 3 && v1::Evaluation::SUCCEEDED == 4 &&
              v1::Evaluation::FAILED == 5 && v1::Evaluation::CANCELLED == 6);

// Tasks are 0 OPEN, 1 LEASED or 2 DONE. Ids of evaluations and tasks are never used again
// (AUTOINCREMENT): an old claim cannot meet a new task. Counters of an evaluation are kept in the
// transactions that change its tasks. Messages stand last in their rows, so that scans over the
// columns before them need not read them.
constexpr char kVersion1[] = R"sql(
CREATE TABLE models (
  name TEXT NOT NULL PRIMARY KEY,
  digest TEXT NOT NULL,
  request_id TEXT UNIQUE,
  model BLOB NOT NULL
);
CREATE TABLE chosen_numerics (
  key TEXT NOT NULL PRIMARY KEY,
  fingerprint BLOB NOT NULL
);

-- A manifest (its header: all but the chunks) belongs to a dataset or to the stream of an evaluation.
CREATE TABLE manifests (
  id INTEGER PRIMARY KEY,
  header BLOB NOT NULL
);
CREATE TABLE chunks (
  manifest INTEGER NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  digest TEXT NOT NULL,
  samples INTEGER NOT NULL,
  PRIMARY KEY (manifest, position)
) WITHOUT ROWID;
CREATE TABLE datasets (
  name TEXT NOT NULL PRIMARY KEY,
  digest TEXT NOT NULL,
  request_id TEXT UNIQUE,
  manifest INTEGER NOT NULL UNIQUE REFERENCES manifests(id),
  dataset BLOB NOT NULL
);

CREATE TABLE evaluations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  request_id TEXT UNIQUE,
  model TEXT NOT NULL,
  dataset TEXT NOT NULL,
  manifest INTEGER UNIQUE REFERENCES manifests(id),
  state INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 1,
  create_micros INTEGER NOT NULL,
  start_micros INTEGER,
  end_micros INTEGER,
  tasks INTEGER NOT NULL DEFAULT 0,
  tasks_done INTEGER NOT NULL DEFAULT 0,
  samples INTEGER NOT NULL DEFAULT 0,
  samples_done INTEGER NOT NULL DEFAULT 0,
  work REAL NOT NULL DEFAULT 0,
  work_done REAL NOT NULL DEFAULT 0,
  failure BLOB,
  evaluation BLOB NOT NULL
);
CREATE INDEX evaluations_by_state ON evaluations(state);
CREATE INDEX evaluations_by_dataset ON evaluations(dataset);
CREATE INDEX unfinished_evaluations ON evaluations(id) WHERE state <= 3;
CREATE INDEX unfinished_evaluations_by_model ON evaluations(model, id) WHERE state <= 3;

-- The other models that conditions name; evaluations.model is the evaluated one.
CREATE TABLE other_models (
  evaluation INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  PRIMARY KEY (evaluation, model)
) WITHOUT ROWID;
CREATE INDEX other_models_by_model ON other_models(model);

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  evaluation INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
  condition INTEGER NOT NULL,
  first_sample INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  work REAL NOT NULL,
  create_micros INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  -- The task can be claimed from this time on: the end of the lease when leased; when open, 0 or
  -- the end of the wait after an attempt that failed.
  lease_micros INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  owner TEXT
);
CREATE INDEX tasks_in_order ON tasks(evaluation, condition, first_sample);
CREATE INDEX unfinished_tasks ON tasks(evaluation, id) WHERE state < 2;
CREATE INDEX leased_tasks ON tasks(evaluation, id) WHERE state = 1;

CREATE TABLE fingerprints (
  id INTEGER PRIMARY KEY,
  fingerprint BLOB NOT NULL UNIQUE
);
CREATE TABLE outcomes (
  task INTEGER PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE,
  fingerprint INTEGER NOT NULL REFERENCES fingerprints(id),
  -- Digest of the adversarial examples that were kept.
  adversarials TEXT,
  batch BLOB NOT NULL
);
)sql";

constexpr char kVersion2[] = R"sql(
-- Digests of the vectors that were kept of a task's samples.
CREATE TABLE kept_vectors (
  task INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  PRIMARY KEY (task, digest)
) WITHOUT ROWID;

-- The CSV of a manifest's metadata is a blob. What was measured of the images of a chunk belongs to
-- its bytes and to how they are read, whoever names it.
ALTER TABLE manifests ADD COLUMN metadata TEXT;
CREATE TABLE chunk_statistics (
  chunk TEXT NOT NULL,
  layout TEXT NOT NULL,
  statistics BLOB NOT NULL,
  PRIMARY KEY (chunk, layout)
) WITHOUT ROWID;

CREATE TABLE model_labels (
  model TEXT NOT NULL REFERENCES models(name) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, key)
) WITHOUT ROWID;
CREATE TABLE evaluation_labels (
  evaluation INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (evaluation, key)
) WITHOUT ROWID;

-- Where the numbers of an evaluation come from. Those that were made before this table have no row.
CREATE TABLE provenance (
  evaluation INTEGER PRIMARY KEY REFERENCES evaluations(id) ON DELETE CASCADE,
  -- When the evaluation was made: the name may be another model's later.
  model_digest TEXT NOT NULL,
  -- Of the assayd that committed its tasks: "1.0.0, 1.1.0".
  versions TEXT NOT NULL DEFAULT '',
  model_seconds REAL NOT NULL DEFAULT 0,
  other_seconds REAL NOT NULL DEFAULT 0
);
)sql";

constexpr char kVersion3[] = R"sql(
-- NULL: not known, as of every evaluation with a task of which it is not.
ALTER TABLE provenance ADD COLUMN energy_joules REAL;
)sql";

constexpr char kVersion4[] = R"sql(
-- The order of claims: HIGH is 1, NORMAL 2, LOW 3. Those of one urgency take turns by whose they
-- are.
ALTER TABLE evaluations ADD COLUMN urgency INTEGER NOT NULL DEFAULT 2;
ALTER TABLE evaluations ADD COLUMN share TEXT NOT NULL DEFAULT '';
-- How long it may take since its creation or its last retry, and the end of that.
ALTER TABLE evaluations ADD COLUMN allowed_micros INTEGER;
ALTER TABLE evaluations ADD COLUMN deadline_micros INTEGER;
-- Unfinished tasks of conditions that were given up.
ALTER TABLE evaluations ADD COLUMN tasks_given_up INTEGER NOT NULL DEFAULT 0;
DROP INDEX unfinished_evaluations_by_model;
CREATE INDEX claims ON evaluations(urgency, id) WHERE state <= 3;
CREATE INDEX claims_by_model ON evaluations(model, urgency, id) WHERE state <= 3;
CREATE INDEX claims_by_share ON evaluations(share, urgency, id) WHERE state <= 3;
CREATE INDEX deadlines ON evaluations(deadline_micros)
  WHERE state <= 3 AND deadline_micros IS NOT NULL;

-- Start-time fair queueing between shares, in seconds of devices: what a share has been served, and
-- where it stood when its latest task was claimed.
CREATE TABLE shares (
  name TEXT NOT NULL PRIMARY KEY,
  served REAL NOT NULL,
  start REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE failed_conditions (
  evaluation INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
  condition INTEGER NOT NULL,
  failure BLOB NOT NULL,
  PRIMARY KEY (evaluation, condition)
) WITHOUT ROWID;

-- Outcomes of finished samples of tasks that are not done, in parts.
CREATE TABLE checkpoints (
  task INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
  part INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL REFERENCES fingerprints(id),
  -- Of the assayd whose engine computed it.
  version TEXT NOT NULL,
  model_seconds REAL NOT NULL,
  other_seconds REAL NOT NULL,
  energy_joules REAL,
  batch BLOB NOT NULL,
  PRIMARY KEY (task, part)
);

-- Samples of done tasks by what their outcomes depend on.
CREATE TABLE contents (
  key TEXT NOT NULL,
  first_sample INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL REFERENCES fingerprints(id),
  task INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
  PRIMARY KEY (key, first_sample, samples, fingerprint, task)
) WITHOUT ROWID;
CREATE INDEX contents_by_task ON contents(task);
ALTER TABLE provenance ADD COLUMN reused_samples INTEGER NOT NULL DEFAULT 0;

-- Several assayds over one database know of each other (instances.h): what each of them said last
-- of itself, and what it is asked to do.
CREATE TABLE instances (
  name TEXT NOT NULL PRIMARY KEY,
  heartbeat_micros INTEGER NOT NULL,
  status BLOB NOT NULL,
  models BLOB NOT NULL
);
CREATE TABLE instance_orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  instance TEXT NOT NULL REFERENCES instances(name) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  model BLOB NOT NULL
);
CREATE INDEX instance_orders_by_instance ON instance_orders(instance);
-- While there is a row, no task is claimed.
CREATE TABLE pauses (
  id INTEGER PRIMARY KEY,
  since_micros INTEGER NOT NULL,
  reason TEXT NOT NULL
);
-- Evaluations that devices of one kind alone may run. A table of its own: a column would stand
-- behind the messages of evaluations, and the search for work reads it of each.
CREATE TABLE pinned_evaluations (
  evaluation INTEGER PRIMARY KEY REFERENCES evaluations(id) ON DELETE CASCADE,
  device_kind TEXT NOT NULL
);
-- How far a claimed task is, as its worker said when it last renewed the lease.
ALTER TABLE tasks ADD COLUMN running_samples INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN running_work REAL NOT NULL DEFAULT 0;

-- Whose token made a model or a dataset, and its bytes. What nobody is charged for has no row.
CREATE TABLE owned (
  name TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX owned_by_owner ON owned(owner);
)sql";

// What makes each version of the one before it; the first, of an empty database. Written for
// SQLite.
constexpr const char* kSteps[] = {kVersion1, kVersion2, kVersion3, kVersion4};
constexpr auto kVersion = static_cast<int64_t>(std::size(kSteps));

// The same for PostgreSQL, whose texts are to be compared byte by byte, as SQLite's are.
std::string ForPostgres(absl::string_view script) {
  // The longest match comes first.
  return absl::StrReplaceAll(
      script,
      {{"INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
       {"id INTEGER PRIMARY KEY,", "id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"},
       {"INTEGER", "BIGINT"},
       {"BLOB", "BYTEA"},
       {" REAL", " DOUBLE PRECISION"},
       {" TEXT", " TEXT COLLATE \"C\""},
       {") WITHOUT ROWID", ")"}});
}

absl::StatusOr<int64_t> SingleNumber(Database& database, const std::string& sql) {
  Statement row = database.Query(sql);
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  return row.Int(0);
}

// 0 without tables.
absl::StatusOr<int64_t> StoredVersion(Database& database) {
  if (database.dialect() == Dialect::kSqlite) return SingleNumber(database, "PRAGMA user_version");
  ASSAY_ASSIGN_OR_RETURN(
      const int64_t there,
      SingleNumber(database,
                   "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() "
                   "AND tablename = 'assay_schema'"));
  if (there == 0) return int64_t{0};
  return SingleNumber(database, "SELECT version FROM assay_schema");
}

absl::Status StoreVersion(Database& database) {
  if (database.dialect() == Dialect::kSqlite) {
    return database.Run(absl::StrCat("PRAGMA user_version = ", kVersion));
  }
  return database.RunScript(
      absl::StrCat("CREATE TABLE IF NOT EXISTS assay_schema (version BIGINT NOT NULL); "
                   "DELETE FROM assay_schema; INSERT INTO assay_schema VALUES (",
                   kVersion, ");"));
}

// 0 for an empty database. To be called in a transaction: another process may be making the tables
// at this moment.
absl::StatusOr<int64_t> CheckVersion(Database& database, const std::string& where) {
  ASSAY_ASSIGN_OR_RETURN(const int64_t version, StoredVersion(database));
  if (version > kVersion) {
    return Error(Reason::kStorageFailed, absl::StrCat(where, " has version ", version,
                                                      "; this program knows versions up to ",
                                                      kVersion, ": use a newer one"))
        .ToStatus();
  }
  ASSAY_ASSIGN_OR_RETURN(
      const int64_t objects,
      SingleNumber(database,
                   database.dialect() == Dialect::kSqlite
                       ? "SELECT count(*) FROM sqlite_schema"
                       : "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"));
  if (version < 0 || (version == 0 && objects > 0)) {
    return Error(Reason::kStorageFailed, absl::StrCat(where, " is of another program")).ToStatus();
  }
  return version;
}

}  // namespace

absl::Status CheckSchema(Database& database, const std::string& where) {
  Transaction transaction(database, Transaction::kRead);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  return CheckVersion(database, where).status();
}

absl::Status BringUpToDate(Database& database, const std::string& where) {
  Transaction transaction(database, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t version, CheckVersion(database, where));
  if (version == kVersion) return absl::OkStatus();
  for (int64_t step = version; step < kVersion; ++step) {
    const std::string script = kSteps[step];
    ASSAY_RETURN_IF_ERROR(
        database.RunScript(database.dialect() == Dialect::kSqlite ? script : ForPostgres(script)));
  }
  ASSAY_RETURN_IF_ERROR(StoreVersion(database));
  return transaction.Commit();
}

}  // namespace assay::store
