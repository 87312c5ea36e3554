// Every command of `assay`.
#ifndef ASSAY_CLIENT_CLI_COMMANDS_COMMANDS_H_
#define ASSAY_CLIENT_CLI_COMMANDS_COMMANDS_H_

#include <vector>

#include "client/cli/base/command.h"

namespace assay::cli {

struct CommandEntry {
  // What is typed: "model show".
  const char* words;
  // Its line in the help.
  const char* summary;
  // Null for a group of commands ("model").
  CommandRun (*declare)(Leaf& leaf);
};

// In the order of the help, a group before its commands.
const std::vector<CommandEntry>& AllCommands();

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_COMMANDS_COMMANDS_H_
