#include "server/engine/bounds/propagation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "server/engine/bounds/rounding.h"

namespace assay::engine::bounds {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kLanes = Propagation::kBlock;

bool IsNonlinear(const Operator& op) {
  return std::holds_alternative<Activation>(op) || std::holds_alternative<MaxPool>(op);
}

// What is known of an interval box by itself, without a look at the weights.
enum class Fit {
  kIndependent,  // all of the box is reached: the elements vary by themselves
  kExact,        // each bound is reached, though not all together
  kLoose,
};

Fit FitAfter(const Operator& op, Fit fit) {
  if (std::holds_alternative<Add>(op)) return Fit::kLoose;
  // One element may go to several places.
  if (std::holds_alternative<Gather>(op)) return std::max(fit, Fit::kExact);
  const bool mixes = std::holds_alternative<Conv>(op) || std::holds_alternative<MaxPool>(op);
  if (!mixes) return fit;
  return fit == Fit::kIndependent ? Fit::kExact : Fit::kLoose;
}

bool AllZero(const double* lanes) {
  for (size_t r = 0; r < kLanes; ++r) {
    if (lanes[r] != 0) return false;
  }
  return true;
}

}  // namespace

// What is known of the rows of a block: row r is at least bound[r] + (coefficients of the nodes not
// yet taken back) . (their values), up to error[r].
//
// Why `error` covers rounding: a step replaces the term c_i y_i of every output y_i of a node by
// sum_j c_i a_ij x_j + c_i b_i, where x are the node's inputs. The computed coefficient of x_j
// differs from sum_i c_i a_ij by at most gamma times sum_i |c_i a_ij|, and x_j lies in its box, so
// the function moves by at most gamma sum_i |c_i| sum_j |a_ij| max|x_j|; the constant by gamma
// sum_i |c_i b_i|. Add() collects both, |c_i| times `magnitude` = sum_j |a_ij| max|x_j| + |b_i|.
struct Propagation::Block {
  Lanes bound{};
  Lanes error{};

  // Of one step.
  Lanes constant{};
  Lanes moved{};

  void Add(const double* c, double intercept, double magnitude) {
    for (size_t r = 0; r < kLanes; ++r) {
      constant[r] += c[r] * intercept;
      moved[r] += std::abs(c[r]) * magnitude;
    }
  }

  // Ends a step of sums of up to `terms` terms.
  void EndStep(size_t terms) {
    const double share = SumError(terms);
    for (size_t r = 0; r < kLanes; ++r) {
      bound[r] += constant[r];
      error[r] += share * (moved[r] + std::abs(bound[r])) + kTiny;
      constant[r] = moved[r] = 0;
    }
  }
};

Propagation::Propagation(const Network& network, Box image, Intermediate intermediate)
    : network_(network) {
  const size_t count = network.nodes().size();
  boxes_.resize(count);
  magnitudes_.resize(count);
  lines_.resize(count);
  pools_.resize(count);
  std::vector<Fit> fits(count, Fit::kIndependent);
  std::vector<bool> decides(count);  // an activation's or pooling's input
  for (const Node& node : network.nodes()) {
    if (IsNonlinear(node.op)) decides[static_cast<size_t>(node.inputs[0])] = true;
  }
  boxes_[0] = std::move(image);
  magnitudes_[0] = boxes_[0].Magnitude();
  for (int n = 1; n < static_cast<int>(count); ++n) {
    const auto at = static_cast<size_t>(n);
    const Node& node = network.node(n);
    for (const int input : node.inputs) {
      fits[at] = std::max(fits[at], FitAfter(node.op, fits[static_cast<size_t>(input)]));
    }
    if (IsNonlinear(node.op)) Prepare(n);
    boxes_[at] = Propagate(network, n, boxes_);
    // The box after an activation follows from the one before it.
    if (decides[at] && fits[at] == Fit::kLoose && intermediate == Intermediate::kCrown &&
        !std::holds_alternative<Activation>(node.op)) {
      Tighten(n);
    }
    magnitudes_[at] = boxes_[at].Magnitude();
  }
}

// Lines of an activation or pooling whose input has its final box.
void Propagation::Prepare(int n) {
  const Node& node = network_.node(n);
  const Box& in = box(node.inputs[0]);
  if (const auto* activation = std::get_if<Activation>(&node.op)) {
    std::vector<Lines>& lines = lines_[static_cast<size_t>(n)];
    lines.resize(node.size);
    for (size_t i = 0; i < node.size; ++i) {
      lines[i] = Relax(*activation, in.lower[i], in.upper[i]);
    }
    return;
  }
  // The element with the largest lower bound is below the maximum, and is the maximum itself where
  // no other one reaches that bound.
  const auto& pool = std::get<MaxPool>(node.op);
  std::vector<PoolLines>& lines = pools_[static_cast<size_t>(n)];
  lines.resize(node.size);
  ForEachInWindow(pool, [&](size_t o, size_t i) {
    PoolLines& own = lines[o];
    if (own.lower < 0 || in.lower[i] > in.lower[static_cast<size_t>(own.lower)]) {
      own.lower = static_cast<int>(i);
    }
  });
  for (PoolLines& own : lines) {
    own.upper = own.lower;
    own.most = in.upper[static_cast<size_t>(own.lower)];
  }
  ForEachInWindow(pool, [&](size_t o, size_t i) {
    PoolLines& own = lines[o];
    own.most = std::max(own.most, in.upper[i]);
    if (static_cast<int>(i) != own.lower &&
        in.upper[i] > in.lower[static_cast<size_t>(own.lower)]) {
      own.upper = -1;
    }
  });
}

// Elements of a node whose tighter bounds would tighten the lines of what follows.
std::vector<size_t> Propagation::Undecided(int n) const {
  const Box& own = box(n);
  std::vector<bool> wanted(own.size());
  for (const Node& node : network_.nodes()) {
    if (node.inputs.empty() || node.inputs[0] != n) continue;
    if (const auto* activation = std::get_if<Activation>(&node.op)) {
      for (size_t i = 0; i < own.size(); ++i) {
        const Lines lines = Relax(*activation, own.lower[i], own.upper[i]);
        if (lines.lower.slope != lines.upper.slope ||
            lines.lower.intercept != lines.upper.intercept) {
          wanted[i] = true;
        }
      }
    } else if (std::holds_alternative<MaxPool>(node.op)) {
      wanted.assign(own.size(), true);
    }
  }
  std::vector<size_t> undecided;
  for (size_t i = 0; i < own.size(); ++i) {
    if (wanted[i]) undecided.push_back(i);
  }
  return undecided;
}

void Propagation::Tighten(int n) {
  const std::vector<size_t> elements = Undecided(n);
  std::vector<Row> rows;
  rows.reserve(2 * elements.size());
  // Lower bounds first, so that neighbours, which look at the same inputs, share a block.
  for (const size_t i : elements) rows.push_back({static_cast<int>(i), -1});
  for (const size_t i : elements) rows.push_back({-1, static_cast<int>(i)});
  const std::vector<double> bounds = LowerBounds(n, rows, Reach::kImage);
  Box& own = boxes_[static_cast<size_t>(n)];
  for (size_t k = 0; k < elements.size(); ++k) {
    const size_t i = elements[k];
    own.lower[i] = std::max(own.lower[i], bounds[k]);
    own.upper[i] = std::min(own.upper[i], -bounds[elements.size() + k]);
  }
}

std::vector<double> Propagation::LowerBounds(int node, const std::vector<Row>& rows,
                                             Reach reach) const {
  std::vector<double> bounds(rows.size());
  for (size_t first = 0; first < rows.size(); first += kBlock) {
    RunBlock(node, &rows[first], std::min(kBlock, rows.size() - first), reach, &bounds[first]);
  }
  return bounds;
}

void Propagation::RunBlock(int start, const Row* rows, size_t count, Reach reach,
                           double* bounds) const {
  std::vector<Coefficients> waiting(static_cast<size_t>(start) + 1);
  Coefficients& first = waiting.back();
  first.resize(network_.node(start).size * kBlock);
  for (size_t r = 0; r < count; ++r) {
    if (rows[r].plus >= 0) first[static_cast<size_t>(rows[r].plus) * kBlock + r] += 1;
    if (rows[r].minus >= 0) first[static_cast<size_t>(rows[r].minus) * kBlock + r] -= 1;
  }
  Block block;
  // Hands coefficients to a node, which may have some already from another node that it feeds.
  const auto give = [&](int n, Coefficients coefficients) {
    Coefficients& own = waiting[static_cast<size_t>(n)];
    if (own.empty()) {
      own = std::move(coefficients);
      return;
    }
    for (size_t i = 0; i < own.size(); i += kBlock) {
      for (size_t r = 0; r < kBlock; ++r) own[i + r] += coefficients[i + r];
      block.Add(&own[i], 0, magnitudes_[static_cast<size_t>(n)]);
    }
    block.EndStep(1);
  };
  for (int n = start; n >= 0; --n) {
    Coefficients own = std::move(waiting[static_cast<size_t>(n)]);
    if (own.empty()) continue;
    const Node& node = network_.node(n);
    if (n == 0 || (reach == Reach::kActivation && IsNonlinear(node.op))) {
      Concretize(n, own, &block);
    } else if (std::holds_alternative<Add>(node.op)) {
      give(node.inputs[0], own);
      give(node.inputs[1], std::move(own));
    } else {
      Coefficients back(network_.node(node.inputs[0]).size * kBlock);
      if (const auto* conv = std::get_if<Conv>(&node.op)) {
        StepConv(*conv, node.inputs[0], own, &back, &block);
      } else {
        StepElements(n, own, &back, &block);
      }
      give(node.inputs[0], std::move(back));
    }
  }
  for (size_t r = 0; r < count; ++r) {
    const double bound = block.bound[r] - 2 * block.error[r];
    bounds[r] = bound > -kInfinity ? Down(bound) : -kInfinity;  // NaN too
  }
}

// Puts the box of a node in.
void Propagation::Concretize(int n, const Coefficients& coefficients, Block* block) const {
  const Box& own = box(n);
  const double magnitude = magnitudes_[static_cast<size_t>(n)];
  for (size_t i = 0; i < own.size(); ++i) {
    const double* c = &coefficients[i * kBlock];
    for (size_t r = 0; r < kBlock; ++r) {
      if (c[r] == 0) continue;
      block->constant[r] += c[r] * (c[r] > 0 ? own.lower[i] : own.upper[i]);
      block->moved[r] += std::abs(c[r]) * magnitude;
    }
  }
  block->EndStep(own.size());
}

void Propagation::StepConv(const Conv& conv, int input, const Coefficients& from, Coefficients* to,
                           Block* block) const {
  const Axis& v = conv.vertical;
  const Axis& h = conv.horizontal;
  const int group_in = conv.in_channels / conv.groups;
  const int group_out = conv.out_channels / conv.groups;
  const double magnitude = magnitudes_[static_cast<size_t>(input)];
  const auto taps = static_cast<size_t>(conv.Taps());
  const double* c = from.data();
  for (int o = 0; o < conv.out_channels; ++o) {
    const auto channel = static_cast<size_t>(o);
    const double* const weight = &conv.weight[channel * taps];
    const double bias = conv.bias[channel];
    const double moved = conv.weight_magnitude[channel] * magnitude + std::abs(bias);
    for (int row = 0; row < v.out; ++row) {
      for (int column = 0; column < h.out; ++column, c += kBlock) {
        if (AllZero(c)) continue;
        block->Add(c, bias, moved);
        // A copy, which the compiler knows not to change under it.
        Lanes lanes;
        std::copy(c, c + kBlock, lanes.begin());
        for (int k = 0; k < group_in; ++k) {
          const int plane = (o / group_out * group_in + k) * v.in;
          for (int i = 0; i < v.taps; ++i) {
            const int y = row * v.stride + v.Offset(i);
            if (y < 0 || y >= v.in) continue;
            const double* const w = &weight[static_cast<size_t>((k * v.taps + i) * h.taps)];
            for (int j = 0; j < h.taps; ++j) {
              const int x = column * h.stride + h.Offset(j);
              if (x < 0 || x >= h.in) continue;
              double* const out = &(*to)[static_cast<size_t>((plane + y) * h.in + x) * kBlock];
              for (size_t r = 0; r < kBlock; ++r) out[r] += lanes[r] * w[j];
            }
          }
        }
      }
    }
  }
  // An input is in at most this many windows; the constant sums over all outputs.
  block->EndStep(std::max(static_cast<size_t>(group_out * v.taps * h.taps), from.size() / kBlock));
}

// Nodes each output of which is bounded by a line in one input.
void Propagation::StepElements(int n, const Coefficients& from, Coefficients* to,
                               Block* block) const {
  const Node& node = network_.node(n);
  const Box& in = box(node.inputs[0]);
  const auto magnitude = [&](size_t i) {
    return std::max(std::abs(in.lower[i]), std::abs(in.upper[i]));
  };
  const auto* scale = std::get_if<Scale>(&node.op);
  const auto* gather = std::get_if<Gather>(&node.op);
  const std::vector<Lines>& lines = lines_[static_cast<size_t>(n)];
  const std::vector<PoolLines>& pools = pools_[static_cast<size_t>(n)];
  for (size_t i = 0; i < node.size; ++i) {
    const double* const c = &from[i * kBlock];
    if (AllZero(c)) continue;
    if (scale != nullptr) {
      const double a = scale->scale[i], shift = scale->shift[i];
      for (size_t r = 0; r < kBlock; ++r) (*to)[i * kBlock + r] = c[r] * a;
      block->Add(c, shift, std::abs(a) * magnitude(i) + std::abs(shift));
    } else if (gather != nullptr) {
      if (gather->index[i] < 0) continue;
      const auto j = static_cast<size_t>(gather->index[i]);
      for (size_t r = 0; r < kBlock; ++r) (*to)[j * kBlock + r] += c[r];
      block->Add(c, 0, magnitude(j));
    } else {
      // A row takes the lower line where its coefficient is positive, else the upper one.
      for (size_t r = 0; r < kBlock; ++r) {
        if (c[r] == 0) continue;
        Lines::Line line;
        size_t j = i;
        if (!lines.empty()) {
          line = c[r] > 0 ? lines[i].lower : lines[i].upper;
        } else {
          const int chosen = c[r] > 0 ? pools[i].lower : pools[i].upper;
          line = chosen < 0 ? Lines::Line{0, pools[i].most} : Lines::Line{1, 0};
          j = static_cast<size_t>(std::max(chosen, 0));
        }
        (*to)[j * kBlock + r] += c[r] * line.slope;
        block->constant[r] += c[r] * line.intercept;
        block->moved[r] +=
            std::abs(c[r]) * (std::abs(line.slope) * magnitude(j) + std::abs(line.intercept));
      }
    }
  }
  block->EndStep(node.size);
}

}  // namespace assay::engine::bounds
