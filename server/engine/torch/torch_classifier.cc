#include "server/engine/torch/torch_classifier.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/base/random.h"
#include "server/engine/base/numerics.h"
#include "server/engine/base/threads.h"
#include "server/engine/torch/torch_module.h"
#include "server/engine/torch/torch_network.h"

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
// Largest difference of logits, relative to their size, that the other images of a batch may cause,
// and that a batch of another size may: its kernels round otherwise, in bfloat16 within the model
// by 1e-2.
constexpr double kBatchTolerance = 1e-4, kAloneTolerance = 2e-2;
// Batch sizes that people trace with, tried where a model does not take kProbeBatch.
constexpr int kTracedBatches[] = {1, 2, 3, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 256};
// Passes of the same images that must agree; AutoAttack compares as many.
constexpr int kProbePasses = 5;

bool LooksLikeShapeError(const std::string& text) {
  for (const char* part : {"channels", "shape", "size mismatch", "must match", "expected input",
                           "cannot be multiplied", "Kernel size", "Expected 4D", "size of tensor",
                           "is invalid for input of size", "dimension"}) {
    if (absl::StrContains(text, part)) return true;
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
    ASSAY_RETURN_IF_ERROR(CheckBatchDependence());
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
  absl::Status LoadModule() {
    ASSAY_ASSIGN_OR_RETURN(file_, ReadTorchModule(options_.model_path, device_));
    module_ = file_.module;
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
    return absl::OkStatus();
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

  // One pass of `rows` images before anything is known of the model.
  absl::Status FirstPass(int rows, at::Tensor* output) {
    const std::vector<float> images = ProbeImages(rows);
    return Guarded(Reason::kModelFailed, "the model raised an error", [&] {
      c10::InferenceMode no_gradients;
      const c10::IValue value = module_.forward({Input(images.data(), rows)});
      if (!value.isTensor()) {
        return absl::Status(Error(Reason::kModelOutputInvalid,
                                  absl::StrCat("the model returns a ", value.tagKind(),
                                               "; it must return one tensor of logits, N x K")));
      }
      *output = value.toTensor();
      return absl::OkStatus();
    });
  }

  static bool AreLogits(const at::Tensor& output, int rows) {
    return output.defined() && output.dim() == 2 && output.size(0) == rows && output.size(1) >= 2;
  }

  // A model that does not take kProbeBatch images may take another number of them, and only that:
  // a trace keeps the sizes that it saw.
  void FindFixedBatch(absl::Status* status, at::Tensor* output) {
    for (const int rows : kTracedBatches) {
      at::Tensor logits;
      const absl::Status tried = FirstPass(rows, &logits);
      if (ReasonOf(tried) == Reason::kOutOfMemory) return;
      if (!tried.ok() || !AreLogits(logits, rows)) continue;
      *status = absl::OkStatus();
      *output = logits;
      fixed_batch_ = rows;
      probe_rows_ = (kProbeBatch + rows - 1) / rows * rows;
      Warn(absl::StrCat("takes batches of exactly ", rows, rows == 1 ? " image" : " images",
                        ", as a trace does that has its batch size built in; it is run so. "
                        "Export it with x.flatten(1) or x.size(0) in place of the number to "
                        "choose the batch size freely"));
      return;
    }
  }

  // First contact: the shape of the output, its type, and whether it is finite and deterministic.
  absl::Status Probe() {
    at::Tensor output;
    absl::Status status = FirstPass(kProbeBatch, &output);
    if (status.ok() ? !AreLogits(output, kProbeBatch) : ReasonOf(status) == Reason::kModelFailed) {
      FindFixedBatch(&status, &output);
    }
    if (!status.ok()) return ExplainForwardError(status);
    if (fixed_batch_ == 0 && !AreLogits(output, kProbeBatch)) {
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

    const std::vector<float> images = ProbeImages(probe_rows_);
    std::vector<float> first(RowSize(probe_rows_)), next(first.size());
    ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), probe_rows_, first.data()));
    bool same = true;
    for (int pass = 1; pass < kProbePasses; ++pass) {
      ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), probe_rows_, next.data()));
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
    if (!file_.autograd_in.empty()) {
      return Error(Reason::kModelFailed,
                   absl::StrCat(status.message(), "; its function '", file_.autograd_in,
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
    const std::vector<float> images = ProbeImages(probe_rows_);
    std::vector<float> original(RowSize(probe_rows_)), frozen(original.size());
    ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), probe_rows_, original.data()));
    const absl::Status status = Guarded(Reason::kModelFailed, "freezing failed", [&] {
      {
        // Freezing inlines submodules only where the optimizer is on.
        torch::jit::GraphOptimizerEnabledGuard optimizer(true);
        module_ = torch::jit::freeze(file_.module);
      }
      return ForwardRows(images.data(), probe_rows_, frozen.data());
    });
    double difference = 0;
    for (size_t i = 0; i < original.size(); ++i) {
      difference = std::max(difference, std::abs(static_cast<double>(original[i]) - frozen[i]));
    }
    const double scale = Scale(original);
    validation_.set_frozen_max_difference(status.ok() ? difference : 0);
    validation_.set_frozen_tolerance(kFrozenTolerance * scale);
    const bool agrees = status.ok() && difference <= kFrozenTolerance * scale;
    validation_.set_frozen(agrees);
    if (!agrees) {
      module_ = file_.module;
      if (validation_.deterministic()) {
        Warn(status.ok() ? "freezing changes its logits; it is run as given, more slowly"
                         : absl::StrCat("it cannot be frozen and is run as given, more slowly (",
                                        status.message(), ")"));
      }
    }
    return absl::OkStatus();
  }

  // The size of logits that differences are relative to: the largest, at least 1.
  static double Scale(const std::vector<float>& logits) {
    double scale = 1;
    for (const float logit : logits) scale = std::max(scale, std::abs(double{logit}));
    return scale;
  }

  // Whether the logits of an image move with its company: batch norm in training mode,
  // normalisation by statistics of the batch. Compares probe rows together with each of them at
  // another place between dark and bright images, and alone.
  absl::Status CheckBatchDependence() {
    if (!validation_.deterministic()) return absl::OkStatus();
    const size_t size = shape_.size();
    const std::vector<float> images = ProbeImages(probe_rows_);
    std::vector<float> together(RowSize(probe_rows_)), moved(together.size());
    ASSAY_RETURN_IF_ERROR(ForwardRows(images.data(), probe_rows_, together.data()));
    const double scale = Scale(together);
    double difference = 0;
    bool dependent = false;
    const auto compare = [&](const float* a, const float* b, double tolerance) {
      for (int k = 0; k < num_classes_; ++k) {
        if (!std::isfinite(a[k]) && !std::isfinite(b[k])) continue;
        const double moved_by = std::isfinite(a[k]) && std::isfinite(b[k])
                                    ? std::abs(double{a[k]} - b[k])
                                    : std::numeric_limits<double>::infinity();
        difference = std::max(difference, moved_by);
        dependent = dependent || moved_by > tolerance * scale;
      }
    };
    for (int row = 0; row < kProbeBatch; ++row) {
      const float* image = &images[static_cast<size_t>(row) * size];
      const float* logits = &together[RowSize(row)];
      const int place = (row + 1) % probe_rows_;
      std::vector<float> others(images.size());
      for (int other = 0; other < probe_rows_; ++other) {
        std::fill_n(&others[static_cast<size_t>(other) * size], size,
                    other % 2 == 0 ? 0.25F : 0.75F);
      }
      std::copy_n(image, size, &others[static_cast<size_t>(place) * size]);
      ASSAY_RETURN_IF_ERROR(ForwardRows(others.data(), probe_rows_, moved.data()));
      compare(logits, &moved[RowSize(place)], kBatchTolerance);
      if (fixed_batch_ != 0) continue;
      const absl::Status alone = ForwardRows(image, 1, moved.data());
      // It need not take single images: it is not run on them.
      if (alone.ok()) compare(logits, moved.data(), kAloneTolerance);
    }
    batch_difference_ = dependent ? difference : 0;
    if (dependent) {
      Warn(absl::StrCat(
          "its logits for an image move by up to ", absl::StrFormat("%.3g", difference),
          " with the other images of the batch, so outcomes depend on the batch size and on the "
          "order of the data",
          file_.training_in.empty() ? "" : "; call model.eval() before exporting it"));
    }
    return absl::OkStatus();
  }

  // The directional derivative of a fixed combination of logits along its own gradient, against
  // central differences.
  absl::Status CheckGradient() {
    const std::vector<float> images = ProbeImages(probe_rows_);
    std::vector<float> logits(RowSize(probe_rows_)), gradient(images.size());
    const auto weight = [](int k) { return static_cast<float>(k % 3 - 1); };
    const auto combination = [&](int row, const float* z) {
      double sum = 0;
      for (int k = 0; k < num_classes_; ++k) {
        sum += static_cast<double>(weight(k)) * z[row * num_classes_ + k];
      }
      return sum;
    };
    const absl::Status status = ForwardBackwardRows(
        images.data(), probe_rows_,
        [&](const float*, float* derivative) {
          for (int row = 0; row < PassRows(probe_rows_); ++row) {
            for (int k = 0; k < num_classes_; ++k) derivative[row * num_classes_ + k] = weight(k);
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
              ForwardRows(moved.data(), probe_rows_, sign > 0 ? plus.data() : minus.data()));
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
        const auto seconds = Measure(fixed_batch_ != 0 ? fixed_batch_ : cuda ? 128 : 32);
        // A tie goes to the first: 3 % is noise.
        if (seconds.ok() && *seconds < fastest * (fastest < 1e9 ? 0.97 : 1)) {
          fastest = *seconds;
          chosen_format_ = candidate;
        }
      }
      format_ = chosen_format_.empty() ? kNchw : chosen_format_;
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
    numerics.set_libtorch_version(LibTorchVersion());
    numerics.set_capability(CpuCapability());
    numerics.set_memory_format(format_);
    numerics.set_frozen(validation_.frozen());
    numerics.set_tf32(false);
    numerics.set_digest(NumericsDigest(numerics));
    if (batch_difference_.has_value()) numerics.set_batch_difference(*batch_difference_);
  }

  at::Tensor Input(const float* images, int rows) const {
    // Nobody writes to it: a model that might gets a copy, and gradients go elsewhere.
    const at::Tensor view = at::from_blob(const_cast<float*>(images),
                                          {rows, shape_.channels, shape_.height, shape_.width});
    return view.to(device_, at::kFloat, /*non_blocking=*/false, /*copy=*/file_.writes_to_input,
                   Format(format_));
  }

  // Rows of one pass where `rows` are asked for: a model with a fixed batch takes several passes.
  int PassRows(int rows) const { return fixed_batch_ != 0 ? fixed_batch_ : rows; }

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

  // `rows` must be a multiple of the fixed batch, if there is one; likewise below.
  absl::Status ForwardRows(const float* images, int rows, float* logits) {
    const int step = PassRows(rows);
    return Guarded(Reason::kModelFailed, "the model raised an error", [&] {
      c10::InferenceMode no_gradients;
      for (int first = 0; first < rows; first += step) {
        const at::Tensor output =
            module_.forward({Input(images + static_cast<size_t>(first) * shape_.size(), step)})
                .toTensor();
        ASSAY_RETURN_IF_ERROR(CheckLogits(output, step));
        CopyOut(output, logits + RowSize(first));
      }
      return absl::OkStatus();
    });
  }

  // `logit_gradient` sees the rows of one pass at a time.
  absl::Status ForwardBackwardRows(const float* images, int rows,
                                   const LogitGradient& logit_gradient, float* logits,
                                   float* gradient) {
    const int step = PassRows(rows);
    for (int first = 0; first < rows; first += step) {
      const size_t at = static_cast<size_t>(first) * shape_.size();
      ASSAY_RETURN_IF_ERROR(Guarded(Reason::kModelFailed, "the model raised an error", [&] {
        return GradientPass(images + at, step, logit_gradient, logits + RowSize(first),
                            gradient + at);
      }));
    }
    return absl::OkStatus();
  }

  absl::Status GradientPass(const float* images, int rows, const LogitGradient& logit_gradient,
                            float* logits, float* gradient) {
    at::AutoGradMode with_gradients(true);
    const at::Tensor input = Input(images, rows).detach().requires_grad_(true);
    const at::Tensor output =
        module_.forward({file_.writes_to_input ? input.clone() : input}).toTensor();
    ASSAY_RETURN_IF_ERROR(CheckLogits(output, rows));
    CopyOut(output, logits);
    at::Tensor derivative = at::zeros({rows, num_classes_}, at::kFloat);
    logit_gradient(logits, derivative.data_ptr<float>());
    at::Tensor result;
    if (output.requires_grad()) {
      result =
          torch::autograd::grad({output}, {input}, {derivative.to(device_, output.scalar_type())},
                                /*retain_graph=*/c10::nullopt, /*create_graph=*/false,
                                /*allow_unused=*/true)[0];
    }
    // An output that does not depend on the input has gradient zero.
    if (!result.defined()) {
      std::memset(gradient, 0, static_cast<size_t>(rows) * shape_.size() * sizeof(float));
    } else {
      CopyOut(result, gradient);
    }
    return absl::OkStatus();
  }

  void Warn(const std::string& text) { validation_.add_warnings(text); }

  const LoadOptions options_;
  const Shape shape_;
  const at::Device device_;
  TorchModule file_;
  // The module in use: that of the file, or frozen.
  torch::jit::Module module_;
  int num_classes_ = 0;
  int batch_size_ = 0;
  // The only batch size that the model takes; 0: any.
  int fixed_batch_ = 0;
  // Rows of the probes: at least kProbeBatch, and what the model takes.
  int probe_rows_ = kProbeBatch;
  std::string format_ = kNchw, chosen_format_;
  v1::ModelValidation validation_;
  // As in the numerics.
  std::optional<double> batch_difference_;
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
