// Minimises smooth convex functions of many variables: L-BFGS (Liu and Nocedal, "On the limited
// memory BFGS method for large scale optimization", Mathematical Programming 45, 1989).
#ifndef ASSAY_CORE_SIMILARITY_LBFGS_H_
#define ASSAY_CORE_SIMILARITY_LBFGS_H_

#include <Eigen/Dense>
#include <functional>

namespace assay {

struct LbfgsResult {
  Eigen::VectorXd point;
  double value = 0;
  // Of the gradient, the largest absolute component.
  double largest_gradient = 0;
  int steps = 0;
};

// `function` gives its value at a point and fills in the gradient there. Ends when no component of
// the gradient is larger than `tolerance`, after `most_steps`, or where a line search cannot find a
// lower value any more, as happens at the limits of double precision: look at largest_gradient.
LbfgsResult MinimiseByLbfgs(
    const std::function<double(const Eigen::VectorXd& point, Eigen::VectorXd* gradient)>& function,
    const Eigen::VectorXd& start, double tolerance, int most_steps);

}  // namespace assay

#endif  // ASSAY_CORE_SIMILARITY_LBFGS_H_
