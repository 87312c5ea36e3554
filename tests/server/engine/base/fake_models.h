// Classifiers and samples for tests of methods, without LibTorch: a linear model, whose minimal
// perturbations are known in closed form, with hooks for misbehaviour.
#ifndef ASSAY_TESTS_SERVER_ENGINE_BASE_FAKE_MODELS_H_
#define ASSAY_TESTS_SERVER_ENGINE_BASE_FAKE_MODELS_H_

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "core/base/mutex.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// logits = W x + b, rows of W drawn from a fixed seed.
class LinearClassifier : public Classifier {
 public:
  LinearClassifier(Shape shape, int classes, int batch_size, int lanes = 2)
      : LinearClassifier(shape, classes, BatchSizes({batch_size}), lanes) {}
  LinearClassifier(Shape shape, int classes, const BatchSizes& sizes, int lanes)
      : shape_(shape), classes_(classes), sizes_(sizes), lanes_(lanes) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    weights_.resize(static_cast<size_t>(classes) * shape.size());
    for (float& w : weights_) w = normal(random);
    bias_.resize(static_cast<size_t>(classes));
    Center();
  }

  // Class k weighs pixel (row, column) of every channel by `weight`, and class 0 not at all.
  void SetRow(int k, const std::function<float(int row, int column)>& weight) {
    const int width = shape_.width, plane = shape_.height * shape_.width;
    for (size_t i = 0; i < shape_.size(); ++i) {
      const int pixel = static_cast<int>(i) % plane;
      weights_[static_cast<size_t>(k) * shape_.size() + i] = weight(pixel / width, pixel % width);
      weights_[i] = 0;
    }
    Center();
  }

  Shape shape() const override { return shape_; }
  int num_classes() const override { return classes_; }
  const BatchSizes& forward_sizes() const override { return sizes_; }
  const BatchSizes& gradient_sizes() const override { return sizes_; }
  int lanes() const override { return lanes_; }
  const float* row(int k) const { return &weights_[static_cast<size_t>(k) * shape_.size()]; }

  absl::Status RunForward(const float* images, int rows, float* logits) override {
    for (int slot = 0; slot < rows; ++slot) {
      Logits(&images[static_cast<size_t>(slot) * shape_.size()], &logits[slot * classes_]);
      Hook(on_forward, slot, &logits[slot * classes_]);
    }
    return absl::OkStatus();
  }

  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    for (int slot = 0; slot < rows; ++slot) {
      Logits(&images[static_cast<size_t>(slot) * shape_.size()], &logits[slot * classes_]);
      Hook(on_gradient_logits, slot, &logits[slot * classes_]);
    }
    std::vector<float> derivative(static_cast<size_t>(rows * classes_));
    logit_gradient(logits, derivative.data());
    for (int slot = 0; slot < rows; ++slot) {
      float* g = &gradient[static_cast<size_t>(slot) * shape_.size()];
      for (size_t i = 0; i < shape_.size(); ++i) {
        float sum = 0;
        for (int k = 0; k < classes_; ++k) {
          sum += derivative[static_cast<size_t>(slot * classes_ + k)] * row(k)[i];
        }
        g[i] = sum * gradient_scale;
      }
    }
    return absl::OkStatus();
  }

  void Logits(const float* image, float* logits) const {
    for (int k = 0; k < classes_; ++k) {
      double sum = bias_[static_cast<size_t>(k)];
      for (size_t i = 0; i < shape_.size(); ++i) {
        sum += static_cast<double>(row(k)[i]) * image[i];
      }
      logits[k] = static_cast<float>(sum);
    }
  }

  // The smallest eps at which `image` of class `label` has an adversarial example in the whole
  // space (not cut to [0, 1]): min over k of (z_y - z_k) / ||w_y - w_k||_dual.
  double MinimalEps(Norm norm, const float* image, int label) const {
    std::vector<float> z(static_cast<size_t>(classes_));
    Logits(image, z.data());
    double smallest = INFINITY;
    for (int k = 0; k < classes_; ++k) {
      if (k == label) continue;
      double dual = 0;
      for (size_t i = 0; i < shape_.size(); ++i) {
        const double d = static_cast<double>(row(label)[i]) - row(k)[i];
        if (norm == Norm::kL1) {
          dual = std::max(dual, std::abs(d));
        } else {
          dual += norm == Norm::kLinf ? std::abs(d) : d * d;
        }
      }
      if (norm == Norm::kL2) dual = std::sqrt(dual);
      smallest =
          std::min(smallest, (z[static_cast<size_t>(label)] - z[static_cast<size_t>(k)]) / dual);
    }
    return smallest;
  }

  // Change the logits of a slot; called by one lane at a time.
  using LogitHook = std::function<void(int slot, float* logits)>;
  LogitHook on_forward, on_gradient_logits;
  std::atomic<float> gradient_scale = 1;

 private:
  void Hook(const LogitHook& hook, int slot, float* logits) {
    if (!hook) return;
    MutexLock lock(hook_mutex_);
    hook(slot, logits);
  }

  // Grey images lie between the classes, so that all of them occur.
  void Center() {
    for (int k = 0; k < classes_; ++k) {
      double sum = 0;
      for (size_t i = 0; i < shape_.size(); ++i) sum += row(k)[i];
      bias_[static_cast<size_t>(k)] = static_cast<float>(-0.5 * sum);
    }
  }

  const Shape shape_;
  const int classes_;
  const BatchSizes sizes_;
  const int lanes_;
  std::vector<float> weights_, bias_;
  Mutex hook_mutex_;
};

// Images in [.3, .7], so that small budgets never meet the box; labelled by the given model.
class VectorSource : public SampleSource {
 public:
  VectorSource(const LinearClassifier& model, size_t count, int64_t first = 0) {
    std::vector<float> logits(static_cast<size_t>(model.num_classes()));
    for (size_t i = 0; i < count; ++i) {
      std::mt19937 random(static_cast<unsigned>(first + static_cast<int64_t>(i)) + 1000);
      std::uniform_real_distribution<float> uniform(0.3F, 0.7F);
      std::vector<float> image(model.shape().size());
      for (float& pixel : image) pixel = uniform(random);
      model.Logits(image.data(), logits.data());
      labels.push_back(Predict(logits.data(), model.num_classes()).label);
      indices.push_back(first + static_cast<int64_t>(i));
      images.push_back(std::move(image));
    }
  }
  size_t size() const override { return images.size(); }
  int64_t index(size_t i) const override { return indices[i]; }
  int label(size_t i) const override { return labels[i]; }
  void ReadImage(size_t i, float* pixels) const override {
    std::memcpy(pixels, images[i].data(), images[i].size() * sizeof(float));
  }

  std::vector<std::vector<float>> images;
  std::vector<int> labels;
  std::vector<int64_t> indices;
};

class QuietObserver : public TaskObserver {
 public:
  void OnProgress(int64_t samples, double fraction) override {
    last_samples = samples;
    last_fraction = fraction;
  }
  bool Cancelled() override { return cancel_after >= 0 && cancel_after-- == 0; }
  int64_t last_samples = 0;
  double last_fraction = 0;
  int cancel_after = -1;  // answers yes after that many questions
};

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_BASE_FAKE_MODELS_H_
