// A file that holds disk space back, for the moment when there is none: a deletion has to write
// before it can free anything.
#ifndef ASSAY_SERVER_STORE_SPACE_RESERVE_H_
#define ASSAY_SERVER_STORE_SPACE_RESERVE_H_

#include <cstdint>
#include <string>

#include "core/base/mutex.h"

namespace assay::store {

// Thread-safe.
class SpaceReserve {
 public:
  static constexpr int64_t kBytes = 8 << 20;

  explicit SpaceReserve(std::string path, int64_t bytes = kBytes);
  // Gives the space to whoever writes next. False when it is gone already.
  bool Use();
  // Takes the space again, if that leaves as much to others.
  void Restore();
  // What is held back at this moment.
  int64_t bytes() const;

 private:
  const std::string path_;
  const int64_t bytes_;
  Mutex mutex_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SPACE_RESERVE_H_
