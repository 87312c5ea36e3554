#include "server/engine/attacks/budget.h"

#include <algorithm>
#include <cmath>

#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {

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
    for (size_t i = 0; i < size_; ++i) p[i] = Nearest(i, p[i]);
    return;
  }
  if (norm_ == Norm::kL1) {
    ProjectL1(p);
  } else {
    ProjectL2(p);
  }
}

void Budget::ProjectL2(float* p) const {
  // Storing x in float32 moves the distance by a few 1e-8; shrink until the stored point is inside.
  double shrink = 1;
  for (double distance = Distance(norm_, p, image_, size_); distance > eps_;
       distance = Distance(norm_, p, image_, size_)) {
    const auto scale = static_cast<float>(eps_ / distance * shrink);
    for (size_t i = 0; i < size_; ++i) p[i] = image_[i] + (p[i] - image_[i]) * scale;
    shrink -= 1e-7;
  }
  // Clipping moves every coordinate towards the image, so it cannot leave the ball.
  for (size_t i = 0; i < size_; ++i) p[i] = Clip(p[i]);
}

// With the multiplier t >= 0 of the ball's constraint, value i of the projection keeps its side of
// the image and moves by min(max(|p_i - x_i| - t, 0), room_i), where room_i is what the box leaves
// there. The sum of these falls with t, piecewise linearly; t is where it comes down to eps.
void Budget::ProjectL1(float* p) const {
  if (Distance(norm_, p, image_, size_) <= eps_) {
    for (size_t i = 0; i < size_; ++i) p[i] = Clip(p[i]);
    return;
  }
  std::vector<float> wish(size_), room(size_);
  for (size_t i = 0; i < size_; ++i) {
    const float change = p[i] - image_[i];
    wish[i] = std::abs(change);
    room[i] = change > 0 ? 1.0F - image_[i] : image_[i];
  }
  double t = 0;
  Ramp moved = Shrunk(wish.data(), room.data(), t, size_);
  if (moved.value > eps_) {
    // Newton's method, kept between a point that moves too far and one that does not.
    double low = 0, high = Largest(wish.data(), size_);
    constexpr int kMaxPasses = 200;
    for (int pass = 0; pass < kMaxPasses && std::abs(moved.value - eps_) > 1e-12 * eps_; ++pass) {
      (moved.value > eps_ ? low : high) = t;
      const double newton = moved.slope > 0 ? t + (moved.value - eps_) / moved.slope : high;
      t = newton > low && newton < high ? newton : 0.5 * (low + high);
      moved = Shrunk(wish.data(), room.data(), t, size_);
    }
  }
  // Storing x in float32 moves the distance by a few 1e-8 for each value; raise t until the stored
  // point is inside.
  const std::vector<float> wanted(p, p + size_);
  double raise = 1e-9;
  while (true) {
    // Untouched values keep their bits.
    Shrink(image_, wanted.data(), wish.data(), room.data(), t, size_, p);
    const double excess = Distance(norm_, p, image_, size_) - eps_;
    if (excess <= 0) return;
    t += excess / std::max(moved.slope, 1.0) + raise;
    raise *= 2;
  }
}

void Budget::RandomPoint(RandomStream& random, std::vector<float>* x) const {
  x->resize(size_);
  float* const p = x->data();
  if (norm_ == Norm::kLinf) {
    for (size_t i = 0; i < size_; ++i) {
      p[i] = static_cast<float>(image_[i] + random.Uniform(-eps_, eps_));
    }
  } else if (norm_ == Norm::kL1) {
    // d of d + 1 exponential variables, divided by the sum of all, are uniform in the simplex.
    std::vector<double> share(size_);
    const auto exponential = [&] { return -std::log1p(-random.Uniform(0, 1)); };
    double total = exponential();
    for (double& value : share) {
      value = exponential();
      total += value;
    }
    for (size_t i = 0; i < size_; ++i) {
      const double move = eps_ * share[i] / total;
      p[i] = static_cast<float>(image_[i] + ((random.Bits() & 1U) != 0 ? move : -move));
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

void RandomSpherePoint(Norm norm, double radius, const float* image, size_t n, RandomStream& random,
                       float* x) {
  std::vector<float> direction(n);
  for (float& value : direction) {
    value = static_cast<float>(norm == Norm::kLinf ? random.Uniform(-1, 1) : random.Normal());
  }
  const double scale = radius / (Length(norm, direction.data(), n) + 1e-12);
  for (size_t i = 0; i < n; ++i) {
    x[i] = Clip(static_cast<float>(image[i] + scale * direction[i]));
  }
}

void Budget::RandomBoundaryPoint(RandomStream& random, std::vector<float>* x) const {
  x->resize(size_);
  float* const p = x->data();
  if (norm_ == Norm::kL1) {
    for (size_t i = 0; i < size_; ++i) p[i] = static_cast<float>(image_[i] + random.Normal());
  } else {
    RandomSpherePoint(norm_, eps_, image_, size_, random, p);
  }
  Project(x);
}

void Budget::Ascend(const float* gradient, double step, std::vector<float>* x) const {
  float* const p = x->data();
  if (norm_ == Norm::kLinf) {
    const auto length = static_cast<float>(step);
    for (size_t i = 0; i < size_; ++i) {
      p[i] = Nearest(i, p[i] + length * Sign(gradient[i]));
    }
    return;
  }
  const double norm = Length(norm_, gradient, size_);
  if (norm > 0) {
    // In double precision: for the smallest gradients the scale is beyond a float.
    const double scale = step / norm;
    for (size_t i = 0; i < size_; ++i) p[i] = static_cast<float>(p[i] + scale * gradient[i]);
  }
  Project(x);
}

}  // namespace assay::engine
