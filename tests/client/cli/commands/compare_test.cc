// `assay compare`.
#include <string>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class CompareTest : public ProgramTest {
 protected:
  CompareTest() {
    v1::Comparison comparison;
    for (const char* name : {"before", "after"}) {
      comparison.add_evaluations()->set_name(std::string("evaluations/") + name);
    }
    comparison.set_dataset("datasets/d");
    comparison.set_confidence_level(0.95);
    v1::ConditionComparison& condition = *comparison.add_conditions();
    condition.set_id("clean");
    condition.add_accuracies()->set_value(0.5);
    condition.add_accuracies()->set_value(0.25);
    v1::PairComparison& pair = *condition.add_pairs();
    pair.set_second(1);
    pair.mutable_all()->set_only_first_right(1234);
    state()->comparison = comparison;
  }
};

TEST_F(CompareTest, AsksForTheEvaluationsAndPrintsWhatComesBack) {
  const Result result = Run({"compare", "before", "evaluations/after"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("evaluations/before"));
  EXPECT_THAT(result.out, HasSubstr("1,234"));
  ASSERT_THAT(state()->comparisons, SizeIs(1));
  const v1::CompareEvaluationsRequest request = state()->comparisons[0];
  EXPECT_THAT(request.names(), ElementsAre("evaluations/before", "evaluations/after"));
  EXPECT_FALSE(request.common());
  EXPECT_EQ(request.oracle(), "");
  EXPECT_EQ(request.confidence_level(), 0.95);
}

TEST_F(CompareTest, PassesItsOptionsOn) {
  const Result result =
      Run({"compare", "a", "b", "c", "--common", "--oracle", "b", "--confidence-level", "0.9"});
  EXPECT_EQ(result.code, 0) << result.err;
  const v1::CompareEvaluationsRequest request = state()->comparisons[0];
  EXPECT_THAT(request.names(), ElementsAre("evaluations/a", "evaluations/b", "evaluations/c"));
  EXPECT_TRUE(request.common());
  EXPECT_EQ(request.oracle(), "evaluations/b");
  EXPECT_EQ(request.confidence_level(), 0.9);
}

TEST_F(CompareTest, HasEveryFormat) {
  const Result json = Run({"compare", "before", "after", "-o", "json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const auto parsed = nlohmann::json::parse(json.out);
  EXPECT_EQ(parsed["conditions"][0]["pairs"][0]["all"]["only_first_right"], 1234);
  EXPECT_THAT(Run({"compare", "before", "after", "-o", "csv"}).out,
              StartsWith("condition,first,second,class_index,class,metric,value,"));
  EXPECT_THAT(Run({"compare", "before", "after", "-o", "markdown"}).out,
              StartsWith("## comparison\n"));
}

TEST_F(CompareTest, ARefusalIsToldWithItsCode) {
  state()->failures["CompareEvaluations"] = {
      grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "evaluations/after is RUNNING")};
  const Result result = Run({"compare", "before", "after"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("evaluations/after is RUNNING"));
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(Run({"compare"}).code, 2);
}

}  // namespace
}  // namespace assay::cli
