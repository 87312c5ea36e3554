#include "core/similarity/lbfgs.h"

#include <cstddef>
#include <deque>
#include <limits>
#include <vector>

namespace assay {
namespace {

using Eigen::VectorXd;

// Steps that the curvature is estimated from.
constexpr size_t kMemory = 12;
// Of Wolfe's conditions: enough decrease, enough flattening.
constexpr double kDecrease = 1e-4, kCurvature = 0.9;
constexpr int kMostTrials = 40;

struct Pair {
  VectorXd step, change;
  double curvature;  // step' change
};

// Minus the inverse of the estimated Hessian times the gradient: the two loops.
VectorXd Direction(const std::deque<Pair>& pairs, const VectorXd& gradient) {
  VectorXd direction = -gradient;
  std::vector<double> along(pairs.size());
  for (size_t i = pairs.size(); i-- > 0;) {
    along[i] = pairs[i].step.dot(direction) / pairs[i].curvature;
    direction -= along[i] * pairs[i].change;
  }
  if (!pairs.empty()) {
    direction *= pairs.back().curvature / pairs.back().change.squaredNorm();
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double back = pairs[i].change.dot(direction) / pairs[i].curvature;
    direction += (along[i] - back) * pairs[i].step;
  }
  return direction;
}

}  // namespace

LbfgsResult MinimiseByLbfgs(
    const std::function<double(const VectorXd& point, VectorXd* gradient)>& function,
    const VectorXd& start, double tolerance, int most_steps) {
  LbfgsResult result;
  result.point = start;
  VectorXd gradient(start.size());
  result.value = function(result.point, &gradient);
  result.largest_gradient = gradient.lpNorm<Eigen::Infinity>();
  std::deque<Pair> pairs;
  VectorXd trial_point, trial_gradient(start.size());
  while (result.largest_gradient > tolerance && result.steps < most_steps) {
    VectorXd direction = Direction(pairs, gradient);
    double slope = gradient.dot(direction);
    if (!(slope < 0)) {
      pairs.clear();
      direction = -gradient;
      slope = gradient.dot(direction);
    }
    // Weak Wolfe conditions by bisection: of a convex function it ends.
    double low = 0, high = std::numeric_limits<double>::infinity();
    double length = pairs.empty() ? 1 / gradient.norm() : 1;
    bool found = false;
    double value = 0;
    for (int trial = 0; trial < kMostTrials && !found; ++trial) {
      trial_point = result.point + length * direction;
      value = function(trial_point, &trial_gradient);
      if (!(value <= result.value + kDecrease * length * slope)) {
        high = length;
        length = (low + high) / 2;
      } else if (trial_gradient.dot(direction) < kCurvature * slope) {
        low = length;
        length = high < std::numeric_limits<double>::infinity() ? (low + high) / 2 : 2 * length;
      } else {
        found = true;
      }
    }
    if (!found) return result;
    Pair pair{trial_point - result.point, trial_gradient - gradient, 0};
    pair.curvature = pair.step.dot(pair.change);
    if (pair.curvature > 0) {
      pairs.push_back(std::move(pair));
      if (pairs.size() > kMemory) pairs.pop_front();
    }
    result.point.swap(trial_point);
    gradient.swap(trial_gradient);
    result.value = value;
    result.largest_gradient = gradient.lpNorm<Eigen::Infinity>();
    ++result.steps;
  }
  return result;
}

}  // namespace assay
