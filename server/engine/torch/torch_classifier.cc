#include "server/engine/torch/torch_classifier.h"

#include <ATen/Parallel.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/base/numerics.h"
#include "server/engine/base/threads.h"
#include "server/engine/torch/torch_module.h"
#include "server/engine/torch/torch_network.h"
#include "server/engine/torch/torch_passes.h"
#include "server/engine/validation/model_validation.h"

namespace assay::engine {
namespace {

using Seconds = std::chrono::duration<double>;
using SteadyClock = std::chrono::steady_clock;

constexpr char kNchw[] = "nchw";
constexpr char kNhwc[] = "nhwc";

bool LooksLikeShapeError(const std::string& text) {
  for (const char* part : {"channels", "shape", "size mismatch", "must match", "expected input",
                           "cannot be multiplied", "Kernel size", "Expected 4D", "size of tensor",
                           "is invalid for input of size", "dimension"}) {
    if (absl::StrContains(text, part)) return true;
  }
  return false;
}

// Of the calling thread.
void UseThreadsOfTorch(int threads) {
  at::set_num_threads(threads);
  UseThreads(threads);
}

class Loaded final : public TorchClassifier {
 public:
  Loaded(const LoadOptions& options, TorchModule file)
      : options_(options),
        shape_(options.shape),
        device_(options.device),
        file_(std::move(file)),
        passes_(file_, shape_, device_) {}

  absl::Status Initialize() {
    WarnOfFile();
    ASSAY_RETURN_IF_ERROR(Validate());
    ASSAY_RETURN_IF_ERROR(ChooseNumerics());
    usage_ = Usage();
    return absl::OkStatus();
  }

  Shape shape() const override { return shape_; }
  int num_classes() const override { return validation_.num_classes(); }
  int batch_size() const override { return batch_size_; }
  int threads() const override { return options_.threads; }
  Usage usage() const override { return usage_; }
  const v1::ModelValidation& validation() const override { return validation_; }

  void BindThread() override { UseThreadsOfTorch(options_.threads); }

  absl::Status Forward(const float* images, float* logits) override {
    const auto start = SteadyClock::now();
    const absl::Status status = passes_.Forward(images, batch_size_, logits);
    ++usage_.forward_batches;
    usage_.seconds += Seconds(SteadyClock::now() - start).count();
    return status;
  }

  absl::Status ForwardBackward(const float* images, const LogitGradient& logit_gradient,
                               float* logits, float* gradient) override {
    const auto start = SteadyClock::now();
    const absl::Status status =
        passes_.ForwardBackward(images, batch_size_, logit_gradient, logits, gradient);
    ++usage_.forward_batches;
    ++usage_.backward_batches;
    usage_.seconds += Seconds(SteadyClock::now() - start).count();
    return status;
  }

  absl::StatusOr<std::shared_ptr<const bounds::Network>> network() override {
    if (network_ == nullptr) {
      ASSAY_RETURN_IF_ERROR(Guarded(Reason::kInvalidCondition,
                                    "the operators of the model cannot be read for bounds", [&] {
                                      c10::InferenceMode no_gradients;
                                      auto network = bounds::ReadNetwork(file_.module, shape_);
                                      if (network.ok()) network_ = *std::move(network);
                                      return network.status();
                                    }));
    }
    return network_;
  }

  absl::Status HalveBatch() override {
    if (batch_size_ == 1 || fixed_batch_ != 0) {
      return Error(Reason::kOutOfMemory,
                   absl::StrCat("the model does not fit on ", options_.device, " even with ",
                                batch_size_ == 1 ? "a batch of one image"
                                                 : "the batch size that is built into it",
                                "; use a device with more memory"));
    }
    batch_size_ /= 2;
    DescribeNumerics();
    return absl::OkStatus();
  }

 private:
  // What its code says of itself before it has run once.
  void WarnOfFile() {
    if (!file_.training_in.empty()) {
      Warn(absl::StrCat("its ", file_.training_in,
                        " trains whatever the mode, as in a trace made in training mode; call "
                        "model.eval() before torch.jit.trace"));
    } else if (file_.saved_in_training_mode) {
      Warn("saved in training mode; it is evaluated in eval mode");
    }
    if (!file_.autograd_in.empty()) {
      Warn(absl::StrCat("its function '", file_.autograd_in,
                        "' computes gradients by itself; gradient attacks may mislead (see "
                        "docs/checks.md)"));
    }
  }

  absl::Status Validate() {
    ModelValidator validator(
        shape_,
        {[this](const auto&... pass) { return passes_.Look(pass...); },
         [this](const auto&... pass) { return passes_.Forward(pass...); },
         [this](const auto&... pass) { return passes_.ForwardBackward(pass...); }},
        &validation_);
    if (const absl::Status status = validator.CheckForm(); !status.ok()) {
      return ExplainForwardError(status);
    }
    fixed_batch_ = validator.fixed_batch();
    passes_.set_num_classes(validation_.num_classes());
    ASSAY_RETURN_IF_ERROR(validator.CheckLogits());
    ASSAY_RETURN_IF_ERROR(validator.CheckFreezing([this] {
      return Guarded(Reason::kModelFailed, "freezing failed", [this] {
        // Freezing inlines submodules only where the optimizer is on.
        torch::jit::GraphOptimizerEnabledGuard optimizer(true);
        passes_.set_module(torch::jit::freeze(file_.module));
        return absl::OkStatus();
      });
    }));
    if (!validation_.frozen()) passes_.set_module(file_.module);
    ASSAY_RETURN_IF_ERROR(validator.CheckBatchDependence(!file_.training_in.empty()));
    return validator.CheckGradient();
  }

  // A forward pass failed: most likely the images do not suit the model.
  absl::Status ExplainForwardError(const absl::Status& status) {
    if (ReasonOf(status) != Reason::kModelFailed) return status;
    if (!file_.autograd_in.empty()) {
      return Error(Reason::kModelFailed,
                   absl::StrCat(status.message(), "; its function '", file_.autograd_in,
                                "' computes gradients, and passes are made without"));
    }
    const std::string shape = absl::StrCat(shape_.channels, "x", shape_.height, "x", shape_.width);
    for (const auto& parameter : file_.module.named_parameters()) {
      if (parameter.value.dim() != 4) continue;
      const int64_t channels = parameter.value.size(1);
      if (channels != shape_.channels) {
        return Error(Reason::kModelInputMismatch,
                     absl::StrCat("the model does not accept images of ", shape,
                                  ": its first convolution expects ", channels, " channel",
                                  channels == 1 ? "" : "s"));
      }
      break;
    }
    if (LooksLikeShapeError(std::string(status.message()))) {
      return Error(Reason::kModelInputMismatch, absl::StrCat("the model does not accept images of ",
                                                             shape, " (", status.message(), ")"));
    }
    return status;
  }

  // Seconds of one forward pass of a batch, after a warm-up.
  absl::StatusOr<double> Measure(int batch) {
    const std::vector<float> images = ProbeImages(shape_, batch);
    std::vector<float> logits(static_cast<size_t>(batch) * static_cast<size_t>(num_classes()));
    double best = 1e9;
    for (int repetition = 0; repetition < 4; ++repetition) {
      const auto start = SteadyClock::now();
      ASSAY_RETURN_IF_ERROR(passes_.Forward(images.data(), batch, logits.data()));
      const double seconds = Seconds(SteadyClock::now() - start).count();
      // The first pass allocates and builds primitives; a slow one is not repeated just to be
      // exact.
      if (repetition > 0 || seconds > 0.5) best = std::min(best, seconds);
      if (seconds > 0.5) break;
    }
    return best;
  }

  absl::Status ChooseNumerics() {
    const bool cuda = device_.is_cuda();
    format_ = options_.memory_format.empty() ? kNchw : options_.memory_format;
    if (options_.memory_format.empty()) {
      double fastest = 1e9;
      std::string chosen = kNchw;
      for (const char* candidate : {kNchw, kNhwc}) {
        format_ = candidate;
        ApplyFormat();
        const auto seconds = Measure(fixed_batch_ != 0 ? fixed_batch_ : cuda ? 128 : 32);
        // A tie goes to the first: 3 % is noise.
        if (seconds.ok() && *seconds < fastest * (fastest < 1e9 ? 0.97 : 1)) {
          fastest = *seconds;
          chosen = candidate;
        }
      }
      format_ = chosen;
    }
    ApplyFormat();
    batch_size_ = fixed_batch_ != 0 ? fixed_batch_ : options_.batch_size;
    if (batch_size_ == 0) {
      const std::vector<int> candidates =
          cuda ? std::vector<int>{128, 256, 512} : std::vector<int>{16, 32, 64, 128};
      double fastest = 1e9;
      batch_size_ = candidates[0];
      for (const int candidate : candidates) {
        const auto seconds = Measure(candidate);
        if (!seconds.ok()) break;
        // A larger batch wastes more at the end of a task, so it has to earn its place.
        if (*seconds / candidate < 0.95 * fastest) {
          fastest = *seconds / candidate;
          batch_size_ = candidate;
        }
        if (*seconds > 1) break;
      }
    }
    DescribeNumerics();
    return absl::OkStatus();
  }

  void ApplyFormat() {
    const at::MemoryFormat format =
        format_ == kNhwc ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    passes_.set_format(format);
    // Weights in the layout of the activations, or every convolution reorders them.
    if (!validation_.frozen()) {
      for (at::Tensor parameter : passes_.module().parameters()) {
        if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(format));
      }
    }
  }

  void DescribeNumerics() {
    v1::NumericsFingerprint& numerics = *validation_.mutable_numerics();
    numerics.set_device(device_.is_cuda() ? GpuName(device_.index()) : "cpu");
    numerics.set_batch_size(batch_size_);
    numerics.set_threads(options_.threads);
    numerics.set_libtorch_version(LibTorchVersion());
    numerics.set_capability(CpuCapability());
    numerics.set_memory_format(format_);
    numerics.set_frozen(validation_.frozen());
    numerics.set_digest(NumericsDigest(numerics));
  }

  void Warn(const std::string& text) { validation_.add_warnings(text); }

  const LoadOptions options_;
  const Shape shape_;
  const at::Device device_;
  const TorchModule file_;
  TorchPasses passes_;
  int batch_size_ = 0;
  // The only batch size that the model takes; 0: any.
  int fixed_batch_ = 0;
  std::string format_;
  v1::ModelValidation validation_;
  // Read when first asked for.
  std::shared_ptr<const bounds::Network> network_;
  Usage usage_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TorchClassifier>> TorchClassifier::Load(const LoadOptions& options) {
  std::unique_ptr<Loaded> loaded;
  ASSAY_RETURN_IF_ERROR(
      Guarded(Reason::kInternal, "LibTorch could not start", [&]() -> absl::Status {
        UseThreadsOfTorch(options.threads);
        at::globalContext().setAllowTF32CuBLAS(false);
        at::globalContext().setAllowTF32CuDNN(false);
        at::globalContext().setDeterministicCuDNN(true);
        at::globalContext().setBenchmarkCuDNN(false);
        ASSAY_ASSIGN_OR_RETURN(TorchModule file,
                               ReadTorchModule(options.model_path, at::Device(options.device)));
        loaded = std::make_unique<Loaded>(options, std::move(file));
        return loaded->Initialize();
      }));
  return std::unique_ptr<TorchClassifier>(std::move(loaded));
}

std::vector<std::string> AvailableDevices() {
  std::vector<std::string> devices;
  if (at::hasCUDA()) {
    for (int i = 0; i < static_cast<int>(at::detail::getCUDAHooks().getNumGPUs()); ++i) {
      devices.push_back(absl::StrCat("cuda:", i));
    }
  }
  devices.emplace_back("cpu");
  return devices;
}

}  // namespace assay::engine
