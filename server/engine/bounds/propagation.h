// Bounds of a whole network over a box of images: boxes around every node, forwards, and linear
// functions of a node, backwards to the image (CROWN: Zhang et al., "Efficient neural network
// robustness certification with general activation functions", NeurIPS 2018, arXiv 1811.00866).
//
//   Propagation propagation(network, InputBox(pixels, size, eps), Intermediate::kCrown);
//   // A lower bound of logit 3 minus logit 5:
//   double margin = propagation.LowerBounds(network.output(), {{3, 5}}, Reach::kImage)[0];
//
// Every number is a bound in exact arithmetic: rounding is accounted for (rounding.h).
#ifndef ASSAY_SERVER_ENGINE_BOUNDS_PROPAGATION_H_
#define ASSAY_SERVER_ENGINE_BOUNDS_PROPAGATION_H_

#include <array>
#include <cstddef>
#include <vector>

#include "server/engine/bounds/interval.h"
#include "server/engine/bounds/network.h"
#include "server/engine/bounds/relaxation.h"

namespace assay::engine::bounds {

// How the inputs of activations and poolings are bounded.
enum class Intermediate {
  kInterval,
  kCrown,  // backwards to the image where the interval leaves an element undecided; never looser
};

// How far a linear function is taken back before the box of a node is put in.
enum class Reach {
  kActivation,  // to the last activation: interval bounds with the linear end of the network elided
  kImage,       // through all relaxations
};

// The element `plus` minus the element `minus` of a node; -1 leaves one out.
struct Row {
  int plus = -1, minus = -1;
};

// Not thread-safe.
class Propagation {
 public:
  // Bounds every node. `network` must outlive this.
  Propagation(const Network& network, Box image, Intermediate intermediate);

  const Box& box(int node) const { return boxes_[static_cast<size_t>(node)]; }

  // A lower bound of each row; -infinity where arithmetic overflowed.
  std::vector<double> LowerBounds(int node, const std::vector<Row>& rows, Reach reach) const;

  // Rows that are taken back together, so that one look at a weight serves them all.
  static constexpr size_t kBlock = 8;

 private:
  using Lanes = std::array<double, kBlock>;
  // Coefficients of one node: kBlock for every element.
  using Coefficients = std::vector<double>;
  struct Block;

  // One output of a pooling: at least the element `lower`; at most the element `upper`, or, where
  // that is -1, `most`.
  struct PoolLines {
    int lower = -1, upper = -1;
    double most = 0;
  };

  void Prepare(int node);
  void Tighten(int node);
  std::vector<size_t> Undecided(int node) const;
  void RunBlock(int node, const Row* rows, size_t count, Reach reach, double* bounds) const;
  void Concretize(int node, const Coefficients& coefficients, Block* block) const;
  void StepConv(const Conv& conv, int input, const Coefficients& from, Coefficients* to,
                Block* block) const;
  void StepElements(int node, const Coefficients& from, Coefficients* to, Block* block) const;

  const Network& network_;
  std::vector<Box> boxes_;
  std::vector<double> magnitudes_;             // of the boxes
  std::vector<std::vector<Lines>> lines_;      // of activations
  std::vector<std::vector<PoolLines>> pools_;  // of poolings
};

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_BOUNDS_PROPAGATION_H_
