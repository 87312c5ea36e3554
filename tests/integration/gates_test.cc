// Exit codes of gates, of evaluations that really ran.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"

namespace assay::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr int kSamples = 200;

class GatesTest : public CommandFixture {
 protected:
  void SetUp() override { WriteData(kSamples); }
};

TEST_F(GatesTest, APrivateServerGivesTheExitCodes) {
  const std::string local = "--local --threads 1 -c clean attack/pgd:eps=8/255,steps=2 ";
  ASSERT_EQ(Evaluate(absl::StrCat(local, "-o json --report ", Path("report.json"))), 0)
      << Text("err");
  const double accuracy =
      json::parse(Text("out")).at("conditions")[0].at("accuracy").at("value").get<double>();
  // Of 200 samples no interval reaches 0.15 to a side.
  const auto gate = [&](double threshold) {
    return absl::StrCat("--require 'accuracy(clean) >= ", threshold, "' ");
  };
  EXPECT_EQ(Evaluate(absl::StrCat(local, gate(std::max(0.0, accuracy - 0.15)))), 0) << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("gates  1 of 1 hold"));
  EXPECT_EQ(Evaluate(absl::StrCat(local, gate(accuracy + 0.15))), 1);
  EXPECT_THAT(Text("err"), HasSubstr("  FAILED accuracy(clean) >= "));
  EXPECT_EQ(Evaluate(absl::StrCat(local, gate(accuracy))), 1);
  EXPECT_THAT(Text("err"), HasSubstr("  UNDECIDED accuracy(clean) >= "));
  EXPECT_EQ(Evaluate(absl::StrCat(local, gate(accuracy), "--undecided=pass")), 0) << Text("err");

  EXPECT_EQ(Evaluate(absl::StrCat(local, "--require 'accuracy(attack/pgd:eps=8/255,steps=3) > 0'")),
            2);
  EXPECT_THAT(Text("err"), HasSubstr("has no condition"));
  EXPECT_EQ(Evaluate(absl::StrCat(local, "--require 'accuracy(clean) > '")), 2);
  EXPECT_THAT(Text("err"), HasSubstr("expected a number"));

  // The report of before is a baseline: the same model on the same samples.
  EXPECT_EQ(
      Evaluate(absl::StrCat(local, "--baseline ", Path("report.json"),
                            " --require 'accuracy(clean) >= baseline - 30%'"
                            " --require 'min_class_accuracy(clean) >= baseline - 95%' -o junit")),
      0)
      << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("<testsuite name=\"evaluations/"));
  EXPECT_THAT(Text("out"), HasSubstr("tests=\"2\" failures=\"0\" errors=\"0\""));
}

// The same model twice: no sample differs. What 200 samples can say then is known by brute force,
// with the binomial of scipy 1.17.
TEST_F(GatesTest, EvaluationsOfOneServerArePaired) {
  StartServer();
  const std::string conditions = absl::StrCat(
      "--server ", server_->address(),
      " -c clean attack/fmn:eps=4/255+8/255,steps=3 smoothing/gaussian:sigma=0.25,n0=5,n=60 ");
  ASSERT_EQ(Evaluate(conditions + "--id before"), 0) << Text("err");
  std::string gates;
  for (const char* metric :
       {"accuracy(clean)", "class_accuracy(clean, 2)", "accuracy(attack/fmn:eps=8/255,steps=3)",
        "accuracy(smoothing/gaussian:sigma=0.25,n0=5,n=60)",
        "certified_accuracy(smoothing/gaussian:sigma=0.25,n0=5,n=60, 0.1)"}) {
    absl::StrAppend(&gates, " --require '", metric, " >= baseline - 11%'");
  }
  ASSERT_EQ(
      Evaluate(absl::StrCat(conditions, "--id after --baseline evaluations/before -o json", gates)),
      0)
      << Text("err");
  const json results = json::parse(Text("out")).at("gates");
  ASSERT_EQ(results.size(), 5u);
  for (const json& gate : results) {
    SCOPED_TRACE(gate.dump());
    EXPECT_EQ(gate.at("verdict"), "PASSED");
    EXPECT_EQ(gate.at("difference").at("method"), "paired");
    EXPECT_EQ(gate.at("difference").at("value"), 0);
  }
  EXPECT_NEAR(results[0].at("difference").at("lower"), -0.0272974, 1e-5);

  EXPECT_EQ(Assay(absl::StrCat("evaluation report after --server ", server_->address(),
                               " --baseline evaluations/before --require 'accuracy(clean) >= "
                               "baseline - 2%'")),
            1);
  EXPECT_THAT(Text("err"), HasSubstr("UNDECIDED"));
  EXPECT_EQ(Assay(absl::StrCat("evaluation report after --server ", server_->address(),
                               " --baseline evaluations/none --require 'accuracy(clean) >= "
                               "baseline'")),
            5);
}

}  // namespace
}  // namespace assay::testing
