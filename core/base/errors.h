// Errors of Assay: a machine-readable reason, the code that goes with it, and a text that says what
// was wrong and what would be right. They travel as absl::Status with google.rpc details as
// payloads, so they cross gRPC unharmed (grpc_status.h).
//
// Example:
//   return Error(Reason::kDigestMismatch, absl::StrCat("chunk ", digest, " has other content"))
//       .With("digest", digest)
//       .ToStatus();
//
// The reasons are documented one by one in docs/errors.md.
#ifndef ASSAY_CORE_BASE_ERRORS_H_
#define ASSAY_CORE_BASE_ERRORS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace assay {

// Keep in step with kReasons in errors.cc and with docs/errors.md; a test compares the three.
enum class Reason {
  kInvalidArgument,     // one or more request fields are invalid; see the field violations
  kInvalidCondition,    // a condition expression does not parse or has an invalid parameter
  kInvalidModel,        // the file is not a TorchScript model, or the model breaks a rule of the
                        // interface
  kModelInputMismatch,  // the model does not accept images of the dataset's shape
  kModelOutputInvalid,  // logits of the wrong shape or type
  kModelNotFinite,      // logits that are not finite on the validation batch
  kModelFailed,         // the model raised an error while it ran
  kLabelOutOfRange,     // a label is not below the number of classes
  kInvalidDataset,      // manifest and chunks disagree, or the dataset is empty
  kDigestMismatch,      // bytes do not have the digest that was announced
  kUploadIncomplete,    // an upload ended before all announced bytes arrived
  kChunkMissing,        // a chunk has not been uploaded
  kUnauthenticated,     // no token or certificate that the server knows
  kPermissionDenied,    // who calls may not do this
  kServerNotTrusted,    // the server's certificate is not what it should be (client)
  kNotFound,            // the named resource does not exist
  kAlreadyExists,       // the name is taken by other content
  kInUse,               // the resource is used by an unfinished evaluation
  kWrongState,          // the resource's state does not allow the operation
  kEvaluationFailed,    // the evaluation ended with an error
  kGateFailed,          // a requirement on a report did not hold, or could not be decided (client)
  kCancelled,           // the work was cancelled
  kLeaseLost,           // the task's lease was taken over; its result was refused
  kStorageFull,         // no space left for data
  kStorageFailed,       // reading or writing stored data failed
  kQuotaExceeded,       // a configured limit is reached
  kTooLarge,            // a message, chunk or file is over its limit
  kEngineLost,          // the engine process died or stopped answering
  kOutOfMemory,         // the device has too little memory for even one sample
  kDeadlineReached,     // the evaluation was to end by now
  kShuttingDown,        // the server is stopping
  kUnavailable,         // the server cannot be reached
  kUnreadableInput,     // a local file cannot be read or understood (client)
  kInternal,            // a bug; stays the last
};

// "DIGEST_MISMATCH" and so on.
absl::string_view ReasonName(Reason reason);
// The reason of that name, if there is one.
std::optional<Reason> ReasonFromName(absl::string_view name);
// The status code that a reason always comes with.
absl::StatusCode ReasonCode(Reason reason);

// What is wrong with one field, and what would be right.
struct FieldViolation {
  std::string field;
  std::string description;
};

// Builds a status with details.
class Error {
 public:
  Error(Reason reason, absl::string_view message);
  // Adds metadata to the ErrorInfo.
  Error&& With(absl::string_view key, absl::string_view value) &&;
  // Adds a google.rpc.BadRequest detail.
  Error&& Violations(std::vector<FieldViolation> violations) &&;
  // Adds a google.rpc.ResourceInfo detail.
  Error&& Resource(absl::string_view type, absl::string_view name) &&;
  // Adds a google.rpc.QuotaFailure detail: whose quota it is, and what the limit is.
  Error&& Quota(absl::string_view subject, absl::string_view description) &&;
  // Adds a google.rpc.RetryInfo detail.
  Error&& RetryAfterSeconds(double seconds) &&;
  absl::Status ToStatus() const;
  operator absl::Status() const { return ToStatus(); }  // NOLINT: an error is a status

 private:
  Reason reason_;
  std::string message_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<FieldViolation> violations_;
  std::string resource_type_, resource_name_;
  std::string quota_subject_, quota_description_;
  double retry_seconds_ = -1;
};

// The reason that a status carries, if it was built here (or came over gRPC from such a status).
std::optional<Reason> ReasonOf(const absl::Status& status);
// The field violations that a status carries.
std::vector<FieldViolation> ViolationsOf(const absl::Status& status);

// The error for several violations at once: INVALID_ARGUMENT with every violation in the text and
// in the details. The reason is kInvalidArgument unless given.
absl::Status InvalidFields(std::vector<FieldViolation> violations,
                           Reason reason = Reason::kInvalidArgument);
// NOT_FOUND with ResourceInfo; `name` is a full resource name such as "models/m".
absl::Status NotFound(absl::string_view type, absl::string_view name);

// `status` with another text; code and details are kept.
absl::Status WithMessage(const absl::Status& status, absl::string_view message);

// The text of a status as clients may see it: that of an INTERNAL error, which may name paths of
// the server, is replaced.
std::string PublicText(const absl::Status& status);

// Of `candidates`, the one nearest to `word`: the smallest edit distance, if that is small enough
// to be a typing error, or an abbreviation.
std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace assay

// Returns from the enclosing function when `expr` (an absl::Status) is not OK.
#define ASSAY_RETURN_IF_ERROR(expr)              \
  do {                                           \
    ::absl::Status assay_status = (expr);        \
    if (!assay_status.ok()) return assay_status; \
  } while (false)

#define ASSAY_CONCAT_INNER(a, b) a##b
#define ASSAY_CONCAT(a, b) ASSAY_CONCAT_INNER(a, b)
// ASSAY_ASSIGN_OR_RETURN(auto x, F()): x = value of F(), or returns its status.
#define ASSAY_ASSIGN_OR_RETURN(lhs, expr) \
  ASSAY_ASSIGN_OR_RETURN_IMPL(ASSAY_CONCAT(assay_or_, __LINE__), lhs, expr)
#define ASSAY_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return tmp.status();               \
  lhs = *std::move(tmp)

#endif  // ASSAY_CORE_BASE_ERRORS_H_
