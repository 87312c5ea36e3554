#include "server/engine/torch/layer_classifier.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/layer_names.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/torch/forms.h"
#include "server/engine/torch/layers.h"
#include "server/engine/torch/precision.h"
#include "server/engine/torch/row_wise_linear.h"
#include "server/engine/validation/batch_size_probe.h"
#include "server/engine/validation/model_validation.h"

namespace assay::engine {
namespace {

constexpr char kFailed[] = "its layers cannot be had";
// Of the largest number, between one form of a model and another, and between one batch and
// another.
constexpr float kTolerance = 1e-4F;
// Bits of bfloat16 are 2^-8 of a number.
constexpr float kBfloat16Tolerance = 0.05F;

class LayerClassifier final : public Classifier {
 public:
  LayerClassifier(Classifier& model, TorchPasses passes, BatchSizes sizes)
      : model_(model), passes_(std::move(passes)), sizes_(std::move(sizes)) {}

  Shape shape() const override { return model_.shape(); }
  int num_classes() const override { return passes_.num_classes(); }
  const BatchSizes& forward_sizes() const override { return sizes_; }
  const BatchSizes& gradient_sizes() const override { return sizes_; }
  int lanes() const override { return model_.lanes(); }
  bool deterministic() const override { return model_.deterministic(); }
  void BindThread(int lane) override { model_.BindThread(lane); }

 protected:
  absl::Status RunForward(const float* images, int rows, float* logits) override {
    return passes_.Forward(images, rows, logits);
  }
  absl::Status RunForwardBackward(const float* /*images*/, int /*rows*/,
                                  const LogitGradient& /*logit_gradient*/, float* /*logits*/,
                                  float* /*gradient*/) override {
    return Error(Reason::kInternal, "a layer has no gradients");
  }

 private:
  Classifier& model_;
  TorchPasses passes_;
  const BatchSizes sizes_;
};

// Where the model's own names begin (import/apply_interface.h).
std::string Inside(const ImportedModel& file) {
  return file.interface.ByteSizeLong() > 0 ? "model" : "";
}

Layers LayersOf(const LayerSource& source) {
  return {source.file.module, source.form.module, Inside(source.file)};
}

// A few images, and the same with another one in the first place.
struct Probes {
  explicit Probes(const LayerSource& source)
      : rows(source.fixed_batch > 0 ? source.fixed_batch : 3) {
    const Shape shape = source.classifier.shape();
    std::vector<float> probes = ProbeImages(shape, rows + 1);
    const auto last = probes.end() - static_cast<std::ptrdiff_t>(shape.size());
    images.assign(probes.begin(), last);
    changed = images;
    std::copy(last, probes.end(), changed.begin());
  }
  const int rows;
  std::vector<float> images, changed;
};

// What a form of a module returns.
c10::IValue Run(const LayerSource& source, TorchPasses::Form form, const std::vector<float>& images,
                int rows) {
  const c10::InferenceMode no_gradients;
  const Shape shape = source.classifier.shape();
  // A copy: the module may write to it.
  const at::Tensor input =
      at::from_blob(const_cast<float*>(images.data()),
                    {rows, shape.channels, shape.height, shape.width})
          .to(source.device, form.type, /*non_blocking=*/false, /*copy=*/true, form.format);
  return form.module.forward({input});
}

// Whether rows `first` and later are the same, but for rounding.
bool Agree(const at::Tensor& a, const at::Tensor& b, int64_t first, float tolerance) {
  if (a.sizes() != b.sizes()) return false;
  const at::Tensor one = a.slice(0, first).to(at::kCPU, at::kFloat);
  const at::Tensor other = b.slice(0, first).to(at::kCPU, at::kFloat);
  if (one.numel() == 0) return true;
  const float largest = one.abs().max().item<float>();
  const float difference = (one - other).abs().max().item<float>();
  return difference <= tolerance * largest;
}

float ToleranceOf(const TorchPasses::Form& form) {
  return form.type == at::kFloat ? kTolerance : kBfloat16Tolerance;
}

// Why a tensor cannot be kept as what a layer answers to each image; "": it can. `changed`: with
// another first image.
std::string Fault(const at::Tensor& answer, const at::Tensor& changed, int rows, float tolerance) {
  if (!answer.is_floating_point()) return "does not return floating-point numbers";
  if (answer.dim() < 2 || answer.size(0) != rows || changed.sizes() != answer.sizes()) {
    return absl::StrCat("returns ", absl::StrJoin(answer.sizes(), " x "), " numbers for ", rows,
                        " images, not some for each image in turn");
  }
  if (!Agree(answer, changed, 1, tolerance)) {
    return "does not answer to each image by itself, in the order of the images";
  }
  const int64_t size = answer.numel() / rows;
  if (size == 0 || size > kMaxLayerSize) {
    return absl::StrCat("returns ", size, " numbers for an image; 1 to ", kMaxLayerSize,
                        " can be kept");
  }
  return "";
}

// The form in which a module that returns the answer of a submodule is run.
TorchPasses::Form FormOf(const LayerSource& source, const torch::jit::Module& module) {
  if (!source.frozen) return {module};
  TorchPasses::Form form = source.form;
  form.module = Freeze(module, form.format);
  if (source.by_rows) MakeRowWise(form.module);
  if (form.type == at::kBFloat16) form.module = InBfloat16(form.module);
  return form;
}

// The sizes, of those of forward passes, at which the layer gives the same bits.
absl::StatusOr<BatchSizes> SizesFor(const LayerSource& source, TorchPasses& passes) {
  const BatchSizes& sizes = source.classifier.forward_sizes();
  if (sizes.all().size() == 1 || !source.classifier.deterministic()) {
    return BatchSizes({sizes.largest()});
  }
  const auto width = static_cast<size_t>(passes.num_classes());
  ASSAY_ASSIGN_OR_RETURN(
      const ProbedSizes probed,
      ProbeBatchSizes(source.classifier.shape(), sizes.all(),
                      [&](const float* images, int rows, std::vector<float>* results) {
                        results->resize(static_cast<size_t>(rows) * width);
                        return passes.Forward(images, rows, results->data());
                      }));
  return probed.sizes.empty() ? BatchSizes({sizes.largest()}) : BatchSizes(probed.sizes);
}

}  // namespace

absl::StatusOr<std::vector<v1::ModelDetails::Layer>> ListLayers(const LayerSource& source) {
  std::vector<v1::ModelDetails::Layer> listed;
  ASSAY_RETURN_IF_ERROR(Guarded(Reason::kModelFailed, kFailed, [&] {
    const Layers layers = LayersOf(source);
    const Probes probes(source);
    const auto list = [&](const std::string& name, const at::Tensor& answer,
                          const at::Tensor& changed, float tolerance) {
      if (!Fault(answer, changed, probes.rows, tolerance).empty()) return;
      listed.emplace_back().set_name(name);
      for (const int64_t size : answer.sizes().slice(1)) listed.back().add_sizes(size);
    };
    std::vector<std::string> names = layers.Names();
    if (!names.empty() && names.front() == kPenultimate) {
      names.erase(names.begin());
      auto last = layers.Returning(kPenultimate);
      if (!last.ok()) return last.status();
      TorchPasses::Form form = source.form;
      form.module = *last;
      list(kPenultimate, Run(source, form, probes.images, probes.rows).toTensor(),
           Run(source, form, probes.changed, probes.rows).toTensor(), ToleranceOf(form));
    }
    if (names.empty()) return absl::OkStatus();
    const TorchPasses::Form all{layers.Returning(names)};
    const c10::IValue answers = Run(source, all, probes.images, probes.rows);
    const c10::IValue changed = Run(source, all, probes.changed, probes.rows);
    for (size_t i = 0; i < names.size(); ++i) {
      list(names[i], answers.toTupleRef().elements()[i].toTensor(),
           changed.toTupleRef().elements()[i].toTensor(), kTolerance);
    }
    return absl::OkStatus();
  }));
  return listed;
}

absl::StatusOr<std::unique_ptr<Classifier>> MakeLayerClassifier(const LayerSource& source,
                                                                const std::string& layer) {
  std::unique_ptr<Classifier> made;
  ASSAY_RETURN_IF_ERROR(Guarded(Reason::kModelFailed, kFailed, [&]() -> absl::Status {
    const Probes probes(source);
    ASSAY_ASSIGN_OR_RETURN(torch::jit::Module module, LayersOf(source).Returning(layer));
    // The last linear layer is that of the form, whatever became of it there; submodules are those
    // of the file.
    const bool last = layer == kPenultimate;
    TorchPasses::Form form = last ? source.form : TorchPasses::Form{module};
    form.module = module;
    const auto run = [&](const TorchPasses::Form& of, const std::vector<float>& images) {
      return Run(source, of, images, probes.rows).toTensor();
    };
    const at::Tensor answer = run(form, probes.images);
    const std::string fault =
        Fault(answer, run(form, probes.changed), probes.rows, ToleranceOf(form));
    if (!fault.empty()) {
      return Error(Reason::kInvalidArgument,
                   absl::StrCat("the answer of layer '", layer, "' cannot be kept: it ", fault));
    }
    if (answer.dim() > 2) form.module = FlattenOutput(form.module);
    if (!last) {
      const TorchPasses::Form other = FormOf(source, form.module);
      if (Agree(answer.flatten(1), run(other, probes.images), 0, ToleranceOf(other))) form = other;
    }
    TorchPasses passes(source.file, source.classifier.shape(), source.device);
    passes.set_num_classes(static_cast<int>(answer.numel() / probes.rows));
    passes.set_forward(form);
    ASSAY_ASSIGN_OR_RETURN(BatchSizes sizes, SizesFor(source, passes));
    made =
        std::make_unique<LayerClassifier>(source.classifier, std::move(passes), std::move(sizes));
    return absl::OkStatus();
  }));
  return made;
}

}  // namespace assay::engine
