#include "server/engine/bounds/tightness.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/bounds/interval.h"
#include "server/engine/bounds/propagation.h"

namespace assay::engine::bounds {
namespace {

using Values = std::vector<std::vector<double>>;

double SlopeAt(const Activation& activation, double x) {
  switch (activation.kind) {
    case Activation::kRelu:
      return x > 0 ? 1 : 0;
    case Activation::kLeakyRelu:
      return x > 0 ? 1 : activation.slope;
    case Activation::kClamp:
      return x > activation.lower && x < activation.upper ? 1 : 0;
    case Activation::kSigmoid:
      return activation(x) * (1 - activation(x));
    case Activation::kTanh:
      return 1 - activation(x) * activation(x);
  }
  return 0;
}

// The network that is linear around the image, with its constants left out.
Network Linearized(const Network& network, const Values& values) {
  Network linear(network.input_size());
  for (int n = 1; n <= network.output(); ++n) {
    const Node& node = network.node(n);
    const std::vector<double>& x = values[static_cast<size_t>(node.inputs[0])];
    Operator op = node.op;
    if (auto* conv = std::get_if<Conv>(&op)) {
      std::fill(conv->bias.begin(), conv->bias.end(), 0);
    } else if (auto* scale = std::get_if<Scale>(&op)) {
      std::fill(scale->shift.begin(), scale->shift.end(), 0);
    } else if (const auto* activation = std::get_if<Activation>(&node.op)) {
      Scale slopes{std::vector<double>(node.size), std::vector<double>(node.size)};
      for (size_t i = 0; i < node.size; ++i) slopes.scale[i] = SlopeAt(*activation, x[i]);
      op = std::move(slopes);
    } else if (const auto* pool = std::get_if<MaxPool>(&node.op)) {
      Gather chosen{std::vector<int32_t>(node.size, -1)};
      ForEachInWindow(*pool, [&](size_t o, size_t i) {
        int32_t& best = chosen.index[o];
        if (best < 0 || x[i] > x[static_cast<size_t>(best)]) best = static_cast<int32_t>(i);
      });
      op = std::move(chosen);
    }
    linear.Append(std::move(op), node.inputs);
  }
  return linear;
}

}  // namespace

std::optional<double> Tightness(const Network& network, const Values& values) {
  const Network linear = Linearized(network, values);
  const size_t size = linear.input_size(), classes = linear.num_classes();
  Box unit{std::vector<double>(size, -1), std::vector<double>(size, 1)};
  const Propagation propagation(linear, std::move(unit), Intermediate::kInterval);
  std::vector<Row> rows;
  for (size_t k = 0; k < classes; ++k) rows.push_back({static_cast<int>(k), -1});
  // Of a linear function over a box around 0 the lower bound is the radius with a minus.
  const std::vector<double> exact = propagation.LowerBounds(linear.output(), rows, Reach::kImage);
  const Box& interval = propagation.box(linear.output());
  double sum = 0;
  for (size_t k = 0; k < classes; ++k) {
    const double widest = 0.5 * (interval.upper[k] - interval.lower[k]);
    // A radius of nothing is the allowance for rounding alone.
    constexpr double kNothing = 1e-200;
    if (!(widest > kNothing) || !std::isfinite(widest)) return std::nullopt;
    sum += std::min(1.0, -exact[k] / widest);
  }
  const double mean = sum / static_cast<double>(classes);
  if (!std::isfinite(mean)) return std::nullopt;
  return mean;
}

}  // namespace assay::engine::bounds
