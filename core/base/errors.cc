#include "core/base/errors.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"

namespace assay {
namespace {

using absl::StatusCode;

struct ReasonRow {
  Reason reason;
  const char* name;
  StatusCode code;
};

constexpr ReasonRow kReasons[] = {
    {Reason::kInvalidArgument, "INVALID_ARGUMENT", StatusCode::kInvalidArgument},
    {Reason::kInvalidCondition, "INVALID_CONDITION", StatusCode::kInvalidArgument},
    {Reason::kInvalidModel, "INVALID_MODEL", StatusCode::kInvalidArgument},
    {Reason::kModelInputMismatch, "MODEL_INPUT_MISMATCH", StatusCode::kInvalidArgument},
    {Reason::kModelOutputInvalid, "MODEL_OUTPUT_INVALID", StatusCode::kInvalidArgument},
    {Reason::kModelNotFinite, "MODEL_NOT_FINITE", StatusCode::kInvalidArgument},
    {Reason::kModelFailed, "MODEL_FAILED", StatusCode::kInvalidArgument},
    {Reason::kLabelOutOfRange, "LABEL_OUT_OF_RANGE", StatusCode::kInvalidArgument},
    {Reason::kInvalidDataset, "INVALID_DATASET", StatusCode::kInvalidArgument},
    {Reason::kDigestMismatch, "DIGEST_MISMATCH", StatusCode::kInvalidArgument},
    {Reason::kUploadIncomplete, "UPLOAD_INCOMPLETE", StatusCode::kInvalidArgument},
    {Reason::kChunkMissing, "CHUNK_MISSING", StatusCode::kFailedPrecondition},
    {Reason::kUnauthenticated, "UNAUTHENTICATED", StatusCode::kUnauthenticated},
    {Reason::kPermissionDenied, "PERMISSION_DENIED", StatusCode::kPermissionDenied},
    {Reason::kServerNotTrusted, "SERVER_NOT_TRUSTED", StatusCode::kUnauthenticated},
    {Reason::kNotFound, "NOT_FOUND", StatusCode::kNotFound},
    {Reason::kAlreadyExists, "ALREADY_EXISTS", StatusCode::kAlreadyExists},
    {Reason::kInUse, "IN_USE", StatusCode::kFailedPrecondition},
    {Reason::kWrongState, "WRONG_STATE", StatusCode::kFailedPrecondition},
    {Reason::kEvaluationFailed, "EVALUATION_FAILED", StatusCode::kAborted},
    {Reason::kGateFailed, "GATE_FAILED", StatusCode::kAborted},
    {Reason::kCancelled, "CANCELLED", StatusCode::kCancelled},
    {Reason::kLeaseLost, "LEASE_LOST", StatusCode::kAborted},
    {Reason::kStorageFull, "STORAGE_FULL", StatusCode::kResourceExhausted},
    {Reason::kStorageFailed, "STORAGE_FAILED", StatusCode::kInternal},
    {Reason::kQuotaExceeded, "QUOTA_EXCEEDED", StatusCode::kResourceExhausted},
    {Reason::kTooLarge, "TOO_LARGE", StatusCode::kInvalidArgument},
    {Reason::kEngineLost, "ENGINE_LOST", StatusCode::kUnavailable},
    {Reason::kOutOfMemory, "OUT_OF_MEMORY", StatusCode::kResourceExhausted},
    {Reason::kDeadlineReached, "DEADLINE_REACHED", StatusCode::kAborted},
    {Reason::kShuttingDown, "SHUTTING_DOWN", StatusCode::kUnavailable},
    {Reason::kUnavailable, "UNAVAILABLE", StatusCode::kUnavailable},
    {Reason::kUnreadableInput, "UNREADABLE_INPUT", StatusCode::kInvalidArgument},
    {Reason::kInternal, "INTERNAL", StatusCode::kInternal},
};

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kBadRequestUrl[] = "type.googleapis.com/google.rpc.BadRequest";
constexpr char kResourceInfoUrl[] = "type.googleapis.com/google.rpc.ResourceInfo";
constexpr char kQuotaFailureUrl[] = "type.googleapis.com/google.rpc.QuotaFailure";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";
// Details travel in HTTP/2 trailers, which peers may cap at 8 KiB in base64.
constexpr size_t kMaxViolations = 20;

const ReasonRow& Row(Reason reason) {
  for (const ReasonRow& row : kReasons) {
    if (row.reason == reason) return row;
  }
  return kReasons[std::size(kReasons) - 1];
}

template <typename Message>
void SetPayload(absl::Status& status, const char* url, const Message& message) {
  status.SetPayload(url, absl::Cord(message.SerializeAsString()));
}

template <typename Message>
std::optional<Message> Payload(const absl::Status& status, const char* url) {
  auto payload = status.GetPayload(url);
  Message message;
  if (!payload || !message.ParseFromString(std::string(*payload))) return std::nullopt;
  return message;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

absl::string_view ReasonName(Reason reason) { return Row(reason).name; }

std::optional<Reason> ReasonFromName(absl::string_view name) {
  for (const ReasonRow& row : kReasons) {
    if (name == row.name) return row.reason;
  }
  return std::nullopt;
}

StatusCode ReasonCode(Reason reason) { return Row(reason).code; }

Error::Error(Reason reason, absl::string_view message)
    : reason_(reason), message_(message.data(), message.size()) {}

Error&& Error::With(absl::string_view key, absl::string_view value) && {
  metadata_.emplace_back(std::string(key), std::string(value));
  return std::move(*this);
}

Error&& Error::Violations(std::vector<FieldViolation> violations) && {
  violations_ = std::move(violations);
  return std::move(*this);
}

Error&& Error::Resource(absl::string_view type, absl::string_view name) && {
  resource_type_ = std::string(type);
  resource_name_ = std::string(name);
  return std::move(*this);
}

Error&& Error::Quota(absl::string_view subject, absl::string_view description) && {
  quota_subject_ = std::string(subject);
  quota_description_ = std::string(description);
  return std::move(*this);
}

Error&& Error::RetryAfterSeconds(double seconds) && {
  retry_seconds_ = seconds;
  return std::move(*this);
}

absl::Status Error::ToStatus() const {
  absl::Status status(ReasonCode(reason_), message_);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ReasonName(reason_)));
  info.set_domain("assay");
  for (const auto& [key, value] : metadata_) (*info.mutable_metadata())[key] = value;
  SetPayload(status, kErrorInfoUrl, info);
  if (!violations_.empty()) {
    google::rpc::BadRequest bad;
    for (size_t i = 0; i < std::min(violations_.size(), kMaxViolations); ++i) {
      auto* violation = bad.add_field_violations();
      violation->set_field(violations_[i].field);
      violation->set_description(violations_[i].description.substr(0, 300));
    }
    // Keep the trailers small enough for every peer.
    while (bad.ByteSizeLong() > 3000) bad.mutable_field_violations()->RemoveLast();
    SetPayload(status, kBadRequestUrl, bad);
  }
  if (!resource_name_.empty()) {
    google::rpc::ResourceInfo resource;
    resource.set_resource_type(resource_type_);
    resource.set_resource_name(resource_name_);
    SetPayload(status, kResourceInfoUrl, resource);
  }
  if (!quota_subject_.empty()) {
    google::rpc::QuotaFailure quota;
    auto* const violation = quota.add_violations();
    violation->set_subject(quota_subject_);
    violation->set_description(quota_description_);
    SetPayload(status, kQuotaFailureUrl, quota);
  }
  if (retry_seconds_ >= 0) {
    google::rpc::RetryInfo retry;
    const auto whole = static_cast<int64_t>(retry_seconds_);
    retry.mutable_retry_delay()->set_seconds(whole);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>((retry_seconds_ - static_cast<double>(whole)) * 1e9));
    SetPayload(status, kRetryInfoUrl, retry);
  }
  return status;
}

std::optional<Reason> ReasonOf(const absl::Status& status) {
  const auto info = Payload<google::rpc::ErrorInfo>(status, kErrorInfoUrl);
  if (!info) return std::nullopt;
  return ReasonFromName(info->reason());
}

std::vector<FieldViolation> ViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  if (const auto bad = Payload<google::rpc::BadRequest>(status, kBadRequestUrl)) {
    for (const auto& violation : bad->field_violations()) {
      violations.push_back({violation.field(), violation.description()});
    }
  }
  return violations;
}

absl::Status InvalidFields(std::vector<FieldViolation> violations, Reason reason) {
  std::string text;
  for (const FieldViolation& violation : violations) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", violation.field, ": ", violation.description);
    if (text.size() > 2000) {
      absl::StrAppend(&text, "; ...");
      break;
    }
  }
  return Error(reason, text).Violations(std::move(violations));
}

absl::Status NotFound(absl::string_view type, absl::string_view name) {
  return Error(Reason::kNotFound, absl::StrCat(name, " does not exist")).Resource(type, name);
}

absl::Status WithMessage(const absl::Status& status, absl::string_view message) {
  absl::Status result(status.code(), message);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

std::string PublicText(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kInternal) {
    return "internal error; the server's log says more";
  }
  return std::string(status.message());
}

std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    // An abbreviation, or a word written out ("epsilon" for "eps"), is near whatever its length.
    const bool prefix = word.size() > 1 && candidate.size() > 1 &&
                        (absl::StartsWith(word, candidate) || absl::StartsWith(candidate, word));
    const size_t distance = prefix ? 1 : EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace assay
