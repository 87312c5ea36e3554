// Expressions of deterministic bounds and conformal sets.
#include <string>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

v1::Condition Parsed(const std::string& expression) {
  const auto parsed = ParseConditions({expression});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->at(0) : v1::Condition();
}

std::string Refused(const std::string& expression) {
  const auto parsed = ParseConditions({expression});
  EXPECT_EQ(ReasonOf(parsed.status()), Reason::kInvalidCondition) << expression;
  return std::string(parsed.status().message());
}

TEST(BoundsConditions, HaveTheirBudgetInTheId) {
  EXPECT_EQ(Parsed("bounds/ibp").id(), "bounds/ibp/2-255");
  EXPECT_EQ(Parsed("bounds/crown:eps=0.1,intermediate=ibp").id(),
            "bounds/crown/0.1/intermediate=ibp");
  const auto several = ParseConditions({"bounds/crown:eps=1/255+2/255"});
  ASSERT_TRUE(several.ok());
  EXPECT_EQ(several->size(), 2u);
  EXPECT_THAT(Refused("bounds/ibp:eps=2"), HasSubstr("at most 1"));
}

TEST(ConformalConditions, TakeHalfOfSigmaAsTheirDistance) {
  const v1::Condition condition = Parsed("conformal/rscp");
  EXPECT_EQ(condition.id(), "conformal/rscp/0.25/0.125");
  EXPECT_EQ(condition.parameters().at("beta"), "0.001");
  EXPECT_EQ(Parsed("conformal/rscp:sigma=0.5").parameters().at("delta"), "0.25");
  EXPECT_EQ(Parsed("conformal/rscp:sigma=0.5,delta=0.1").id(), "conformal/rscp/0.5/0.1");
}

TEST(ConformalConditions, LeaveRoomForTheMonteCarloCorrections) {
  EXPECT_THAT(Refused("conformal/rscp:alpha=0.1,beta=0.05"), HasSubstr("2 beta"));
  EXPECT_THAT(Refused("conformal/rscp:alpha=1"), HasSubstr("below 1"));
  EXPECT_THAT(Refused("conformal/rscp:calibration=1"), HasSubstr("calibration"));
  EXPECT_THAT(Refused("conformal/rscp:n=1"), HasSubstr("at least 2"));
  EXPECT_EQ(Parsed("conformal/rscp:n=1,bound=hoeffding").id(),
            "conformal/rscp/0.25/0.125/n=1,bound=hoeffding");
}

}  // namespace
}  // namespace assay
