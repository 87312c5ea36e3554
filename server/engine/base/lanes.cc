#include "server/engine/base/lanes.h"

#include <atomic>
#include <thread>
#include <vector>

namespace assay::engine {

absl::Status OnLanes(Classifier& classifier, const std::function<absl::Status()>& body) {
  std::vector<absl::Status> statuses(static_cast<size_t>(classifier.lanes()));
  const auto run = [&](size_t lane) {
    classifier.BindThread(static_cast<int>(lane));
    statuses[lane] = body();
  };
  std::vector<std::thread> threads;
  for (size_t lane = 1; lane < statuses.size(); ++lane) threads.emplace_back(run, lane);
  run(0);
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ForEachOnLanes(Classifier& classifier, size_t n,
                            const std::function<absl::Status(size_t i)>& body) {
  std::atomic<size_t> next = 0;
  return OnLanes(classifier, [&]() -> absl::Status {
    for (size_t i = next++; i < n; i = next++) {
      const absl::Status status = body(i);
      if (status.ok()) continue;
      next = n;
      return status;
    }
    return absl::OkStatus();
  });
}

}  // namespace assay::engine
