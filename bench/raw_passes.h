// How fast LibTorch alone runs a model: the limit that benchmarks compare with. Tensors stay on the
// device, nothing is copied, checked or counted, and the fastest form is taken: frozen in both
// memory formats, and optimized for inference for forward passes on a CPU. In bfloat16 where the
// model's file asks for it; TF32 is a setting of the process, which loading the model has made.
#ifndef ASSAY_BENCH_RAW_PASSES_H_
#define ASSAY_BENCH_RAW_PASSES_H_

#include <string>

#include "absl/status/statusor.h"

namespace assay::bench {

struct RawPasses {
  // Samples a second of a forward pass, and of a forward pass with the gradient by the image.
  double forward = 0;
  double gradient = 0;
};

// Measures for about `seconds` each, on `lanes` threads at once, each with passes of one thread.
absl::StatusOr<RawPasses> MeasureRawPasses(const std::string& model_path, const std::string& device,
                                           int batch, int channels, int height, int width,
                                           int lanes, double seconds);

}  // namespace assay::bench

#endif  // ASSAY_BENCH_RAW_PASSES_H_
