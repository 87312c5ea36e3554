#include "server/engine/torch_classifier.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "server/engine/bounds/torch_network.h"
#include "server/engine/numerics.h"
#include "server/engine/random.h"
#include "server/engine/threads.h"

namespace assay::engine {
namespace {

using Seconds = std::chrono::duration<double>;
using SteadyClock = std::chrono::steady_clock;

constexpr char kNchw[] = "nchw";
constexpr char kNhwc[] = "nhwc";
// Largest difference of logits, relative to their size, that freezing may cause.
constexpr double kFrozenTolerance = 1e-4;
// Relative error of a directional derivative in float32 that is still no cause for a warning.
constexpr double kGradientTolerance = 0.05;
constexpr int kProbeBatch = 4;
// Passes of the same images that must agree; AutoAttack compares as many.
constexpr int kProbePasses = 5;

// The part of LibTorch's error texts that a user can use: from "RuntimeError: " on, or the first
// line.
std::string Shorten(const std::string& text) {
  std::string best;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (best.empty()) best = std::string(line);
    for (const char* marker :
         {"RuntimeError: ", "torch.jit.Error: ", "builtins.RuntimeError: ", "Exception: "}) {
      const size_t at = line.find(marker);
      if (at != absl::string_view::npos) best = std::string(line.substr(at + strlen(marker)));
    }
  }
  return best.substr(0, 300);
}

bool LooksLikeOutOfMemory(const std::string& text) {
  return absl::StrContains(text, "out of memory") || absl::StrContains(text, "not enough memory") ||
         absl::StrContains(text, "bad_alloc") || absl::StrContains(text, "can't allocate memory");
}

bool LooksLikeShapeError(const std::string& text) {
  for (const char* part : {"channels", "shape", "size mismatch", "must match", "expected input",
                           "cannot be multiplied", "Kernel size", "Expected 4D", "size of tensor",
                           "is invalid for input of size", "dimension"}) {
    if (absl::StrContains(text, part)) return true;
  }
  return false;
}

// Runs `body`, which calls LibTorch, and turns what it throws into a status of reason `reason`.
template <typename Body>
absl::Status Guarded(Reason reason, absl::string_view what, const Body& body) {
  try {
    // The profiling executor specialises on the first calls' shapes; it has given wrong gradients
    // (pytorch#70223, #51328) and makes early calls differ from later ones. The plain interpreter
    // does neither.
    torch::jit::GraphOptimizerEnabledGuard no_optimizer(false);
    return body();
  } catch (const std::exception& error) {
    const std::string text = error.what();
    if (LooksLikeOutOfMemory(text))
      return Error(Reason::kOutOfMemory, "the device is out of memory");
    return Error(reason, absl::StrCat(what, ": ", Shorten(text)));
  }
}

// Whether the code asks for gradients by itself.
bool CallsAutograd(const torch::jit::Block& block) {
  for (const torch::jit::Node* node : block.nodes()) {
    const std::string kind = node->kind().toQualString();
    if (kind == "aten::grad" || kind == "aten::backward") return true;
    for (const torch::jit::Block* inner : node->blocks()) {
      if (CallsAutograd(*inner)) return true;
    }
  }
  return false;
}

at::MemoryFormat Format(const std::string& name) {
  return name == kNhwc ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

class Loaded final : public TorchClassifier {
 public:
  explicit Loaded(const LoadOptions& options)
      : options_(options), shape_(options.shape), device_(options.device) {}

  absl::Status Initialize() {
    BindThread();
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
    ASSAY_RETURN_IF_ERROR(LoadModule());
    ASSAY_RETURN_IF_ERROR(Probe());
    ASSAY_RETURN_IF_ERROR(Freeze());
    ASSAY_RETURN_IF_ERROR(CheckGradient());
    ASSAY_RETURN_IF_ERROR(ChooseNumerics());
    usage_ = Usage();
    return absl::OkStatus();
  }

  Shape shape() const override { return shape_; }
  int num_classes() const override { return num_classes_; }
  int batch_size() const override { return batch_size_; }
  int threads() const override { return options_.threads; }
  Usage usage() const override { return usage_; }
  const v1::ModelValidation& validation() const override { return validation_; }

  void BindThread() override {
    at::set_num_threads(options_.threads);
    UseThreads(options_.threads);
  }

  absl::Status Forward(const float* images, float* logits) override {
    const auto start = SteadyClock::now();
    const absl::Status status = ForwardRows(images, batch_size_, logits);
    ++usage_.forward_batches;
    usage_.seconds += Seconds(SteadyClock::now() - start).count();
    return status;
  }

  absl::Status ForwardBackward(const float* images, const LogitGradient& logit_gradient,
                               float* logits, float* gradient) override {
    const auto start = SteadyClock::now();
    const absl::Status status =
        ForwardBackwardRows(images, batch_size_, logit_gradient, logits, gradient);
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
                                      auto network = bounds::ReadNetwork(original_, shape_);
                                      if (network.ok()) network_ = *std::move(network);
                                      return network.status();
                                    }));
    }
    return network_;
  }

  absl::Status HalveBatch() override {
    if (batch_size_ == 1) {
      return Error(Reason::kOutOfMemory,
                   absl::StrCat("the model does not fit on ", options_.device,
                                " even with a batch of one image; use a device with more memory"));
    }
    batch_size_ /= 2;
    DescribeNumerics();
    return absl::OkStatus();
  }

 private:
  absl::Status LoadModule() {
    ASSAY_RETURN_IF_ERROR(Guarded(Reason::kInvalidModel,
                                  "not a TorchScript model (save it with torch.jit.save)", [&] {
                                    module_ = torch::jit::load(options_.model_path, device_);
                                    return absl::OkStatus();
                                  }));
    if (!module_.find_method("forward")) {
      return Error(Reason::kInvalidModel, "the TorchScript module has no method 'forward'");
    }
    if (module_.is_training()) {
      Warn("saved in training mode; it is evaluated in eval mode");
    }
    module_.eval();
    for (at::Tensor parameter : module_.parameters()) parameter.requires_grad_(false);
    original_ = module_;
    return FindAutograd();
  }

  // Functions of the file that compute gradients: a defence that adapts to each image while it
  // answers. Attacks differentiate the model as it is, not what it does to its own gradients.
  absl::Status FindAutograd() {
    return Guarded(Reason::kInvalidModel, "its code cannot be read", [&] {
      for (torch::jit::Function* function :
           module_._ivalue()->compilation_unit()->get_functions()) {
        if (!function->isGraphFunction()) continue;
        if (!CallsAutograd(*torch::jit::toGraphFunction(*function).graph()->block())) continue;
        autograd_in_ = function->name();
        Warn(absl::StrCat("its function '", autograd_in_,
                          "' computes gradients by itself; gradient attacks may mislead (see "
                          "docs/checks.md)"));
        break;
      }
      return absl::OkStatus();
    });
  }

  // Deterministic images: noise around grey, the first one uniform grey.
  std::vector<float> ProbeImages(int count) const {
    std::vector<float> images(static_cast<size_t>(count) * shape_.size(), 0.5F);
    const RandomKey key(0, "probe");
    for (int i = 1; i < count; ++i) {
      RandomStream random(key, i, 0);
      for (size_t j = 0; j < shape_.size(); ++j) {
        images[static_cast<size_t>(i) * shape_.size() + j] = 0.25F + 0.5F * random.Uniform();
      }
    }
    return images;
  }

  // First contact: the shape of the output, its type, and whether it is finite and deterministic.
  absl::Status Probe() {
    const std::vector<float> images = ProbeImages(kProbeBatch);
    at::Tensor output;
    absl::Status status = Guarded(Reason::kModelFailed, "the model raised an error", [&] {
      c10::InferenceMode no_gradients;
      const c10::IValue value = module_.forward({Input(images.data(), kProbeBatch)});
      if (!value.isTensor()) {
        return absl::Status(Error(Reason::kModelOutputInvalid,
                                  absl::StrCat("the model returns a ", value.tagKind(),
                                               "; it must return one tensor of logits, N x K")));
      }
      output = value.toTensor();
      return absl::OkStatus();
    });
    if (!status.ok()) return ExplainForwardError(status);
    if (output.dim() != 2 || output.size(0) != kProbeBatch || output.size(1) < 2) {
      std::string sizes;
      for (int64_t size : output.sizes()) absl::StrAppend(&sizes, sizes.empty() ? "" : " x ", size);
      return Error(
          Reason::kModelOutputInvalid,
          absl::StrCat("for ", kProbeBatch, " images the model returns a tensor of ", sizes,
                       "; it must return logits of ", kProbeBatch, " x K with K >= 2 classes"));
    }
    if (!output.is_floating_point()) {
      return Error(Reason::kModelOutputInvalid,
                   absl::StrCat("the model returns ", output.toString(),
                                "; logits must be floating-point numbers"));
    }
    if (output.scalar_type() != at::kFloat) {
      Warn(absl::StrCat("returns ", output.toString(), "; logits are converted to float32"));
    }
    num_classes_ = static_cast<int>(output.size(1));
    validation_.set_num_classes(num_classes_);
    validation_.mutable_input_shape()->set_channels(shape_.channels);
    validation_.mutable_input_shape()->set_height(shape_.height);
    validation_.mutable_input_shape()->set_width(shape_.width);

    std::vector<float> first(RowSize(kProbeBatch)), next(first.size());
    ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), kProbeBatch, first.data()));
    bool same = true;
    for (int pass = 1; pass < kProbePasses; ++pass) {
      ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), kProbeBatch, next.data()));
      same = same && std::memcmp(first.data(), next.data(), first.size() * sizeof(float)) == 0;
    }
    int broken_rows = 0;
    for (int row = 0; row < kProbeBatch; ++row) {
      const float* logits = &first[static_cast<size_t>(row * num_classes_)];
      broken_rows += std::all_of(logits, logits + num_classes_,
                                 [](float logit) { return std::isfinite(logit); })
                         ? 0
                         : 1;
    }
    if (broken_rows == kProbeBatch) {
      return Error(Reason::kModelNotFinite,
                   "the model's logits are not finite on grey or random images; check that it "
                   "expects pixels in [0, 1] and was saved with trained weights");
    }
    if (broken_rows > 0) {
      Warn("logits are not finite on some grey or random images; such samples are undecided");
    }
    validation_.set_deterministic(same);
    if (!validation_.deterministic()) {
      Warn("passes of the same images gave different logits; outcomes are not reproducible");
    }
    bool probabilities = true;
    for (int row = 0; row < kProbeBatch; ++row) {
      double sum = 0;
      for (int k = 0; k < num_classes_; ++k) {
        const double value = first[static_cast<size_t>(row * num_classes_ + k)];
        probabilities = probabilities && value > -1e-5 && value < 1 + 1e-5;
        sum += value;
      }
      probabilities = probabilities && std::abs(sum - 1) < 1e-5;
    }
    validation_.set_softmax_output(probabilities);
    if (probabilities) {
      Warn("outputs look like probabilities; a softmax inside the model blunts gradient attacks");
    }
    return absl::OkStatus();
  }

  // A forward pass failed: most likely the images do not suit the model.
  absl::Status ExplainForwardError(const absl::Status& status) {
    if (ReasonOf(status) != Reason::kModelFailed) return status;
    if (!autograd_in_.empty()) {
      return Error(Reason::kModelFailed,
                   absl::StrCat(status.message(), "; its function '", autograd_in_,
                                "' computes gradients, and passes are made without"));
    }
    const std::string shape = absl::StrCat(shape_.channels, "x", shape_.height, "x", shape_.width);
    for (const auto& parameter : module_.named_parameters()) {
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

  // Freezing folds constants and batch norms. Used for everything when it agrees with the module as
  // given.
  absl::Status Freeze() {
    const std::vector<float> images = ProbeImages(kProbeBatch);
    std::vector<float> original(RowSize(kProbeBatch)), frozen(original.size());
    ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), kProbeBatch, original.data()));
    const absl::Status status = Guarded(Reason::kModelFailed, "freezing failed", [&] {
      {
        // Freezing inlines submodules only where the optimizer is on.
        torch::jit::GraphOptimizerEnabledGuard optimizer(true);
        module_ = torch::jit::freeze(original_);
      }
      return ForwardRows(images.data(), kProbeBatch, frozen.data());
    });
    double difference = 0, scale = 1;
    for (size_t i = 0; i < original.size(); ++i) {
      difference = std::max(difference, std::abs(static_cast<double>(original[i]) - frozen[i]));
      scale = std::max(scale, std::abs(static_cast<double>(original[i])));
    }
    validation_.set_frozen_max_difference(status.ok() ? difference : 0);
    validation_.set_frozen_tolerance(kFrozenTolerance * scale);
    const bool agrees = status.ok() && difference <= kFrozenTolerance * scale;
    validation_.set_frozen(agrees);
    if (!agrees) {
      module_ = original_;
      if (validation_.deterministic()) {
        Warn(status.ok() ? "freezing changes its logits; it is run as given, more slowly"
                         : absl::StrCat("it cannot be frozen and is run as given, more slowly (",
                                        status.message(), ")"));
      }
    }
    return absl::OkStatus();
  }

  // The directional derivative of a fixed combination of logits along its own gradient, against
  // central differences.
  absl::Status CheckGradient() {
    const std::vector<float> images = ProbeImages(kProbeBatch);
    std::vector<float> logits(RowSize(kProbeBatch)), gradient(images.size());
    const auto weight = [](int row, int k) { return static_cast<float>((k + row) % 3 - 1); };
    const auto combination = [&](int row, const float* z) {
      double sum = 0;
      for (int k = 0; k < num_classes_; ++k) {
        sum += static_cast<double>(weight(row, k)) * z[row * num_classes_ + k];
      }
      return sum;
    };
    const absl::Status status = ForwardBackwardRows(
        images.data(), kProbeBatch,
        [&](const float*, float* derivative) {
          for (int row = 0; row < kProbeBatch; ++row) {
            for (int k = 0; k < num_classes_; ++k) {
              derivative[row * num_classes_ + k] = weight(row, k);
            }
          }
        },
        logits.data(), gradient.data());
    if (!status.ok()) {
      if (ReasonOf(status) == Reason::kOutOfMemory) return status;
      Warn(absl::StrCat("has no usable gradient (", status.message(),
                        "); gradient attacks will fail"));
      return absl::OkStatus();
    }
    std::vector<double> errors;
    const size_t size = shape_.size();
    for (int row = 1; row < kProbeBatch; ++row) {
      const float* g = &gradient[static_cast<size_t>(row) * size];
      double squared = 0;
      for (size_t i = 0; i < size; ++i) squared += static_cast<double>(g[i]) * g[i];
      const double norm = std::sqrt(squared);
      if (!(norm > 0) || !std::isfinite(norm)) continue;
      // Kinks of ReLU make one step length misleading; the best of several counts.
      double best = 1;
      for (double h : {0.05, 0.01, 0.002}) {
        std::vector<float> moved = images;
        std::vector<float> plus(logits.size()), minus(logits.size());
        for (const double sign : {1.0, -1.0}) {
          for (size_t i = 0; i < size; ++i) {
            const size_t at = static_cast<size_t>(row) * size + i;
            moved[at] = static_cast<float>(images[at] + sign * h * g[i] / norm);
          }
          ASSAY_RETURN_IF_ERROR(
              ForwardRows(moved.data(), kProbeBatch, sign > 0 ? plus.data() : minus.data()));
        }
        const double numeric =
            (combination(row, plus.data()) - combination(row, minus.data())) / (2 * h);
        best = std::min(best, std::abs(numeric - norm) / norm);
      }
      errors.push_back(best);
    }
    validation_.set_differentiable(!errors.empty());
    if (errors.empty()) {
      Warn(
          "its gradient is zero or not finite on random images; gradient attacks will fail (see "
          "docs/checks.md)");
      return absl::OkStatus();
    }
    std::sort(errors.begin(), errors.end());
    const double median = errors[errors.size() / 2];
    validation_.set_gradient_relative_error(median);
    if (median > kGradientTolerance) {
      Warn(absl::StrCat("its gradient differs from finite differences by ",
                        static_cast<int>(median * 100), " %; gradient attacks may mislead"));
    }
    return absl::OkStatus();
  }

  // Seconds of one forward pass of a batch, after a warm-up.
  absl::StatusOr<double> Measure(int batch) {
    const std::vector<float> images = ProbeImages(batch);
    std::vector<float> logits(RowSize(batch));
    double best = 1e9;
    for (int repetition = 0; repetition < 4; ++repetition) {
      const auto start = SteadyClock::now();
      ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), batch, logits.data()));
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
      for (const char* candidate : {kNchw, kNhwc}) {
        format_ = candidate;
        ApplyFormat();
        const auto seconds = Measure(cuda ? 128 : 32);
        // A tie goes to the first: 3 % is noise.
        if (seconds.ok() && *seconds < fastest * (fastest < 1e9 ? 0.97 : 1)) {
          fastest = *seconds;
          chosen_format_ = candidate;
        }
      }
      format_ = chosen_format_.empty() ? kNchw : chosen_format_;
    }
    ApplyFormat();
    batch_size_ = options_.batch_size;
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
    // Weights in the layout of the activations, or every convolution reorders them.
    if (!validation_.frozen()) {
      for (at::Tensor parameter : module_.parameters()) {
        if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(Format(format_)));
      }
    }
  }

  void DescribeNumerics() {
    v1::NumericsFingerprint& numerics = *validation_.mutable_numerics();
    numerics.set_device(device_.is_cuda() ? GpuName(device_.index()) : "cpu");
    numerics.set_batch_size(batch_size_);
    numerics.set_threads(options_.threads);
    numerics.set_libtorch_version(
        absl::StrCat(TORCH_VERSION_MAJOR, ".", TORCH_VERSION_MINOR, ".", TORCH_VERSION_PATCH));
    numerics.set_capability(CpuCapability());
    numerics.set_memory_format(format_);
    numerics.set_frozen(validation_.frozen());
    numerics.set_tf32(false);
    numerics.set_digest(NumericsDigest(numerics));
  }

  at::Tensor Input(const float* images, int rows) const {
    // LibTorch does not write to it: forward passes only read, and gradients go to a copy.
    const at::Tensor view = at::from_blob(const_cast<float*>(images),
                                          {rows, shape_.channels, shape_.height, shape_.width});
    return view.to(device_, at::kFloat, /*non_blocking=*/false, /*copy=*/false, Format(format_));
  }

  size_t RowSize(int rows) const {
    return static_cast<size_t>(rows) * static_cast<size_t>(num_classes_);
  }

  absl::Status CheckLogits(const at::Tensor& logits, int rows) const {
    if (logits.dim() == 2 && logits.size(0) == rows && logits.size(1) == num_classes_) {
      return absl::OkStatus();
    }
    return Error(
        Reason::kModelOutputInvalid,
        absl::StrCat("for ", rows, " images the model returned logits of another shape than ", rows,
                     " x ", num_classes_));
  }

  static void CopyOut(const at::Tensor& tensor, float* out) {
    const at::Tensor flat = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
    std::memcpy(out, flat.data_ptr<float>(), static_cast<size_t>(flat.numel()) * sizeof(float));
  }

  absl::Status ForwardRows(const float* images, int rows, float* logits) {
    return Guarded(Reason::kModelFailed, "the model raised an error", [&] {
      c10::InferenceMode no_gradients;
      const at::Tensor output = module_.forward({Input(images, rows)}).toTensor();
      ASSAY_RETURN_IF_ERROR(CheckLogits(output, rows));
      CopyOut(output, logits);
      return absl::OkStatus();
    });
  }

  absl::Status ForwardBackwardRows(const float* images, int rows,
                                   const LogitGradient& logit_gradient, float* logits,
                                   float* gradient) {
    return Guarded(Reason::kModelFailed, "the model raised an error", [&] {
      at::AutoGradMode with_gradients(true);
      at::Tensor input = Input(images, rows).detach().requires_grad_(true);
      const at::Tensor output = module_.forward({input}).toTensor();
      ASSAY_RETURN_IF_ERROR(CheckLogits(output, rows));
      CopyOut(output, logits);
      at::Tensor derivative = at::zeros({rows, num_classes_}, at::kFloat);
      logit_gradient(logits, derivative.data_ptr<float>());
      const size_t size = static_cast<size_t>(rows) * shape_.size();
      at::Tensor result;
      if (output.requires_grad()) {
        result =
            torch::autograd::grad({output}, {input}, {derivative.to(device_, output.scalar_type())},
                                  /*retain_graph=*/c10::nullopt, /*create_graph=*/false,
                                  /*allow_unused=*/true)[0];
      }
      // An output that does not depend on the input has gradient zero.
      if (!result.defined()) {
        std::memset(gradient, 0, size * sizeof(float));
      } else {
        CopyOut(result, gradient);
      }
      return absl::OkStatus();
    });
  }

  void Warn(const std::string& text) { validation_.add_warnings(text); }

  const LoadOptions options_;
  const Shape shape_;
  const at::Device device_;
  torch::jit::Module original_, module_;
  // The function of the file that computes gradients; empty without.
  std::string autograd_in_;
  int num_classes_ = 0;
  int batch_size_ = 0;
  std::string format_ = kNchw, chosen_format_;
  v1::ModelValidation validation_;
  // Read when first asked for.
  std::shared_ptr<const bounds::Network> network_;
  Usage usage_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TorchClassifier>> TorchClassifier::Load(const LoadOptions& options) {
  std::unique_ptr<Loaded> loaded;
  ASSAY_RETURN_IF_ERROR(Guarded(Reason::kInternal, "LibTorch could not start", [&] {
    loaded = std::make_unique<Loaded>(options);
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
