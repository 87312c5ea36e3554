#include "bench/raw_passes.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "core/base/errors.h"

namespace assay::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Samples a second of `pass`, after a warm-up; a GPU's work is waited for by reading a result.
template <typename Pass>
double Rate(int batch, double seconds, const Pass& pass) {
  for (int i = 0; i < 3; ++i) pass().to(at::kCPU);
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  int64_t passes = 0;
  at::Tensor last;
  while (elapsed() < seconds) {
    last = pass();
    ++passes;
  }
  last.to(at::kCPU);
  return static_cast<double>(passes) * batch / elapsed();
}

}  // namespace

absl::StatusOr<RawPasses> MeasureRawPasses(const std::string& model_path, const std::string& device,
                                           int batch, int channels, int height, int width,
                                           int threads, double seconds) {
  try {
    at::set_num_threads(threads);
    torch::jit::Module module = torch::jit::load(model_path, at::Device(device));
    module.eval();
    module = torch::jit::freeze(module);
    torch::jit::GraphOptimizerEnabledGuard no_optimizer(false);
    RawPasses best;
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const at::Tensor images =
          at::rand({batch, channels, height, width}, at::Device(device)).contiguous(format);
      best.forward = std::max(best.forward, Rate(batch, seconds / 2, [&] {
                                c10::InferenceMode no_gradients;
                                return module.forward({images}).toTensor();
                              }));
      best.gradient = std::max(best.gradient, Rate(batch, seconds / 2, [&] {
                                 at::AutoGradMode with_gradients(true);
                                 const at::Tensor input = images.detach().requires_grad_(true);
                                 const at::Tensor output = module.forward({input}).toTensor();
                                 return torch::autograd::grad({output.sum()}, {input})[0];
                               }));
    }
    return best;
  } catch (const std::exception& error) {
    return Error(Reason::kModelFailed, error.what());
  }
}

}  // namespace assay::bench
