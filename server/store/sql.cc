#include "server/store/sql.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::store {

Statement::Statement(absl::StatusOr<std::unique_ptr<Rows>> rows) : status_(rows.status()) {
  if (rows.ok()) rows_ = *std::move(rows);
}

bool Statement::Next() {
  if (!status_.ok() || ended_) return false;
  const absl::StatusOr<bool> more = rows_->Next();
  status_ = more.status();
  ended_ = !more.ok() || !*more;
  return !ended_;
}

absl::Status Statement::Message(int column, google::protobuf::MessageLite& message) const {
  if (message.ParseFromString(rows_->Text(column))) return absl::OkStatus();
  // Trying again would not mend it.
  return Error(Reason::kInternal,
               absl::StrCat("a stored ", message.GetTypeName(), " cannot be read"));
}

absl::Status Database::NoRow() {
  return Error(Reason::kStorageFailed, "the database answered without a row");
}

absl::Status Transaction::Commit() {
  open_ = false;
  const absl::Status committed = database_.Commit();
  if (!committed.ok()) database_.Rollback();
  return committed;
}

std::string IndexedBy(Dialect dialect, absl::string_view index) {
  return dialect == Dialect::kSqlite ? absl::StrCat(" INDEXED BY ", index) : std::string();
}

std::string ForUpdate(Dialect dialect, absl::string_view table, bool skip_locked) {
  if (dialect == Dialect::kSqlite) return "";
  return absl::StrCat(" FOR UPDATE OF ", table, skip_locked ? " SKIP LOCKED" : "");
}

absl::string_view JsonEach(Dialect dialect) {
  return dialect == Dialect::kSqlite ? "json_each(?)" : "json_each_text(CAST(? AS json))";
}

}  // namespace assay::store
