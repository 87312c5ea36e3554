// Exit codes of `assay`, and how an error is told: what went wrong, field by field, and what to do
// about it.
#ifndef ASSAY_CLIENT_CLI_BASE_EXIT_CODES_H_
#define ASSAY_CLIENT_CLI_BASE_EXIT_CODES_H_

#include <string>

#include "absl/status/status.h"

namespace assay::cli {

// Documented in docs/cli.md; never renumbered.
inline constexpr int kExitOk = 0;
inline constexpr int kExitGate = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFailed = 3;
inline constexpr int kExitCancelled = 4;
inline constexpr int kExitPrecondition = 5;
inline constexpr int kExitAuthentication = 6;
inline constexpr int kExitUnavailable = 7;

int ExitCodeOf(const absl::Status& status);

// "error: ..." and, where there are any, a line for each field violation, a "request: ..." line
// with the id of the call, and a "hint: ..." line.
// Ends with a line feed.
std::string ErrorText(const absl::Status& status);

// Advice for an error of this kind; empty when there is none.
std::string HintOf(const absl::Status& status);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_EXIT_CODES_H_
