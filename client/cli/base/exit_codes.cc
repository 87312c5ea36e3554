#include "client/cli/base/exit_codes.h"

#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/render/text.h"
#include "core/base/errors.h"
#include "google/rpc/error_details.pb.h"

namespace assay::cli {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

std::string ReasonHint(Reason reason) {
  switch (reason) {
    case Reason::kInvalidArgument:
      return "`assay COMMAND --help` tells what each option takes";
    case Reason::kInvalidCondition:
      return "`assay conditions` lists every method with its parameters";
    case Reason::kInvalidModel:
      return "a model is an exported program (torch.export.save), ONNX or TorchScript; "
             "docs/models.md tells how to make one";
    case Reason::kModelInputMismatch:
      return "check that the model was made for images of this shape; `assay model inspect FILE` "
             "tries several, and --resize brings images to the model's size";
    case Reason::kModelOutputInvalid:
      return "the model must return one float32 tensor of shape N x K; --model-output chooses "
             "from several outputs";
    case Reason::kModelNotFinite:
      return "the model gives NaN or infinity on images in [0,1]: check its normalisation and "
             "weights";
    case Reason::kModelFailed:
      return "run the model on one batch in PyTorch, on the CPU and under torch.no_grad(), to see "
             "the same error";
    case Reason::kLabelOutOfRange:
      return "labels count from 0 and must be below the number of logits: check --labels and the "
             "model";
    case Reason::kInvalidDataset:
      return "`assay dataset upload --help` lists the formats, and how classes are ordered";
    case Reason::kUnreadableInput:
      return "check the path and --format; `assay dataset upload --help` lists the formats";
    case Reason::kDigestMismatch:
    case Reason::kUploadIncomplete:
    case Reason::kChunkMissing:
      return "run the command again: only what is missing is sent";
    case Reason::kUnauthenticated:
      return "`--token-file FILE` or ASSAY_TOKEN_FILE names the file with your token; who runs the "
             "server makes one by `assay token new`";
    case Reason::kPermissionDenied:
      return "who runs the server gives scopes to tokens (docs/security.md)";
    case Reason::kServerNotTrusted:
      return "`--ca FILE` names the authority that signed the server's certificate; "
             "docs/security.md "
             "tells how to look at it";
    case Reason::kNotFound:
      return "`assay model list`, `assay dataset list` and `assay evaluation list` show what there "
             "is";
    case Reason::kAlreadyExists:
      return "choose another --id, or leave it out: then the id follows from the content";
    case Reason::kInUse:
      return "wait for the evaluation that uses it, or cancel that: `assay evaluation list`";
    case Reason::kWrongState:
      return "`assay evaluation show NAME` tells the state";
    case Reason::kEvaluationFailed:
      return "`assay evaluation report NAME` shows what was done, `assay evaluation retry NAME` "
             "does the rest";
    case Reason::kGateFailed:
      return "docs/gates.md tells how gates are judged; --undecided=pass lets those pass that "
             "cannot "
             "be decided";
    case Reason::kCancelled:
      return "";
    case Reason::kLeaseLost:
      return "another worker has taken the task over; nothing is lost";
    case Reason::kStorageFull:
      return "delete models, datasets or evaluations that are not needed (their room is free "
             "within "
             "seconds), or give the server more disk";
    case Reason::kStorageFailed:
      return "the server's log says which file or database failed";
    case Reason::kQuotaExceeded:
      return "wait for running evaluations or delete old ones; limits are flags of the server "
             "(`assayd --help`)";
    case Reason::kTooLarge:
      return "the limits are flags of the server (`assayd --help`)";
    case Reason::kEngineLost:
      return "the model's process died: `assay model show NAME` and the server's log say why; "
             "`assay evaluation retry NAME` does what is left";
    case Reason::kOutOfMemory:
      return "use smaller images or a smaller model, or a device with more memory";
    case Reason::kDeadlineReached:
      return "`assay evaluation report NAME` shows what was done; `assay evaluation retry NAME` "
             "goes on, with the same time again";
    case Reason::kShuttingDown:
      return "the server is stopping; run the command again when it is back";
    case Reason::kUnavailable:
      return "is assayd running there? --server HOST:PORT or ASSAY_SERVER names another, --local "
             "starts one for "
             "this call";
    case Reason::kInternal:
      return "this is a bug of Assay; the server's log has the details";
  }
  return "";
}

// The reason of a failed evaluation's failure, which says more than that it failed.
std::optional<Reason> FailureReason(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorInfoUrl);
  google::rpc::ErrorInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  const auto found = info.metadata().find("failure_reason");
  if (found == info.metadata().end()) return std::nullopt;
  return ReasonFromName(found->second);
}

// The id of the call, of errors that have it.
std::string RequestOf(const absl::Status& status) {
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.RequestInfo");
  google::rpc::RequestInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return "";
  return info.request_id();
}

}  // namespace

int ExitCodeOf(const absl::Status& status) {
  // What the model did is a failure of its evaluation, not of the connection.
  const std::optional<Reason> reason = ReasonOf(status);
  if (reason == Reason::kEngineLost || reason == Reason::kOutOfMemory) return kExitFailed;
  if (reason == Reason::kGateFailed) return kExitGate;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kCancelled:
      return kExitCancelled;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return kExitPrecondition;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kExitAuthentication;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return kExitUnavailable;
    default:
      return kExitFailed;
  }
}

std::string HintOf(const absl::Status& status) {
  if (const auto failure = FailureReason(status)) {
    const std::string hint = ReasonHint(*failure);
    if (!hint.empty()) return hint;
  }
  if (const auto reason = ReasonOf(status)) return ReasonHint(*reason);
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ReasonHint(Reason::kUnavailable);
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return ReasonHint(Reason::kUnauthenticated);
    case absl::StatusCode::kUnimplemented:
      return "the server is older than this command, or is no assayd";
    default:
      return "";
  }
}

std::string ErrorText(const absl::Status& status) {
  const std::vector<FieldViolation> violations = ViolationsOf(status);
  std::string text(status.message());
  // A message made of its violations would say everything twice.
  bool listed = violations.size() > 1;
  if (!violations.empty()) {
    const bool repeats = absl::StartsWith(text, absl::StrCat(violations[0].field, ": "));
    if (!repeats) listed = true;
    if (repeats && listed) text = absl::StrCat(violations.size(), " things are not valid");
  }
  if (text.empty()) text = absl::StatusCodeToString(status.code());
  std::string out;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&out, out.empty() ? "error: " : "  ", render::Printable(line), "\n");
  }
  if (listed) {
    for (const FieldViolation& violation : violations) {
      absl::StrAppend(&out, "  ", render::Printable(violation.field), ": ",
                      render::Printable(violation.description), "\n");
    }
  }
  if (const std::string request = RequestOf(status); !request.empty()) {
    absl::StrAppend(&out, "request: ", render::Printable(request),
                    " is what the server's log calls it\n");
  }
  const std::string hint = HintOf(status);
  if (!hint.empty()) absl::StrAppend(&out, "hint: ", hint, "\n");
  return out;
}

}  // namespace assay::cli
