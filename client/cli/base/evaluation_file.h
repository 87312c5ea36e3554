// Evaluations written down: a YAML file whose keys are the options of `assay evaluate`, without
// their dashes.
//
//   model: resnet.pt
//   data: [data_batch_1.bin, data_batch_2.bin]
//   condition:
//     - clean
//     - attack/autoattack:eps=8/255
//   seed: 1
#ifndef ASSAY_CLIENT_CLI_BASE_EVALUATION_FILE_H_
#define ASSAY_CLIENT_CLI_BASE_EVALUATION_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/base/command.h"

namespace assay::cli {

// The words of a command line as main() has them, and behind them those that stand for the keys of
// the file that they name by -f or --file. What is on the command line is not taken from the file.
// Relative paths are relative to the file. Without such a file, or where the words are not those of
// `command`, as they are. kInvalidArgument with the line for a file that is not understood,
// kUnreadableInput for one that cannot be read.
absl::StatusOr<std::vector<std::string>> WithEvaluationFile(const CLI::App& command,
                                                            std::vector<std::string> words);

// The file for what was given to `command`, which has been parsed; it is to stand in `folder`.
std::string EvaluationFileText(const CLI::App& command, const std::string& folder);

// The JSON schema of such files, for editors: an indented object.
std::string EvaluationFileSchema(const CLI::App& command);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_EVALUATION_FILE_H_
