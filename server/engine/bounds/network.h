// A feed-forward network as deterministic bounds need it: operators and weights in plain C++, one
// sample without its batch dimension, in double precision. torch_network.h makes one of a
// TorchScript model; tests make their own:
//
//   Network network(/*input_size=*/2);
//   int node = network.Append(Linear({{1, -1}, {2, 0}}, {0, 1}), {0});
//   node = network.Append(Activation{Activation::kRelu}, {node});
//
// Nodes are in topological order; node 0 is the image (channels x height x width, flattened) and
// the last one gives the logits. Flattening, dropout in evaluation and the like leave values where
// they are and so are no nodes at all.
#ifndef ASSAY_SERVER_ENGINE_BOUNDS_NETWORK_H_
#define ASSAY_SERVER_ENGINE_BOUNDS_NETWORK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

namespace assay::engine::bounds {

struct Input {};

// How a window slides along one axis of an image: tap t of output position p looks at input
// position p * stride + t * dilation - padding, and sees nothing outside [0, in).
struct Axis {
  int in = 1, out = 1, taps = 1;
  int stride = 1, padding = 0, dilation = 1;

  int Offset(int tap) const { return tap * dilation - padding; }
  // The positions [first, last) whose tap falls inside.
  int First(int tap) const {
    const int offset = Offset(tap);
    return offset >= 0 ? 0 : (stride - 1 - offset) / stride;
  }
  int Last(int tap) const {
    const int room = in - 1 - Offset(tap);
    return room < 0 ? 0 : std::min(out, room / stride + 1);
  }
};

// Cross-correlation with zero padding; a linear layer is one whose window is the whole image.
struct Conv {
  int in_channels = 1, out_channels = 1, groups = 1;
  Axis vertical, horizontal;
  // out_channels x in_channels / groups x vertical.taps x horizontal.taps.
  std::vector<double> weight;
  std::vector<double> bias;  // of each output channel
  // Sum of the magnitudes of each output channel's weights; Append fills it in.
  std::vector<double> weight_magnitude;

  int Taps() const { return in_channels / groups * vertical.taps * horizontal.taps; }
  // One output for each channel, which sees every input once.
  bool IsLinear() const {
    return groups == 1 && vertical.in == vertical.taps && horizontal.in == horizontal.taps &&
           vertical.out == 1 && horizontal.out == 1 && vertical.padding == 0 &&
           horizontal.padding == 0;
  }
};

// y_i = scale_i x_i + shift_i. Both may have been rounded: bounds allow for errors of four units in
// their last place.
struct Scale {
  std::vector<double> scale, shift;
};

// One monotone function of every element.
struct Activation {
  enum Kind {
    kRelu,
    kLeakyRelu,  // slope below 0, in [0, 1]
    kClamp,      // to [lower, upper]
    kSigmoid,
    kTanh,
  };
  Kind kind = kRelu;
  double slope = 0;
  double lower = 0, upper = 0;

  double operator()(double x) const;
};

// Sum of two nodes of the same size.
struct Add {};

// Every window has at least one tap inside.
struct MaxPool {
  int channels = 1;
  Axis vertical, horizontal;
};

// y_i = x_index(i), or 0 where the index is -1: permutations, slices, zero padding.
struct Gather {
  std::vector<int32_t> index;
};

using Operator = std::variant<Input, Conv, Scale, Activation, Add, MaxPool, Gather>;

struct Node {
  Operator op;
  std::vector<int> inputs;  // earlier nodes
  size_t size = 0;          // number of elements
};

class Network {
 public:
  explicit Network(size_t input_size) { nodes_.push_back({Input{}, {}, input_size}); }

  // Appends a node and gives its number. Sizes must fit: this is an interface of this folder, not a
  // parser.
  int Append(Operator op, std::vector<int> inputs);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(int i) const { return nodes_[static_cast<size_t>(i)]; }
  int output() const { return static_cast<int>(nodes_.size()) - 1; }
  size_t input_size() const { return nodes_[0].size; }
  size_t num_classes() const { return nodes_.back().size; }

  // Multiplications of one pass up to `node`, itself included.
  double Multiplications(int node) const;

  // The values of every node for one image of input_size() pixels.
  std::vector<std::vector<double>> Evaluate(const double* image) const;

 private:
  std::vector<Node> nodes_;
};

// A linear layer of rows of weights.
Conv Linear(const std::vector<std::vector<double>>& weight, std::vector<double> bias);

// y = W x + b, or y = |W| x without the bias: what radii are propagated with.
void Apply(const Conv& conv, bool magnitudes, const double* x, double* y);

// Calls body(o, c) for every output element o of a pooling window and every input element c in it.
template <typename Body>
void ForEachInWindow(const MaxPool& pool, const Body& body) {
  const Axis& v = pool.vertical;
  const Axis& h = pool.horizontal;
  for (int channel = 0; channel < pool.channels; ++channel) {
    for (int row = 0; row < v.out; ++row) {
      for (int column = 0; column < h.out; ++column) {
        const auto o = static_cast<size_t>((channel * v.out + row) * h.out + column);
        for (int i = 0; i < v.taps; ++i) {
          const int y = row * v.stride + v.Offset(i);
          if (y < 0 || y >= v.in) continue;
          for (int j = 0; j < h.taps; ++j) {
            const int x = column * h.stride + h.Offset(j);
            if (x < 0 || x >= h.in) continue;
            body(o, static_cast<size_t>((channel * v.in + y) * h.in + x));
          }
        }
      }
    }
  }
}

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_BOUNDS_NETWORK_H_
