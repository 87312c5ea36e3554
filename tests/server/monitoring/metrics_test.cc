#include "server/monitoring/metrics.h"

#include <unistd.h>

#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/monitoring/reports.h"

namespace assay::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A page with every kind of series on it.
void FillEverything(Metrics* metrics) {
  metrics->SetQueueSource([] {
    QueueSnapshot snapshot;
    snapshot.evaluations = {{"QUEUED", 3}, {"RUNNING", 1}};
    snapshot.tasks = {{"OPEN", 12}};
    snapshot.oldest_task_micros = 1'700'000'000'500'000;
    snapshot.registered_workers = {{"busy", 2}, {"lost", 1}};
    return snapshot;
  });
  metrics->SetSystemSource([] {
    SystemSnapshot snapshot;
    DeviceSnapshot& gpu = snapshot.devices.emplace_back();
    gpu.device = "cuda:0";
    gpu.usage = {0.75, 500, 2000};
    gpu.threads = 8;
    gpu.engines = 2;
    gpu.engine_memory_bytes = 123;
    gpu.engine_cpu_seconds = 4.5;
    snapshot.devices.emplace_back().device = "cpu";
    snapshot.disk = {1000, 400, 70, 30};
    return snapshot;
  });
  metrics->SetWorkerState("cuda:0", WorkerState::kIdle);
  metrics->SetWorkerState("cuda:0", WorkerState::kWorking);
  metrics->CountLostLease();
  metrics->CountModelLoadFailure("refused");
  metrics->KnowRpc("client_stream", "assay.v1.ChunkService", "UploadChunks");
  metrics->RpcStarted("client_stream", "assay.v1.ChunkService", "UploadChunks");
  v1::PassCounts passes;
  passes.set_forwards(7000);
  passes.set_needed_forwards(6900);
  passes.set_backwards(3000);
  passes.set_needed_backwards(2950);
  metrics->CountTask("attack", 2.5, 100, passes);
  metrics->CountReused("attack", 40);
  metrics->AddPhaseSeconds("model", 1.5);
  metrics->CountEngineRestart("died_idle");
  metrics->SetModelStates({{"READY", 2}});
  metrics->CountUpload(1000, 50);
  metrics->RpcStarted("unary", "assay.v1.ModelService", "GetModel");
  metrics->RpcMessage("unary", "assay.v1.ModelService", "GetModel", true);
  metrics->RpcMessage("unary", "assay.v1.ModelService", "GetModel", false);
  metrics->RpcHandled("unary", "assay.v1.ModelService", "GetModel", "OK", 0.25);
  metrics->PublishReport(MakeReport("e", "m", "d"), {1'700'000'000'000'000});
}

// The samples of a page, without comments.
std::vector<std::string> Samples(const std::string& page) {
  std::vector<std::string> samples;
  const std::vector<std::string> lines = absl::StrSplit(page, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    if (line[0] != '#') samples.push_back(line);
  }
  return samples;
}

TEST(MetricsTest, KnownSeriesAreZeroFromTheStart) {
  const Metrics metrics;
  const std::string page = metrics.Render();
  for (const char* series :
       {"assay_samples_total{kind=\"clean\"} 0", "assay_samples_total{kind=\"smoothing\"} 0",
        "assay_reused_samples_total{kind=\"attack\"} 0", "assay_samples_total{kind=\"bounds\"} 0",
        "assay_samples_total{kind=\"conformal\"} 0",
        "assay_passes_total{direction=\"forward\",kind=\"attack\"} 0",
        "assay_passes_total{direction=\"backward\",kind=\"corruption\"} 0",
        "assay_phase_seconds_total{phase=\"model\"} 0",
        "assay_phase_seconds_total{phase=\"commit\"} 0",
        "assay_engine_restarts_total{reason=\"died_at_work\"} 0",
        "assay_engine_restarts_total{reason=\"died_idle\"} 0", "assay_upload_bytes_total 0",
        "assay_upload_deduplicated_bytes_total 0", "assay_task_seconds_count{kind=\"attack\"} 0",
        "assay_models{state=\"READY\"} 0", "assay_models{state=\"UNAVAILABLE\"} 0",
        "assay_model_load_failures_total{reason=\"refused\"} 0",
        "assay_model_load_failures_total{reason=\"engine_lost\"} 0", "assay_leases_lost_total 0"}) {
    EXPECT_THAT(page, HasSubstr(series));
  }
  EXPECT_THAT(page, HasSubstr("assay_build_info{version=\""));
}

TEST(MetricsTest, EverythingThatHappensIsCounted) {
  Metrics metrics;
  FillEverything(&metrics);
  const std::string page = metrics.Render();
  for (const char* series :
       {"assay_evaluations{state=\"QUEUED\"} 3",
        "assay_tasks{state=\"OPEN\"} 12",
        "assay_registered_workers{state=\"busy\"} 2",
        "assay_registered_workers{state=\"lost\"} 1",
        "assay_queue_oldest_timestamp_seconds 1700000000.5",
        "assay_samples_total{kind=\"attack\"} 100",
        "assay_reused_samples_total{kind=\"attack\"} 40",
        "assay_passes_total{direction=\"forward\",kind=\"attack\"} 7000",
        "assay_passes_total{direction=\"backward\",kind=\"attack\"} 3000",
        "assay_needed_passes_total{direction=\"forward\",kind=\"attack\"} 6900",
        "assay_needed_passes_total{direction=\"backward\",kind=\"attack\"} 2950",
        "assay_task_seconds_bucket{kind=\"attack\",le=\"1\"} 0",
        "assay_task_seconds_bucket{kind=\"attack\",le=\"3\"} 1",
        "assay_task_seconds_sum{kind=\"attack\"} 2.5",
        "assay_phase_seconds_total{phase=\"model\"} 1.5",
        "assay_engine_restarts_total{reason=\"died_idle\"} 1",
        "assay_models{state=\"READY\"} 2",
        "assay_models{state=\"LOADING\"} 0",
        "assay_upload_bytes_total 1000",
        "assay_upload_deduplicated_bytes_total 50",
        "assay_engines{device=\"cuda:0\"} 2",
        "assay_engines{device=\"cpu\"} 0",
        "assay_engine_memory_bytes{device=\"cuda:0\"} 123",
        "assay_engine_cpu_seconds_total{device=\"cuda:0\"} 4.5",
        "assay_engine_threads{device=\"cuda:0\"} 8",
        "assay_device_utilization_ratio{device=\"cuda:0\"} 0.75",
        "assay_device_memory_bytes{device=\"cuda:0\"} 500",
        "assay_device_memory_size_bytes{device=\"cuda:0\"} 2000",
        "assay_disk_size_bytes 1000",
        "assay_disk_free_bytes 400",
        "assay_stored_bytes{kind=\"database\"} 70",
        "assay_stored_bytes{kind=\"blobs\"} 30",
        "assay_workers{device=\"cuda:0\",state=\"working\"} 1",
        "assay_workers{device=\"cuda:0\",state=\"idle\"} 0",
        "assay_leases_lost_total 1",
        "assay_model_load_failures_total{reason=\"refused\"} 1",
        "assay_active_calls{grpc_method=\"UploadChunks\",grpc_service=\"assay.v1.ChunkService\","
        "grpc_type=\"client_stream\"} 1",
        "assay_active_calls{grpc_method=\"GetModel\",grpc_service=\"assay.v1.ModelService\","
        "grpc_type=\"unary\"} 0",
        "grpc_server_handled_total{grpc_code=\"Internal\",grpc_method=\"UploadChunks\","
        "grpc_service=\"assay.v1.ChunkService\",grpc_type=\"client_stream\"} 0",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_cpu_seconds_total ",
        "process_start_time_seconds "}) {
    EXPECT_THAT(page, HasSubstr(series));
  }
  for (const char* name : {"grpc_server_started_total", "grpc_server_handled_total",
                           "grpc_server_msg_received_total", "grpc_server_msg_sent_total"}) {
    int found = 0;
    for (const std::string& sample : Samples(page)) {
      if (sample.rfind(std::string(name) + "{", 0) != 0) continue;
      if (sample.find("UploadChunks") != std::string::npos) continue;
      ++found;
      EXPECT_THAT(sample, HasSubstr("grpc_method=\"GetModel\""));
      EXPECT_THAT(sample, HasSubstr("grpc_service=\"assay.v1.ModelService\""));
      EXPECT_THAT(sample, HasSubstr("grpc_type=\"unary\""));
      EXPECT_THAT(sample, HasSubstr("} 1"));
    }
    EXPECT_EQ(found, 1) << name;
  }
}

TEST(MetricsTest, AnEmptyQueueHasNoOldestTask) {
  Metrics metrics;
  metrics.SetQueueSource([] { return QueueSnapshot(); });
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("assay_queue_oldest_timestamp_seconds")));
  metrics.SetQueueSource(nullptr);
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("assay_evaluations{")));
}

TEST(MetricsTest, WhatTheMachineDoesNotTellIsLeftOut) {
  Metrics metrics;
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("assay_stored_bytes")));
  metrics.SetSystemSource([] {
    SystemSnapshot snapshot;
    snapshot.devices.emplace_back().device = "cpu";
    return snapshot;
  });
  const std::string page = metrics.Render();
  EXPECT_THAT(page, Not(HasSubstr("assay_device_utilization_ratio{")));
  EXPECT_THAT(page, Not(HasSubstr("assay_device_memory_bytes{")));
  EXPECT_THAT(page, Not(HasSubstr("assay_disk_size_bytes")));
  EXPECT_THAT(page, Not(HasSubstr("kind=\"blobs\""))) << "not measured yet";
  EXPECT_THAT(page, HasSubstr("assay_stored_bytes{kind=\"database\"} 0"));
  metrics.SetSystemSource(nullptr);
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("assay_engines{")));
}

TEST(MetricsTest, ObjectStorageIsShownWhereBlobsAreInIt) {
  Metrics metrics;
  SystemSnapshot snapshot;
  metrics.SetSystemSource([&] { return snapshot; });
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("assay_blob_storage")));
  BlobStorageUsage& usage = snapshot.blob_storage.emplace();
  usage.requests = {{"put", 5, 1}, {"get", 7, 0}};
  usage.retries = 3;
  usage.sent_bytes = 100;
  usage.received_bytes = 200;
  usage.up = false;
  usage.cache_bytes = 50;
  usage.cache_hits = 11;
  usage.cache_misses = 12;
  usage.cache_evictions = 2;
  const std::string page = metrics.Render();
  for (const char* line :
       {"assay_blob_storage_up 0",
        "assay_blob_storage_requests_total{operation=\"put\",result=\"ok\"} 5",
        "assay_blob_storage_requests_total{operation=\"put\",result=\"failed\"} 1",
        "assay_blob_storage_requests_total{operation=\"get\",result=\"failed\"} 0",
        "assay_blob_storage_retries_total 3",
        "assay_blob_storage_bytes_total{direction=\"sent\"} 100",
        "assay_blob_storage_bytes_total{direction=\"received\"} 200", "assay_blob_cache_bytes 50",
        "assay_blob_cache_requests_total{result=\"hit\"} 11",
        "assay_blob_cache_requests_total{result=\"miss\"} 12",
        "assay_blob_cache_evictions_total 2"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST(MetricsTest, AWorkerIsInOneStateUntilItIsGone) {
  Metrics metrics;
  metrics.SetWorkerState("cpu", WorkerState::kLoading);
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_workers{device=\"cpu\",state=\"loading\"} 1"));
  metrics.SetWorkerState("cpu", WorkerState::kBlocked);
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_workers{device=\"cpu\",state=\"blocked\"} 1"));
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_workers{device=\"cpu\",state=\"loading\"} 0"));
  metrics.RemoveWorker("cpu");
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_workers{device=\"cpu\",state=\"blocked\"} 0"));
}

TEST(MetricsTest, NoSeriesAppearsTwice) {
  Metrics metrics;
  FillEverything(&metrics);
  std::set<std::string> seen;
  for (const std::string& sample : Samples(metrics.Render())) {
    const std::string series = sample.substr(0, sample.rfind(' '));
    EXPECT_TRUE(seen.insert(series).second) << series;
  }
}

TEST(MetricsTest, EveryThreadMayCountAndRender) {
  Metrics metrics;
  FillEverything(&metrics);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&metrics, t] {
      for (int i = 0; i < 100; ++i) {
        metrics.CountTask("clean", 0.1, 1, {});
        metrics.SetModelStates({{"READY", i}});
        metrics.PublishReport(MakeReport(absl::StrCat("e", t), absl::StrCat("m", t), "d"), {i});
        metrics.WithdrawReport(absl::StrCat("evaluations/e", t));
        if (i % 10 == 0) {
          EXPECT_FALSE(metrics.Render().empty());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_samples_total{kind=\"clean\"} 400"));
}

TEST(MetricsTest, PromtoolFindsNothingToComplainAbout) {
  if (access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "promtool is not installed";
  Metrics metrics;
  FillEverything(&metrics);
  std::string path = ::testing::TempDir() + "/assay-metrics-XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  const std::string page = metrics.Render();
  ASSERT_EQ(write(fd, page.data(), page.size()), static_cast<ssize_t>(page.size()));
  close(fd);
  FILE* promtool = popen(("/usr/bin/promtool check metrics <" + path + " 2>&1").c_str(), "r");
  ASSERT_NE(promtool, nullptr);
  std::string complaints;
  char buffer[1000];
  while (fgets(buffer, sizeof(buffer), promtool) != nullptr) complaints += buffer;
  EXPECT_EQ(pclose(promtool), 0);
  EXPECT_EQ(complaints, "");
  unlink(path.c_str());
}

}  // namespace
}  // namespace assay::monitoring
