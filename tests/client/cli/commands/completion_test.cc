// `assay completion`.
#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;

using CompletionTest = ProgramTest;

TEST_F(CompletionTest, CompletionKnowsEverySubcommandAndOption) {
  const std::string script = Run({"completion", "bash"}).out;
  for (const char* expected : {"\" evaluation watch\") words=", "--condition", "--confidence-level",
                               "\" model\") words=\"upload inspect list show delete load unload"}) {
    EXPECT_THAT(script, HasSubstr(expected));
  }
  const std::string path = directory_ + "/completion";
  std::ofstream(path) << script
                      << "COMP_WORDS=(assay model l); COMP_CWORD=2; _assay\n"
                         "[ \"${COMPREPLY[*]}\" = \"list load\" ] || exit 1\n"
                         "COMP_WORDS=(assay evaluation outcomes --se); COMP_CWORD=3; _assay\n"
                         "[ \"${COMPREPLY[*]}\" = \"--server\" ] || exit 2\n"
                         "COMP_WORDS=(assay evaluate -o js); COMP_CWORD=3; _assay\n"
                         "[ \"${COMPREPLY[*]}\" = \"json\" ] || exit 3\n";
  EXPECT_EQ(std::system(absl::StrCat("bash ", path).c_str()), 0);
}

}  // namespace
}  // namespace assay::cli
