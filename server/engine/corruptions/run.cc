#include "server/engine/corruptions/run.h"

#include <memory>
#include <utility>

#include "core/base/errors.h"
#include "core/corruptions/plan.h"

namespace assay::engine {
namespace {

using corruptions::CorruptionPlan;
using corruptions::FrostPhotographs;
using corruptions::Image;
using corruptions::ImageFromPlanes;
using corruptions::ImageToPlanes;
using corruptions::SequencePlan;

v1::ImageShape ShapeOf(const TaskContext& task) {
  const Shape shape = task.classifier.shape();
  v1::ImageShape proto;
  proto.set_channels(shape.channels);
  proto.set_height(shape.height);
  proto.set_width(shape.width);
  return proto;
}

// Reports one of several equal parts of a task.
class PartObserver final : public TaskObserver {
 public:
  PartObserver(TaskObserver& whole, int part, int parts)
      : whole_(whole), part_(part), parts_(parts) {}
  void OnProgress(int64_t samples_done, double fraction) override {
    // A sample is done with its last frame.
    whole_.OnProgress(part_ + 1 == parts_ ? samples_done : 0, (part_ + fraction) / parts_);
  }
  bool Cancelled() override { return whole_.Cancelled(); }

 private:
  TaskObserver& whole_;
  const int part_;
  const int parts_;
};

}  // namespace

absl::StatusOr<std::function<void(size_t i, float* pixels)>> CorruptedImages(
    const TaskContext& task, const FrostPhotographs* frost) {
  const v1::ImageShape shape = ShapeOf(task);
  ASSAY_ASSIGN_OR_RETURN(auto made, CorruptionPlan::Make(task.condition, shape, frost));
  const auto plan = std::make_shared<const CorruptionPlan>(std::move(made));
  return [&task, shape, plan, key = task.random_key()](size_t i, float* pixels) {
    task.samples.ReadImage(i, pixels);
    Image image = ImageFromPlanes(pixels, shape);
    plan->Apply(key, task.samples.index(i), image);
    ImageToPlanes(image, pixels);
  };
}

absl::StatusOr<std::vector<v1::Outcome>> RunCorruption(const TaskContext& task,
                                                       const FrostPhotographs* frost) {
  ASSAY_ASSIGN_OR_RETURN(const auto read, CorruptedImages(task, frost));
  std::vector<v1::Outcome> outcomes(task.samples.size());
  ASSAY_RETURN_IF_ERROR(ForwardAll(task, read, [&](size_t i, const float* logits) {
    outcomes[i] = MakeOutcome(task.samples.index(i), task.samples.label(i),
                              Predict(logits, task.classifier.num_classes()));
    task.observer.OnOutcome(outcomes[i]);
  }));
  return outcomes;
}

absl::StatusOr<std::vector<v1::Outcome>> RunSequence(const TaskContext& task,
                                                     const FrostPhotographs* frost) {
  const v1::ImageShape shape = ShapeOf(task);
  ASSAY_ASSIGN_OR_RETURN(const auto plan, SequencePlan::Make(task.condition, shape, frost));
  const RandomKey key = task.random_key();
  std::vector<v1::Outcome> outcomes(task.samples.size());
  for (int frame = 0; frame < plan.frames(); ++frame) {
    PartObserver observer(task.observer, frame, plan.frames());
    const TaskContext part{task.condition, task.seed, task.samples, task.classifier, observer};
    ASSAY_RETURN_IF_ERROR(ForwardAll(
        part,
        [&](size_t i, float* pixels) {
          task.samples.ReadImage(i, pixels);
          Image image = ImageFromPlanes(pixels, shape);
          plan.Apply(key, task.samples.index(i), frame, image);
          ImageToPlanes(image, pixels);
        },
        [&](size_t i, const float* logits) {
          const Prediction prediction = Predict(logits, task.classifier.num_classes());
          if (frame == 0) {
            outcomes[i] = MakeOutcome(task.samples.index(i), task.samples.label(i), prediction);
          }
          outcomes[i].mutable_sequence()->add_predictions(prediction.label);
        }));
  }
  return outcomes;
}

}  // namespace assay::engine
