// AutoAttack (Croce and Hein, ICML 2020): the attacks of its version, one after the other on what
// is still robust; the pointwise worst case. Samples are independent of each other, so each goes
// through the parts by itself.
#include <utility>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

struct Part {
  std::string name;
  std::unique_ptr<Attack> attack;
};

class SequenceState final : public AttackState {
 public:
  SequenceState(const std::vector<Part>& parts, const AttackTarget& target, const RandomKey& random)
      : parts_(parts), target_(target), random_(random) {
    Begin();
    SkipFinished();
  }
  Need need() const override { return state_ == nullptr ? Need::kDone : state_->need(); }
  const std::vector<float>& point() const override { return state_->point(); }
  const char* stage() const override {
    return part_ < parts_.size() ? parts_[part_].name.c_str() : "";
  }
  bool counts() const override { return state_->counts(); }
  void LogitGradient(const float* logits, float* derivative) const override {
    state_->LogitGradient(logits, derivative);
  }
  void Step(const float* logits, const float* gradient) override {
    state_->Step(logits, gradient);
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
    if (part_ == parts_.size()) return;
    AttackTarget target = target_;
    target.stream = static_cast<uint32_t>(part_) << 16;
    state_ = parts_[part_].attack->Start(target, random_);
  }

  const std::vector<Part>& parts_;
  const AttackTarget target_;
  const RandomKey& random_;
  size_t part_ = 0;
  std::unique_ptr<AttackState> state_;
};

class Sequence final : public Attack {
 public:
  explicit Sequence(std::vector<Part> parts) : parts_(std::move(parts)) {}
  Norm norm() const override { return parts_[0].attack->norm(); }
  double eps() const override { return parts_[0].attack->eps(); }
  bool leaves_budget() const override {
    for (const Part& part : parts_) {
      if (part.attack->leaves_budget()) return true;
    }
    return false;
  }
  std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                     const RandomKey& random) const override {
    return std::make_unique<SequenceState>(parts_, target, random);
  }
  double work() const override {
    double sum = 0;
    for (const Part& part : parts_) sum += part.attack->work();
    return sum;
  }

 private:
  const std::vector<Part> parts_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeSequence(const std::vector<v1::Condition>& parts,
                                                     const Shape& shape) {
  std::vector<Part> made;
  for (const v1::Condition& part : parts) {
    ASSAY_ASSIGN_OR_RETURN(auto attack, MakeAttack(part, shape));
    made.push_back({part.method(), std::move(attack)});
  }
  return std::unique_ptr<Attack>(std::make_unique<Sequence>(std::move(made)));
}

absl::StatusOr<std::unique_ptr<Attack>> MakeAutoAttack(Params& params, const Shape& shape) {
  v1::Condition condition;
  for (const char* name : {"norm", "eps", "version", "parts"}) {
    (*condition.mutable_parameters())[name] = params.Text(name);
  }
  ASSAY_RETURN_IF_ERROR(params.status());
  const std::vector<v1::Condition> stages = AutoAttackStages(condition);
  if (stages.empty()) return Error(Reason::kInvalidCondition, "autoattack without parts");
  return MakeSequence(stages, shape);
}

}  // namespace assay::engine
