// Image files as the engine's samples, for benchmarks.
#ifndef ASSAY_BENCH_BENCH_DATA_H_
#define ASSAY_BENCH_BENCH_DATA_H_

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/task.h"

namespace assay::bench {

// Samples held in memory.
class MemorySamples : public engine::SampleSource {
 public:
  size_t size() const override { return labels.size(); }
  int64_t index(size_t i) const override { return static_cast<int64_t>(i); }
  int label(size_t i) const override { return labels[i]; }
  void ReadImage(size_t i, float* pixels) const override {
    std::memcpy(pixels, &images[i * shape.size()], shape.size() * sizeof(float));
  }

  engine::Shape shape;
  std::vector<int> labels;
  std::vector<float> images;
};

// The first `limit` samples of a file that `assay evaluate --data` takes, over again where it has
// fewer.
absl::StatusOr<std::unique_ptr<MemorySamples>> ReadSamples(const std::string& path, int64_t limit);

class QuietObserver : public engine::TaskObserver {
 public:
  void OnProgress(int64_t /*samples*/, double /*fraction*/) override {}
  bool Cancelled() override { return false; }
};

}  // namespace assay::bench

#endif  // ASSAY_BENCH_BENCH_DATA_H_
