#include "server/engine/attacks/budget.h"

#include <algorithm>
#include <cmath>

namespace assay::engine {
namespace {

double SquaredNorm(const float* x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

}  // namespace

double Distance(Norm norm, const float* a, const float* b, size_t n) {
  double result = 0;
  for (size_t i = 0; i < n; ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    switch (norm) {
      case Norm::kLinf:
        result = std::max(result, difference);
        break;
      case Norm::kL2:
        result += difference * difference;
        break;
      case Norm::kL1:
        result += difference;
        break;
      case Norm::kL0:
        result += difference > 0 ? 1 : 0;
        break;
      case Norm::kNone:
        break;
    }
  }
  return norm == Norm::kL2 ? std::sqrt(result) : result;
}

double Attack::Measure(const float* point, const float* image, size_t n) const {
  return Distance(norm(), point, image, n);
}

Budget::Budget(Norm norm, double eps, const float* image, size_t size)
    : norm_(norm), eps_(eps), image_(image), size_(size) {
  if (norm_ != Norm::kLinf) return;
  lower_.resize(size);
  upper_.resize(size);
  for (size_t i = 0; i < size; ++i) {
    const double center = image[i];
    auto low = static_cast<float>(center - eps);
    if (center - static_cast<double>(low) > eps) low = std::nextafter(low, 2.0F);
    auto high = static_cast<float>(center + eps);
    if (static_cast<double>(high) - center > eps) high = std::nextafter(high, -1.0F);
    lower_[i] = std::max(low, 0.0F);
    upper_[i] = std::min(high, 1.0F);
  }
}

void Budget::Project(std::vector<float>* x) const {
  float* const p = x->data();
  if (norm_ == Norm::kLinf) {
    for (size_t i = 0; i < size_; ++i) p[i] = std::min(std::max(p[i], lower_[i]), upper_[i]);
    return;
  }
  // Storing x in float32 moves the distance by a few 1e-8; shrink until the stored point is inside.
  double shrink = 1;
  for (double distance = Distance(norm_, p, image_, size_); distance > eps_;
       distance = Distance(norm_, p, image_, size_)) {
    const double scale = eps_ / distance * shrink;
    for (size_t i = 0; i < size_; ++i) {
      p[i] = static_cast<float>(image_[i] + (static_cast<double>(p[i]) - image_[i]) * scale);
    }
    shrink -= 1e-7;
  }
  // Clipping moves every coordinate towards the image, so it cannot leave the ball.
  for (size_t i = 0; i < size_; ++i) p[i] = std::min(std::max(p[i], 0.0F), 1.0F);
}

void Budget::RandomPoint(RandomStream& random, std::vector<float>* x) const {
  x->resize(size_);
  float* const p = x->data();
  if (norm_ == Norm::kLinf) {
    for (size_t i = 0; i < size_; ++i) {
      p[i] = static_cast<float>(image_[i] + random.Uniform(-eps_, eps_));
    }
  } else {
    // A Gaussian direction, and a radius whose d-th power is uniform.
    std::vector<double> direction(size_);
    double squared = 0;
    for (double& value : direction) {
      value = random.Normal();
      squared += value * value;
    }
    const double radius = eps_ * std::pow(random.Uniform(0, 1), 1.0 / static_cast<double>(size_));
    const double scale = squared > 0 ? radius / std::sqrt(squared) : 0;
    for (size_t i = 0; i < size_; ++i) {
      p[i] = static_cast<float>(image_[i] + scale * direction[i]);
    }
  }
  Project(x);
}

void Budget::RandomBoundaryPoint(RandomStream& random, std::vector<float>* x) const {
  x->resize(size_);
  float* const p = x->data();
  std::vector<double> direction(size_);
  double length = 0;
  for (double& value : direction) {
    value = norm_ == Norm::kLinf ? random.Uniform(-1, 1) : random.Normal();
    length = norm_ == Norm::kLinf ? std::max(length, std::abs(value)) : length + value * value;
  }
  if (norm_ == Norm::kL2) length = std::sqrt(length);
  const double scale = eps_ / (length + 1e-12);
  for (size_t i = 0; i < size_; ++i) p[i] = static_cast<float>(image_[i] + scale * direction[i]);
  Project(x);
}

void Budget::Ascend(const float* gradient, double step, std::vector<float>* x) const {
  float* const p = x->data();
  if (norm_ == Norm::kLinf) {
    const auto length = static_cast<float>(step);
    for (size_t i = 0; i < size_; ++i) {
      const float sign = static_cast<float>((gradient[i] > 0.0F) - (gradient[i] < 0.0F));
      p[i] = std::min(std::max(p[i] + length * sign, lower_[i]), upper_[i]);
    }
    return;
  }
  const double norm = std::sqrt(SquaredNorm(gradient, size_));
  if (norm > 0) {
    const auto scale = static_cast<float>(step / norm);
    for (size_t i = 0; i < size_; ++i) p[i] += scale * gradient[i];
  }
  Project(x);
}

}  // namespace assay::engine
