#include "server/store/postgres.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "core/base/uri.h"

namespace assay::store {
namespace {

// Of the catalog pg_type; stable for ever.
constexpr Oid kBytea = 17, kInt8 = 20, kText = 25, kFloat8 = 701;
// Any number that nobody else locks in this database.
constexpr char kLockKey[] = "7165001420261130";
constexpr char kDiskFull[] = "53100";
// Of a session: the server, too, must notice that its client is gone. What a client that was cut
// off in the midst of a transaction has locked, others wait for.
constexpr char kSessionLimits[] =
    "SET idle_in_transaction_session_timeout = '20s'; SET tcp_keepalives_idle = 10; "
    "SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; "
    "SET tcp_user_timeout = '20s'";
// Statements are written for an index each, which SQLite is told by INDEXED BY. Left to itself, the
// planner sorts or walks all that it believes to be a few rows, of a table that has grown since it
// last looked; and what it is kept from looks expensive enough to be compiled.
constexpr char kSessionPlans[] =
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; "
    "SET enable_incremental_sort = off; SET jit = off";
constexpr double kRetrySeconds = 1;
// A server that does not answer is not waited for by each call anew.
constexpr auto kSlowFailure = std::chrono::seconds(1);
constexpr auto kPauseAfterSlowFailure = std::chrono::seconds(1);

// What may go well when it is tried again: the connection or the server is gone, the server has
// become one that only reads (a failover), or somebody else was in the way.
bool Passes(absl::string_view state) {
  for (const absl::string_view prefix :
       {"08", "57P0", "40001", "40P01", "55P03", "53300", "25P03", "25006"}) {
    if (absl::StartsWith(state, prefix)) return true;
  }
  return false;
}

// This is told to clients, so it names nothing of the server.
absl::Status Unavailable() {
  return Error(Reason::kUnavailable,
               "the server's database cannot be reached at the moment; it is tried again")
      .RetryAfterSeconds(kRetrySeconds);
}

std::string TextOf(const char* libpq) {
  return std::string(absl::StripTrailingAsciiWhitespace(libpq));
}

// "?" and "?2" as "$1" and "$2".
std::string Numbered(const std::string& sql) {
  std::string numbered;
  int next = 0;
  bool quoted = false;
  for (size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] == '\'') quoted = !quoted;
    if (sql[i] != '?' || quoted) {
      numbered += sql[i];
      continue;
    }
    numbered += '$';
    if (i + 1 < sql.size() && absl::ascii_isdigit(static_cast<unsigned char>(sql[i + 1]))) continue;
    absl::StrAppend(&numbered, ++next);
  }
  return numbered;
}

// A value as libpq takes it: text, but for bytes.
struct Parameter {
  std::string text;
  bool null = false;
  bool binary = false;
  Oid type = 0;
};

Parameter ToParameter(SqlValue value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return {absl::StrCat(*number), false, false, kInt8};
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return {absl::StrFormat("%.17g", *real), false, false, kFloat8};
  }
  if (auto* text = std::get_if<std::string>(&value)) return {std::move(*text), false, false, kText};
  if (auto* bytes = std::get_if<Bytes>(&value)) {
    return {std::move(bytes->value), false, true, kBytea};
  }
  return {"", true, false, 0};
}

}  // namespace

bool IsPostgresUri(absl::string_view text) {
  return absl::StartsWith(text, "postgresql://") || absl::StartsWith(text, "postgres://");
}

// All rows at once: statements read pages of lists, or single rows.
class PostgresRows final : public Rows {
 public:
  explicit PostgresRows(PostgresDatabase::Result result)
      : result_(std::move(result)), rows_(PQntuples(result_.get())) {}

  absl::StatusOr<bool> Next() override { return ++row_ < rows_; }
  bool IsNull(int column) const override { return PQgetisnull(result_.get(), row_, column) != 0; }
  int64_t Int(int column) const override {
    const char* const text = PQgetvalue(result_.get(), row_, column);
    if (*text == 't') return 1;
    return std::strtoll(text, nullptr, 10);
  }
  double Double(int column) const override {
    return std::strtod(PQgetvalue(result_.get(), row_, column), nullptr);
  }
  std::string Text(int column) const override {
    const char* const text = PQgetvalue(result_.get(), row_, column);
    const auto size = static_cast<size_t>(PQgetlength(result_.get(), row_, column));
    if (PQftype(result_.get(), column) != kBytea) return {text, size};
    // "\x00ff"
    std::string bytes;
    bytes.reserve(size / 2);
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (size_t i = 2; i + 1 < size; i += 2) {
      bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
    }
    return bytes;
  }

 private:
  const PostgresDatabase::Result result_;
  const int rows_;
  int row_ = -1;
};

void PostgresDatabase::FreeResult::operator()(pg_result* result) const { PQclear(result); }

absl::StatusOr<std::unique_ptr<PostgresDatabase>> PostgresDatabase::Open(const std::string& uri,
                                                                         const Clock* clock) {
  std::unique_ptr<PostgresDatabase> database(new PostgresDatabase(uri, clock));
  const absl::Status connected = database->Connect();
  // Whoever opens it is told what is wrong.
  if (ReasonOf(connected) == Reason::kUnavailable && !database->failure_.empty()) {
    return Error(Reason::kUnavailable, database->failure_).ToStatus();
  }
  ASSAY_RETURN_IF_ERROR(connected);
  return database;
}

PostgresDatabase::~PostgresDatabase() { PQfinish(connection_); }

bool PostgresDatabase::Lives() const {
  return connection_ != nullptr && !lost_ && PQstatus(connection_) == CONNECTION_OK;
}

absl::Status PostgresDatabase::Connect() {
  if (Lives()) return absl::OkStatus();
  if (in_transaction_ || std::chrono::steady_clock::now() < pause_until_) return Unavailable();
  const auto start = std::chrono::steady_clock::now();
  PQfinish(connection_);
  prepared_.clear();
  // The URI, as the value of dbname, may say otherwise.
  const char* const keys[] = {"connect_timeout",     "application_name", "keepalives_idle",
                              "keepalives_interval", "keepalives_count", "tcp_user_timeout",
                              "client_encoding",     "dbname",           nullptr};
  const char* const values[] = {"5",     "assayd", "10",         "5",    "3",
                                "20000", "UTF8",   uri_.c_str(), nullptr};
  connection_ = PQconnectdbParams(keys, values, /*expand_dbname=*/1);
  if (connection_ == nullptr || PQstatus(connection_) != CONNECTION_OK) {
    const std::string failure = absl::StrCat(
        "cannot connect to ", WithoutPassword(uri_), ": ",
        connection_ == nullptr ? "out of memory" : TextOf(PQerrorMessage(connection_)));
    // Once, however often it is tried.
    if (failure != failure_) LogWarning("the database cannot be reached", {{"error", failure}});
    failure_ = failure;
    const auto now = std::chrono::steady_clock::now();
    if (now - start >= kSlowFailure) pause_until_ = now + kPauseAfterSlowFailure;
    // It is not there, which is not to be found out once more.
    lost_ = false;
    return Unavailable();
  }
  lost_ = false;
  ++connections_;
  failure_.clear();
  // What is there already is not worth a line in somebody's log.
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
  if (PQserverVersion(connection_) < 150000) {
    const int version = PQserverVersion(connection_) / 10000;
    PQfinish(connection_);
    connection_ = nullptr;
    return Error(Reason::kStorageFailed, absl::StrCat(WithoutPassword(uri_), " is PostgreSQL ",
                                                      version, "; 15 or newer is needed"));
  }
  // A server that does not let itself be told has limits of its own.
  for (const char* const settings : {kSessionLimits, kSessionPlans}) {
    const absl::Status set = Check(PQexec(connection_, settings)).status();
    if (lost_) return set;
  }
  return absl::OkStatus();
}

absl::StatusOr<PostgresDatabase::Result> PostgresDatabase::Check(pg_result* raw) {
  Result result(raw);
  const ExecStatusType status = PQresultStatus(raw);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return result;
  const char* const state = PQresultErrorField(raw, PG_DIAG_SQLSTATE);
  // What libpq says itself, and a server that ends; its own status tells that later only. One that
  // only reads has become a standby.
  lost_ = state == nullptr || absl::StartsWith(state, "57P0") || absl::StartsWith(state, "08") ||
          absl::StartsWith(state, "25P03") || absl::StartsWith(state, "25006");
  // This is told to clients, so it names nothing of the server.
  if (state != nullptr && std::string(state) == kDiskFull) {
    return Error(Reason::kStorageFull, "no space is left to store the data").ToStatus();
  }
  const std::string text = absl::StrCat(
      "PostgreSQL: ",
      TextOf(raw == nullptr || *PQresultErrorMessage(raw) == '\0' ? PQerrorMessage(connection_)
                                                                  : PQresultErrorMessage(raw)),
      state != nullptr ? absl::StrCat(" (", state, ")") : "");
  if (state != nullptr && !Passes(state)) return Error(Reason::kStorageFailed, text).ToStatus();
  LogWarning("a call of the database failed for the moment", {{"error", text}});
  return Unavailable();
}

template <typename Attempt>
absl::StatusOr<PostgresDatabase::Result> PostgresDatabase::Again(const Attempt& attempt) {
  absl::StatusOr<Result> result = attempt();
  // A server that was restarted is noticed by the first who asks it again. Statements outside of a
  // transaction can be repeated: they read, or write what is there already.
  if (result.ok() || in_transaction_ || !lost_) return result;
  return attempt();
}

absl::StatusOr<std::unique_ptr<Rows>> PostgresDatabase::Start(const std::string& sql,
                                                              std::vector<SqlValue> values) {
  std::vector<Parameter> parameters;
  for (SqlValue& value : values) parameters.push_back(ToParameter(std::move(value)));
  std::vector<Oid> types;
  std::vector<const char*> texts;
  std::vector<int> lengths, formats;
  std::string key = sql;
  for (const Parameter& parameter : parameters) {
    types.push_back(parameter.type);
    texts.push_back(parameter.null ? nullptr : parameter.text.data());
    lengths.push_back(static_cast<int>(parameter.text.size()));
    formats.push_back(parameter.binary ? 1 : 0);
    absl::StrAppend(&key, " ", parameter.type);
  }
  const int count = static_cast<int>(parameters.size());
  const auto run = [&]() -> absl::StatusOr<Result> {
    ASSAY_RETURN_IF_ERROR(Connect());
    auto known = prepared_.find(key);
    if (known == prepared_.end()) {
      const std::string name = absl::StrCat("s", prepared_.size());
      ASSAY_RETURN_IF_ERROR(
          Check(PQprepare(connection_, name.c_str(), Numbered(sql).c_str(), count, types.data()))
              .status());
      known = prepared_.emplace(key, name).first;
    }
    return Check(PQexecPrepared(connection_, known->second.c_str(), count, texts.data(),
                                lengths.data(), formats.data(), /*resultFormat=*/0));
  };
  ASSAY_ASSIGN_OR_RETURN(Result result, Again(run));
  return std::make_unique<PostgresRows>(std::move(result));
}

absl::Status PostgresDatabase::RunScript(const std::string& sql) {
  return Again([&]() -> absl::StatusOr<Result> {
           ASSAY_RETURN_IF_ERROR(Connect());
           return Check(PQexec(connection_, sql.c_str()));
         })
      .status();
}

absl::StatusOr<int64_t> PostgresDatabase::NowMicros() {
  if (clock_ != nullptr) return clock_->NowMicros();
  Statement row = Query("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)");
  if (!row.Next()) return row.ErrorOr(NoRow());
  return row.Int(0);
}

absl::Status PostgresDatabase::Notify(absl::string_view channel) {
  return Run(absl::StrCat("NOTIFY ", channel));
}

absl::Status PostgresDatabase::Listen(absl::string_view channel) {
  return RunScript(absl::StrCat("LISTEN ", channel));
}

absl::StatusOr<std::vector<std::string>> PostgresDatabase::WaitForNotifications(int milliseconds) {
  std::vector<std::string> channels;
  const auto collect = [&] {
    while (PGnotify* const one = PQnotifies(connection_)) {
      const std::string channel = one->relname;
      if (std::find(channels.begin(), channels.end(), channel) == channels.end()) {
        channels.push_back(channel);
      }
      PQfreemem(one);
    }
  };
  collect();
  if (!channels.empty()) return channels;
  pollfd waited{PQsocket(connection_), POLLIN, 0};
  if (poll(&waited, 1, milliseconds) < 0 && errno != EINTR) {
    return Unavailable();
  }
  if (PQconsumeInput(connection_) == 0 || PQstatus(connection_) != CONNECTION_OK) {
    return Unavailable();
  }
  collect();
  return channels;
}

absl::Status PostgresDatabase::Begin(Mode mode) {
  const std::string lock = absl::StrCat("(", kLockKey, ");");
  const absl::Status begun =
      mode == Mode::kRead ? RunScript("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
      : mode == Mode::kWrite
          ? RunScript(absl::StrCat("BEGIN; SELECT pg_advisory_xact_lock", lock))
          : RunScript(absl::StrCat("BEGIN; SELECT pg_advisory_xact_lock_shared", lock));
  in_transaction_ = begun.ok();
  // Begun, but without the lock.
  if (!begun.ok()) Rollback();
  return begun;
}

absl::Status PostgresDatabase::Commit() {
  // Of a transaction in which a statement failed, COMMIT is a ROLLBACK, and not an error.
  const auto result =
      Connect().ok() ? Check(PQexec(connection_, "COMMIT")) : absl::StatusOr<Result>(Connect());
  in_transaction_ = false;
  if (!result.ok()) return result.status();
  if (std::string(PQcmdStatus(result->get())) == "COMMIT") return absl::OkStatus();
  return Error(Reason::kStorageFailed, "PostgreSQL rolled the transaction back");
}

void PostgresDatabase::Rollback() {
  in_transaction_ = false;
  if (!Lives()) return;
  if (PQtransactionStatus(connection_) == PQTRANS_IDLE) return;
  PQclear(PQexec(connection_, "ROLLBACK"));
}

}  // namespace assay::store
