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

bool IsInstalled(const std::string& program) {
  return std::system(absl::StrCat("command -v ", program, " >/dev/null").c_str()) == 0;
}

// In a zsh on a terminal of its own, which completes what is typed and runs it.
TEST_F(CompletionTest, ZshCompletesCommandsOptionsAndValues) {
  if (!IsInstalled("zsh")) GTEST_SKIP() << "zsh is not installed";
  const std::string script = directory_ + "/_assay";
  std::ofstream(script) << Run({"completion", "zsh"}).out;
  const std::string test = directory_ + "/test.zsh";
  std::ofstream(test) << "zmodload zsh/zpty\n"
                         "zpty z env TERM=xterm zsh -f -i\n"
                         "zpty -w z 'autoload -Uz compinit; compinit -u -D; source "
                      << script
                      << "'\n"
                         "zpty -w z 'assay() { print -r -- \"GOT:$*:\" }; print READ''Y'\n"
                         "zpty -r z out '*READY*'\n"
                         "expect() {\n"
                         "  zpty -w z $1; zpty -r z out \"*GOT:$2:*\" || exit 1\n"
                         "}\n"
                         "expect $'assay mo\\tli\\t' 'model list'\n"
                         "expect $'assay evaluation outcomes --serv\\t' "
                         "'evaluation outcomes --server'\n"
                         "expect $'assay evaluate -o js\\t' 'evaluate -o json'\n"
                         "expect $'assay completion z\\t' 'completion zsh'\n";
  EXPECT_EQ(std::system(absl::StrCat("timeout 120 zsh -f ", test, " >/dev/null").c_str()), 0);
}

TEST_F(CompletionTest, FishCompletesCommandsOptionsAndValues) {
  if (!IsInstalled("fish")) GTEST_SKIP() << "fish is not installed";
  const std::string script = directory_ + "/assay.fish";
  std::ofstream(script) << Run({"completion", "fish"}).out;
  const std::string test = directory_ + "/test.fish";
  std::ofstream(test) << "source " << script
                      << "\nfunction expect\n"
                         "  set -l got (complete -C $argv[1] | string replace -r '\\t.*' '')\n"
                         "  if test \"$got\" != \"$argv[2]\"\n"
                         "    echo \"$argv[1]: $got\"; exit 1\n"
                         "  end\n"
                         "end\n"
                         "expect 'assay mod' model\n"
                         "expect 'assay model l' 'list load'\n"
                         "expect 'assay evaluation outcomes --se' --server\n"
                         "expect 'assay evaluate -o js' json\n"
                         "expect 'assay completion z' zsh\n";
  EXPECT_EQ(std::system(
                absl::StrCat("HOME=", directory_, " timeout 120 fish --no-config ", test).c_str()),
            0);
}

}  // namespace
}  // namespace assay::cli
