#include "server/engine/torch/torch_classifier.h"

#include <ATen/Parallel.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/script.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "server/engine/base/numerics.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/explain_error.h"
#include "server/engine/import/read_model.h"
#include "server/engine/torch/batch_trials.h"
#include "server/engine/torch/blas.h"
#include "server/engine/torch/determinism.h"
#include "server/engine/torch/forms.h"
#include "server/engine/torch/layer_classifier.h"
#include "server/engine/torch/model_details.h"
#include "server/engine/torch/precision.h"
#include "server/engine/torch/row_wise_linear.h"
#include "server/engine/torch/torch_network.h"
#include "server/engine/torch/torch_passes.h"
#include "server/engine/validation/model_validation.h"

namespace assay::engine {
namespace {

// More lanes would only hold more memory of a GPU, which runs their passes one after the other.
constexpr int kGpuLanes = 4;

bool LooksLikeShapeError(const std::string& text) {
  for (const char* part : {"channels", "shape", "size mismatch", "must match", "expected input",
                           "cannot be multiplied", "Kernel size", "Expected 4D", "size of tensor",
                           "is invalid for input of size", "dimension"}) {
    if (absl::StrContains(text, part)) return true;
  }
  return false;
}

// "cpu:1" is a second engine on the same CPU.
at::Device DeviceOf(const std::string& name) {
  return absl::StartsWith(name, "cpu") ? at::Device(at::kCPU) : at::Device(name);
}

// As fingerprints name it.
std::string KindOf(const at::Device& device) {
  return device.is_cuda() ? GpuName(device.index()) : "cpu";
}

// For the calling thread: a team of threads for each pass would wait for cores that other lanes
// use.
void UseOneThread() { at::set_num_threads(1); }

class Loaded final : public TorchClassifier {
 public:
  Loaded(const LoadOptions& options, ImportedModel file)
      : options_(options),
        shape_(options.shape),
        device_(DeviceOf(options.device)),
        file_(std::move(file)),
        passes_(file_, shape_, device_) {}

  absl::Status Initialize() {
    validation_.set_format(file_.format);
    *validation_.mutable_interface() = file_.interface;
    WarnOfFile();
    if (device_.is_cuda()) {
      absl::Status status;
      const std::set<std::string> names = NondeterministicOperatorsIn([&] { status = Validate(); });
      ASSAY_RETURN_IF_ERROR(status);
      for (const std::string& name : names) validation_.add_nondeterministic_operators(name);
      if (!names.empty()) {
        Warn(absl::StrCat("LibTorch has no deterministic form of its ", absl::StrJoin(names, ", "),
                          " on this device; bits of passes may differ from run to run"));
      }
    } else {
      ASSAY_RETURN_IF_ERROR(Validate());
    }
    if (in_bfloat16()) ASSAY_RETURN_IF_ERROR(RoundToBfloat16());
    ASSAY_RETURN_IF_ERROR(ChooseBatches());
    return options_.details ? AddDetails() : absl::OkStatus();
  }

  Shape shape() const override { return shape_; }
  int num_classes() const override { return validation_.num_classes(); }
  const BatchSizes& forward_sizes() const override { return forward_sizes_; }
  const BatchSizes& gradient_sizes() const override { return gradient_sizes_; }
  int lanes() const override {
    return device_.is_cuda() ? std::min(options_.threads, kGpuLanes) : options_.threads;
  }
  bool deterministic() const override {
    return validation_.deterministic() && validation_.numerics().batch_difference() == 0;
  }
  const v1::ModelValidation& validation() const override { return validation_; }

  void BindThread(int lane) override {
    UseOneThread();
    if (device_.is_cuda()) UseStream(static_cast<size_t>(lane));
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

  absl::StatusOr<Classifier*> Layer(const std::string& name) override {
    if (layer_ == nullptr || name != layer_name_ || forward_sizes_.all() != layer_sizes_) {
      layer_.reset();
      ASSAY_ASSIGN_OR_RETURN(layer_, MakeLayerClassifier(LayersHere(), name));
      layer_name_ = name;
      layer_sizes_ = forward_sizes_.all();
    }
    return layer_.get();
  }

  void ChooseBatchFor(int64_t samples) override {
    if (!by_samples_) return;
    SetOneSize(samples >= 100 ? 32 : samples >= 30 ? 16 : 8);
  }

  absl::Status ShrinkBatches() override {
    const auto halve = [this](BatchSizes& sizes) {
      std::vector<int> smaller = sizes.all();
      if (smaller.size() == 1) {
        smaller[0] /= 2;
        validation_.mutable_numerics()->clear_probes();
      } else {
        smaller.pop_back();
      }
      sizes = BatchSizes(smaller);
    };
    if (fixed_batch_ != 0 || (forward_sizes_.largest() == 1 && gradient_sizes_.largest() == 1)) {
      return Error(Reason::kOutOfMemory,
                   absl::StrCat("the model does not fit on ", options_.device, " even with ",
                                fixed_batch_ == 0 ? "a batch of one image"
                                                  : "the batch size that is built into it",
                                "; use a device with more memory"));
    }
    by_samples_ = false;
    if (forward_sizes_.largest() > 1) halve(forward_sizes_);
    if (gradient_sizes_.largest() > 1) halve(gradient_sizes_);
    DescribeNumerics();
    return absl::OkStatus();
  }

 protected:
  absl::Status RunForward(const float* images, int rows, float* logits) override {
    return passes_.Forward(images, rows, logits);
  }

  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    return passes_.ForwardBackward(images, rows, logit_gradient, logits, gradient);
  }

 private:
  bool in_bfloat16() const { return file_.interface.precision() == v1::ModelInterface::BF16; }

  LayerSource LayersHere() {
    return {file_, passes_.gradient(), validation_.frozen(), by_rows_, device_, fixed_batch_,
            *this};
  }

  // Lanes have streams of their own, so that one computes while another copies. The same ones each
  // time: LibTorch keeps the memory of each.
  void UseStream(size_t lane) {
    const c10::impl::VirtualGuardImpl device(device_.type());
    MutexLock lock(streams_mutex_);
    while (streams_.size() <= lane) streams_.push_back(device.getStreamFromGlobalPool(device_));
    device.exchangeStream(streams_[lane]);
  }

  // What its code says of itself before it has run once.
  void WarnOfFile() {
    for (const std::string& note : file_.notes) Warn(note);
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
    if (const std::string blas = BlasLibrary(); !device_.is_cuda() && IsReferenceBlas(blas)) {
      Warn(absl::StrCat("this server's LibTorch multiplies matrices by the reference BLAS (", blas,
                        "), tens of times slower than it could; install libopenblas0-openmp"));
    }
  }

  absl::Status Validate() {
    if (const absl::Status status = validator_.CheckForm(); !status.ok()) {
      return ExplainForwardError(status);
    }
    fixed_batch_ = validator_.fixed_batch();
    passes_.set_num_classes(validation_.num_classes());
    ASSAY_RETURN_IF_ERROR(validator_.CheckLogits());
    ASSAY_RETURN_IF_ERROR(ChooseForms());
    ASSAY_RETURN_IF_ERROR(validator_.CheckBatchDependence(!file_.training_in.empty()));
    return validator_.CheckGradient();
  }

  // Gradient passes run the frozen module, and forward passes a faster form where there is one.
  absl::Status ChooseForms() {
    TorchPasses::Form form{file_.module};
    ASSAY_RETURN_IF_ERROR(validator_.CheckFreezing([&] {
      return Guarded(Reason::kModelFailed, "freezing failed", [&] {
        form.module = Freeze(file_.module, form.format);
        form.format = FormatFor(form.module, device_);
        if (form.format != at::MemoryFormat::Contiguous) {
          form.module = Freeze(file_.module, form.format);
        }
        if (by_rows_) MakeRowWise(form.module);
        passes_.set_forward(form);
        passes_.set_gradient(form);
        return absl::OkStatus();
      });
    }));
    if (!validation_.frozen()) form = {file_.module};
    passes_.set_gradient(form);
    forward_form_ = validation_.frozen() ? "frozen" : "original";
    if (validation_.frozen() && !device_.is_cuda() && validator_.CheckForwardForm([&] {
          return Guarded(Reason::kModelFailed, "optimizing failed", [&] {
            torch::jit::GraphOptimizerEnabledGuard optimizer(true);
            torch::jit::Module copy = form.module.clone();
            passes_.set_forward({torch::jit::optimize_for_inference(copy)});
            return absl::OkStatus();
          });
        })) {
      forward_form_ = "optimized";
    } else {
      passes_.set_forward(form);
    }
    if (by_rows_) forward_form_ += ", linear by rows";
    return absl::OkStatus();
  }

  // All checks have been made in float32, of which this is a rounding: weights are rounded after
  // batch norms have been folded into them.
  absl::Status RoundToBfloat16() {
    if (!validation_.frozen()) {
      return Error(
          Reason::kInvalidModel,
          "--precision bf16 needs a model that can be frozen, and this one cannot; use fp32, "
          "or export it in bfloat16");
    }
    TorchPasses::Form form = passes_.gradient();
    ASSAY_RETURN_IF_ERROR(Guarded(Reason::kInvalidModel, "it cannot be rounded to bfloat16", [&] {
      form.module = InBfloat16(form.module);
      form.type = at::kBFloat16;
      return absl::OkStatus();
    }));
    forward_form_ = "frozen";
    return validator_.CheckPrecision([&] {
      passes_.set_forward(form);
      passes_.set_gradient(form);
    });
  }

  // A forward pass failed: most likely the images do not suit the model.
  absl::Status ExplainForwardError(const absl::Status& status) {
    if (ReasonOf(status) != Reason::kModelFailed) return status;
    if (const auto explained = ExplainRunError(std::string(status.message()))) {
      return Error(Reason::kModelFailed, *explained);
    }
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

  absl::Status AddDetails() {
    v1::ModelDetails& details = *validation_.mutable_details();
    ASSAY_RETURN_IF_ERROR(
        Guarded(Reason::kInvalidModel, "its operators cannot be read", [this, &details] {
          details = DescribeModule(file_.module);
          return absl::OkStatus();
        }));
    const int batch = forward_sizes_.largest();
    details.set_batch_size(batch);
    ASSAY_ASSIGN_OR_RETURN(const double forward, trials_.ForwardSeconds(batch));
    details.set_forward_images_per_second(batch / forward);
    if (validation_.differentiable()) {
      ASSAY_ASSIGN_OR_RETURN(const double gradient, trials_.GradientSeconds(batch));
      details.set_gradient_images_per_second(batch / gradient);
    }
    // Of a model whose layers cannot be had there is all the rest to tell.
    if (const auto layers = ListLayers(LayersHere()); layers.ok()) {
      *details.mutable_layers() = {layers->begin(), layers->end()};
    }
    const auto bounds = network();
    if (!bounds.ok()) details.set_bounds_refusal(std::string(bounds.status().message()));
    return absl::OkStatus();
  }

  absl::Status ChooseBatches() {
    if (fixed_batch_ != 0) {
      SetOneSize(fixed_batch_);
    } else if (!device_.is_cuda()) {
      return ProbeBatches();
    } else if (options_.batch_size > 0) {
      SetOneSize(options_.batch_size);
    } else {
      // One size for all passes, which is what is remembered.
      SetOneSize(trials_.Fastest(validation_.differentiable()));
    }
    return absl::OkStatus();
  }

  void SetOneSize(int size) {
    forward_sizes_ = gradient_sizes_ = BatchSizes({size});
    DescribeNumerics();
  }

  // Sizes that give the same bits.
  absl::Status ProbeBatches() {
    const std::vector<int>& candidates = CpuBatchSizes(shape_);
    if (!validation_.deterministic()) {
      forward_sizes_ = gradient_sizes_ = AtMost(candidates);
      DescribeNumerics();
      return absl::OkStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(ProbedBatches probed, trials_.Probe(candidates));
    if (validation_.frozen() && !in_bfloat16() && !probed.Serve(candidates)) {
      ASSAY_RETURN_IF_ERROR(TryByRows(candidates, probed));
    }
    const auto& [forward, gradients] = probed;
    by_samples_ = probed.sizes() == 0 || validation_.numerics().batch_difference() > 0;
    if (by_samples_) {
      if (options_.batch_size > 0) {
        by_samples_ = false;
        SetOneSize(options_.batch_size);
      } else {
        ChooseBatchFor(0);
      }
      return absl::OkStatus();
    }
    forward_sizes_ = AtMost(forward.sizes);
    gradient_sizes_ = AtMost(gradients.sizes);
    validation_.mutable_numerics()->set_probes(Sha256Hex(forward.digest + gradients.digest));
    DescribeNumerics();
    return absl::OkStatus();
  }

  // What keeps a model from the sizes that it should have is its linear layers: a BLAS chooses a
  // kernel by the number of rows.
  absl::Status TryByRows(const std::vector<int>& candidates, ProbedBatches& probed) {
    const int warnings = validation_.warnings_size();
    by_rows_ = true;
    ASSAY_RETURN_IF_ERROR(ChooseForms());
    if (validation_.frozen()) {
      ASSAY_ASSIGN_OR_RETURN(ProbedBatches by_rows, trials_.Probe(candidates));
      if (by_rows.sizes() > probed.sizes()) {
        probed = std::move(by_rows);
        return validator_.CheckGradient();
      }
    }
    validation_.mutable_warnings()->DeleteSubrange(warnings,
                                                   validation_.warnings_size() - warnings);
    by_rows_ = false;
    return ChooseForms();
  }

  // Those that the options allow; the smallest one always.
  BatchSizes AtMost(const std::vector<int>& sizes) const {
    std::vector<int> allowed;
    for (const int size : sizes) {
      if (allowed.empty() || options_.batch_size == 0 || size <= options_.batch_size) {
        allowed.push_back(size);
      }
    }
    return BatchSizes(allowed);
  }

  void DescribeNumerics() {
    v1::NumericsFingerprint& numerics = *validation_.mutable_numerics();
    // Sizes that were probed give the same bits, even where the options leave one of them.
    const bool one_size = numerics.probes().empty() && forward_sizes_.all().size() == 1;
    numerics.set_device(KindOf(device_));
    numerics.set_batch_size(one_size ? forward_sizes_.largest() : 0);
    numerics.set_libtorch_version(LibTorchVersion());
    numerics.set_capability(CpuCapability());
    numerics.set_memory_format(
        passes_.gradient().format == at::MemoryFormat::ChannelsLast ? "nhwc" : "nchw");
    numerics.set_frozen(validation_.frozen());
    numerics.set_forward_form(forward_form_);
    // TF32 is for GPUs.
    if (in_bfloat16()) {
      numerics.set_precision("bf16");
    } else if (device_.is_cuda() && file_.interface.precision() == v1::ModelInterface::TF32) {
      numerics.set_precision("tf32");
    }
    numerics.set_digest(NumericsDigest(numerics));
  }

  void Warn(const std::string& text) { validation_.add_warnings(text); }

  const LoadOptions options_;
  const Shape shape_;
  const at::Device device_;
  const ImportedModel file_;
  TorchPasses passes_;
  BatchTrials trials_{passes_, shape_};
  BatchSizes forward_sizes_{{1}}, gradient_sizes_{{1}};
  // The only batch size that the model takes; 0: any.
  int fixed_batch_ = 0;
  // Whether the single batch size follows the number of samples.
  bool by_samples_ = false;
  // Whether linear layers compute row by row.
  bool by_rows_ = false;
  std::string forward_form_;
  // Of lanes, on a GPU.
  Mutex streams_mutex_;
  std::vector<c10::Stream> streams_ ABSL_GUARDED_BY(streams_mutex_);
  v1::ModelValidation validation_;
  ModelValidator validator_{
      shape_,
      {[this](const auto&... pass) { return passes_.Look(pass...); },
       [this](const auto&... pass) { return passes_.Forward(pass...); },
       [this](const auto&... pass) { return passes_.ForwardBackward(pass...); }},
      &validation_};
  // Read when first asked for.
  std::shared_ptr<const bounds::Network> network_;
  // The layer that was asked for last, and what it was made for.
  std::unique_ptr<Classifier> layer_;
  std::string layer_name_;
  std::vector<int> layer_sizes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TorchClassifier>> TorchClassifier::Load(const LoadOptions& options) {
  std::unique_ptr<Loaded> loaded;
  ASSAY_RETURN_IF_ERROR(
      Guarded(Reason::kInternal, "LibTorch could not start", [&]() -> absl::Status {
        UseOneThread();
        const at::Device device = DeviceOf(options.device);
        if (device.is_cuda()) {
          ChooseDeterministicOperators();
          at::globalContext().setDeterministicCuDNN(true);
          at::globalContext().setBenchmarkCuDNN(false);
        }
        ASSAY_ASSIGN_OR_RETURN(ImportedModel file,
                               ReadModel(options.model_path, options.shape, device));
        if (device.is_cuda()) {
          const absl::Status status =
              AllowTf32(file.interface.precision() == v1::ModelInterface::TF32);
          if (!status.ok()) return status;
        }
        loaded = std::make_unique<Loaded>(options, std::move(file));
        return loaded->Initialize();
      }));
  return std::unique_ptr<TorchClassifier>(std::move(loaded));
}

NumericsOrigin OriginOf(const std::string& device) {
  return {KindOf(DeviceOf(device)), LibTorchVersion()};
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
