// How often an address may fail to say who it is: a bucket of tries for each, in a table of bounded
// size.
#ifndef ASSAY_SERVER_ACCESS_ATTEMPTS_H_
#define ASSAY_SERVER_ACCESS_ATTEMPTS_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "core/base/mutex.h"

namespace assay::access {

struct AttemptLimits {
  double burst = 20;
  double seconds_for_one = 3;
  // Of more, the one that has failed least recently is forgotten.
  size_t addresses = 10'000;
};

// The address of a gRPC peer, without its port; of IPv6 the network of 64 bits, which is one
// customer's. "ipv4:10.0.0.7:4711" is "10.0.0.7". The peer itself where it is none.
std::string AddressOfPeer(const std::string& peer);
// Whether it is this machine.
bool IsLoopbackPeer(const std::string& peer);

// Thread-safe.
class Attempts {
 public:
  explicit Attempts(AttemptLimits limits = {}) : limits_(limits) {}

  // One has failed. 0: it may be told why. Otherwise it has failed too often, and the next try is
  // due in so many seconds.
  double Failed(const std::string& address, int64_t now_micros);
  size_t size() const;

 private:
  struct Bucket {
    double left;
    int64_t at_micros;
    std::list<std::string>::iterator place;
  };

  const AttemptLimits limits_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
  // The most recent failure first.
  std::list<std::string> order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_ATTEMPTS_H_
