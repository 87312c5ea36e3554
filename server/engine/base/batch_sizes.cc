#include "server/engine/base/batch_sizes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace assay::engine {

BatchSizes::BatchSizes(std::vector<int> sizes) : sizes_(std::move(sizes)) {
  std::sort(sizes_.begin(), sizes_.end());
  sizes_.erase(std::unique(sizes_.begin(), sizes_.end()), sizes_.end());
}

int BatchSizes::Holding(int count) const {
  return *std::lower_bound(sizes_.begin(), sizes_.end(), count);
}

int BatchSizes::Take(int ready, int share) const {
  const int wanted = Holding(std::clamp(share, 1, largest()));
  if (ready >= wanted) return wanted;
  if (ready <= smallest()) return ready;
  return *std::prev(std::upper_bound(sizes_.begin(), sizes_.end(), ready));
}

std::vector<int> BatchSizes::Common(const BatchSizes& other) const {
  std::vector<int> common;
  std::set_intersection(sizes_.begin(), sizes_.end(), other.sizes_.begin(), other.sizes_.end(),
                        std::back_inserter(common));
  return common;
}

}  // namespace assay::engine
