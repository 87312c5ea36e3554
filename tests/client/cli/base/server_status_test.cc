#include "client/cli/base/server_status.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/render/text.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"

namespace assay::cli {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::HasSubstr;
using ::testing::Not;

v1::ServerStatus Busy(int evaluations = 1) {
  v1::ServerStatus status;
  status.set_version("0.1.0");
  *status.mutable_time() = TimeUtil::SecondsToTimestamp(1'800'000'000);
  *status.mutable_start_time() = TimeUtil::SecondsToTimestamp(1'800'000'000 - 3725);
  (*status.mutable_evaluations())["RUNNING"] = evaluations;
  (*status.mutable_evaluations())["SUCCEEDED"] = 40;
  (*status.mutable_tasks())["OPEN"] = 12;
  *status.mutable_oldest_task_time() = TimeUtil::SecondsToTimestamp(1'800'000'000 - 42);
  auto& worker = *status.add_workers();
  worker.set_device("cpu");
  auto& task = *worker.mutable_task();
  task.set_evaluation("evaluations/first");
  task.set_condition("attack/pgd/linf/8-255");
  task.set_samples(128);
  task.set_samples_done(32);
  task.set_fraction_done(0.25);
  task.set_samples_per_second(12.5);
  *task.mutable_start_time() = TimeUtil::SecondsToTimestamp(1'800'000'000 - 7);
  auto& engine = *status.add_engines();
  engine.set_model("models/resnet");
  engine.set_device("cpu");
  engine.set_state(v1::ServerStatus::Engine::BUSY);
  engine.mutable_process()->set_pid(77);
  engine.mutable_process()->set_resident_bytes(512 << 20);
  engine.mutable_process()->set_cpu_seconds(30);
  *engine.mutable_load_time() = TimeUtil::SecondsToTimestamp(1'800'000'000 - 60);
  auto& device = *status.add_devices();
  device.set_name("cpu");
  device.set_memory_bytes(int64_t{16} << 30);
  device.set_memory_used_bytes(int64_t{4} << 30);
  for (int i = 0; i < evaluations; ++i) {
    auto& running = *status.add_running();
    running.set_name(absl::StrCat("evaluations/e", i));
    running.set_model("models/resnet");
    running.set_dataset("datasets/cifar");
    running.set_state(v1::Evaluation::RUNNING);
    running.mutable_progress()->set_work(100);
    running.mutable_progress()->set_work_done(50);
    running.mutable_progress()->set_samples(3000);
    running.mutable_progress()->set_samples_done(1200);
    running.set_remaining_seconds(40);
  }
  return status;
}

std::string Text(const std::vector<FrameLine>& lines) {
  std::string text;
  for (const FrameLine& line : lines) absl::StrAppend(&text, line.text, "\n");
  return text;
}

std::string FrameText(const v1::ServerStatus& status, size_t width, size_t height,
                      const v1::ServerStatus* before = nullptr) {
  Frame frame;
  frame.width = width;
  frame.height = height;
  frame.address = "127.0.0.1:8001";
  const auto lines = TopFrame(status, before, frame);
  EXPECT_TRUE(height == 0 || lines.size() <= height) << lines.size();
  for (const FrameLine& line : lines) {
    EXPECT_LE(render::DisplayWidth(line.text), width) << line.text;
  }
  return Text(lines);
}

TEST(TopFrameTest, ShowsQueueDevicesEnginesAndEvaluations) {
  const std::string text = FrameText(Busy(), 100, 40);
  EXPECT_THAT(text, HasSubstr("assayd 0.1.0 at 127.0.0.1:8001   up 1:02:05"));
  EXPECT_THAT(text, HasSubstr("evaluations: 1 running, 40 succeeded"));
  EXPECT_THAT(text, HasSubstr("tasks: 12 open; the oldest waits for 0:42"));
  EXPECT_THAT(text, HasSubstr("first attack/pgd/linf/8-255  25.0 %       12.5  0:07"));
  EXPECT_THAT(text, HasSubstr("4.0 GiB of 16.0 GiB"));
  EXPECT_THAT(text, HasSubstr("resnet  cpu     busy    77  512.0 MiB    -  1:00"));
  EXPECT_THAT(text, HasSubstr("e0          running  50.0 %  1,200 of 3,000  0:40  resnet"));
}

TEST(TopFrameTest, CpuIsWhatWasUsedBetweenTwoLooks) {
  v1::ServerStatus before = Busy();
  *before.mutable_time() = TimeUtil::SecondsToTimestamp(1'800'000'000 - 2);
  before.mutable_engines(0)->mutable_process()->set_cpu_seconds(27);
  EXPECT_THAT(FrameText(Busy(), 100, 40, &before), HasSubstr("512.0 MiB  150.0 %  1:00"));
  before.mutable_engines(0)->mutable_process()->set_pid(78);
  EXPECT_THAT(FrameText(Busy(), 100, 40, &before), Not(HasSubstr("150.0 %"))) << "another engine";
}

TEST(TopFrameTest, FitsWhateverTheSize) {
  v1::ServerStatus status = Busy(100);
  for (int i = 0; i < 20; ++i) *status.add_engines() = status.engines(0);
  const std::string text = FrameText(status, 80, 24);
  EXPECT_THAT(text, HasSubstr("DEVICE"));
  EXPECT_THAT(text, HasSubstr("ENGINE"));
  EXPECT_THAT(text, HasSubstr("EVALUATION"));
  EXPECT_THAT(text, HasSubstr(" more\n"));
  for (size_t width : {1u, 10u, 40u, 80u, 300u}) {
    for (size_t height : {1u, 2u, 5u, 9u, 24u, 200u}) FrameText(status, width, height);
  }
  // Without a limit nothing is left out.
  EXPECT_THAT(FrameText(status, 120, 0), Not(HasSubstr(" more\n")));
}

TEST(TopFrameTest, LongNamesGiveWayToNumbers) {
  v1::ServerStatus status = Busy();
  status.mutable_running(0)->set_name("evaluations/" + std::string(80, 'n'));
  status.mutable_running(0)->set_model("models/" + std::string(80, 'm'));
  EXPECT_THAT(FrameText(status, 80, 24), HasSubstr("…  running  50.0 %  1,200 of 3,000  0:40  m"));
}

TEST(TopFrameTest, HostileNamesMoveNoCursor) {
  v1::ServerStatus status = Busy();
  status.mutable_workers(0)->mutable_task()->set_condition(
      "\x1b[2J\x07"
      "a\r\nb\xc2\x9b"
      "5m");
  status.mutable_control()->set_paused(true);
  status.mutable_control()->set_pause_reason("\x1b]0;title\x07");
  status.mutable_running(0)->set_name("evaluations/\x1b[31m");
  for (const FrameLine& line : TopFrame(status, nullptr, Frame())) {
    EXPECT_EQ(render::Printable(line.text), line.text);
    EXPECT_THAT(line.text, Not(HasSubstr("\x1b")));
  }
}

TEST(TopFrameTest, TroubleIsTold) {
  Frame frame;
  frame.address = "127.0.0.1:8001";
  frame.trouble = "no answer for 0:12, trying again";
  EXPECT_THAT(Text(TopFrame(Busy(), nullptr, frame)), HasSubstr("\nno answer for 0:12"));
  // Nothing has been heard yet.
  EXPECT_EQ(Text(TopFrame(v1::ServerStatus(), nullptr, frame)),
            "assayd at 127.0.0.1:8001\nno answer for 0:12, trying again\n");
}

TEST(StatusTableTest, PausesAndDrainsAreTold) {
  v1::QueueControl control;
  EXPECT_EQ(ControlText(control), "takes work");
  control.set_paused(true);
  *control.mutable_pause_time() = TimeUtil::SecondsToTimestamp(1'800'000'000);
  control.set_pause_reason("new disks");
  EXPECT_EQ(ControlText(control), "paused since 2027-01-15T08:00:00Z (new disks)");
  control.set_draining(true);
  control.set_running_tasks(2);
  *control.mutable_drain_time() = TimeUtil::SecondsToTimestamp(1'800'000'000);
  EXPECT_THAT(ControlText(control),
              HasSubstr("draining since 2027-01-15T08:00:00Z, 2 tasks run; "));
}

// Two assayds, of which one is lost, as a third one tells of them.
v1::ServerStatus OfSeveral() {
  v1::ServerStatus status = Busy();
  status.set_instance("api/1");
  status.mutable_workers(0)->set_instance("gpu-node-1/4711");
  status.mutable_workers(0)->set_device_kind("cpu");
  status.mutable_devices(0)->set_instance("gpu-node-1/4711");
  auto& lost = *status.add_workers();
  lost = status.workers(0);
  lost.set_instance("gpu-node-2/12");
  lost.set_device("cuda:0");
  lost.set_device_kind("NVIDIA H200");
  lost.set_lost(true);
  *lost.mutable_heartbeat_time() = TimeUtil::SecondsToTimestamp(1'800'000'000 - 20);
  auto& drained = *status.add_workers();
  drained.set_instance("gpu-node-3/9");
  drained.set_device("cpu");
  drained.set_draining(true);
  return status;
}

TEST(TopFrameTest, OfSeveralAssaydsEachIsNamed) {
  const std::string text = FrameText(OfSeveral(), 80, 40);
  EXPECT_THAT(text, HasSubstr("WORKER           DEVICE"));
  EXPECT_THAT(text, HasSubstr("gpu-node-1/4711  cpu "));
  EXPECT_THAT(text, HasSubstr("gpu-node-2/12    cuda:0"));
  EXPECT_THAT(text, HasSubstr("lost for 0:20"));
  EXPECT_THAT(text, HasSubstr("draining"));
}

TEST(StatusTableTest, OfSeveralAssaydsEachIsNamed) {
  const render::Table workers = WorkersTable(OfSeveral());
  EXPECT_EQ(workers.rows[1][0].text, "gpu-node-2/12 cuda:0");
  EXPECT_EQ(workers.rows[1][1].text, "NVIDIA H200");
  EXPECT_EQ(workers.rows[1][2].text, "lost for 0:20");
  EXPECT_EQ(workers.rows[2][2].text, "draining");
  std::string text;
  for (const auto& row : StatusTable(OfSeveral()).rows) {
    absl::StrAppend(&text, row[0].text, ": ", row[1].text, "\n");
  }
  EXPECT_THAT(text, HasSubstr("worker gpu-node-1/4711 cpu: evaluations/first"));
  EXPECT_THAT(text, HasSubstr("worker gpu-node-2/12 cuda:0: lost for 0:20: evaluations/first"));
  EXPECT_THAT(text, HasSubstr("; NVIDIA H200\n"));
}

TEST(StatusTableTest, EveryRowIsWhole) {
  v1::ServerStatus status = Busy();
  status.add_workers()->set_device("cuda:0");
  for (const render::Table& table : {StatusTable(status), WorkersTable(status)}) {
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
  }
  EXPECT_EQ(WorkersTable(status).rows[0][2].text, "busy");
  EXPECT_EQ(WorkersTable(status).rows[0][3].text, "first attack/pgd/linf/8-255");
  EXPECT_EQ(WorkersTable(status).rows[1][2].text, "idle");
}

}  // namespace
}  // namespace assay::cli
