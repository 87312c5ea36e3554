#include "server/engine/validation/batch_size_probe.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "core/base/digest.h"
#include "core/base/errors.h"
#include "server/engine/validation/model_validation.h"

namespace assay::engine {
namespace {

// As many as the smallest candidates have room for.
constexpr size_t kImages = 4;

// The results of the images, one after the other; nothing where they depend on the place.
std::optional<std::string> ResultsByImage(const std::vector<float>& results, size_t rows) {
  const size_t bytes = results.size() / rows * sizeof(float);
  const char* const data = reinterpret_cast<const char*>(results.data());
  for (size_t row = kImages; row < rows; ++row) {
    if (std::memcmp(data + row * bytes, data + row % kImages * bytes, bytes) != 0) {
      return std::nullopt;
    }
  }
  return std::string(data, std::min(rows, kImages) * bytes);
}

}  // namespace

absl::StatusOr<ProbedSizes> ProbeBatchSizes(const Shape& shape, const std::vector<int>& candidates,
                                            const ProbedPass& pass) {
  // All but the first, which is grey.
  const std::vector<float> probes = ProbeImages(shape, kImages + 1);
  std::map<std::string, std::vector<int>> agreeing;
  for (const int rows : candidates) {
    std::vector<float> images, results;
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
      const auto probe = probes.begin() + static_cast<int64_t>((1 + row % kImages) * shape.size());
      images.insert(images.end(), probe, probe + static_cast<int64_t>(shape.size()));
    }
    const absl::Status status = pass(images.data(), rows, &results);
    if (ReasonOf(status) == Reason::kOutOfMemory) continue;
    ASSAY_RETURN_IF_ERROR(status);
    if (const auto key = ResultsByImage(results, static_cast<size_t>(rows))) {
      agreeing[*key].push_back(rows);
    }
  }
  ProbedSizes best;
  const std::string* results = nullptr;
  for (const auto& [key, sizes] : agreeing) {
    const auto rank = [](const std::vector<int>& s) {
      return std::make_pair(s.size(), s.empty() ? 0 : s.back());
    };
    if (sizes.size() < 2 || rank(sizes) < rank(best.sizes)) continue;
    best.sizes = sizes;
    results = &key;
  }
  if (results != nullptr) best.digest = Sha256Hex(*results);
  return best;
}

}  // namespace assay::engine
