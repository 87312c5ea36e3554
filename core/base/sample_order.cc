#include "core/base/sample_order.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include "core/base/random.h"

namespace assay {

std::vector<int64_t> SampleOrder(int64_t seed, int64_t samples) {
  std::vector<int64_t> order(static_cast<size_t>(samples));
  std::iota(order.begin(), order.end(), 0);
  // No condition has this id, so that the order says nothing about any other draw.
  RandomStream random(RandomKey(seed, "order of samples"), /*sample=*/0, /*stream=*/0);
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    std::swap(order[i], order[i + random.Below(static_cast<uint32_t>(order.size() - i))]);
  }
  return order;
}

}  // namespace assay
