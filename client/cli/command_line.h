// The command line of `assay`, parsed: one of the commands (client/cli/commands), and the options
// of `assay` itself, which may stand anywhere.
#ifndef ASSAY_CLIENT_CLI_COMMAND_LINE_H_
#define ASSAY_CLIENT_CLI_COMMAND_LINE_H_

#include <string>
#include <variant>

#include "client/cli/base/command.h"
#include "client/cli/base/session.h"

namespace assay::cli {

// A command to be run in a session with these options.
struct Call {
  // Flags > environment > config file > default, applied already.
  SessionOptions options;
  CommandRun run;
};

// Nothing is to be run: a help text, the version, or a usage error.
struct Exit {
  int code = 0;
  std::string out;
  std::string err;
};

// `environment_server`: the value of ASSAY_SERVER, empty without one; `environment_token_file` that
// of ASSAY_TOKEN_FILE.
std::variant<Call, Exit> ParseCommandLine(int argc, const char* const* argv,
                                          const std::string& environment_server,
                                          const std::string& environment_token_file = "");

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_COMMAND_LINE_H_
