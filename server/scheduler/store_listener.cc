#include "server/scheduler/store_listener.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/store/postgres.h"

namespace assay::scheduler {
namespace {

// How soon it sees that it is to stop.
constexpr int kWaitMilliseconds = 200;
constexpr auto kRetryInterval = std::chrono::milliseconds(1000);

}  // namespace

absl::Status StoreListener::Listen() {
  ASSAY_ASSIGN_OR_RETURN(const auto database, store::PostgresDatabase::Open(uri_));
  ASSAY_RETURN_IF_ERROR(database->Listen(store::kWorkChannel));
  ASSAY_RETURN_IF_ERROR(database->Listen(store::kControlChannel));
  // What came before.
  hub_.NotifyWork();
  on_control_();
  while (!stop_) {
    ASSAY_ASSIGN_OR_RETURN(const auto channels, database->WaitForNotifications(kWaitMilliseconds));
    for (const std::string& channel : channels) {
      channel == store::kControlChannel ? on_control_() : hub_.NotifyWork();
    }
  }
  return absl::OkStatus();
}

StoreListener::StoreListener(std::string uri, Hub& hub, std::function<void()> on_control)
    : uri_(std::move(uri)),
      hub_(hub),
      on_control_(std::move(on_control)),
      thread_([this] { Loop(); }) {}

StoreListener::~StoreListener() {
  stop_ = true;
  thread_.join();
}

void StoreListener::Loop() {
  std::string told;
  while (!stop_) {
    const absl::Status status = Listen();
    if (status.ok()) return;
    // Once, however long that lasts.
    if (told != status.message()) {
      LogWarning(
          absl::StrCat("work and orders are looked for once a second, since nobody tells of them: ",
                       status.message()));
    }
    told = std::string(status.message());
    const auto end = std::chrono::steady_clock::now() + kRetryInterval;
    while (!stop_ && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kWaitMilliseconds));
    }
  }
}

}  // namespace assay::scheduler
