// What a layer of a model answers, as a Classifier whose logits are the layer's numbers. Private to
// the files that include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_LAYER_CLASSIFIER_H_
#define ASSAY_SERVER_ENGINE_TORCH_LAYER_CLASSIFIER_H_

#include <torch/script.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "server/engine/base/classifier.h"
#include "server/engine/import/read_model.h"
#include "server/engine/torch/torch_passes.h"

namespace assay::engine {

// What a layer answers more than this to one image is not kept.
constexpr int64_t kMaxLayerSize = 65'536;

// The loaded model.
struct LayerSource {
  const ImportedModel& file;
  // As gradient passes have it: frozen where that could be.
  const TorchPasses::Form& form;
  bool frozen = false;
  // Whether linear layers compute row by row.
  bool by_rows = false;
  at::Device device;
  // The only batch size that the model takes; 0: any.
  int fixed_batch = 0;
  // Whose lanes and batch sizes these are.
  Classifier& classifier;
};

// Every layer that can be had, in the order of a pass, "penultimate" first.
absl::StatusOr<std::vector<v1::ModelDetails::Layer>> ListLayers(const LayerSource& source);

// Only plain passes; `source` must outlive it. Batches have sizes at which the layer gives the same
// bits, or always the largest. kInvalidArgument where there is no such layer, with those that there
// are, or where its answer is not one of at most kMaxLayerSize numbers for each image by itself.
absl::StatusOr<std::unique_ptr<Classifier>> MakeLayerClassifier(const LayerSource& source,
                                                                const std::string& layer);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_LAYER_CLASSIFIER_H_
