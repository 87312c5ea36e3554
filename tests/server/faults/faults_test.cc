// A complete small evaluation (upload, create, run, cancel and retry, report, delete) in which, one
// run after the other, each call of the database and of the disk fails once. What fails says that
// it was the store, so that whoever asked tries again; and whatever failed, in the end there is
// what there would have been without.
//
// All calls take minutes, so that one in ASSAY_FAULTS_EVERY fails, 13 of them by default, which is
// no divisor of what the steps repeat. With 1, every one does.
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "assay/v1/evaluations.pb.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/api/context.h"
#include "server/api/dataset_commit.h"
#include "server/api/early_decisions.h"
#include "server/api/evaluation_commands.h"
#include "server/scheduler/engine_pool.h"
#include "server/scheduler/hub.h"
#include "server/store/directory_blobs.h"
#include "server/store/postgres.h"
#include "server/store/sql_job_store.h"
#include "server/store/sql_schema.h"
#include "server/store/sqlite_file.h"
#include "tests/manual_clock.h"
#include "tests/server/faults/faulty_database.h"
#include "tests/server/faults/faulty_disk.h"
#include "tests/server/store/postgres_schema.h"
#include "tests/server/store/store_test_util.h"

namespace assay {
namespace {

using store::DatabaseFaults;
using store::FaultyDisk;
using ::testing::ValuesIn;

enum class Kind { kSqlite, kPostgres };

// A server's store, blobs and what stands on them, without calls and engines.
class Server {
 public:
  // In a directory that is its own; `schema`: where the tables of PostgreSQL are.
  Server(Kind kind, const store::PostgresSchema* schema)
      : kind_(kind), schema_(schema), disk_(directory_.File("")) {}

  // Opens what is not open; may be called again when it failed.
  absl::Status Open() {
    if (blobs_ == nullptr) {
      ASSAY_ASSIGN_OR_RETURN(
          blobs_, store::DirectoryBlobs::Open(directory_.File("deep/blobs"), &disk_, &clock_));
    }
    if (store_ != nullptr) return absl::OkStatus();
    std::unique_ptr<store::Database> database;
    if (kind_ == Kind::kSqlite) {
      ASSAY_ASSIGN_OR_RETURN(database, store::OpenSqliteFile(directory_.File("assay.db"), clock_));
      database = std::make_unique<store::FaultyDatabase>(std::move(database), faults);
    } else {
      ASSAY_ASSIGN_OR_RETURN(database, store::PostgresDatabase::Open(schema_->uri(), &clock_));
      database = std::make_unique<store::FaultyDatabase>(std::move(database), faults);
      ASSAY_RETURN_IF_ERROR(store::BringUpToDate(*database, "the test's schema"));
    }
    store_ = std::make_unique<store::SqlJobStore>(std::move(database));
    pool_.emplace(scheduler::EnginePoolOptions(), *store_, *blobs_, metrics_);
    context_.emplace(*store_, *store_, *store_, *blobs_, *pool_, hub_, metrics_, clock_,
                     /*threads=*/1, /*max_waiting_calls=*/1);
    return absl::OkStatus();
  }
  void Close() {
    context_.reset();
    pool_.reset();
    store_.reset();
    blobs_.reset();
  }

  Kind kind() const { return kind_; }
  api::Context& context() { return *context_; }
  store::JobStore& jobs() { return *store_; }
  store::BlobStore& blobs() { return *blobs_; }
  FaultyDisk& disk() { return disk_; }
  ManualClock& clock() { return clock_; }
  std::string blob_directory() const { return directory_.File("deep/blobs"); }

  // Rows of each table, by a connection of its own.
  std::string CountRows() {
    std::unique_ptr<store::Database> database;
    if (kind_ == Kind::kSqlite) {
      database = *store::OpenSqliteFile(directory_.File("assay.db"), clock_);
    } else {
      database = *store::PostgresDatabase::Open(schema_->uri());
    }
    std::string text;
    for (const std::string& table : Tables(*database)) {
      store::Statement row = database->Query(absl::StrCat("SELECT count(*) FROM ", table));
      if (!row.Next()) return row.status().ToString();
      absl::StrAppend(&text, table, ": ", row.Int(0), "\n");
    }
    return text;
  }
  static std::vector<std::string> Tables(store::Database& database) {
    std::vector<std::string> tables;
    store::Statement rows = database.Query(
        database.dialect() == store::Dialect::kSqlite
            ? "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
              "ORDER BY name"
            : "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename "
              "<> 'assay_schema' ORDER BY tablename");
    while (rows.Next()) tables.push_back(rows.Text(0));
    EXPECT_THAT(rows.status(), store::IsOk());
    return tables;
  }

  DatabaseFaults faults;

 private:
  const Kind kind_;
  const store::PostgresSchema* const schema_;
  store::TempDirectory directory_;
  ManualClock clock_;
  FaultyDisk disk_;
  monitoring::Metrics metrics_;
  scheduler::Hub hub_;
  std::unique_ptr<store::DirectoryBlobs> blobs_;
  std::unique_ptr<store::JobStore> store_;
  std::optional<scheduler::EnginePool> pool_;
  std::optional<api::Context> context_;
};

// What clients, workers and the operator do, in steps that can each be done again when they failed.
class Life {
 public:
  explicit Life(Server& server) : server_(server) {}

  // Does everything; false, and a failure of the test, when a step cannot be brought to its end.
  bool Run() {
    Step("open", [&] { return server_.Open(); });
    Step("upload", [&] { return Upload(); });
    Step("make the model", [&] { return MakeModel(); });
    Step("make the dataset", [&] { return MakeDataset(); });
    Step("create", [&] { return Create("e"); });
    Step("load", [&] { return Load(); });
    Work("e", /*tasks=*/100);
    Step("create another", [&] { return Create("f"); });
    Work("f", /*tasks=*/1);
    Step(
        "cancel", [&] { return server_.jobs().CancelEvaluation("evaluations/f").status(); },
        Reason::kWrongState);
    Step(
        "retry", [&] { return server_.jobs().RetryEvaluation("evaluations/f").status(); },
        Reason::kWrongState);
    Work("f", /*tasks=*/100);
    Step("report", [&] { return Report(); });
    Step("look", [&] { return Look(); });
    if (!failed_) state_ = State();
    Step(
        "delete one", [&] { return Delete("f"); }, Reason::kNotFound);
    Step(
        "delete the other", [&] { return Delete("e"); }, Reason::kNotFound);
    Step(
        "delete the dataset", [&] { return server_.jobs().DeleteDataset("datasets/d"); },
        Reason::kNotFound);
    Step(
        "delete the model", [&] { return server_.jobs().DeleteModel("models/m"); },
        Reason::kNotFound);
    server_.clock().AdvanceSeconds(2.0 * store::BlobStore::kHoldSeconds);
    Step("sweep", [&] { return Sweep(); });
    if (!failed_) absl::StrAppend(&state_, "--- after deletion\n", State());
    return !failed_;
  }
  // Everything that is stored before and after the deletions, without what may differ: times,
  // numbers of rows.
  const std::string& state() const { return state_; }
  int errors() const { return errors_; }
  // What is acknowledged must be on the disk: holds only without faults.
  bool expect_synced = false;

 private:
  static constexpr int kTaskSamples = 8;

  static std::string ModelPart(int part) { return absl::StrCat("part ", part, " of the model\n"); }
  static std::string Chunk(int chunk) {
    // Labels and one-pixel images.
    std::string bytes;
    for (int i = 0; i < kTaskSamples; ++i) {
      bytes.append({static_cast<char>((chunk + i) % 3), '\0', '\0', '\0'});
    }
    for (int i = 0; i < kTaskSamples; ++i) bytes.push_back(static_cast<char>(40 * chunk + i));
    return bytes;
  }

  // Tries until it succeeds. `done`: how it fails when an attempt before it succeeded and only did
  // not hear so.
  void Step(const std::string& what, const std::function<absl::Status()>& step,
            std::optional<Reason> done = std::nullopt) {
    for (int attempt = 0; !failed_; ++attempt) {
      const absl::Status status = Attempt(step);
      const std::optional<Reason> reason = ReasonOf(status);
      if (status.ok() || (attempt > 0 && done.has_value() && reason == done)) {
        // A sweep acknowledges nothing; SQLite cuts its log after it has synced what was in it.
        if (expect_synced && what != "sweep") {
          EXPECT_THAT(server_.disk().Unsynced(), ::testing::IsEmpty()) << what;
        }
        return;
      }
      ++errors_;
      if (!SaysThatTheStoreFailed(status)) Fail(what, status);
      if (attempt == 5) Fail(what + ", again and again", status);
    }
  }
  absl::Status Attempt(const std::function<absl::Status()>& step) {
    // After an end in the midst of it, or a start that failed.
    absl::Status status = server_.Open();
    if (status.ok()) status = step();
    if (!status.ok() && on_error != nullptr) on_error();
    return status;
  }
  static bool SaysThatTheStoreFailed(const absl::Status& status) {
    const std::optional<Reason> reason = ReasonOf(status);
    return reason == Reason::kStorageFailed || reason == Reason::kStorageFull ||
           reason == Reason::kUnavailable;
  }
  void Fail(const std::string& what, const absl::Status& status) {
    ADD_FAILURE() << what << ": " << status;
    failed_ = true;
  }

  absl::Status UploadBlob(const std::string& bytes) {
    const std::string digest = Sha256Hex(bytes);
    ASSAY_ASSIGN_OR_RETURN(const bool there, server_.blobs().Has(digest, "upload"));
    if (there) return absl::OkStatus();
    ASSAY_ASSIGN_OR_RETURN(
        const auto writer,
        server_.blobs().Create(digest, static_cast<int64_t>(bytes.size()), "upload"));
    ASSAY_RETURN_IF_ERROR(writer->Append(bytes.substr(0, bytes.size() / 2)));
    ASSAY_RETURN_IF_ERROR(writer->Append(bytes.substr(bytes.size() / 2)));
    return writer->Commit();
  }
  absl::Status Upload() {
    for (int i = 0; i < 2; ++i) {
      ASSAY_RETURN_IF_ERROR(UploadBlob(ModelPart(i)));
      ASSAY_RETURN_IF_ERROR(UploadBlob(Chunk(i)));
    }
    return absl::OkStatus();
  }
  absl::Status MakeModel() {
    const std::vector<std::string> parts = {Sha256Hex(ModelPart(0)), Sha256Hex(ModelPart(1))};
    v1::Model model = store::MakeModel("m", ModelPart(0) + ModelPart(1));
    (*model.mutable_labels())["team"] = "a";
    ASSAY_ASSIGN_OR_RETURN(const bool there, server_.blobs().Has(model.digest(), "upload"));
    if (!there) {
      ASSAY_RETURN_IF_ERROR(server_.blobs().Join(parts, model.digest(), "upload"));
    }
    ASSAY_ASSIGN_OR_RETURN(const v1::Model made,
                           server_.jobs().CreateModel(model, "request of the model"));
    server_.blobs().Settle({parts[0], parts[1], made.digest()}, "upload");
    return absl::OkStatus();
  }
  absl::Status MakeDataset() {
    v1::DatasetManifest manifest;
    manifest.mutable_shape()->set_channels(1);
    manifest.mutable_shape()->set_height(1);
    manifest.mutable_shape()->set_width(1);
    manifest.set_pixel_type(v1::UINT8);
    for (int i = 0; i < 2; ++i) {
      v1::DatasetManifest::Chunk& chunk = *manifest.add_chunks();
      chunk.set_digest(Sha256Hex(Chunk(i)));
      chunk.set_samples(kTaskSamples);
    }
    ASSAY_ASSIGN_OR_RETURN(const v1::Dataset prepared,
                           api::PrepareDataset(server_.context(), "d", manifest, "upload"));
    ASSAY_RETURN_IF_ERROR(
        server_.jobs().CreateDataset(prepared, "request of the dataset").status());
    server_.blobs().Settle(api::BlobsOf(manifest), "upload");
    return absl::OkStatus();
  }
  absl::Status Create(const std::string& id) {
    v1::CreateEvaluationRequest request;
    request.set_evaluation_id(id);
    request.set_request_id("request of " + id);
    request.mutable_spec()->set_model("models/m");
    request.mutable_spec()->set_dataset("datasets/d");
    request.mutable_spec()->add_conditions("clean");
    request.mutable_spec()->set_task_samples(kTaskSamples);
    request.mutable_spec()->set_keep_adversarials(true);
    request.mutable_spec()->set_no_cache(true);
    (*request.mutable_spec()->mutable_labels())["team"] = "a";
    return api::CreateEvaluation(server_.context(), request).status();
  }
  // What the pool remembers of a model that was loaded.
  absl::Status Load() {
    ASSAY_RETURN_IF_ERROR(server_.jobs().GetNumerics("key").status());
    ASSAY_RETURN_IF_ERROR(server_.jobs().SetNumerics("key", store::MakeNumerics()).status());
    v1::ModelValidation validation;
    validation.mutable_input_shape()->set_channels(1);
    validation.mutable_input_shape()->set_height(1);
    validation.mutable_input_shape()->set_width(1);
    validation.set_num_classes(3);
    return server_.jobs().SetModelValidation("models/m", validation);
  }

  // A worker that does at most `tasks` tasks of an evaluation.
  void Work(const std::string& id, int tasks) {
    for (int done = 0; done < tasks && !failed_;) {
      std::optional<store::ClaimedTask> claim;
      bool ended = false;
      Step("claim", [&]() -> absl::Status {
        ASSAY_ASSIGN_OR_RETURN(claim, server_.jobs().ClaimTask("w", store::kLease, "models/m"));
        ASSAY_ASSIGN_OR_RETURN(const auto record,
                               server_.jobs().GetEvaluation("evaluations/" + id));
        ended = record.proto.state() == v1::Evaluation::SUCCEEDED;
        return absl::OkStatus();
      });
      if (failed_ || ended) return;
      if (!claim.has_value()) {
        // Of a claim that nobody heard of, which runs out.
        if (++waits_ > 20) return Fail("wait for the tasks of " + id, absl::OkStatus());
        server_.clock().AdvanceSeconds(1e-6 * store::kLease);
        continue;
      }
      Step("renew", [&] { return server_.jobs().RenewLease(*claim, store::kLease); });
      // As Worker does, which holds the blobs of each attempt.
      Step(
          "commit", [&]() -> absl::Status { return Commit(*claim); }, Reason::kLeaseLost);
      Step("decide",
           [&] { return api::LookForDecision(server_.context(), claim->task.evaluation); });
      ++done;
    }
  }
  absl::Status Commit(const store::ClaimedTask& claim) {
    const std::string holder = absl::StrCat("w ", claim.task.id, " ", claim.fence);
    v1::OutcomeBatch batch = store::MakeOutcomes(claim.task);
    for (v1::Outcome& outcome : *batch.mutable_outcomes()) {
      outcome.set_label(static_cast<int32_t>(outcome.sample() % 3));
    }
    const std::string kept = absl::StrCat("kept of ", claim.task.evaluation, " ",
                                          claim.task.condition, " ", claim.task.first_sample);
    ASSAY_ASSIGN_OR_RETURN(*batch.mutable_adversarials()->mutable_digest(),
                           server_.blobs().Put(kept, holder));
    batch.add_vectors()->set_digest(batch.adversarials().digest());
    const absl::Status committed = server_.jobs().CommitTask(
        claim, batch, store::MakeNumerics(), {"1.0.0", /*model_seconds=*/0.5, 0.25, 2.0});
    server_.blobs().Settle({batch.adversarials().digest()}, holder);
    return committed;
  }
  absl::Status Report() {
    ASSAY_ASSIGN_OR_RETURN(const auto record, server_.jobs().GetEvaluation("evaluations/e"));
    return server_.context().reports.Get(record).status();
  }
  absl::Status Look() {
    ASSAY_RETURN_IF_ERROR(server_.jobs().ListModels({}, {{"team", "a"}}).status());
    ASSAY_RETURN_IF_ERROR(server_.jobs().ListDatasets({}).status());
    store::EvaluationFilter filter;
    filter.labels = {{"team", "a"}};
    ASSAY_RETURN_IF_ERROR(server_.jobs().ListEvaluations({}, filter).status());
    ASSAY_RETURN_IF_ERROR(server_.jobs().CountEvaluations().status());
    ASSAY_RETURN_IF_ERROR(server_.jobs().CountTasks().status());
    return server_.jobs().OldestOpenTaskMicros().status();
  }
  absl::Status Delete(const std::string& id) {
    return api::DeleteEvaluation(server_.context(), "evaluations/" + id, "asked");
  }
  absl::Status Sweep() {
    ASSAY_ASSIGN_OR_RETURN(const auto digests, server_.jobs().BlobsInUse());
    const std::set<std::string> used(digests.begin(), digests.end());
    ASSAY_RETURN_IF_ERROR(
        server_.blobs()
            .Sweep([&](const std::string& digest) { return used.count(digest) > 0; })
            .status());
    return server_.jobs().ReleaseSpace().status();
  }

  // Asks without being disturbed.
  std::string State() {
    const int64_t strike = std::exchange(server_.faults.strike, 0);
    const int64_t calls = server_.faults.calls;
    server_.disk().Suspend(true);
    std::string text = server_.CountRows();
    const auto add = [&](auto message) {
      message.clear_create_time();
      absl::StrAppend(&text, message.DebugString());
    };
    const auto models = server_.jobs().ListModels({}, {});
    for (const auto& model : models->records) add(model);
    const auto datasets = server_.jobs().ListDatasets({});
    for (const auto& dataset : datasets->records) {
      add(*server_.jobs().GetDataset(dataset.name()));
    }
    const auto evaluations = server_.jobs().ListEvaluations({}, {});
    for (const auto& listed : evaluations->records) {
      const auto record = server_.jobs().GetEvaluation(listed.proto.name());
      v1::Evaluation evaluation = record->proto;
      evaluation.clear_start_time();
      evaluation.clear_end_time();
      add(evaluation);
      const auto outcomes = store::ReadAllOutcomes(server_.jobs(), listed.proto.name());
      for (const store::TaskOutcomes& task : *outcomes) {
        absl::StrAppend(&text, task.condition, " ", task.first_sample, " ",
                        task.outcomes.DebugString(), task.numerics.DebugString());
      }
      auto report = *server_.context().reports.Get(*record);
      v1::Report shown = *report;
      shown.mutable_provenance()->clear_start_time();
      shown.mutable_provenance()->clear_end_time();
      shown.mutable_provenance()->clear_create_time();
      absl::StrAppend(&text, shown.DebugString());
    }
    absl::StrAppend(&text, "numerics ", (*server_.jobs().GetNumerics("key"))->DebugString());
    std::set<std::string> blobs;
    for (int shard = 0; shard < 256; ++shard) {
      const auto files = server_.blobs().FilesOf(absl::StrFormat("%02x", shard));
      blobs.insert(files->begin(), files->end());
    }
    int64_t bytes = 0;
    for (const std::string& digest : blobs) {
      const auto content = server_.blobs().Read(digest);
      const bool right = content.ok() && Sha256Hex(*content) == digest;
      absl::StrAppend(&text, digest, right ? "" : " IS NOT WHAT ITS NAME SAYS", "\n");
      if (content.ok()) bytes += static_cast<int64_t>(content->size());
    }
    EXPECT_EQ(server_.blobs().Count().blobs, static_cast<int64_t>(blobs.size()));
    EXPECT_EQ(server_.blobs().Count().bytes, bytes);
    server_.disk().Suspend(false);
    server_.faults.strike = strike;
    server_.faults.calls = calls;
    return text;
  }

 public:
  // Called after each error, before the next attempt.
  std::function<void()> on_error = nullptr;
  // Called when everything is done, before the deletions; closes the server.
  std::function<void()> cut_power = nullptr;

 private:
  Server& server_;
  std::string state_;
  bool failed_ = false;
  int errors_ = 0;
  int waits_ = 0;
};

class FaultsTest : public ::testing::TestWithParam<Kind> {
 protected:
  FaultsTest() {
    if (GetParam() == Kind::kPostgres) schema_.emplace();
    SetLog(LogFormat::kText, LogLevel::kError);
  }
  const store::PostgresSchema* schema() const { return schema_.has_value() ? &*schema_ : nullptr; }

  // Nothing is left of what ran before.
  void Empty() {
    if (!schema_.has_value()) return;
    if (admin_ == nullptr) admin_ = *store::PostgresDatabase::Open(schema_->uri());
    std::string script = "SET session_replication_role = replica;";
    for (const std::string& table : Server::Tables(*admin_)) {
      absl::StrAppend(&script, "DELETE FROM ", table, ";");
    }
    ASSERT_THAT(admin_->RunScript(script), store::IsOk());
  }
  // Ends the connections of everybody else.
  void EndConnections() {
    ASSERT_THAT(
        admin_->RunScript("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE pid "
                          "<> pg_backend_pid() AND backend_type = 'client backend'"),
        store::IsOk());
  }
  std::string Undisturbed() {
    Empty();
    Server server(GetParam(), schema());
    Life life(server);
    life.expect_synced = true;
    EXPECT_TRUE(life.Run());
    EXPECT_EQ(life.errors(), 0);
    return life.state();
  }

  // When the power is cut: at no time; in the midst of it, after which the server starts anew with
  // what was left; at the end.
  enum class Cut { kNever, kAtError, kAtEnd };
  // Each call in turn, or one of every so many, planned by `plan`, until there are no more; the
  // number of the last.
  template <typename Plan, typename Struck>
  int64_t TryEachCall(const Plan& plan, const Struck& struck, Cut cut) {
    const char* const wanted = std::getenv("ASSAY_FAULTS_EVERY");
    int64_t every = 13;
    EXPECT_TRUE(wanted == nullptr || (absl::SimpleAtoi(wanted, &every) && every > 0)) << wanted;
    const std::string expected = Undisturbed();
    for (int64_t n = 1;; n += every) {
      Empty();
      Server server(GetParam(), schema());
      plan(server, n);
      Life life(server);
      const auto cut_power = [&] {
        server.Close();
        server.disk().RestoreAfterPowerCut(/*torn=*/n % 2 == 0);
      };
      if (cut == Cut::kAtError) life.on_error = cut_power;
      if (cut == Cut::kAtEnd) life.cut_power = cut_power;
      const bool done = life.Run();
      if (!struck(server)) return n - every;
      if (done) {
        EXPECT_EQ(life.state(), expected);
      }
      if (HasFailure()) {
        ADD_FAILURE() << "call " << n;
        return n;
      }
    }
  }

 private:
  std::optional<store::PostgresSchema> schema_;
  std::unique_ptr<store::PostgresDatabase> admin_;
};

class DatabaseFaultsTest : public FaultsTest {
 protected:
  void TryEach(DatabaseFaults::Kind kind) {
    const int64_t calls = TryEachCall(
        [&](Server& server, int64_t n) {
          server.faults.kind = kind;
          server.faults.strike = n;
          server.faults.lose = [&] { EndConnections(); };
        },
        [](Server& server) { return server.faults.struck(); }, Cut::kNever);
    RecordProperty("calls", std::to_string(calls));
    EXPECT_GT(calls, 100);
  }
};

TEST_P(DatabaseFaultsTest, ACallThatIsNotMadeLosesNothing) {
  TryEach(DatabaseFaults::Kind::kBefore);
}

TEST_P(DatabaseFaultsTest, ACallWhoseAnswerIsLostCountsOnce) {
  TryEach(DatabaseFaults::Kind::kAfter);
}

TEST_P(DatabaseFaultsTest, AConnectionThatIsLostIsMadeAgain) {
  if (GetParam() == Kind::kSqlite) GTEST_SKIP() << "a file has no connection to lose";
  TryEach(DatabaseFaults::Kind::kLost);
}

class DiskFaultsTest : public FaultsTest {
 protected:
  void TryEach(FaultyDisk::Fault fault) {
    const bool cut = fault == FaultyDisk::Fault::kPowerCut;
    const int64_t calls =
        TryEachCall([&](Server& server, int64_t n) { server.disk().Plan(fault, n); },
                    // After a power cut the count begins anew.
                    [](Server& server) { return server.disk().has_struck(); },
                    cut ? Cut::kAtError : Cut::kAtEnd);
    RecordProperty("calls", std::to_string(calls));
    EXPECT_GT(calls, 50);
  }
};

TEST_P(DiskFaultsTest, ABrokenDiskLosesNothing) { TryEach(FaultyDisk::Fault::kBroken); }
TEST_P(DiskFaultsTest, AFullDiskLosesNothing) { TryEach(FaultyDisk::Fault::kFull); }
TEST_P(DiskFaultsTest, AWriteThatIsCutShortLosesNothing) { TryEach(FaultyDisk::Fault::kTorn); }
TEST_P(DiskFaultsTest, APowerCutLosesNothingThatWasAcknowledged) {
  if (GetParam() == Kind::kPostgres) GTEST_SKIP() << "its files are PostgreSQL's matter";
  TryEach(FaultyDisk::Fault::kPowerCut);
}

std::string NameOf(const ::testing::TestParamInfo<Kind>& info) {
  return info.param == Kind::kSqlite ? "Sqlite" : "Postgres";
}
constexpr Kind kKinds[] = {Kind::kSqlite, Kind::kPostgres};
INSTANTIATE_TEST_SUITE_P(Stores, DatabaseFaultsTest, ValuesIn(kKinds), NameOf);
INSTANTIATE_TEST_SUITE_P(Stores, DiskFaultsTest, ValuesIn(kKinds), NameOf);

}  // namespace
}  // namespace assay
