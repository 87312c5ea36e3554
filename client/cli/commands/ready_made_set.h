// `assay evaluate -d CIFAR-10-C`: every block of a ready-made set is a dataset and an evaluation of
// its own; one report is made of all of them.
#ifndef ASSAY_CLIENT_CLI_COMMANDS_READY_MADE_SET_H_
#define ASSAY_CLIENT_CLI_COMMANDS_READY_MADE_SET_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/base/session.h"
#include "client/cli/commands/evaluate_options.h"
#include "client/data/ready_made.h"

namespace assay::cli {

// What is wrong with the options of such a call, or with a block, before anything is uploaded:
// kInvalidArgument for options that are about one evaluation, kUnreadableInput for blocks that
// cannot be opened or are of different images.
absl::Status CheckReadyMade(Session& session, const EvaluateOptions& options, Gates& gates,
                            const std::vector<client::ReadyMadeBlock>& blocks);

// Uploads and evaluates one block after the other, then prints and writes the report, on which the
// gates are judged. With --id X
// they are evaluations/X-fog-3, and the same call again goes on where it was interrupted.
// kCancelled after Ctrl-C.
absl::Status EvaluateReadyMade(Session& session, const EvaluateOptions& options, const Gates& gates,
                               const std::string& model, const Labels& labels,
                               const std::vector<client::ReadyMadeBlock>& blocks);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_COMMANDS_READY_MADE_SET_H_
