// Shell completion, generated from the command line's own definition.
#ifndef ASSAY_CLIENT_CLI_COMPLETION_H_
#define ASSAY_CLIENT_CLI_COMPLETION_H_

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace assay::cli {

// A script for bash: `source <(assay completion bash)`.
std::string BashCompletion(const CLI::App& app);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_COMPLETION_H_
