// `assay conditions`.
#include "gmock/gmock.h"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;

using ConditionsTest = ProgramTest;

TEST_F(ConditionsTest, ConditionsShowEveryParameter) {
  const Result resolved = Run({"conditions", "attack/pgd:norm=linf,eps=8/255", "-o", "csv"});
  EXPECT_EQ(resolved.code, 0) << resolved.err;
  EXPECT_THAT(resolved.out, HasSubstr("\nattack/pgd/linf/8-255,eps,8/255\n"));
  const Result all = Run({"conditions"});
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.out, HasSubstr("smoothing/gaussian"));
}

TEST_F(ConditionsTest, OnlyThoseThatAreGivenAreShown) {
  const Result result = Run({"conditions", "clean", "-o", "csv"});
  EXPECT_EQ(result.out, "id,parameter,value\nclean,,\n");
  EXPECT_EQ(state()->calls["ResolveConditions"], 1);
}

}  // namespace
}  // namespace assay::cli
