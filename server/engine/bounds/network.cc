#include "server/engine/bounds/network.h"

#include <cmath>
#include <limits>
#include <utility>

namespace assay::engine::bounds {
namespace {

size_t Volume(int channels, int height, int width) {
  return static_cast<size_t>(channels) * static_cast<size_t>(height) * static_cast<size_t>(width);
}

size_t SizeOf(const Operator& op, size_t input_size) {
  if (const auto* conv = std::get_if<Conv>(&op)) {
    return Volume(conv->out_channels, conv->vertical.out, conv->horizontal.out);
  }
  if (const auto* pool = std::get_if<MaxPool>(&op)) {
    return Volume(pool->channels, pool->vertical.out, pool->horizontal.out);
  }
  if (const auto* gather = std::get_if<Gather>(&op)) return gather->index.size();
  return input_size;
}

}  // namespace

double Activation::operator()(double x) const {
  switch (kind) {
    case kRelu:
      return x > 0 ? x : 0;
    case kLeakyRelu:
      return x > 0 ? x : slope * x;
    case kClamp:
      return std::min(std::max(x, lower), upper);
    case kSigmoid:
      return 1 / (1 + std::exp(-x));
    case kTanh:
      return std::tanh(x);
  }
  return x;
}

int Network::Append(Operator op, std::vector<int> inputs) {
  if (auto* conv = std::get_if<Conv>(&op)) {
    const auto taps = static_cast<size_t>(conv->Taps());
    conv->weight_magnitude.assign(static_cast<size_t>(conv->out_channels), 0);
    for (size_t i = 0; i < conv->weight.size(); ++i) {
      conv->weight_magnitude[i / taps] += std::abs(conv->weight[i]);
    }
  }
  const size_t size = SizeOf(op, node(inputs.at(0)).size);
  nodes_.push_back({std::move(op), std::move(inputs), size});
  return output();
}

double Network::Multiplications(int last) const {
  double total = 0;
  for (int n = 1; n <= last; ++n) {
    const auto* conv = std::get_if<Conv>(&node(n).op);
    total += static_cast<double>(node(n).size) * (conv == nullptr ? 1 : conv->Taps());
  }
  return total;
}

std::vector<std::vector<double>> Network::Evaluate(const double* image) const {
  std::vector<std::vector<double>> values(nodes_.size());
  values[0].assign(image, image + input_size());
  for (size_t n = 1; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    const std::vector<double>& x = values[static_cast<size_t>(node.inputs[0])];
    std::vector<double>& y = values[n];
    y.resize(node.size);
    if (const auto* conv = std::get_if<Conv>(&node.op)) {
      Apply(*conv, /*magnitudes=*/false, x.data(), y.data());
    } else if (const auto* scale = std::get_if<Scale>(&node.op)) {
      for (size_t i = 0; i < y.size(); ++i) y[i] = scale->scale[i] * x[i] + scale->shift[i];
    } else if (const auto* activation = std::get_if<Activation>(&node.op)) {
      for (size_t i = 0; i < y.size(); ++i) y[i] = (*activation)(x[i]);
    } else if (std::holds_alternative<Add>(node.op)) {
      const std::vector<double>& other = values[static_cast<size_t>(node.inputs[1])];
      for (size_t i = 0; i < y.size(); ++i) y[i] = x[i] + other[i];
    } else if (const auto* pool = std::get_if<MaxPool>(&node.op)) {
      std::fill(y.begin(), y.end(), -std::numeric_limits<double>::infinity());
      ForEachInWindow(*pool, [&](size_t o, size_t i) { y[o] = std::max(y[o], x[i]); });
    } else if (const auto* gather = std::get_if<Gather>(&node.op)) {
      for (size_t i = 0; i < y.size(); ++i) {
        y[i] = gather->index[i] < 0 ? 0 : x[static_cast<size_t>(gather->index[i])];
      }
    }
  }
  return values;
}

Conv Linear(const std::vector<std::vector<double>>& weight, std::vector<double> bias) {
  Conv conv;
  conv.out_channels = static_cast<int>(weight.size());
  conv.in_channels = static_cast<int>(weight.at(0).size());
  for (const std::vector<double>& row : weight) {
    conv.weight.insert(conv.weight.end(), row.begin(), row.end());
  }
  conv.bias = std::move(bias);
  return conv;
}

void Apply(const Conv& conv, bool magnitudes, const double* x, double* y) {
  const Axis& v = conv.vertical;
  const Axis& h = conv.horizontal;
  const auto weight = [&](size_t i) {
    return magnitudes ? std::abs(conv.weight[i]) : conv.weight[i];
  };
  const auto start = [&](size_t o) { return magnitudes ? 0 : conv.bias[o]; };
  if (conv.IsLinear()) {
    const auto taps = static_cast<size_t>(conv.Taps());
    for (size_t o = 0; o < static_cast<size_t>(conv.out_channels); ++o) {
      // Four sums, so that additions need not wait for each other.
      double sums[4] = {start(o), 0, 0, 0};
      size_t i = 0;
      for (; i + 4 <= taps; i += 4) {
        for (size_t k = 0; k < 4; ++k) sums[k] += weight(o * taps + i + k) * x[i + k];
      }
      for (; i < taps; ++i) sums[0] += weight(o * taps + i) * x[i];
      y[o] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
    return;
  }
  const int group_in = conv.in_channels / conv.groups;
  const int group_out = conv.out_channels / conv.groups;
  size_t w = 0;
  for (int o = 0; o < conv.out_channels; ++o) {
    double* const plane = y + static_cast<size_t>(o) * Volume(1, v.out, h.out);
    std::fill(plane, plane + v.out * h.out, start(static_cast<size_t>(o)));
    for (int c = o / group_out * group_in; c < (o / group_out + 1) * group_in; ++c) {
      for (int i = 0; i < v.taps; ++i) {
        for (int j = 0; j < h.taps; ++j) {
          const double factor = weight(w++);
          for (int row = v.First(i); row < v.Last(i); ++row) {
            const ptrdiff_t first =
                static_cast<ptrdiff_t>(c * v.in + row * v.stride + v.Offset(i)) * h.in +
                h.Offset(j);
            double* const out = plane + row * h.out;
            for (int column = h.First(j); column < h.Last(j); ++column) {
              out[column] += factor * x[first + column * h.stride];
            }
          }
        }
      }
    }
  }
}

}  // namespace assay::engine::bounds
