#include "bench/raw_passes.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/base/errors.h"
#include "core/models/model_file.h"

namespace assay::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Samples a second of `pass` on all lanes, after a warm-up; a GPU's work is waited for by reading a
// result.
template <typename Pass>
double Rate(int batch, int lanes, double seconds, const Pass& pass) {
  std::vector<double> rates(static_cast<size_t>(lanes));
  std::vector<std::thread> threads;
  for (double& rate : rates) {
    threads.emplace_back([&] {
      at::set_num_threads(1);
      torch::jit::GraphOptimizerEnabledGuard no_optimizer(false);
      for (int i = 0; i < 3; ++i) pass().to(at::kCPU);
      const auto start = Clock::now();
      const auto elapsed = [&] {
        return std::chrono::duration<double>(Clock::now() - start).count();
      };
      int64_t passes = 0;
      at::Tensor last;
      while (elapsed() < seconds) {
        last = pass();
        ++passes;
      }
      last.to(at::kCPU);
      rate = static_cast<double>(passes) * batch / elapsed();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double ForwardRate(torch::jit::Module& module, const at::Tensor& images, int lanes,
                   double seconds) {
  return Rate(static_cast<int>(images.size(0)), lanes, seconds, [&] {
    c10::InferenceMode no_gradients;
    return module.forward({images}).toTensor();
  });
}

// The module of a file that may say at its end how it is to be used.
torch::jit::Module Load(const std::string& path, int64_t bytes, const std::string& device) {
  std::string model(static_cast<size_t>(bytes), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(model.data(), bytes);
  std::istringstream stream(model);
  torch::jit::Module module = torch::jit::load(stream, at::Device(device));
  module.eval();
  for (at::Tensor parameter : module.parameters()) parameter.requires_grad_(false);
  return module;
}

}  // namespace

absl::StatusOr<RawPasses> MeasureRawPasses(const std::string& model_path, const std::string& device,
                                           int batch, int channels, int height, int width,
                                           int lanes, double seconds) {
  ASSAY_ASSIGN_OR_RETURN(const ModelFile file, ReadModelFile(model_path));
  const bool bfloat16 = file.interface.precision() == v1::ModelInterface::BF16;
  try {
    at::set_num_threads(1);
    torch::jit::Module module = Load(model_path, file.model_bytes, device);
    at::Tensor random = at::rand({batch, channels, height, width}, at::Device(device));
    if (bfloat16) {
      module.to(at::kBFloat16);
      random = random.to(at::kBFloat16);
    }
    module = torch::jit::freeze(module);
    RawPasses best;
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const at::Tensor images = random.contiguous(format);
      best.forward = std::max(best.forward, ForwardRate(module, images, lanes, seconds / 2));
      best.gradient = std::max(best.gradient, Rate(batch, lanes, seconds / 2, [&] {
                                 at::AutoGradMode with_gradients(true);
                                 const at::Tensor input = images.detach().requires_grad_(true);
                                 const at::Tensor output = module.forward({input}).toTensor();
                                 return torch::autograd::grad({output.sum()}, {input})[0];
                               }));
    }
    if (device == "cpu" && !bfloat16) {
      torch::jit::Module copy = module.clone();
      torch::jit::Module optimized = torch::jit::optimize_for_inference(copy);
      best.forward = std::max(best.forward, ForwardRate(optimized, random, lanes, seconds / 2));
    }
    return best;
  } catch (const std::exception& error) {
    return Error(Reason::kModelFailed, error.what());
  }
}

}  // namespace assay::bench
