// Which numerics (batch size, memory format) were chosen for a model, remembered in a directory
// beyond the life of a server's data: what `assay --local` computes today it computes tomorrow,
// however busy the machine was when it measured.
//
// One small file for each choice, which is written whole or not at all, and never changed: where
// several servers measure at once, the first choice counts for all. Thread-safe.
#ifndef ASSAY_SERVER_SCHEDULER_NUMERICS_MEMORY_H_
#define ASSAY_SERVER_SCHEDULER_NUMERICS_MEMORY_H_

#include <optional>
#include <string>

#include "assay/v1/types.pb.h"

namespace assay::scheduler {

class NumericsMemory {
 public:
  // `directory` is made when something is first remembered; empty: nothing is.
  explicit NumericsMemory(std::string directory) : directory_(std::move(directory)) {}

  // The choice under `key`; none if there is none that can be read.
  std::optional<v1::NumericsFingerprint> Find(const std::string& key) const;
  // Remembers `numerics`, and returns what is remembered: another server may have been first. A
  // directory that cannot be written to costs no more than the memory.
  v1::NumericsFingerprint Remember(const std::string& key,
                                   const v1::NumericsFingerprint& numerics) const;

 private:
  std::string Path(const std::string& key) const;

  const std::string directory_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_NUMERICS_MEMORY_H_
