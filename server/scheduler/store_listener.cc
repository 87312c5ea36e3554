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

absl::Status Listen(const std::string& uri, Hub& hub, const std::atomic<bool>& stop) {
  ASSAY_ASSIGN_OR_RETURN(const auto database, store::PostgresDatabase::Open(uri));
  ASSAY_RETURN_IF_ERROR(database->Listen(store::kWorkChannel));
  // What came before.
  hub.NotifyWork();
  while (!stop) {
    ASSAY_ASSIGN_OR_RETURN(const auto channels, database->WaitForNotifications(kWaitMilliseconds));
    if (!channels.empty()) hub.NotifyWork();
  }
  return absl::OkStatus();
}

}  // namespace

StoreListener::StoreListener(std::string uri, Hub& hub)
    : uri_(std::move(uri)), hub_(hub), thread_([this] { Loop(); }) {}

StoreListener::~StoreListener() {
  stop_ = true;
  thread_.join();
}

void StoreListener::Loop() {
  std::string told;
  while (!stop_) {
    const absl::Status status = Listen(uri_, hub_, stop_);
    if (status.ok()) return;
    // Once, however long that lasts.
    if (told != status.message()) {
      LogWarning(absl::StrCat("workers look for work once a second, since nobody tells them: ",
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
