// The catalog: models, datasets, what they occupy.
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/labels.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "google/protobuf/util/time_util.h"
#include "google/protobuf/wrappers.pb.h"
#include "server/store/lifecycle_log.h"
#include "server/store/sql_job_store.h"
#include "server/store/sqlite.h"

namespace assay::store {
namespace {

using google::protobuf::util::TimeUtil;

// Pages of SQLite that are given back at once, while everybody waits.
constexpr int64_t kPagesPerStep = 500;

// The records of one page of messages ordered by name. `rows` yields (message) and one row more
// than the page has, if there is.
template <typename Record>
absl::StatusOr<Listing<Record>> ReadNamedPage(Statement& rows, int limit) {
  Listing<Record> listing;
  while (rows.Next()) {
    if (static_cast<int>(listing.records.size()) == limit) {
      listing.next_token = EncodePageToken(listing.records.back().name());
      break;
    }
    ASSAY_RETURN_IF_ERROR(rows.Message(0, listing.records.emplace_back()));
  }
  ASSAY_RETURN_IF_ERROR(rows.status());
  return listing;
}

}  // namespace

absl::StatusOr<std::optional<std::string>> SqlJobStore::FindCreated(const std::string& table,
                                                                    const std::string& name,
                                                                    const std::string& digest,
                                                                    const std::string& request_id) {
  ASSAY_ASSIGN_OR_RETURN(std::optional<std::string> by_request, FindRequest(table, request_id));
  if (by_request) return by_request;
  Statement row = db_.Query(absl::StrCat("SELECT digest FROM ", table, " WHERE name = ?"), name);
  if (!row.Next()) {
    ASSAY_RETURN_IF_ERROR(row.status());
    return std::nullopt;
  }
  if (row.Text(0) == digest) return name;
  return Error(Reason::kAlreadyExists,
               absl::StrCat(name, " exists with other content (", row.Text(0),
                            "); choose another name, or delete it first"))
      .With("digest", row.Text(0))
      .Resource(table, name)
      .ToStatus();
}

absl::Status CheckStoredBytes(const Owner& owner, int64_t stored, int64_t more) {
  if (!owner.most_bytes.has_value() || stored <= *owner.most_bytes - more) return absl::OkStatus();
  const int64_t most = *owner.most_bytes;
  return Error(Reason::kQuotaExceeded,
               absl::StrCat("the ", owner.by, " ", owner.name, " has stored ", stored,
                            " bytes, and with ", more, " more would be above its ", most,
                            "; have models or datasets of it deleted"))
      .Quota(absl::StrCat(owner.by, ":", owner.name), absl::StrCat("max_stored_bytes = ", most))
      .RetryAfterSeconds(60);
}

// --- models

absl::StatusOr<v1::Model> SqlJobStore::CreateModel(const v1::Model& model,
                                                   const std::string& request_id,
                                                   const Owner& owner) {
  v1::Model record = model;
  record.clear_state();
  record.clear_state_reason();
  const std::string& name = record.name();

  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const std::optional<std::string> created,
                         FindCreated(kModels, name, record.digest(), request_id));
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  *record.mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(now);
  if (created) {
    ASSAY_ASSIGN_OR_RETURN(v1::Model existing, ReadModel(*created));
    if (record.labels().empty() || *created != name) return existing;
    for (const auto& [key, value] : record.labels()) (*existing.mutable_labels())[key] = value;
    if (existing.labels().size() > kMostLabels) {
      return InvalidFields(
          {{"labels", absl::StrCat("would be ", existing.labels().size(), " with those that ", name,
                                   " has; at most ", kMostLabels, " are accepted")}});
    }
    ASSAY_RETURN_IF_ERROR(WriteModel(existing));
    ASSAY_RETURN_IF_ERROR(transaction.Commit());
    return existing;
  }
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO models (name, digest, request_id, model) VALUES (?, ?, ?, ?)", name,
              record.digest(), OrNull(request_id), record));
  ASSAY_RETURN_IF_ERROR(WriteLabels(record));
  ASSAY_RETURN_IF_ERROR(Charge(owner, name, record.size_bytes()));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogCreated(record);
  return record;
}

absl::Status SqlJobStore::WriteModel(const v1::Model& model) {
  ASSAY_RETURN_IF_ERROR(db_.Run("UPDATE models SET model = ? WHERE name = ?", model, model.name()));
  return WriteLabels(model);
}

absl::Status SqlJobStore::WriteLabels(const v1::Model& model) {
  for (const auto& [key, value] : model.labels()) {
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO model_labels (model, key, value) VALUES (?, ?, ?) "
                "ON CONFLICT (model, key) DO UPDATE SET value = excluded.value",
                model.name(), key, value));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Model> SqlJobStore::ReadModel(const std::string& name) {
  Statement row = db_.Query("SELECT model FROM models WHERE name = ?", name);
  if (!row.Next()) return row.ErrorOr(NotFound(kModels, name));
  v1::Model record;
  ASSAY_RETURN_IF_ERROR(row.Message(0, record));
  return record;
}

absl::StatusOr<v1::Model> SqlJobStore::GetModel(const std::string& name) {
  MutexLock lock(mutex_);
  return ReadModel(name);
}

absl::StatusOr<Listing<v1::Model>> SqlJobStore::ListModels(const Page& page, const Labels& labels) {
  ASSAY_ASSIGN_OR_RETURN(const std::string after, DecodePageToken("models/", page.token));
  MutexLock lock(mutex_);
  Statement rows =
      db_.Query(absl::StrCat("SELECT m.model FROM models m WHERE m.name > ? AND ",
                             HasLabels(db_.dialect(), "model_labels", "model", "m.name"),
                             " ORDER BY m.name LIMIT ?"),
                after, LabelsJson(labels), PageLimit(page) + 1);
  return ReadNamedPage<v1::Model>(rows, PageLimit(page));
}

absl::Status SqlJobStore::DeleteModel(const std::string& name) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_RETURN_IF_ERROR(ReadModel(name).status());
  {
    Statement user = db_.Query(
        "SELECT name FROM evaluations WHERE state <= 3 AND (model = ?1 OR id IN "
        "(SELECT evaluation FROM other_models WHERE model = ?1)) ORDER BY id LIMIT 1",
        name);
    if (user.Next()) {
      return Error(Reason::kInUse,
                   absl::StrCat(name, " is used by ", user.Text(0), ", which has not ended"))
          .With("user", user.Text(0))
          .Resource(kModels, name);
    }
    ASSAY_RETURN_IF_ERROR(user.status());
  }
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM models WHERE name = ?", name));
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM owned WHERE name = ?", name));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogDeleted("model", name);
  return absl::OkStatus();
}

absl::Status SqlJobStore::SetModelValidation(const std::string& name,
                                             const v1::ModelValidation& validation) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(v1::Model record, ReadModel(name));
  *record.mutable_validation() = validation;
  ASSAY_RETURN_IF_ERROR(WriteModel(record));
  return transaction.Commit();
}

absl::Status SqlJobStore::SetModelLabels(const std::string& name, const Labels& labels) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(v1::Model record, ReadModel(name));
  for (const auto& [key, value] : labels) (*record.mutable_labels())[key] = value;
  ASSAY_RETURN_IF_ERROR(WriteModel(record));
  return transaction.Commit();
}

absl::StatusOr<std::optional<v1::NumericsFingerprint>> SqlJobStore::GetNumerics(
    const std::string& key) {
  MutexLock lock(mutex_);
  Statement row = db_.Query("SELECT fingerprint FROM chosen_numerics WHERE key = ?", key);
  std::optional<v1::NumericsFingerprint> numerics;
  if (row.Next()) ASSAY_RETURN_IF_ERROR(row.Message(0, numerics.emplace()));
  ASSAY_RETURN_IF_ERROR(row.status());
  return numerics;
}

absl::StatusOr<v1::NumericsFingerprint> SqlJobStore::SetNumerics(
    const std::string& key, const v1::NumericsFingerprint& numerics) {
  MutexLock lock(mutex_);
  ASSAY_RETURN_IF_ERROR(db_.Run(
      "INSERT INTO chosen_numerics (key, fingerprint) VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
      key, numerics));
  Statement row = db_.Query("SELECT fingerprint FROM chosen_numerics WHERE key = ?", key);
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  v1::NumericsFingerprint stored;
  ASSAY_RETURN_IF_ERROR(row.Message(0, stored));
  return stored;
}

// --- datasets

absl::StatusOr<int64_t> SqlJobStore::InsertManifest(const v1::DatasetManifest& manifest) {
  v1::DatasetManifest header = manifest;
  header.clear_chunks();
  ASSAY_ASSIGN_OR_RETURN(
      const int64_t id, db_.Insert("INSERT INTO manifests (header, metadata) VALUES (?, ?)", header,
                                   OrNull(manifest.metadata().digest())));
  for (int i = 0; i < manifest.chunks_size(); ++i) {
    ASSAY_RETURN_IF_ERROR(InsertChunk(id, i, manifest.chunks(i)));
  }
  return id;
}

absl::Status SqlJobStore::InsertChunk(int64_t manifest, int64_t position,
                                      const v1::DatasetManifest::Chunk& chunk) {
  return db_.Run("INSERT INTO chunks (manifest, position, digest, samples) VALUES (?, ?, ?, ?)",
                 manifest, position, chunk.digest(), chunk.samples());
}

absl::StatusOr<v1::DatasetManifest> SqlJobStore::ReadManifest(int64_t id) {
  v1::DatasetManifest manifest;
  Statement header = db_.Query("SELECT header FROM manifests WHERE id = ?", id);
  if (!header.Next()) return header.ErrorOr(Error(Reason::kStorageFailed, "a manifest is missing"));
  ASSAY_RETURN_IF_ERROR(header.Message(0, manifest));
  Statement chunks =
      db_.Query("SELECT digest, samples FROM chunks WHERE manifest = ? ORDER BY position", id);
  while (chunks.Next()) {
    v1::DatasetManifest::Chunk& chunk = *manifest.add_chunks();
    chunk.set_digest(chunks.Text(0));
    chunk.set_samples(static_cast<int32_t>(chunks.Int(1)));
  }
  ASSAY_RETURN_IF_ERROR(chunks.status());
  return manifest;
}

absl::StatusOr<v1::Dataset> SqlJobStore::CreateDataset(const v1::Dataset& dataset,
                                                       const std::string& request_id,
                                                       const Owner& owner) {
  v1::Dataset record = dataset;
  const std::string& name = record.name();

  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const std::optional<std::string> created,
                         FindCreated(kDatasets, name, record.digest(), request_id));
  if (created) return ReadDataset(*created);
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  *record.mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(now);
  // What the lists show. The chunks have a table of their own.
  v1::Dataset summary = record;
  summary.mutable_manifest()->clear_chunks();
  ASSAY_ASSIGN_OR_RETURN(const int64_t manifest, InsertManifest(record.manifest()));
  ASSAY_RETURN_IF_ERROR(db_.Run(
      "INSERT INTO datasets (name, digest, request_id, manifest, dataset) VALUES (?, ?, ?, ?, ?)",
      name, record.digest(), OrNull(request_id), manifest, summary));
  ASSAY_RETURN_IF_ERROR(Charge(owner, name, record.size_bytes()));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogCreated(record);
  return record;
}

absl::StatusOr<v1::Dataset> SqlJobStore::ReadDataset(const std::string& name) {
  Statement row = db_.Query("SELECT manifest, dataset FROM datasets WHERE name = ?", name);
  if (!row.Next()) return row.ErrorOr(NotFound(kDatasets, name));
  v1::Dataset record;
  ASSAY_RETURN_IF_ERROR(row.Message(1, record));
  ASSAY_ASSIGN_OR_RETURN(*record.mutable_manifest(), ReadManifest(row.Int(0)));
  return record;
}

absl::StatusOr<v1::Dataset> SqlJobStore::GetDataset(const std::string& name) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kRead);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  return ReadDataset(name);
}

absl::StatusOr<Listing<v1::Dataset>> SqlJobStore::ListDatasets(const Page& page) {
  ASSAY_ASSIGN_OR_RETURN(const std::string after, DecodePageToken("datasets/", page.token));
  MutexLock lock(mutex_);
  Statement rows = db_.Query("SELECT dataset FROM datasets WHERE name > ? ORDER BY name LIMIT ?",
                             after, PageLimit(page) + 1);
  return ReadNamedPage<v1::Dataset>(rows, PageLimit(page));
}

absl::Status SqlJobStore::DeleteDataset(const std::string& name) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  int64_t manifest = 0;
  {
    Statement row = db_.Query("SELECT manifest FROM datasets WHERE name = ?", name);
    if (!row.Next()) return row.ErrorOr(NotFound(kDatasets, name));
    manifest = row.Int(0);
    Statement user =
        db_.Query("SELECT name FROM evaluations WHERE dataset = ? ORDER BY id LIMIT 1", name);
    if (user.Next()) {
      return Error(Reason::kInUse, absl::StrCat(name, " is used by ", user.Text(0),
                                                "; delete its evaluations first"))
          .With("user", user.Text(0))
          .Resource(kDatasets, name);
    }
    ASSAY_RETURN_IF_ERROR(user.status());
  }
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM datasets WHERE name = ?", name));
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM owned WHERE name = ?", name));
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM manifests WHERE id = ?", manifest));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  LogDeleted("dataset", name);
  return absl::OkStatus();
}

absl::Status SqlJobStore::KeepStatistics(const std::vector<ChunkStatistics>& statistics) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  for (const ChunkStatistics& one : statistics) {
    google::protobuf::BytesValue values;
    values.set_value(one.values);
    ASSAY_RETURN_IF_ERROR(
        db_.Run("INSERT INTO chunk_statistics (chunk, layout, statistics) "
                "VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                one.chunk, one.layout, values));
  }
  return transaction.Commit();
}

absl::StatusOr<std::optional<std::string>> SqlJobStore::GetStatistics(const std::string& chunk,
                                                                      const std::string& layout) {
  MutexLock lock(mutex_);
  Statement row = db_.Query(
      "SELECT statistics FROM chunk_statistics WHERE chunk = ? AND layout = ?", chunk, layout);
  google::protobuf::BytesValue values;
  if (!row.Next()) {
    ASSAY_RETURN_IF_ERROR(row.status());
    return std::nullopt;
  }
  ASSAY_RETURN_IF_ERROR(row.Message(0, values));
  return std::optional<std::string>(std::move(*values.mutable_value()));
}

// --- space

absl::StatusOr<int64_t> SqlJobStore::ReadBytesOf(const std::string& owner) {
  int64_t bytes = 0;
  {
    Statement row = db_.Query(
        "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM owned WHERE owner = ?", owner);
    if (!row.Next()) return row.ErrorOr(Database::NoRow());
    bytes = row.Int(0);
  }
  // What a stream has brought is charged as a dataset once it is one.
  Statement streams = db_.Query(
      "SELECT m.header, (SELECT CAST(coalesce(sum(c.samples), 0) AS BIGINT) FROM chunks c "
      "WHERE c.manifest = m.id) FROM evaluation_labels l "
      "JOIN evaluations e ON e.id = l.evaluation JOIN manifests m ON m.id = e.manifest "
      "WHERE l.key = ? AND l.value = ? AND e.dataset = ''",
      kOwnerLabel, owner);
  while (streams.Next()) {
    v1::DatasetManifest manifest;
    ASSAY_RETURN_IF_ERROR(streams.Message(0, manifest));
    bytes += streams.Int(1) * SampleBytes(manifest.shape(), manifest.pixel_type()) +
             manifest.metadata().size_bytes();
  }
  ASSAY_RETURN_IF_ERROR(streams.status());
  return bytes;
}

absl::StatusOr<int64_t> SqlJobStore::BytesOf(const std::string& owner) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kRead);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  return ReadBytesOf(owner);
}

absl::Status SqlJobStore::Charge(const Owner& owner, const std::string& name, int64_t bytes) {
  if (owner.name.empty()) return absl::OkStatus();
  if (owner.most_bytes.has_value()) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t stored, ReadBytesOf(owner.name));
    ASSAY_RETURN_IF_ERROR(CheckStoredBytes(owner, stored, bytes));
  }
  return db_.Run("INSERT INTO owned (name, owner, bytes) VALUES (?, ?, ?)", name, owner.name,
                 bytes);
}

absl::StatusOr<std::vector<std::string>> SqlJobStore::BlobsInUse() {
  MutexLock lock(mutex_);
  std::vector<std::string> digests;
  Statement rows = db_.Query(
      "SELECT digest FROM models UNION SELECT digest FROM chunks "
      "UNION SELECT metadata FROM manifests WHERE metadata IS NOT NULL "
      "UNION SELECT adversarials FROM outcomes WHERE adversarials IS NOT NULL "
      "UNION SELECT digest FROM kept_vectors");
  while (rows.Next()) digests.push_back(rows.Text(0));
  ASSAY_RETURN_IF_ERROR(rows.status());
  return digests;
}

absl::StatusOr<int64_t> SqlJobStore::CountFreePages() {
  Statement row = db_.Query("PRAGMA freelist_count");
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  return row.Int(0);
}

absl::StatusOr<bool> SqlJobStore::ReleaseSpace() {
  MutexLock lock(mutex_);
  ASSAY_RETURN_IF_ERROR(
      db_.Run("DELETE FROM chunk_statistics WHERE chunk NOT IN (SELECT digest FROM chunks)"));
  // PostgreSQL does the rest by itself (autovacuum).
  if (db_.dialect() == Dialect::kPostgres) return false;
  ASSAY_ASSIGN_OR_RETURN(const int64_t before, CountFreePages());
  ASSAY_RETURN_IF_ERROR(
      db_.RunScript(absl::StrCat("PRAGMA incremental_vacuum(", kPagesPerStep, ")")));
  ASSAY_ASSIGN_OR_RETURN(const int64_t after, CountFreePages());
  // A file of an older version keeps its free pages, for new records.
  if (after > 0 && after < before) return true;
  // The file becomes shorter when the write-ahead log has been copied into it, and the log then.
  // Whoever reads the file for long (a check, a backup) is not waited for: the next sweep does it.
  ASSAY_RETURN_IF_ERROR(db_.RunScript("PRAGMA busy_timeout = 0"));
  const absl::Status copied = db_.RunScript("PRAGMA wal_checkpoint(TRUNCATE)");
  ASSAY_RETURN_IF_ERROR(
      db_.RunScript(absl::StrCat("PRAGMA busy_timeout = ", kLockWaitMilliseconds).c_str()));
  ASSAY_RETURN_IF_ERROR(copied);
  return false;
}

}  // namespace assay::store
