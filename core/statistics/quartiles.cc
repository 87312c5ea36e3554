#include "core/statistics/quartiles.h"

#include <algorithm>
#include <cstddef>

namespace assay {

std::array<double, 3> Quartiles(const std::vector<double>& ascending) {
  std::array<double, 3> quartiles{};
  const size_t last = ascending.size() - 1;
  for (size_t i = 0; i < quartiles.size(); ++i) {
    // Exact: the position in quarters.
    const size_t quarters = (i + 1) * last;
    const double low = ascending[quarters / 4];
    const double high = ascending[std::min(quarters / 4 + 1, last)];
    quartiles[i] = low + (high - low) * (static_cast<double>(quarters % 4) / 4);
  }
  return quartiles;
}

}  // namespace assay
