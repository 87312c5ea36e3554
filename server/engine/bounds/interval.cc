#include "server/engine/bounds/interval.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "server/engine/bounds/rounding.h"

namespace assay::engine::bounds {
namespace {

// What the computed value of an activation can be wrong by.
double ValueError(const Activation& activation, double x) {
  switch (activation.kind) {
    case Activation::kRelu:
    case Activation::kClamp:
      return 0;
    case Activation::kLeakyRelu:
      return 2 * kUnit * std::abs(x) + kTiny;
    case Activation::kSigmoid:
    case Activation::kTanh:
      return kFunctionError;
  }
  return 0;
}

// Centre and radius instead of the two ends: two products for each weight, without a look at its
// sign.
Box PropagateConv(const Conv& conv, size_t size, const Box& in) {
  std::vector<double> centre(in.size()), radius(in.size());
  double largest_centre = 0, largest_radius = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    centre[i] = 0.5 * (in.lower[i] + in.upper[i]);
    radius[i] = Up(Up(std::max(in.upper[i] - centre[i], centre[i] - in.lower[i])));
    largest_centre = std::max(largest_centre, std::abs(centre[i]));
    largest_radius = std::max(largest_radius, radius[i]);
  }
  Box out{std::vector<double>(size), std::vector<double>(size)};
  std::vector<double>& c = out.lower;
  std::vector<double>& r = out.upper;
  Apply(conv, /*magnitudes=*/false, centre.data(), c.data());
  Apply(conv, /*magnitudes=*/true, radius.data(), r.data());
  const size_t plane = size / static_cast<size_t>(conv.out_channels);
  const double share = SumError(static_cast<size_t>(conv.Taps()));
  for (size_t i = 0; i < size; ++i) {
    const size_t o = i / plane;
    const double error = share * (conv.weight_magnitude[o] * (largest_centre + largest_radius) +
                                  std::abs(conv.bias[o])) +
                         kTiny;
    const double lower = (c[i] - r[i]) - error;
    out.upper[i] = (c[i] + r[i]) + error;
    out.lower[i] = lower;
  }
  return out;
}

// After an overflow nothing is known: a NaN would pass for a number at the next ReLU.
void Widen(Box* box) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < box->size(); ++i) {
    if (!(box->lower[i] > -kInfinity)) box->lower[i] = -kInfinity;
    if (!(box->upper[i] < kInfinity)) box->upper[i] = kInfinity;
  }
}

}  // namespace

double Box::Magnitude() const {
  double largest = 0;
  for (size_t i = 0; i < size(); ++i) {
    largest = std::max({largest, std::abs(lower[i]), std::abs(upper[i])});
  }
  return largest;
}

double LowerValue(const Activation& activation, double lower) {
  return activation(lower) - ValueError(activation, lower);
}

double UpperValue(const Activation& activation, double upper) {
  return activation(upper) + ValueError(activation, upper);
}

Box InputBox(const float* image, size_t size, double eps) {
  Box box{std::vector<double>(size), std::vector<double>(size)};
  const double distance = Up(eps);
  for (size_t i = 0; i < size; ++i) {
    const double x = image[i];
    // The image itself is inside, even where a pixel is not in [0, 1].
    box.lower[i] = std::min(x, std::max(0.0, Down(x - distance)));
    box.upper[i] = std::max(x, std::min(1.0, Up(x + distance)));
  }
  return box;
}

Box Propagate(const Network& network, int n, const std::vector<Box>& boxes) {
  const Node& node = network.node(n);
  const Box& in = boxes[static_cast<size_t>(node.inputs.at(0))];
  Box out{std::vector<double>(node.size), std::vector<double>(node.size)};
  if (const auto* conv = std::get_if<Conv>(&node.op)) {
    out = PropagateConv(*conv, node.size, in);
  } else if (const auto* scale = std::get_if<Scale>(&node.op)) {
    for (size_t i = 0; i < node.size; ++i) {
      const double a = scale->scale[i], shift = scale->shift[i];
      const double low = a * in.lower[i], high = a * in.upper[i];
      const double error =
          SumError(1) * (std::max(std::abs(low), std::abs(high)) + std::abs(shift)) + kTiny;
      out.lower[i] = std::min(low, high) + shift - error;
      out.upper[i] = std::max(low, high) + shift + error;
    }
  } else if (const auto* activation = std::get_if<Activation>(&node.op)) {
    for (size_t i = 0; i < node.size; ++i) {
      out.lower[i] = LowerValue(*activation, in.lower[i]);
      out.upper[i] = UpperValue(*activation, in.upper[i]);
    }
  } else if (std::holds_alternative<Add>(node.op)) {
    const Box& other = boxes[static_cast<size_t>(node.inputs[1])];
    for (size_t i = 0; i < node.size; ++i) {
      out.lower[i] = Down(in.lower[i] + other.lower[i]);
      out.upper[i] = Up(in.upper[i] + other.upper[i]);
    }
  } else if (const auto* pool = std::get_if<MaxPool>(&node.op)) {
    std::fill(out.lower.begin(), out.lower.end(), -std::numeric_limits<double>::infinity());
    out.upper = out.lower;
    ForEachInWindow(*pool, [&](size_t o, size_t i) {
      out.lower[o] = std::max(out.lower[o], in.lower[i]);
      out.upper[o] = std::max(out.upper[o], in.upper[i]);
    });
  } else if (const auto* gather = std::get_if<Gather>(&node.op)) {
    for (size_t i = 0; i < node.size; ++i) {
      if (gather->index[i] < 0) continue;
      const auto from = static_cast<size_t>(gather->index[i]);
      out.lower[i] = in.lower[from];
      out.upper[i] = in.upper[from];
    }
  }
  Widen(&out);
  return out;
}

}  // namespace assay::engine::bounds
