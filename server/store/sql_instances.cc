// The assayds over one database, their orders, and pauses.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/sql_job_store.h"

namespace assay::store {

absl::Status SqlJobStore::RegisterInstance(const std::string& name, int64_t forget_micros) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM instances WHERE name = ? OR heartbeat_micros < ?",
                                name, now - forget_micros));
  return transaction.Commit();
}

absl::Status SqlJobStore::UpdateInstance(const std::string& name, const v1::ServerStatus& status,
                                         const v1::ListModelsResponse& models) {
  MutexLock lock(mutex_);
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  return db_.Run(
      "INSERT INTO instances (name, heartbeat_micros, status, models) VALUES (?, ?, ?, ?) "
      "ON CONFLICT (name) DO UPDATE SET heartbeat_micros = excluded.heartbeat_micros, "
      "status = excluded.status, models = excluded.models",
      name, now, status, models);
}

absl::Status SqlJobStore::RemoveInstance(const std::string& name) {
  MutexLock lock(mutex_);
  return db_.Run("DELETE FROM instances WHERE name = ?", name);
}

absl::StatusOr<std::vector<InstanceRecord>> SqlJobStore::ListInstances(int64_t silent_micros) {
  MutexLock lock(mutex_);
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  std::vector<InstanceRecord> records;
  Statement rows = db_.Query(
      "SELECT name, heartbeat_micros, status, models FROM instances WHERE heartbeat_micros >= ? "
      "ORDER BY name",
      now - silent_micros);
  while (rows.Next()) {
    InstanceRecord& record = records.emplace_back();
    record.name = rows.Text(0);
    record.heartbeat_micros = rows.Int(1);
    record.silent_micros = now - record.heartbeat_micros;
    ASSAY_RETURN_IF_ERROR(rows.Message(2, record.status));
    ASSAY_RETURN_IF_ERROR(rows.Message(3, record.models));
  }
  ASSAY_RETURN_IF_ERROR(rows.status());
  return records;
}

absl::StatusOr<int64_t> SqlJobStore::AddOrder(const InstanceOrder& order) {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  {
    Statement row = db_.Query("SELECT 1 FROM instances WHERE name = ?", order.instance);
    if (!row.Next()) {
      return row.ErrorOr(
          Error(Reason::kNotFound, absl::StrCat("no assayd is registered as ", order.instance)));
    }
  }
  ASSAY_ASSIGN_OR_RETURN(
      const int64_t id,
      db_.Insert("INSERT INTO instance_orders (instance, kind, model) VALUES (?, ?, ?)",
                 order.instance, static_cast<int>(order.kind), order.model));
  ASSAY_RETURN_IF_ERROR(db_.Notify(kControlChannel));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  return id;
}

absl::StatusOr<std::vector<InstanceOrder>> SqlJobStore::ListOrders(const std::string& instance) {
  MutexLock lock(mutex_);
  std::vector<InstanceOrder> orders;
  Statement rows = db_.Query(
      "SELECT id, kind, model FROM instance_orders WHERE instance = ? ORDER BY id", instance);
  while (rows.Next()) {
    InstanceOrder& order = orders.emplace_back();
    order.id = rows.Int(0);
    order.instance = instance;
    order.kind = static_cast<InstanceOrder::Kind>(rows.Int(1));
    ASSAY_RETURN_IF_ERROR(rows.Message(2, order.model));
  }
  ASSAY_RETURN_IF_ERROR(rows.status());
  return orders;
}

absl::Status SqlJobStore::RemoveOrder(int64_t id) {
  MutexLock lock(mutex_);
  return db_.Run("DELETE FROM instance_orders WHERE id = ?", id);
}

absl::StatusOr<Pause> SqlJobStore::PauseClaims(const std::string& reason) {
  MutexLock lock(mutex_);
  // Claims that have begun are waited for; those that come see the row.
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_ASSIGN_OR_RETURN(const int64_t now, db_.NowMicros());
  ASSAY_RETURN_IF_ERROR(
      db_.Run("INSERT INTO pauses (id, since_micros, reason) VALUES (1, ?, ?) "
              "ON CONFLICT (id) DO UPDATE SET reason = excluded.reason",
              now, reason));
  Pause pause;
  {
    Statement row = db_.Query("SELECT since_micros FROM pauses");
    if (!row.Next()) return row.ErrorOr(Database::NoRow());
    pause = {row.Int(0), reason};
  }
  ASSAY_RETURN_IF_ERROR(db_.Notify(kControlChannel));
  ASSAY_RETURN_IF_ERROR(transaction.Commit());
  return pause;
}

absl::Status SqlJobStore::ResumeClaims() {
  MutexLock lock(mutex_);
  Transaction transaction(db_, Transaction::kWrite);
  ASSAY_RETURN_IF_ERROR(transaction.status());
  ASSAY_RETURN_IF_ERROR(db_.Run("DELETE FROM pauses"));
  ASSAY_RETURN_IF_ERROR(db_.Notify(kControlChannel));
  return transaction.Commit();
}

absl::StatusOr<std::optional<Pause>> SqlJobStore::GetPause() {
  MutexLock lock(mutex_);
  Statement row = db_.Query("SELECT since_micros, reason FROM pauses");
  if (row.Next()) return Pause{row.Int(0), row.Text(1)};
  ASSAY_RETURN_IF_ERROR(row.status());
  return std::nullopt;
}

}  // namespace assay::store
