#include "server/engine/attacks/sequence.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "core/base/errors.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

struct Part {
  std::string name;
  std::unique_ptr<Attack> attack;
};

class SequenceState final : public AttackState {
 public:
  struct Parameters : AttackParameters {
    std::vector<Part> parts;
  };

  SequenceState(const Parameters& parameters, const AttackTarget& target, const RandomKey& random)
      : parts_(parameters.parts), target_(target), random_(random) {
    Begin();
    SkipFinished();
  }
  Need need() const override { return state_ == nullptr ? Need::kDone : state_->need(); }
  const std::vector<float>& point() const override { return state_->point(); }
  const char* stage() const override {
    return part_ < parts_.size() ? parts_[part_].name.c_str() : "";
  }
  bool counts() const override { return state_->counts(); }
  Repetition repetition() const override { return repetition_; }
  void LogitGradient(const float* logits, float* derivative) const override {
    state_->LogitGradient(logits, derivative);
  }
  void Step(const float* logits, const float* gradient) override {
    state_->Step(logits, gradient);
    repetition_ = state_->repetition();
    SkipFinished();
  }

 private:
  void SkipFinished() {
    while (state_ != nullptr && state_->need() == Need::kDone) {
      ++part_;
      Begin();
    }
  }

  void Begin() {
    state_.reset();
    while (part_ < parts_.size() && target_.deterministic && Repeated()) ++part_;
    if (part_ == parts_.size()) return;
    AttackTarget target = target_;
    target.stream = static_cast<uint32_t>(part_) << 16;
    state_ = parts_[part_].attack->Start(target, random_);
  }

  // Whether a part before this one did all that it would do.
  bool Repeated() const {
    return std::any_of(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(part_),
                       [&](const Part& earlier) {
                         return parts_[part_].attack->Repeats(*earlier.attack, target_.num_classes);
                       });
  }

  const std::vector<Part>& parts_;
  const AttackTarget target_;
  const RandomKey& random_;
  size_t part_ = 0;
  std::unique_ptr<AttackState> state_;
  Repetition repetition_;
};

}  // namespace

NewAttack MakeSequence(const std::vector<v1::Condition>& parts) {
  SequenceState::Parameters parameters;
  for (const v1::Condition& part : parts) {
    ASSAY_ASSIGN_OR_RETURN(auto attack, MakeAttack(part));
    parameters.norm = attack->parameters().norm;
    parameters.eps = attack->parameters().eps;
    parameters.leaves_budget |= attack->parameters().leaves_budget;
    parameters.parts.push_back({part.method(), std::move(attack)});
  }
  return std::make_unique<AttackOf<SequenceState>>(std::move(parameters));
}

}  // namespace assay::engine
