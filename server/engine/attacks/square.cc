// Square attack (Andriushchenko et al., "Square attack: a query-efficient black-box adversarial
// attack via random search", ECCV 2020; for L1, Croce and Hein, "Mind the box: l1-APGD for sparse
// adversarial attacks on image classifiers", ICML 2021): random search over square windows whose
// side shrinks with the queries. Sees logits only. Windows are drawn for each sample by itself.
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/losses.h"

namespace assay::engine {
namespace {

struct SquareParameters : AttackParameters {
  int64_t queries = 0;
  double p_init = 0;
};

// Share of the pixels in a window, by the published schedule on the raw query number.
double WindowShare(double p_init, int64_t query) {
  constexpr std::pair<int64_t, double> kSchedule[] = {{10, 1},    {50, 2},     {200, 4},
                                                      {500, 8},   {1000, 16},  {2000, 32},
                                                      {4000, 64}, {6000, 128}, {8000, 256}};
  for (const auto& [last, divisor] : kSchedule) {
    if (query <= last) return p_init / divisor;
  }
  return p_init / 512;
}

// The pattern of L2 and L1: two stacked pyramids of opposite sign, each a sum over growing centred
// rectangles of 1/(k+1)^2 (L1: to the fourth power), of norm 1. Row by row.
std::vector<float> Pyramids(Norm norm, int side) {
  const auto s = static_cast<size_t>(side);
  std::vector<double> eta(s * s);
  const auto pyramid = [&](int first_row, int rows, double sign) {
    int top = rows / 2, bottom = rows / 2 + 1, left = side / 2, right = side / 2 + 1;
    for (int k = 0; k < std::max(rows / 2 + 1, side / 2 + 1); ++k) {
      const double weight = sign / std::pow(k + 1.0, norm == Norm::kL1 ? 4 : 2);
      for (int r = std::max(top, 0); r < std::min(bottom, rows); ++r) {
        for (int c = std::max(left, 0); c < std::min(right, side); ++c) {
          eta[static_cast<size_t>(first_row + r) * s + static_cast<size_t>(c)] += weight;
        }
      }
      --top, --left, ++bottom, ++right;
    }
  };
  pyramid(0, side / 2, 1);
  pyramid(side / 2, side - side / 2, -1);
  std::vector<float> pattern(eta.begin(), eta.end());
  const double length = Length(norm, pattern.data(), pattern.size());
  for (float& value : pattern) value = static_cast<float>(value / length);
  return pattern;
}

class SquareState final : public AttackState {
 public:
  using Parameters = SquareParameters;

  SquareState(const SquareParameters& parameters, const AttackTarget& target,
              const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random, target.index, target.stream),
        budget_(parameters.norm, parameters.eps, target.image, target.size),
        channels_(target.shape.channels),
        height_(target.shape.height),
        width_(target.shape.width) {
    x_.assign(target.image, target.image + target.size);
    if (parameters.norm == Norm::kLinf) {
      StartStripes();
    } else {
      StartTiles();
    }
  }

  Need need() const override {
    return query_ <= parameters_.queries ? Need::kForward : Need::kDone;
  }
  const std::vector<float>& point() const override { return x_; }

  void Step(const float* logits, const float* /*gradient*/) override {
    const double margin = Margin(logits, target_.num_classes, target_.label);
    if (query_ == 0 || margin < best_margin_) {
      best_margin_ = margin;
      best_ = x_;
    } else {
      x_ = best_;
    }
    // The best point again would bring nothing.
    while (!Propose() && target_.deterministic) {
    }
  }

 private:
  // Makes the point of the next query, if there is one. False: it is the best point.
  bool Propose() {
    const double share = WindowShare(parameters_.p_init, query_);
    ++query_;
    if (query_ > parameters_.queries) return true;
    if (parameters_.norm == Norm::kLinf) return ProposeLinf(share);
    ProposePyramids(share);
    return true;
  }

  size_t At(int c, int r, int column) const {
    return (static_cast<size_t>(c) * static_cast<size_t>(height_) + static_cast<size_t>(r)) *
               static_cast<size_t>(width_) +
           static_cast<size_t>(column);
  }
  double Sign() { return (random_.Bits() & 1U) != 0 ? 1 : -1; }
  // Uniform in [0, range); the published code never uses the last position, and a full window
  // starts at 0.
  int Position(int range) {
    return range <= 0 ? 0 : static_cast<int>(random_.Below(static_cast<uint32_t>(range)));
  }

  // Linf: vertical stripes, constant down a column.
  void StartStripes() {
    for (int c = 0; c < channels_; ++c) {
      for (int column = 0; column < width_; ++column) {
        const auto change = static_cast<float>(parameters_.eps * Sign());
        for (int r = 0; r < height_; ++r) x_[At(c, r, column)] += change;
      }
    }
    budget_.Project(&x_);
  }

  // Whether that changes the point.
  bool ProposeLinf(double share) {
    const int side =
        std::clamp(static_cast<int>(std::nearbyint(std::sqrt(share * height_ * width_))), 1,
                   std::min(height_, width_));
    const int row = Position(height_ - side), column = Position(width_ - side);
    bool changed = false;
    for (int c = 0; c < channels_; ++c) {
      const auto change = static_cast<float>(2 * parameters_.eps * Sign());
      for (int r = row; r < row + side; ++r) {
        for (int k = column; k < column + side; ++k) {
          float& value = x_[At(c, r, k)];
          const float moved = budget_.Nearest(At(c, r, k), value + change);
          changed |= moved != value;
          value = moved;
        }
      }
    }
    return changed;
  }

  // The pattern of the given side, turned or not by a coin.
  void DrawPattern(int side) {
    if (pattern_side_ != side) {
      upright_ = Pyramids(parameters_.norm, side);
      turned_.resize(upright_.size());
      const auto s = static_cast<size_t>(side);
      for (size_t i = 0; i < s * s; ++i) turned_[i % s * s + i / s] = upright_[i];
      pattern_side_ = side;
    }
    pattern_ = (random_.Bits() & 1U) != 0 ? turned_.data() : upright_.data();
  }

  // L2 and L1: the image tiled with pyramids of random sign, brought to the budget.
  void StartTiles() {
    const int side = std::max(1, std::min(height_, width_) / 5);
    DrawPattern(side);
    delta_.assign(target_.size, 0.0F);
    for (int c = 0; c < channels_; ++c) {
      for (int row = (height_ % side) / 2; row + side <= height_; row += side) {
        for (int column = (width_ % side) / 2; column + side <= width_; column += side) {
          const auto sign = static_cast<float>(Sign());
          const float* eta = pattern_;
          for (int r = row; r < row + side; ++r) {
            for (int k = column; k < column + side; ++k) delta_[At(c, r, k)] = sign * *eta++;
          }
        }
      }
    }
    ApplyAtFullLength();
  }

  // The norm of what is added up by Mass, and what it adds up.
  bool l1() const { return parameters_.norm == Norm::kL1; }
  double Mass(double value) const { return l1() ? std::abs(value) : value * value; }
  double Root(double mass) const { return l1() ? mass : std::sqrt(mass); }

  // L2 and L1: the perturbation in one window moves to another, whose pattern it joins, together
  // with what the budget has left.
  void ProposePyramids(double share) {
    int side = std::max(static_cast<int>(std::nearbyint(std::sqrt(share * height_ * width_))), 3);
    if (side % 2 == 0) ++side;
    const int limit = std::min(height_, width_);
    side = std::min(side, limit % 2 == 0 ? limit - 1 : limit);
    side = std::max(side, 1);
    const int row1 = Position(height_ - side), column1 = Position(width_ - side);
    const int row2 = Position(height_ - side), column2 = Position(width_ - side);
    DrawPattern(side);
    for (size_t i = 0; i < delta_.size(); ++i) delta_[i] = x_[i] - target_.image[i];
    const double total =
        l1() ? AbsoluteSum(delta_.data(), delta_.size()) : SquaredSum(delta_.data(), delta_.size());
    const double spare = std::max(Mass(parameters_.eps) - total, 0.0) / channels_;
    content_.resize(static_cast<size_t>(side) * static_cast<size_t>(side));
    for (int c = 0; c < channels_; ++c) {
      // Mass of this channel in the first window, and in both.
      double first = 0;
      auto old = content_.begin();
      for (int r = row1; r < row1 + side; ++r) {
        for (int k = column1; k < column1 + side; ++k) {
          *old = delta_[At(c, r, k)];
          first += Mass(*old++);
        }
      }
      double both = first;
      for (int r = row2; r < row2 + side; ++r) {
        for (int k = column2; k < column2 + side; ++k) {
          const bool shared = r >= row1 && r < row1 + side && k >= column1 && k < column1 + side;
          float& value = delta_[At(c, r, k)];
          if (!shared) both += Mass(value);
          value = 0;
        }
      }
      const double sign = Sign();
      double mass = 0;
      for (size_t i = 0; i < content_.size(); ++i) {
        content_[i] = sign * pattern_[i] + content_[i] / (Root(first) + 1e-12);
        mass += Mass(content_[i]);
      }
      const double length = l1() ? (spare + both) * channels_ : std::sqrt(spare + both);
      const double scale = length / (Root(mass) + 1e-12);
      auto next = content_.begin();
      for (int r = row1; r < row1 + side; ++r) {
        for (int k = column1; k < column1 + side; ++k) {
          delta_[At(c, r, k)] = static_cast<float>(*next++ * scale);
        }
      }
    }
    if (l1()) {
      Apply(1);
    } else {
      ApplyAtFullLength();
    }
  }

  // x := P(image + scale * delta).
  void Apply(float scale) {
    for (size_t i = 0; i < delta_.size(); ++i) x_[i] = target_.image[i] + scale * delta_[i];
    budget_.Project(&x_);
  }
  void ApplyAtFullLength() {
    const double length = Length(parameters_.norm, delta_.data(), delta_.size());
    Apply(static_cast<float>(parameters_.eps / (length + 1e-12)));
  }

  const SquareParameters& parameters_;
  const AttackTarget target_;
  RandomStream random_;
  const Budget budget_;
  const int channels_, height_, width_;
  std::vector<float> x_, best_;
  // Of L2 and L1: the pattern of this side, both ways, and the way it was drawn.
  int pattern_side_ = 0;
  std::vector<float> upright_, turned_;
  const float* pattern_ = nullptr;
  std::vector<float> delta_;
  std::vector<double> content_;
  double best_margin_ = 0;
  int64_t query_ = 0;
};

}  // namespace

NewAttack MakeSquare(Params& params) {
  SquareParameters parameters;
  ReadBudget(params, parameters);
  parameters.queries = params.Integer("queries");
  parameters.p_init = params.Number("p_init");
  return std::make_unique<AttackOf<SquareState>>(parameters);
}

}  // namespace assay::engine
