// What a task is to the methods: samples to read, somewhere to report progress, and a way to hear
// that it was cancelled.
#ifndef ASSAY_SERVER_ENGINE_BASE_TASK_H_
#define ASSAY_SERVER_ENGINE_BASE_TASK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "assay/v1/types.pb.h"
#include "core/base/random.h"
#include "core/conditions/condition.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

// The samples of one task. Thread-safe for reading.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual size_t size() const = 0;
  // Position in the dataset of sample i of this task; it keys all randomness.
  virtual int64_t index(size_t i) const = 0;
  virtual int label(size_t i) const = 0;
  // Writes channels x height x width pixels in [0, 1].
  virtual void ReadImage(size_t i, float* pixels) const = 0;
};

// Some samples of another source, which must outlive this.
class ChosenSamples final : public SampleSource {
 public:
  // Their numbers there, in the order that they are to have.
  ChosenSamples(const SampleSource& all, std::vector<size_t> samples)
      : all_(all), samples_(std::move(samples)) {}
  size_t size() const override { return samples_.size(); }
  int64_t index(size_t i) const override { return all_.index(samples_[i]); }
  int label(size_t i) const override { return all_.label(samples_[i]); }
  void ReadImage(size_t i, float* pixels) const override { all_.ReadImage(samples_[i], pixels); }

 private:
  const SampleSource& all_;
  const std::vector<size_t> samples_;
};

// Hears about progress; asked between passes whether to stop. Called on any lane, by one at a time.
class TaskObserver {
 public:
  virtual ~TaskObserver() = default;
  // `fraction` of the task's work is done, 0 to 1.
  virtual void OnProgress(int64_t samples_done, double fraction) = 0;
  // A sample is done: its outcome, but for what is found out when all are.
  virtual void OnOutcome(const v1::Outcome& /*outcome*/) {}
  virtual bool Cancelled() = 0;
};

// An adversarial example to be kept.
struct KeptExample {
  int64_t sample;  // position in the dataset
  std::vector<float> pixels;
};

struct TaskContext {
  const v1::Condition& condition;
  int64_t seed;
  const SampleSource& samples;
  Classifier& classifier;
  TaskObserver& observer;
  // The other models that the condition names, in its order; of the same image shape and classes
  // as `classifier`.
  std::vector<Classifier*> others = {};
  // Where adversarial examples go, in no order; nullptr: nowhere.
  std::vector<KeptExample>* kept = nullptr;
  // Samples are to be finished now and then, rather than all together at the end.
  bool checkpoints = false;

  RandomKey random_key() const { return RandomKey(seed, RandomnessId(condition)); }
};

// Reading of one row of logits.
struct Prediction {
  int label = -1;          // argmax, lowest index on ties; -1 when undecided
  float confidence = 0;    // its softmax probability
  bool tie = false;        // another logit equals the largest
  bool undecided = false;  // a logit is not finite

  bool Is(int wanted) const { return !undecided && !tie && label == wanted; }
};
Prediction Predict(const float* logits, int num_classes);

// An outcome with sample, label and prediction filled in.
v1::Outcome MakeOutcome(int64_t sample, int label, const Prediction& prediction);

// What came of an item's pass.
struct ItemResult {
  const float* image;
  const float* logits;
  const float* gradient;  // nullptr after a plain pass
};

// Passes that do not depend on each other, one for each item.
struct ItemPasses {
  // Fills the image of an item. Called on several lanes at once.
  std::function<void(size_t item, float* pixels)> read;
  // Where gradients are wanted: the derivative of an item's scalar by its logits, which comes as
  // zeros. Called on several lanes at once.
  std::function<void(size_t item, const float* logits, float* derivative)> logit_gradient = nullptr;
  // Takes the results, of one item at a time and in their order, on any lane.
  std::function<void(size_t item, const ItemResult& result)> done;
};

// The passes of items 0 to items - 1, on all lanes. Errors: those of the classifier, kCancelled.
absl::Status RunItems(Classifier& classifier, TaskObserver& observer, size_t items,
                      const ItemPasses& passes);

// The plain passes of a task, with its progress: `read` fills the image of sample i, and `done`
// gets its logits, both as ItemPasses has them.
absl::Status ForwardAll(const TaskContext& task,
                        const std::function<void(size_t i, float* pixels)>& read,
                        const std::function<void(size_t i, const float* logits)>& done);
// Likewise for `items` passes, the same number for every sample and one sample after the other.
absl::Status ForwardItems(const TaskContext& task, size_t items,
                          const std::function<void(size_t item, float* pixels)>& read,
                          const std::function<void(size_t item, const float* logits)>& done);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_TASK_H_
