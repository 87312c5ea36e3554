#include "client/lib/retry.h"

#include <algorithm>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "google/rpc/error_details.pb.h"

namespace assay::client {
namespace {

constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";

std::optional<double> DelayWanted(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryInfoUrl);
  google::rpc::RetryInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return static_cast<double>(info.retry_delay().seconds()) + info.retry_delay().nanos() * 1e-9;
}

// Spreads clients that failed together.
double Jitter() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.8, 1.2)(generator);
}

}  // namespace

bool IsRetryable(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable && ReasonOf(status) != Reason::kEngineLost;
}

Backoff::Backoff(const RetryOptions& options)
    : options_(options), next_delay_(options.first_delay_seconds) {}

void Backoff::Progress() {
  next_delay_ = options_.first_delay_seconds;
  failing_since_micros_ = -1;
}

absl::Status Backoff::Wait(const absl::Status& failure) {
  if (!IsRetryable(failure)) return failure;
  const int64_t now = options_.clock->NowMicros();
  if (failing_since_micros_ < 0) failing_since_micros_ = now;
  const double failing_for = static_cast<double>(now - failing_since_micros_) * 1e-6;
  const double delay = std::max(0.0, DelayWanted(failure).value_or(next_delay_ * Jitter()));
  if (failing_for + delay > options_.patience_seconds) {
    return WithMessage(failure, absl::StrCat(failure.message(), " (gave up after ",
                                             absl::StrFormat("%.0f", failing_for), " s)"));
  }
  next_delay_ = std::min(next_delay_ * 2, options_.longest_delay_seconds);
  if (!options_.sleep(delay)) return Error(Reason::kCancelled, "interrupted");
  return absl::OkStatus();
}

}  // namespace assay::client
