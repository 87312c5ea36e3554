#include "server/scheduler/work_control.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/server/store/store_test_util.h"

namespace assay::scheduler {
namespace {

using store::IsOk;

class WorkControlTest : public ::testing::Test {
 protected:
  std::string path() const { return directory_.File("queue-paused"); }
  store::TempDirectory directory_;
  ManualClock clock_;
};

TEST_F(WorkControlTest, APauseHoldsOverRestartsWithItsReason) {
  {
    WorkControl control(clock_);
    ASSERT_THAT(control.RememberIn(path()), IsOk());
    EXPECT_TRUE(control.BeginClaim("cpu"));
    control.EndTask("cpu", false);
    ASSERT_THAT(control.Pause("new disks \"soon\""), IsOk());
    EXPECT_FALSE(control.BeginClaim("cpu"));
  }
  const int64_t paused_at = clock_.NowMicros();
  clock_.AdvanceSeconds(100);
  {
    WorkControl control(clock_);
    ASSERT_THAT(control.RememberIn(path()), IsOk());
    EXPECT_FALSE(control.BeginClaim("cpu"));
    EXPECT_EQ(control.state().pause_reason, "new disks \"soon\"");
    EXPECT_EQ(control.state().pause_micros, paused_at);
    ASSERT_THAT(control.Resume(), IsOk());
    EXPECT_TRUE(control.BeginClaim("cpu"));
  }
  WorkControl control(clock_);
  ASSERT_THAT(control.RememberIn(path()), IsOk());
  EXPECT_FALSE(control.state().paused);
}

TEST_F(WorkControlTest, AFileWithAnythingInItIsAPause) {
  for (const char* text : {"", "{", "[1]", "{\"reason\":3,\"time_micros\":\"x\"}"}) {
    std::ofstream(path()) << text;
    WorkControl control(clock_);
    ASSERT_THAT(control.RememberIn(path()), IsOk());
    EXPECT_TRUE(control.state().paused) << text;
    EXPECT_EQ(control.state().pause_micros, clock_.NowMicros());
  }
}

TEST_F(WorkControlTest, APauseThatCannotBeRememberedIsNone) {
  WorkControl control(clock_);
  ASSERT_THAT(control.RememberIn(directory_.File("not/there")), IsOk());
  EXPECT_FALSE(control.Pause("").ok());
  EXPECT_FALSE(control.state().paused);
}

TEST_F(WorkControlTest, ADrainEndsWithItsProcess) {
  WorkControl control(clock_);
  ASSERT_THAT(control.RememberIn(path()), IsOk());
  control.Drain(false);
  EXPECT_TRUE(control.draining());
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_FALSE(control.BeginClaim("cpu"));
  ASSERT_THAT(control.Resume(), IsOk());
  EXPECT_TRUE(control.BeginClaim("cpu"));
}

TEST_F(WorkControlTest, WhoWasLetInBeforeCountsAsRunning) {
  WorkControl control(clock_);
  ASSERT_TRUE(control.BeginClaim("cpu"));
  EXPECT_EQ(control.state().running_tasks, 0) << "it may find nothing";
  control.Drain(false);
  EXPECT_EQ(control.state().running_tasks, 1) << "it may have a task in a moment";
  WorkControl::RunningTask task;
  task.samples = 10;
  control.BeginTask("cpu", task, 0);
  EXPECT_EQ(control.state().running_tasks, 1);
  control.EndTask("cpu", true);
  EXPECT_EQ(control.state().running_tasks, 0);
  ASSERT_EQ(control.Workers().size(), 1u);
  EXPECT_EQ(control.Workers()[0].tasks_done, 1);
  EXPECT_EQ(control.Workers()[0].samples_done, 10);
}

TEST_F(WorkControlTest, TooLittleTellsNothingOfTheRest) {
  WorkControl control(clock_);
  WorkControl::RunningTask task;
  task.evaluation = "evaluations/e";
  control.BeginTask("cpu", task, 10);
  EXPECT_FALSE(control.RemainingSeconds("evaluations/e", 50, 100).has_value())
      << "no time has passed";
  EXPECT_FALSE(control.RemainingSeconds("evaluations/f", 50, 100).has_value());
}

}  // namespace
}  // namespace assay::scheduler
