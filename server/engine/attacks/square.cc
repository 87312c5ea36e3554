// Square attack (Andriushchenko et al., "Square attack: a query-efficient black-box adversarial
// attack via random search", ECCV 2020), for Linf and L2: random search over square windows whose
// side shrinks with the queries. Sees logits only. Windows are drawn for each sample by itself.
#include <algorithm>
#include <cmath>
#include <utility>

#include "common/errors.h"
#include "common/params.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

struct SquareParameters {
  Norm norm = Norm::kLinf;
  double eps = 0;
  int64_t queries = 0;
  double p_init = 0;
  Shape shape;
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

// The L2 pattern: two stacked pyramids of opposite sign, each a sum of 1/(k+1)^2 over growing
// centred rectangles, of L2 norm 1.
std::vector<double> Pyramids(int side, bool transposed) {
  const auto s = static_cast<size_t>(side);
  std::vector<double> eta(s * s);
  const auto pyramid = [&](int first_row, int rows, double sign) {
    int top = rows / 2, bottom = rows / 2 + 1, left = side / 2, right = side / 2 + 1;
    for (int k = 0; k < std::max(rows / 2 + 1, side / 2 + 1); ++k) {
      for (int r = std::max(top, 0); r < std::min(bottom, rows); ++r) {
        for (int c = std::max(left, 0); c < std::min(right, side); ++c) {
          const auto row = static_cast<size_t>(first_row + r), column = static_cast<size_t>(c);
          eta[transposed ? column * s + row : row * s + column] += sign / ((k + 1.0) * (k + 1.0));
        }
      }
      --top, --left, ++bottom, ++right;
    }
  };
  pyramid(0, side / 2, 1);
  pyramid(side / 2, side - side / 2, -1);
  double squared = 0;
  for (const double value : eta) squared += value * value;
  for (double& value : eta) value /= std::sqrt(squared);
  return eta;
}

class SquareState final : public AttackState {
 public:
  SquareState(const SquareParameters& parameters, const AttackTarget& target,
              const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random, target.index, target.stream),
        budget_(parameters.norm, parameters.eps, target.image, target.size),
        channels_(parameters.shape.channels),
        height_(parameters.shape.height),
        width_(parameters.shape.width) {
    x_.assign(target.image, target.image + target.size);
    if (parameters.norm == Norm::kLinf) {
      StartStripes();
    } else {
      StartTiles();
    }
    budget_.Project(&x_);
  }

  Need need() const override {
    return query_ <= parameters_.queries ? Need::kForward : Need::kDone;
  }
  const std::vector<float>& point() const override { return x_; }
  void LogitGradient(const float* /*logits*/, float* /*derivative*/) const override {}

  void Step(const float* logits, const float* /*gradient*/) override {
    const double margin = Margin(logits, target_.num_classes, target_.label);
    if (query_ == 0 || margin < best_margin_) {
      best_margin_ = margin;
      best_ = x_;
    } else {
      x_ = best_;
    }
    const double share = WindowShare(parameters_.p_init, query_);
    ++query_;
    if (query_ > parameters_.queries) return;
    if (parameters_.norm == Norm::kLinf) {
      ProposeLinf(share);
    } else {
      ProposeL2(share);
    }
  }

 private:
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
  }

  void ProposeLinf(double share) {
    const int side =
        std::clamp(static_cast<int>(std::nearbyint(std::sqrt(share * height_ * width_))), 1,
                   std::min(height_, width_));
    const int row = Position(height_ - side), column = Position(width_ - side);
    for (int c = 0; c < channels_; ++c) {
      const auto change = static_cast<float>(2 * parameters_.eps * Sign());
      for (int r = row; r < row + side; ++r) {
        for (int k = column; k < column + side; ++k) x_[At(c, r, k)] += change;
      }
    }
    budget_.Project(&x_);
  }

  // L2: the image tiled with pyramids of random sign, brought to the budget.
  void StartTiles() {
    const int side = std::max(1, std::min(height_, width_) / 5);
    const std::vector<double> eta = Pyramids(side, (random_.Bits() & 1U) != 0);
    std::vector<double> delta(target_.size);
    for (int c = 0; c < channels_; ++c) {
      for (int row = (height_ % side) / 2; row + side <= height_; row += side) {
        for (int column = (width_ % side) / 2; column + side <= width_; column += side) {
          const double sign = Sign();
          for (int r = 0; r < side; ++r) {
            for (int k = 0; k < side; ++k) {
              delta[At(c, row + r, column + k)] += sign * eta[static_cast<size_t>(r * side + k)];
            }
          }
        }
      }
    }
    Apply(delta);
  }

  void ProposeL2(double share) {
    int side = std::max(static_cast<int>(std::nearbyint(std::sqrt(share * height_ * width_))), 3);
    if (side % 2 == 0) ++side;
    const int limit = std::min(height_, width_);
    side = std::min(side, limit % 2 == 0 ? limit - 1 : limit);
    side = std::max(side, 1);
    const int row1 = Position(height_ - side), column1 = Position(width_ - side);
    const int row2 = Position(height_ - side), column2 = Position(width_ - side);
    const std::vector<double> eta = Pyramids(side, (random_.Bits() & 1U) != 0);
    std::vector<double> delta(target_.size);
    double total = 0;
    for (size_t i = 0; i < delta.size(); ++i) {
      delta[i] = static_cast<double>(x_[i]) - target_.image[i];
      total += delta[i] * delta[i];
    }
    const double spare = std::max(parameters_.eps * parameters_.eps - total, 0.0) / channels_;
    for (int c = 0; c < channels_; ++c) {
      // Mass of this channel in the two windows, and of the first alone.
      double first = 0, both = 0;
      std::vector<double> content(eta.size());
      for (int r = 0; r < side; ++r) {
        for (int k = 0; k < side; ++k) {
          const double value = delta[At(c, row1 + r, column1 + k)];
          content[static_cast<size_t>(r * side + k)] = value;
          first += value * value;
        }
      }
      both = first;
      for (int r = row2; r < row2 + side; ++r) {
        for (int k = column2; k < column2 + side; ++k) {
          const bool shared = r >= row1 && r < row1 + side && k >= column1 && k < column1 + side;
          const double value = delta[At(c, r, k)];
          if (!shared) both += value * value;
        }
      }
      const double sign = Sign();
      double norm = 0;
      for (size_t i = 0; i < content.size(); ++i) {
        content[i] = sign * eta[i] + content[i] / (std::sqrt(first) + 1e-12);
        norm += content[i] * content[i];
      }
      const double scale = std::sqrt(spare + both) / (std::sqrt(norm) + 1e-12);
      for (int r = row2; r < row2 + side; ++r) {
        for (int k = column2; k < column2 + side; ++k) delta[At(c, r, k)] = 0;
      }
      for (int r = 0; r < side; ++r) {
        for (int k = 0; k < side; ++k) {
          delta[At(c, row1 + r, column1 + k)] = content[static_cast<size_t>(r * side + k)] * scale;
        }
      }
    }
    Apply(delta);
    budget_.Project(&x_);
  }

  // x := image + delta, brought to norm eps.
  void Apply(const std::vector<double>& delta) {
    double squared = 0;
    for (const double value : delta) squared += value * value;
    const double scale = parameters_.eps / (std::sqrt(squared) + 1e-12);
    for (size_t i = 0; i < delta.size(); ++i) {
      x_[i] = static_cast<float>(target_.image[i] + delta[i] * scale);
    }
  }

  const SquareParameters& parameters_;
  const AttackTarget target_;
  RandomStream random_;
  const Budget budget_;
  const int channels_, height_, width_;
  std::vector<float> x_, best_;
  double best_margin_ = 0;
  int64_t query_ = 0;
};

class Square final : public Attack {
 public:
  explicit Square(const SquareParameters& parameters) : parameters_(parameters) {}
  Norm norm() const override { return parameters_.norm; }
  double eps() const override { return parameters_.eps; }
  std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                     const RandomKey& random) const override {
    return std::make_unique<SquareState>(parameters_, target, random);
  }
  double work() const override { return static_cast<double>(parameters_.queries + 1); }

 private:
  const SquareParameters parameters_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeSquare(Params& params, const Shape& shape) {
  SquareParameters parameters;
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = params.Number("eps");
  parameters.queries = params.Integer("queries");
  parameters.p_init = params.Number("p_init");
  parameters.shape = shape;
  ASSAY_RETURN_IF_ERROR(params.status());
  return std::unique_ptr<Attack>(std::make_unique<Square>(parameters));
}

}  // namespace assay::engine
