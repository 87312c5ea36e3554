// A database one of whose calls fails, for tests that try each call in turn.
#ifndef ASSAY_TESTS_SERVER_FAULTS_FAULTY_DATABASE_H_
#define ASSAY_TESTS_SERVER_FAULTS_FAULTY_DATABASE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "server/store/sql.h"

namespace assay::store {

// What the calls of a database are counted and disturbed by; outlives it. A call is a statement,
// the beginning or the commit of a transaction, a look at the clock, a notification.
struct DatabaseFaults {
  enum class Kind {
    kBefore,  // the call is not made
    kAfter,   // it is made, and its answer is lost
    kLost,    // `lose` is called before it
  };
  Kind kind = Kind::kBefore;
  // Number of the call that fails, from 1; 0: none.
  int64_t strike = 0;
  std::function<void()> lose = nullptr;
  int64_t calls = 0;

  bool struck() const { return strike > 0 && calls >= strike; }

  // Wraps one call.
  template <typename Call>
  auto Around(const Call& call) -> decltype(call()) {
    if (++calls != strike) return call();
    if (kind == Kind::kLost) {
      lose();
      return call();
    }
    if (kind == Kind::kAfter) (void)call();
    return Error(Reason::kStorageFailed, "a planned fault").ToStatus();
  }
};

class FaultyDatabase final : public Database {
 public:
  FaultyDatabase(std::unique_ptr<Database> database, DatabaseFaults& faults)
      : Database(database->dialect()), database_(std::move(database)), faults_(faults) {}

  absl::Status RunScript(const std::string& sql) override {
    return faults_.Around([&] { return database_->RunScript(sql); });
  }
  int64_t connections() const override { return database_->connections(); }
  absl::StatusOr<int64_t> NowMicros() override {
    return faults_.Around([&] { return database_->NowMicros(); });
  }
  absl::Status Notify(absl::string_view channel) override {
    return faults_.Around([&] { return database_->Notify(channel); });
  }
  absl::StatusOr<std::unique_ptr<Rows>> Start(const std::string& sql,
                                              std::vector<SqlValue> values) override {
    return faults_.Around([&]() -> absl::StatusOr<std::unique_ptr<Rows>> {
      ASSAY_ASSIGN_OR_RETURN(auto rows, database_->Start(sql, values));
      // SQLite runs a statement as its rows are asked for.
      if (faults_.calls != faults_.strike || faults_.kind != DatabaseFaults::Kind::kAfter) {
        return rows;
      }
      while (true) {
        ASSAY_ASSIGN_OR_RETURN(const bool more, rows->Next());
        if (!more) return rows;
      }
    });
  }

 protected:
  absl::Status Begin(Mode mode) override {
    const absl::Status begun = faults_.Around([&] {
      transaction_.emplace(*database_, mode);
      return transaction_->status();
    });
    if (!begun.ok()) transaction_.reset();
    return begun;
  }
  absl::Status Commit() override {
    return faults_.Around([&] { return transaction_->Commit(); });
  }
  void Rollback() override { transaction_.reset(); }

 private:
  const std::unique_ptr<Database> database_;
  DatabaseFaults& faults_;
  // Rolls back when it goes without a commit.
  std::optional<Transaction> transaction_;
};

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_FAULTS_FAULTY_DATABASE_H_
