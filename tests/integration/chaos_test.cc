// Processes of a running service are killed at random, with SIGKILL, and started again, while
// clients upload, make evaluations and wait for them, trying again what fails. In the end all that
// was acknowledged is there, every report is the one of an undisturbed run, and every task counts
// once.
//
// What dies, and when, follows from a seed, which the test prints. By hand, for longer:
//   ASSAY_CHAOS_KILLS=1000 ASSAY_CHAOS_SECONDS=3000 build/tests/chaos_test
//   ASSAY_CHAOS_SEED=N build/tests/chaos_test     the same kills again
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "assay/v1/evaluations.grpc.pb.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "net/grpc_status.h"
#include "server/store/postgres.h"
#include "server/store/sqlite.h"
#include "tests/integration/zoo_fixture.h"
#include "tests/server/store/postgres_schema.h"

namespace assay::testing {
namespace {

using SteadyClock = std::chrono::steady_clock;

int64_t Option(const char* name, int64_t value) {
  const char* const text = std::getenv(name);
  if (text != nullptr && !absl::SimpleAtoi(text, &value)) ADD_FAILURE() << name;
  return value;
}

std::string Unique(const std::string& prefix) {
  static std::atomic<int64_t> count = 0;
  return absl::StrCat(prefix, ++count);
}

class ChaosTest : public ZooFixture {
 protected:
  ChaosTest()
      : seed_(static_cast<uint32_t>(Option("ASSAY_CHAOS_SEED", int64_t{1}))),
        random_(seed_),
        end_(SteadyClock::now() + std::chrono::seconds(Option("ASSAY_CHAOS_SECONDS", 60))) {
    std::printf("ASSAY_CHAOS_SEED=%u\n", seed_);
    std::fflush(stdout);
  }

  // --- the service

  struct Node {
    std::vector<std::string> flags;
    std::string directory;
    std::unique_ptr<ServerProcess> process;
    bool answers = false;
    bool works = false;
  };

  void AddNode(const std::string& name, std::vector<std::string> flags, bool answers, bool works) {
    flags.insert(flags.end(), {"--threads", "1", "--batch-size", "16", "--lease-seconds", "3"});
    Node node;
    node.flags = std::move(flags);
    node.directory = directory_.path() + "/" + name;
    node.answers = answers;
    node.works = works;
    nodes_.push_back(std::move(node));
    StartNode(nodes_.back());
  }
  void StartNode(Node& node) {
    auto process = std::make_unique<ServerProcess>(node.directory, node.flags);
    MutexLock lock(mutex_);
    node.process = std::move(process);
  }
  // Starts PostgreSQL, two assayds that answer and two that work.
  void StartCluster() {
    schema_ = std::make_unique<store::PostgresSchema>();
    const std::vector<std::string> shared = {"--store", schema_->uri(), "--blobs",
                                             directory_.path() + "/blobs"};
    for (const char* role : {"api", "worker"}) {
      for (int i = 0; i < 2; ++i) {
        std::vector<std::string> flags = shared;
        flags.insert(flags.end(), {"--role", role});
        const bool answers = std::string(role) == "api";
        AddNode(absl::StrCat(role, i), flags, answers, !answers);
      }
    }
  }
  std::unique_ptr<store::Database> Database() {
    if (schema_ == nullptr) {
      return *store::SqliteDatabase::Open(nodes_[0].directory + "/assay.db", clock_);
    }
    // It may just be coming back.
    std::unique_ptr<store::Database> database;
    EXPECT_TRUE(Eventually([&] {
      auto opened = store::PostgresDatabase::Open(schema_->uri());
      if (opened.ok()) database = *std::move(opened);
      return database != nullptr;
    }));
    return database;
  }
  int64_t Number(store::Database& database, const std::string& sql) {
    store::Statement row = database.Query(sql);
    const bool there = row.Next();
    EXPECT_TRUE(there) << row.status();
    return there ? row.Int(0) : -1;
  }

  // --- clients

  // The address of one that answers.
  std::string Address() {
    MutexLock lock(mutex_);
    std::vector<const Node*> live;
    for (const Node& node : nodes_) {
      if (node.answers && node.process != nullptr) live.push_back(&node);
    }
    if (live.empty()) return "";
    return live[static_cast<size_t>(next_address_++) % live.size()]->process->address();
  }
  // Makes a call of whoever answers until it succeeds; an error that is not of the kind that may
  // be tried again fails the test.
  template <typename Response>
  bool Ask(const std::string& what, Response* response,
           const std::function<absl::Status(const std::string& address, Response*)>& call) {
    const auto give_up = SteadyClock::now() + std::chrono::seconds(180);
    absl::Status status;
    while (SteadyClock::now() < give_up) {
      const std::string address = Address();
      if (!address.empty()) {
        response->Clear();
        status = call(address, response);
        if (status.ok()) return true;
        ++errors_;
        // An assayd that is asked to stop cancels what is open.
        const bool passes = status.code() == absl::StatusCode::kUnavailable ||
                            status.code() == absl::StatusCode::kCancelled ||
                            status.code() == absl::StatusCode::kDeadlineExceeded;
        if (!passes) break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << what << ": " << status;
    return false;
  }
  template <typename Request, typename Response>
  bool AskEvaluations(const std::string& what,
                      grpc::Status (v1::EvaluationService::Stub::*method)(grpc::ClientContext*,
                                                                          const Request&,
                                                                          Response*),
                      const Request& request, Response* response) {
    return Ask<Response>(what, response, [&](const std::string& address, Response* out) {
      const auto stub = v1::EvaluationService::NewStub(
          grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
      return FromGrpcStatus(((*stub).*method)(&context, request, out));
    });
  }
  template <typename Response>
  bool AskClient(const std::string& what, Response* response,
                 const std::function<absl::Status(client::Client&, Response*)>& call) {
    return Ask<Response>(what, response, [&](const std::string& address, Response* out) {
      client::ClientOptions options;
      options.address = address;
      options.retry.patience_seconds = 1;
      auto client = client::Client::Connect(options);
      return client.ok() ? call(**client, out) : client.status();
    });
  }

  bool UploadModel(const std::string& zoo_model, v1::Model* model) {
    return AskClient<v1::Model>(
        "upload a model", model, [&](client::Client& client, v1::Model* out) -> absl::Status {
          ASSAY_ASSIGN_OR_RETURN(
              auto uploaded,
              client.UploadModel(ASSAY_BINARY_DIR "/tests/zoo/" + zoo_model + ".pt", "", nullptr));
          *out = std::move(uploaded.resource);
          return absl::OkStatus();
        });
  }
  bool UploadData(client::DatasetReader& reader, const std::string& id, v1::Dataset* dataset) {
    return AskClient<v1::Dataset>(
        "upload data", dataset, [&](client::Client& client, v1::Dataset* out) -> absl::Status {
          client::DatasetUpload upload;
          upload.id = id;
          ASSAY_ASSIGN_OR_RETURN(auto uploaded, client.UploadDataset(reader, upload, nullptr));
          *out = std::move(uploaded.resource);
          return absl::OkStatus();
        });
  }

  // What is evaluated again and again.
  struct Work {
    std::string model;
    std::vector<std::string> conditions;
    int samples;
    int task_samples;
    std::string report = "";
  };
  static v1::EvaluationSpec SpecOf(const Work& work, const std::string& model,
                                   const std::string& dataset) {
    v1::EvaluationSpec spec = Spec(model, dataset, work.conditions, work.task_samples);
    spec.set_no_cache(true);
    return spec;
  }
  std::string ReportTextOf(const std::string& evaluation) {
    v1::GetReportRequest request;
    request.set_name(evaluation);
    v1::Report report;
    if (!AskEvaluations("get a report", &v1::EvaluationService::Stub::GetReport, request,
                        &report)) {
      return "";
    }
    EXPECT_TRUE(report.complete());
    report.clear_evaluation();
    report.clear_dataset();
    report.clear_passes();
    report.clear_provenance();
    return report.DebugString();
  }

  // Uploads, creates and waits; the name of the evaluation, "" when that cannot be.
  std::string Evaluate(const Work& work) {
    v1::Model model;
    v1::Dataset dataset;
    GeneratedData data(work.samples, 3, 8, 4);
    if (!UploadModel(work.model, &model) || !UploadData(data, Unique("d-"), &dataset)) return "";
    v1::CreateEvaluationRequest request;
    request.set_request_id(Unique("r-"));
    *request.mutable_spec() = SpecOf(work, model.name(), dataset.name());
    v1::Evaluation evaluation;
    if (!AskEvaluations("create", &v1::EvaluationService::Stub::CreateEvaluation, request,
                        &evaluation)) {
      return "";
    }
    {
      MutexLock lock(mutex_);
      models_.insert(model.name());
      datasets_[dataset.name()] = dataset.digest();
      evaluations_.insert(evaluation.name());
    }
    const std::string name = evaluation.name();
    const auto give_up = SteadyClock::now() + std::chrono::seconds(600);
    while (SteadyClock::now() < give_up) {
      v1::GetEvaluationRequest get;
      get.set_name(name);
      if (!AskEvaluations("get", &v1::EvaluationService::Stub::GetEvaluation, get, &evaluation)) {
        return "";
      }
      if (evaluation.state() == v1::Evaluation::SUCCEEDED) return name;
      if (evaluation.state() == v1::Evaluation::FAILED) {
        // Its engine was killed three times: that is told apart from a model that kills it by who
        // looks, and gone on with.
        if (evaluation.failure().reason() != "ENGINE_LOST") {
          ADD_FAILURE() << name << ": " << evaluation.failure().DebugString();
          return "";
        }
        ++retries_;
        v1::RetryEvaluationRequest retry;
        retry.set_name(name);
        // Another attempt of this call may have been heard.
        v1::Evaluation ignored;
        (void)TryOnce(&v1::EvaluationService::Stub::RetryEvaluation, retry, &ignored);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    ADD_FAILURE() << name << " does not end: " << evaluation.DebugString();
    return "";
  }
  template <typename Request, typename Response>
  absl::Status TryOnce(grpc::Status (v1::EvaluationService::Stub::*method)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                       const Request& request, Response* response) {
    const std::string address = Address();
    if (address.empty()) return absl::UnavailableError("nobody answers");
    const auto stub = v1::EvaluationService::NewStub(
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return FromGrpcStatus(((*stub).*method)(&context, request, response));
  }

  // --- kills

  size_t Random(size_t below) { return random_() % below; }
  // Whether there was something to kill.
  bool KillOne() {
    const size_t kind = Random(100);
    Node& node = nodes_[Random(nodes_.size())];
    const bool at_once = Random(2) == 0;
    if (schema_ != nullptr && kind < 20) {
      const auto database = Database();
      if (database == nullptr) return false;
      std::vector<int64_t> backends;
      store::Statement rows = database->Query(
          "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
          "AND backend_type = 'client backend'");
      while (rows.Next()) backends.push_back(rows.Int(0));
      if (backends.empty()) return false;
      const int64_t backend = backends[Random(backends.size())];
      // After SIGKILL, PostgreSQL ends all other sessions, too, and recovers.
      kill(static_cast<pid_t>(backend), kind < 10 ? SIGKILL : SIGTERM);
      ++kills_[kind < 10 ? "backend (and so all of PostgreSQL)" : "session of PostgreSQL"];
      // An assayd does not start without it.
      return Database() != nullptr;
    }
    if (kind < 55) {
      if (!node.works) return false;
      const std::vector<pid_t> engines = node.process->Engines();
      if (engines.empty()) return false;
      kill(engines[Random(engines.size())], SIGKILL);
      ++kills_["engine"];
      return true;
    }
    {
      // Nobody is sent there any more.
      std::unique_ptr<ServerProcess> process;
      {
        MutexLock lock(mutex_);
        process = std::move(node.process);
      }
      if (kind < 90) {
        process->Kill();
        ++kills_[!node.works ? "api" : node.answers ? "assayd" : "worker"];
      } else {
        EXPECT_EQ(process->Terminate(), 0) << "an orderly end under load";
        ++kills_["SIGTERM"];
      }
    }
    if (!at_once) std::this_thread::sleep_for(std::chrono::milliseconds(Random(1500)));
    StartNode(node);
    return true;
  }

  // Whether `disturb` did something; until it has so often.
  void Run(int64_t times, const std::function<bool()>& disturb) {
    std::vector<Work> works = {
        {"tiny_cnn", {"clean", "attack/pgd:eps=4/255,steps=3"}, 24, 8},
        {"linear", {"clean", "corruption/gaussian_noise:severity=3"}, 40, 5},
        {"softmax", {"clean", "smoothing/gaussian:sigma=0.1,n0=5,n=20"}, 18, 3},
    };
    for (Work& work : works) {
      const std::string name = Evaluate(work);
      ASSERT_FALSE(name.empty());
      work.report = ReportTextOf(name);
      ASSERT_FALSE(work.report.empty());
    }
    ASSERT_EQ(errors_, 0);

    std::atomic<bool> over = false;
    std::atomic<int> reports = 0;
    std::vector<std::thread> clients;
    for (const Work& work : works) {
      clients.emplace_back([&] {
        while (!over && !HasFailure()) {
          const std::string name = Evaluate(work);
          if (name.empty()) return;
          EXPECT_EQ(ReportTextOf(name), work.report) << name;
          ++reports;
        }
      });
    }
    // Uploads of their own content.
    clients.emplace_back([&] {
      for (int i = 0; !over && !HasFailure(); ++i) {
        auto data = std::make_unique<GeneratedData>(400 + i, 3, 32, 10);
        data->brightest = 50 + i % 200;
        v1::Dataset dataset;
        if (!UploadData(*data, Unique("u-"), &dataset)) return;
        {
          MutexLock lock(mutex_);
          datasets_[dataset.name()] = dataset.digest();
          uploads_[dataset.name()] = std::move(data);
        }
        // The others need the processor, too.
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
      }
    });
    const auto start = SteadyClock::now();
    int64_t done = 0;
    while (done < times && SteadyClock::now() < end_ && !HasFailure()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(Random(1200)));
      done += disturb() ? 1 : 0;
    }
    over = true;
    for (std::thread& client : clients) client.join();
    std::printf("%ld disturbances in %.0f s:", static_cast<long>(done),
                std::chrono::duration<double>(SteadyClock::now() - start).count());
    for (const auto& [what, count] : kills_) std::printf(" %d x %s,", count, what.c_str());
    std::printf(
        " %d calls that failed and were made again, %d retries of evaluations, %d reports as they "
        "should be, %zu datasets, %zu uploads of their own\n",
        errors_.load(), retries_.load(), reports.load(), datasets_.size(), uploads_.size());
    EXPECT_GT(done, 0);
    EXPECT_GT(reports, 0);
    if (!HasFailure()) CheckEverything();
  }

  // What was acknowledged is there, and nothing twice.
  void CheckEverything() {
    const auto client = [&] {
      for (const Node& node : nodes_) {
        if (node.answers) return node.process->Connect();
      }
      return std::unique_ptr<client::Client>();
    }();
    ASSERT_NE(client, nullptr);
    for (const std::string& model : models_) EXPECT_TRUE(client->GetModel(model).ok()) << model;
    for (const auto& [name, digest] : datasets_) {
      const auto dataset = client->GetDataset(name);
      ASSERT_TRUE(dataset.ok()) << dataset.status();
      EXPECT_EQ(dataset->digest(), digest);
    }
    for (const auto& [name, data] : uploads_) {
      std::vector<int32_t> labels, expected_labels;
      std::string images, expected_images;
      const absl::Status read =
          client->StreamSamples(name, {}, [&](const v1::StreamSamplesResponse& batch) {
            labels.insert(labels.end(), batch.labels().begin(), batch.labels().end());
            images += batch.images();
            return absl::OkStatus();
          });
      ASSERT_TRUE(read.ok()) << read;
      ASSERT_TRUE(data->Read(0, data->size(), &expected_labels, &expected_images).ok());
      EXPECT_EQ(labels, expected_labels) << name;
      EXPECT_TRUE(images == expected_images) << name;
    }
    for (const std::string& name : evaluations_) {
      const auto evaluation = client->GetEvaluation(name);
      ASSERT_TRUE(evaluation.ok()) << evaluation.status();
      EXPECT_EQ(evaluation->state(), v1::Evaluation::SUCCEEDED) << name;
    }
    const auto database = Database();
    ASSERT_NE(database, nullptr);
    const auto number = [&](const std::string& sql) { return Number(*database, sql); };
    EXPECT_EQ(number("SELECT count(*) FROM evaluations"), static_cast<int64_t>(evaluations_.size()))
        << "each request made one";
    EXPECT_EQ(number("SELECT count(*) FROM tasks WHERE state <> 2"), 0);
    EXPECT_GT(number("SELECT count(*) FROM tasks"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM outcomes"), number("SELECT count(*) FROM tasks"));
    EXPECT_EQ(number("SELECT count(*) FROM (SELECT DISTINCT evaluation, condition, first_sample "
                     "FROM tasks) AS each"),
              number("SELECT count(*) FROM tasks"));
    EXPECT_EQ(number("SELECT count(*) FROM evaluations e WHERE tasks <> tasks_done OR samples <> "
                     "samples_done OR work <> work_done OR tasks <> (SELECT count(*) FROM tasks t "
                     "WHERE t.evaluation = e.id) OR samples <> (SELECT sum(samples) FROM tasks t "
                     "WHERE t.evaluation = e.id)"),
              0);
  }

  const uint32_t seed_;
  std::mt19937 random_;
  const SteadyClock::time_point end_;
  const SystemClock clock_;
  std::unique_ptr<store::PostgresSchema> schema_;
  std::vector<Node> nodes_;
  Mutex mutex_;
  std::atomic<int> next_address_ = 0;
  std::atomic<int> errors_ = 0;
  std::atomic<int> retries_ = 0;
  std::map<std::string, int> kills_;
  // What was acknowledged.
  std::set<std::string> models_;
  std::map<std::string, std::string> datasets_;  // digests
  std::set<std::string> evaluations_;
  std::map<std::string, std::unique_ptr<GeneratedData>> uploads_;
};

TEST_F(ChaosTest, OneAssaydAndItsEngines) {
  AddNode("data", {}, /*answers=*/true, /*works=*/true);
  Run(Option("ASSAY_CHAOS_KILLS", 10), [this] { return KillOne(); });
}

TEST_F(ChaosTest, SeveralAssaydsOverPostgresql) {
  StartCluster();
  Run(Option("ASSAY_CHAOS_KILLS", 20), [this] { return KillOne(); });
}

TEST_F(ChaosTest, NothingFailsWhenPostgresqlIsRestarted) {
  StartCluster();
  bool fast = false;
  Run(4, [&] {
    fast = !fast;
    const std::string mode = fast ? "fast" : "immediate";
    store::PostgresServer::Get().Restart(mode);
    ++kills_["restart (" + mode + ")"];
    return true;
  });
  EXPECT_EQ(retries_, 0) << "no evaluation fails";
}

}  // namespace
}  // namespace assay::testing
