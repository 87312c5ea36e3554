// How fast the queue of a store is, beside plain SQL of the same shape on the same kind of
// database:
//   bench_queue STORE WORKERS[,WORKERS...] TASKS
// STORE is a directory, for a SQLite file in it, or postgresql://... with a schema that may be
// filled. Each worker is a thread with a connection of its own; store and plain SQL take turns.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/errors.h"
#include "server/store/postgres.h"
#include "server/store/postgres_job_store.h"
#include "server/store/sqlite.h"
#include "server/store/sqlite_job_store.h"

namespace assay::store {
namespace {

constexpr int64_t kLease = 30'000'000;
constexpr int kRounds = 3;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}
template <typename Value>
Value Must(absl::StatusOr<Value> value) {
  Must(value.status());
  return *std::move(value);
}

class Place {
 public:
  explicit Place(std::string where) : where_(std::move(where)) {}
  bool postgres() const { return IsPostgresUri(where_); }
  std::unique_ptr<JobStore> OpenStore() const {
    return postgres() ? Must(OpenPostgresJobStore(where_))
                      : Must(OpenSqliteJobStore(where_ + "/queue.db", clock_));
  }
  std::unique_ptr<Database> OpenPlain() const {
    if (postgres()) return Must(PostgresDatabase::Open(where_));
    auto database = Must(SqliteDatabase::Open(where_ + "/plain.db", clock_));
    Must(database->RunScript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"));
    return database;
  }

 private:
  const std::string where_;
  const SystemClock clock_;
};

v1::OutcomeBatch Outcomes(int64_t first) {
  v1::OutcomeBatch batch;
  for (int64_t sample = first; sample < first + 100; ++sample) {
    v1::Outcome& outcome = *batch.add_outcomes();
    outcome.set_sample(sample);
    outcome.set_label(static_cast<int32_t>(sample % 10));
    outcome.set_prediction(static_cast<int32_t>(sample % 7));
  }
  return batch;
}

// An evaluation of `tasks` tasks; its name.
std::string Create(JobStore& store, int tasks) {
  static std::atomic<int> made{0};
  v1::Evaluation evaluation;
  evaluation.set_name(absl::StrCat("evaluations/bench-", getpid(), "-", ++made));
  evaluation.mutable_spec()->set_model("models/m");
  evaluation.mutable_spec()->set_dataset("datasets/d");
  evaluation.add_conditions()->set_id("clean");
  std::vector<Task> planned;
  for (int i = 0; i < tasks; ++i) {
    Task task;
    task.first_sample = 100 * i;
    task.samples = 100;
    task.work = 100;
    planned.push_back(task);
  }
  Must(store.CreateEvaluation(evaluation, planned, "").status());
  return evaluation.name();
}

struct Speed {
  double per_second = 0;
  double cpu_seconds = 0;
};

// `make` gives each thread what it repeats until that says that there is nothing more to do.
Speed Measure(int workers, int tasks, const std::function<std::function<bool()>()>& make) {
  std::vector<std::function<bool()>> steps;
  for (int i = 0; i < workers; ++i) steps.push_back(make());
  const double start = Seconds(), cpu = CpuSeconds();
  std::vector<std::thread> threads;
  for (const auto& step : steps) {
    threads.emplace_back([&step] {
      while (step()) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return {tasks / (Seconds() - start), CpuSeconds() - cpu};
}

Speed OfStore(const Place& place, int workers, int tasks) {
  const auto store = place.OpenStore();
  const std::string name = Create(*store, tasks);
  const Speed speed = Measure(workers, tasks, [&]() -> std::function<bool()> {
    return [own = std::shared_ptr<JobStore>(place.OpenStore())] {
      const auto claim = Must(own->ClaimTask("bench", kLease, ""));
      if (!claim) return false;
      Must(own->CommitTask(*claim, Outcomes(claim->task.first_sample), {}, {}));
      return true;
    };
  });
  Must(store->DeleteEvaluation(name));
  return speed;
}

// The same statements that any queue with leases, fences and sums needs, and nothing else.
class Plain {
 public:
  static void Prepare(Database& database, int tasks) {
    const bool postgres = database.dialect() == Dialect::kPostgres;
    Must(database.RunScript(absl::StrCat(
        "DROP TABLE IF EXISTS plain_tasks; DROP TABLE IF EXISTS plain_sums; DROP TABLE IF EXISTS "
        "plain_outcomes; CREATE TABLE plain_tasks (id BIGINT PRIMARY KEY, state BIGINT, lease "
        "BIGINT, fence BIGINT); CREATE INDEX plain_open ON plain_tasks(id) WHERE state < 2; CREATE "
        "TABLE plain_sums (done BIGINT, samples BIGINT); INSERT INTO plain_sums VALUES (0, 0); "
        "CREATE TABLE plain_outcomes (task BIGINT PRIMARY KEY, batch ",
        postgres ? "BYTEA" : "BLOB", ");")));
    Transaction transaction(database, Transaction::kWrite);
    for (int i = 0; i < tasks; ++i) {
      Must(database.Run("INSERT INTO plain_tasks VALUES (?, 0, 0, 0)", i));
    }
    Must(transaction.Commit());
  }

  explicit Plain(std::unique_ptr<Database> database) : db_(std::move(database)) {}

  bool ClaimAndCommit() {
    const std::optional<std::pair<int64_t, int64_t>> claim = Claim();
    if (!claim) return false;
    Transaction transaction(*db_, Transaction::kTask);
    Must(transaction.status());
    {
      Statement row = db_->Query(absl::StrCat("SELECT fence FROM plain_tasks t WHERE id = ?",
                                              ForUpdate(db_->dialect(), "t")),
                                 claim->first);
      if (!row.Next() || row.Int(0) != claim->second) Must(Database::NoRow());
    }
    Must(db_->Run("INSERT INTO plain_outcomes VALUES (?, ?)", claim->first,
                  Outcomes(100 * claim->first)));
    Must(db_->Run("UPDATE plain_tasks SET state = 2 WHERE id = ?", claim->first));
    Must(db_->Run("UPDATE plain_sums SET done = done + 1, samples = samples + 100"));
    Must(transaction.Commit());
    return true;
  }

 private:
  std::optional<std::pair<int64_t, int64_t>> Claim() {
    Transaction transaction(*db_, Transaction::kTask);
    Must(transaction.status());
    const int64_t now = Must(db_->NowMicros());
    int64_t id = 0, fence = 0;
    {
      Statement row = db_->Query(
          absl::StrCat(
              "SELECT id, fence FROM plain_tasks t WHERE state < 2 AND lease <= ? ORDER BY "
              "id LIMIT 1",
              ForUpdate(db_->dialect(), "t", /*skip_locked=*/true)),
          now);
      if (!row.Next()) return std::nullopt;
      id = row.Int(0);
      fence = row.Int(1) + 1;
    }
    Must(db_->Run("UPDATE plain_tasks SET state = 1, lease = ?, fence = ? WHERE id = ?",
                  now + kLease, fence, id));
    Must(transaction.Commit());
    return std::make_pair(id, fence);
  }

  const std::unique_ptr<Database> db_;
};

Speed OfPlain(const Place& place, int workers, int tasks) {
  Plain::Prepare(*place.OpenPlain(), tasks);
  return Measure(workers, tasks, [&]() -> std::function<bool()> {
    return [own = std::make_shared<Plain>(place.OpenPlain())] { return own->ClaimAndCommit(); };
  });
}

// Claims that are given back at once, with so many tasks in the queue.
double ClaimsPerSecond(const Place& place, int queued, int claims) {
  const auto store = place.OpenStore();
  const std::string name = Create(*store, queued);
  const double start = Seconds();
  for (int i = 0; i < claims; ++i) {
    const auto claim = Must(store->ClaimTask("bench", kLease, ""));
    Must(store->ReleaseTask(*claim, /*count_attempt=*/false, 0));
  }
  const double seconds = Seconds() - start;
  Must(store->CancelEvaluation(name).status());
  Must(store->DeleteEvaluation(name));
  return claims / seconds;
}

// From the beginning of the call that queues work, with its commit, to the listener that hears of
// it; the median of several.
double WakeUpMilliseconds(const std::string& uri) {
  const auto listener = Must(PostgresDatabase::Open(uri));
  Must(listener->Listen(kWorkChannel));
  const auto store = Must(OpenPostgresJobStore(uri));
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    std::atomic<double> called{0};
    std::string name;
    std::thread creator([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      called = Seconds();
      name = Create(*store, 1);
    });
    while (Must(listener->WaitForNotifications(1000)).empty()) {
    }
    const double heard = Seconds();
    creator.join();
    times.push_back((heard - called) * 1000);
    Must(store->CancelEvaluation(name).status());
    Must(store->DeleteEvaluation(name));
    while (!Must(listener->WaitForNotifications(10)).empty()) {
    }
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

int Main(int argc, char** argv) {
  int tasks = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[3], &tasks) || tasks < 1) {
    std::fprintf(stderr, "bench_queue DIRECTORY|postgresql://... WORKERS[,WORKERS...] TASKS\n");
    return 2;
  }
  const Place place(argv[1]);
  for (const auto& text : absl::StrSplit(argv[2], ',')) {
    int workers = 0;
    if (!absl::SimpleAtoi(text, &workers) || workers < 1) return 2;
    Speed best_store, best_plain;
    for (int round = 0; round < kRounds; ++round) {
      const Speed store = OfStore(place, workers, tasks);
      const Speed plain = OfPlain(place, workers, tasks);
      if (store.per_second > best_store.per_second) best_store = store;
      if (plain.per_second > best_plain.per_second) best_plain = plain;
    }
    std::printf(
        "%d workers: store %.0f claims and commits a second (%.2f s CPU), plain SQL %.0f "
        "(%.2f s CPU), ratio %.2f\n",
        workers, best_store.per_second, best_store.cpu_seconds, best_plain.per_second,
        best_plain.cpu_seconds, best_store.per_second / best_plain.per_second);
  }
  double few = 0, many = 0;
  for (int round = 0; round < kRounds; ++round) {
    few = std::max(few, ClaimsPerSecond(place, 1000, tasks));
    many = std::max(many, ClaimsPerSecond(place, 100'000, tasks));
  }
  std::printf("claims a second with 1,000 tasks queued %.0f, with 100,000 %.0f, ratio %.2f\n", few,
              many, many / few);
  if (place.postgres()) {
    std::printf("a listener hears of work %.2f ms after the call that queues it began\n",
                WakeUpMilliseconds(argv[1]));
  }
  return 0;
}

}  // namespace
}  // namespace assay::store

int main(int argc, char** argv) { return assay::store::Main(argc, argv); }
