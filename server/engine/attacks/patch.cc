// Adversarial patch, one for each sample (Brown et al., "Adversarial patch", 2017; placed as in
// Karmon, Zoran and Goldberg, "LaVAN: localized and visible adversarial noise", ICML 2018): a
// square whose pixels may take any value and outside of which nothing changes. The budget is a
// number of pixel positions.
//
// A restart draws places, fills each with the content that is best to first order around the image,
// takes the place with the smallest margin, and climbs the cross-entropy there by steps of the
// gradient's sign. What is known of a place, or of a climb that has come into a cycle, is not asked
// of a deterministic model again.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/pixels.h"
#include "server/engine/attacks/visited_points.h"

namespace assay::engine {
namespace {

struct PatchParameters : AttackParameters {
  int side = 0;
  double step = 0;
  int64_t steps = 0;
  int64_t places = 0;
  int64_t restarts = 0;
};

class PatchState final : public AttackState {
 public:
  using Parameters = PatchParameters;

  PatchState(const PatchParameters& parameters, const AttackTarget& target, const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random, target.index, target.stream),
        visited_(target.deterministic),
        point_(target.image, target.image + target.size) {}

  Need need() const override {
    switch (phase_) {
      case Phase::kImage:
        return Need::kGradient;
      case Phase::kPlaces:
        return Need::kForward;
      case Phase::kClimb:
        // The last iterate needs no gradient.
        return step_ < parameters_.steps ? Need::kGradient : Need::kForward;
      case Phase::kDone:
        return Need::kDone;
    }
    return Need::kDone;
  }
  const std::vector<float>& point() const override { return point_; }
  void LogitGradient(const float* logits, float* derivative) const override {
    CrossEntropy(logits, target_.num_classes, target_.label, derivative);
  }

  void Step(const float* logits, const float* gradient) override {
    repetition_ = {};
    switch (phase_) {
      case Phase::kImage:
        first_order_.assign(gradient, gradient + target_.size);
        StartPlaces();
        return;
      case Phase::kPlaces: {
        const double margin = Margin(logits, target_.num_classes, target_.label);
        if (target_.deterministic) margins_[place_] = margin;
        Judge(margin);
        TryMore();
        return;
      }
      case Phase::kClimb:
        if (step_ == parameters_.steps) {
          ++restart_;
          StartPlaces();
          return;
        }
        ForEachValue([&, length = static_cast<float>(parameters_.step)](size_t i) {
          point_[i] = Clip(point_[i] + length * Sign(gradient[i]));
        });
        ++step_;
        // What was misclassified and not confirmed is counted each time.
        if (Margin(logits, target_.num_classes, target_.label) <= 0) visited_.Clear();
        repetition_ = visited_.Step(gradient, point_, parameters_.steps - step_);
        step_ += static_cast<int64_t>(repetition_.passes) * repetition_.times;
        return;
      case Phase::kDone:
        return;
    }
  }

  Repetition repetition() const override { return repetition_; }

 private:
  enum class Phase { kImage, kPlaces, kClimb, kDone };
  using Place = std::pair<int, int>;  // row and column

  void StartPlaces() {
    if (restart_ == parameters_.restarts) {
      phase_ = Phase::kDone;
      return;
    }
    phase_ = Phase::kPlaces;
    tried_ = 0;
    TryMore();
  }

  // Goes on to the next place whose margin is not known, or else to the climb.
  void TryMore() {
    while (tried_ < parameters_.places) {
      Draw();
      const auto known = margins_.find(place_);
      if (known == margins_.end()) {
        Fill();
        return;
      }
      Judge(known->second);
    }
    place_ = best_;
    // The climb from there would be the same again.
    if (target_.deterministic && !climbed_.insert(place_).second) {
      ++restart_;
      StartPlaces();
      return;
    }
    Fill();
    step_ = 0;
    visited_.Start(point_);
    phase_ = Phase::kClimb;
  }

  void Judge(double margin) {
    if (tried_ == 0 || margin < best_margin_) {
      best_margin_ = margin;
      best_ = place_;
    }
    ++tried_;
  }

  void Draw() {
    const auto positions = [&](int side) {
      return static_cast<uint32_t>(side - parameters_.side + 1);
    };
    place_.first = static_cast<int>(random_.Below(positions(target_.shape.height)));
    place_.second = static_cast<int>(random_.Below(positions(target_.shape.width)));
  }

  // The image with every pixel of the patch at the end of its range to which the gradient points.
  void Fill() {
    std::copy(target_.image, target_.image + target_.size, point_.begin());
    ForEachValue([&](size_t i) {
      if (first_order_[i] != 0.0F) point_[i] = first_order_[i] > 0.0F ? 1.0F : 0.0F;
    });
  }

  // Calls visit(i) for the pixel values of the patch.
  template <typename Visit>
  void ForEachValue(const Visit& visit) const {
    const int height = target_.shape.height, width = target_.shape.width;
    for (int c = 0; c < target_.shape.channels; ++c) {
      for (int r = place_.first; r < place_.first + parameters_.side; ++r) {
        for (int k = place_.second; k < place_.second + parameters_.side; ++k) {
          visit(static_cast<size_t>((c * height + r) * width + k));
        }
      }
    }
  }

  const PatchParameters& parameters_;
  const AttackTarget target_;
  RandomStream random_;
  VisitedPoints visited_;
  Repetition repetition_;
  Phase phase_ = Phase::kImage;
  std::vector<float> point_, first_order_;
  Place place_, best_;
  double best_margin_ = 0;
  std::map<Place, double> margins_;
  std::set<Place> climbed_;
  int64_t tried_ = 0, step_ = 0, restart_ = 0;
};

class Patch final : public AttackOf<PatchState> {
 public:
  using AttackOf::AttackOf;
  // Pixel positions that differ.
  double Measure(const float* point, const AttackTarget& target) const override {
    const size_t plane = target.size / static_cast<size_t>(target.shape.channels);
    double changed = 0;
    for (size_t position = 0; position < plane; ++position) {
      bool differs = false;
      for (size_t i = position; i < target.size; i += plane) differs |= point[i] != target.image[i];
      changed += differs ? 1 : 0;
    }
    return changed;
  }
  absl::Status CheckModel(const Shape& shape, int /*num_classes*/) const override {
    if (parameters().side <= std::min(shape.height, shape.width)) return absl::OkStatus();
    return Error(Reason::kInvalidCondition,
                 absl::StrCat("a patch with sides of ", parameters().side,
                              " pixels does not fit into images of ", shape.height, " x ",
                              shape.width, "; use a smaller size"));
  }
};

}  // namespace

NewAttack MakePatch(Params& params) {
  PatchParameters parameters;
  parameters.norm = Norm::kNone;
  parameters.side = static_cast<int>(params.Integer("size"));
  // Pixel positions.
  parameters.eps = static_cast<double>(parameters.side) * parameters.side;
  parameters.step = params.Number("step");
  parameters.steps = params.Integer("steps");
  parameters.places = params.Integer("places");
  parameters.restarts = params.Integer("restarts");
  return std::make_unique<Patch>(parameters);
}

}  // namespace assay::engine
