// Small random networks for tests of deterministic bounds, and a classifier that runs one.
#ifndef ASSAY_TESTS_SERVER_ENGINE_BOUNDS_BOUNDS_NETWORKS_H_
#define ASSAY_TESTS_SERVER_ENGINE_BOUNDS_BOUNDS_NETWORKS_H_

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "server/engine/base/classifier.h"
#include "server/engine/bounds/network.h"

namespace assay::engine::bounds {

inline std::vector<double> Normals(std::mt19937& random, size_t count, double scale) {
  std::normal_distribution<double> normal(0, scale);
  std::vector<double> values(count);
  for (double& value : values) value = normal(random);
  return values;
}

inline Axis MakeAxis(int in, int taps, int stride, int padding, int dilation) {
  Axis axis;
  axis.in = in;
  axis.taps = taps;
  axis.stride = stride;
  axis.padding = padding;
  axis.dilation = dilation;
  axis.out = (in + 2 * padding - dilation * (taps - 1) - 1) / stride + 1;
  return axis;
}

inline Conv RandomConv(std::mt19937& random, int in_channels, int out_channels, int groups,
                       Axis vertical, Axis horizontal) {
  Conv conv;
  conv.in_channels = in_channels;
  conv.out_channels = out_channels;
  conv.groups = groups;
  conv.vertical = vertical;
  conv.horizontal = horizontal;
  const auto taps = static_cast<size_t>(conv.Taps());
  conv.weight = Normals(random, taps * static_cast<size_t>(out_channels),
                        1.5 / std::sqrt(static_cast<double>(taps)));
  conv.bias = Normals(random, static_cast<size_t>(out_channels), 0.3);
  return conv;
}

inline Conv RandomLinear(std::mt19937& random, size_t in, int out) {
  return RandomConv(random, static_cast<int>(in), out, 1, Axis{}, Axis{});
}

// Two or three dense layers with the given activation.
inline Network RandomDense(unsigned seed, const Activation& activation, int hidden_layers) {
  std::mt19937 random(seed);
  Network network(5);
  int node = 0;
  for (int layer = 0; layer < hidden_layers; ++layer) {
    node = network.Append(RandomLinear(random, network.node(node).size, 6), {node});
    node = network.Append(activation, {node});
  }
  network.Append(RandomLinear(random, network.node(node).size, 3), {node});
  return network;
}

// Every operator: normalisation, convolutions with stride, padding, dilation and groups, a residual
// sum, max pooling, a gather with a zero, a dense end. Images of 2 x 5 x 5, three classes.
inline Network RandomResidual(unsigned seed, const Activation& activation) {
  std::mt19937 random(seed);
  Network network(50);
  int node = network.Append(Scale{Normals(random, 50, 1), Normals(random, 50, 0.5)}, {0});
  node = network.Append(
      RandomConv(random, 2, 4, 1, MakeAxis(5, 3, 2, 1, 1), MakeAxis(5, 3, 1, 1, 1)), {node});
  const int early = network.Append(activation, {node});  // 4 x 3 x 5
  node = network.Append(
      RandomConv(random, 4, 4, 2, MakeAxis(3, 3, 1, 1, 1), MakeAxis(5, 3, 1, 2, 2)), {early});
  node = network.Append(activation, {node});
  node = network.Append(Add{}, {node, early});
  MaxPool pool;
  pool.channels = 4;
  pool.vertical = MakeAxis(3, 2, 1, 0, 1);
  pool.horizontal = MakeAxis(5, 3, 2, 1, 1);
  node = network.Append(pool, {node});  // 4 x 2 x 3
  node = network.Append(
      RandomConv(random, 4, 2, 1, MakeAxis(2, 1, 1, 0, 1), MakeAxis(3, 1, 1, 0, 1)), {node});
  node = network.Append(activation, {node});
  Gather gather;
  for (int i = 11; i >= 0; --i) gather.index.push_back(i == 5 ? -1 : i);
  node = network.Append(std::move(gather), {node});
  network.Append(RandomLinear(random, 12, 3), {node});
  return network;
}

// Runs a network in double precision, one slot after the other.
class NetworkClassifier : public Classifier {
 public:
  NetworkClassifier(std::shared_ptr<const Network> network, Shape shape, int batch_size, int lanes)
      : network_(std::move(network)), shape_(shape), sizes_({batch_size}), lanes_(lanes) {}

  Shape shape() const override { return shape_; }
  int num_classes() const override { return static_cast<int>(network_->num_classes()); }
  const BatchSizes& forward_sizes() const override { return sizes_; }
  const BatchSizes& gradient_sizes() const override { return sizes_; }
  int lanes() const override { return lanes_; }

  absl::Status RunForward(const float* images, int rows, float* logits) override {
    const size_t classes = network_->num_classes();
    for (size_t slot = 0; slot < static_cast<size_t>(rows); ++slot) {
      const float* image = &images[slot * shape_.size()];
      const std::vector<double> pixels(image, image + shape_.size());
      const std::vector<double> row = network_->Evaluate(pixels.data()).back();
      for (size_t k = 0; k < classes; ++k) {
        logits[slot * classes + k] = static_cast<float>(row[k]) + (k == 0 ? added : 0);
      }
    }
    return absl::OkStatus();
  }

  absl::Status RunForwardBackward(const float*, int, const LogitGradient&, float*,
                                  float*) override {
    return absl::UnimplementedError("no gradient");
  }

  std::shared_ptr<const Network> network() const { return network_; }

  // Added to logit 0, so that the network is not the model.
  float added = 0;

 private:
  const std::shared_ptr<const Network> network_;
  const Shape shape_;
  const BatchSizes sizes_;
  const int lanes_;
};

}  // namespace assay::engine::bounds

#endif  // ASSAY_TESTS_SERVER_ENGINE_BOUNDS_BOUNDS_NETWORKS_H_
