// The five photographs that the published frost lays over images. They are not Assay's to ship: a
// user who has them names their directory.
#ifndef ASSAY_CORE_CORRUPTIONS_FROST_PHOTOGRAPHS_H_
#define ASSAY_CORE_CORRUPTIONS_FROST_PHOTOGRAPHS_H_

#include <array>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/corruptions/corruption.h"

namespace assay::corruptions {

// Immutable, so safe from many threads.
class FrostPhotographs {
 public:
  static constexpr size_t kCount = 5;

  // Reads and checks the files (core/corruptions/frost_files.h).
  static absl::StatusOr<std::shared_ptr<const FrostPhotographs>> Load(const std::string& directory);

  // Photograph 0 to 4 at the scale that the scripts of `table` shrink it to: 0.2, 0.3, 1, 1.
  const Image& Get(SeverityTable table, size_t photograph) const {
    return scaled_[static_cast<size_t>(table)][photograph];
  }

 private:
  // By table.
  std::array<std::array<Image, kCount>, 4> scaled_;
};

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_FROST_PHOTOGRAPHS_H_
