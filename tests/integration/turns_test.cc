// Priorities and deadlines with a real server, and what is left of an evaluation of which a
// condition was given up.
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

class QueueTurnsTest : public CommandFixture {
 protected:
  void Start() {
    StartServer();
    setenv("ASSAY_SERVER", server_->address().c_str(), 1);
  }
  ~QueueTurnsTest() override { unsetenv("ASSAY_SERVER"); }
};

TEST_F(QueueTurnsTest, AHigherPriorityEndsFirst) {
  Start();
  WriteData(16);
  ASSERT_EQ(Assay("admin pause"), 0) << Text("err");
  ASSERT_EQ(Evaluate("-c clean --id last --priority low --detach"), 0) << Text("err");
  ASSERT_EQ(Evaluate("-c clean --id second --detach"), 0) << Text("err");
  ASSERT_EQ(Evaluate("-c clean --id first --priority high --detach"), 0) << Text("err");
  ASSERT_EQ(Assay("admin resume"), 0) << Text("err");
  const v1::Evaluation last = Await("evaluations/last");
  const v1::Evaluation second = Await("evaluations/second");
  const v1::Evaluation first = Await("evaluations/first");
  const auto micros = [](const google::protobuf::Timestamp& time) {
    return time.seconds() * 1'000'000 + time.nanos() / 1000;
  };
  EXPECT_LT(micros(first.start_time()), micros(second.start_time()));
  EXPECT_LT(micros(second.start_time()), micros(last.start_time()));
}

TEST_F(QueueTurnsTest, AnEvaluationThatNobodyWorksOnEndsAtItsDeadlineAndARetryFinishesIt) {
  Start();
  WriteData(16);
  ASSERT_EQ(Assay("admin pause"), 0) << Text("err");
  EXPECT_EQ(Evaluate("-c clean --id e --deadline 1s"), 3);
  EXPECT_THAT(Text("err"), HasSubstr("did not end within 1s; 0 of 1 tasks are done"));
  EXPECT_THAT(Text("err"), HasSubstr("DEADLINE_REACHED"));
  EXPECT_THAT(Text("err"), HasSubstr("assay evaluation retry"));
  // The time begins anew, and a busy machine may need more of it than that.
  ASSERT_EQ(Assay("admin resume"), 0) << Text("err");
  for (int i = 0;
       i < 60 && client_->GetEvaluation("evaluations/e")->state() != v1::Evaluation::SUCCEEDED;
       ++i) {
    if (Await("evaluations/e").state() == v1::Evaluation::FAILED) {
      ASSERT_EQ(Assay("evaluation retry evaluations/e"), 0) << Text("err");
    }
  }
  EXPECT_EQ(Await("evaluations/e").state(), v1::Evaluation::SUCCEEDED);
}

TEST_F(QueueTurnsTest, AConditionUnderWhichTheModelFailsLeavesTheReportOfTheOthers) {
  Start();
  // Brightness alone makes the first pixel brighter than the model takes.
  WriteImages(std::string(16 * 192, '\xc8'), std::vector<int32_t>(16, 1));
  EXPECT_EQ(
      Assay("evaluate -m " ASSAY_BINARY_DIR "/tests/zoo/raises_later.pt -d " + data() +
            " -c clean corruption/brightness:severity=5 corruption/contrast:severity=1 --id e "
            "--report " +
            Path("report.json")),
      3);
  EXPECT_THAT(Text("err"), HasSubstr("1 of 3 conditions failed: corruption/brightness/5"));
  EXPECT_THAT(Text("err"), HasSubstr("first pixel too bright"));
  EXPECT_THAT(Text("out"), HasSubstr("given up, 16 samples missing: "));
  const auto report = nlohmann::json::parse(Text("report.json"), nullptr, false);
  ASSERT_TRUE(report.is_object()) << Text("report.json");
  ASSERT_EQ(report["conditions"].size(), 3u);
  EXPECT_EQ(report["conditions"][0]["samples"], 16);
  EXPECT_EQ(report["conditions"][1]["missing"], 16);
  EXPECT_THAT(report["conditions"][1]["missing_reason"].dump(),
              HasSubstr("first pixel too bright"));
  EXPECT_EQ(report["conditions"][2]["samples"], 16);
}

}  // namespace
}  // namespace assay::testing
