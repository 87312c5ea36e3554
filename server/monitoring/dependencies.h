// Whether what a process depends on answers: its database, its blobs. Each is asked again and again
// by a thread of its own, so one that hangs is noticed, and hides nothing of the others.
#ifndef ASSAY_SERVER_MONITORING_DEPENDENCIES_H_
#define ASSAY_SERVER_MONITORING_DEPENDENCIES_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "core/base/mutex.h"

namespace assay::monitoring {

// Thread-safe.
class Dependencies {
 public:
  struct Options {
    // Between two questions.
    std::chrono::milliseconds interval{1000};
    // One that has not answered for so long does not answer.
    std::chrono::milliseconds patience{5000};
  };
  // A short question, with an error where the answer is not what it should be; names are words:
  // "database". Each counts as there until its first answer.
  using Probes = std::map<std::string, std::function<absl::Status()>>;
  // `on_change` is called, by threads of its own and not by two at once, with what All() says, when
  // one of them has changed.
  using Listener = std::function<void(bool all)>;
  Dependencies(Probes probes, Listener on_change)
      : Dependencies(std::move(probes), std::move(on_change), Options()) {}
  Dependencies(Probes probes, Listener on_change, Options options);
  // Waits for questions that are being asked.
  ~Dependencies();

  // Whether all are there.
  bool All() const;
  bool Has(const std::string& name) const;
  // 1 for those that are there, 0 for others.
  std::map<std::string, int64_t> Snapshot() const;

 private:
  struct Part {
    std::string name;
    std::function<absl::Status()> probe;
    bool up = true;
    bool asking = false;
    std::chrono::steady_clock::time_point asked;
  };
  void Ask(Part& part);
  // Notices those that hang.
  void Watch();
  // Tells of a change, once, when it is one.
  void Set(Part& part, bool up, const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  const Listener on_change_;
  Mutex listener_mutex_;
  mutable Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  // The parts themselves stay.
  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<std::thread> threads_;
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_DEPENDENCIES_H_
