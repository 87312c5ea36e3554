// Candidates of a minimum-norm attack, and their confirmation.
//
// A misclassified point of a gradient pass can be right in a plain one, as the two can differ in
// the last bits; that matters close to the boundary, where such attacks end. So the nearest points
// are kept, and shown once more when the method is done, until one is confirmed.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_NEAREST_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_NEAREST_H_

#include <memory>
#include <utility>
#include <vector>

#include "server/engine/attacks/attack.h"

namespace assay::engine {

// A state of a minimum-norm attack, after which its candidates are confirmed. No point of the
// method's counts, only one that confirms does.
class NearestState final : public AttackState {
 public:
  // `attack` must outlive the state.
  NearestState(const Attack& attack, const AttackTarget& target,
               std::unique_ptr<AttackState> method)
      : attack_(attack), target_(target), method_(std::move(method)) {}

  Need need() const override;
  const std::vector<float>& point() const override;
  bool counts() const override { return confirms(); }
  bool confirms() const override { return method_->need() == Need::kDone; }
  const char* stage() const override { return method_->stage(); }
  void LogitGradient(const float* logits, float* derivative) const override;
  void Step(const float* logits, const float* gradient) override;

 private:
  struct Candidate {
    std::vector<float> point;
    double distance = 0;
    bool verified = false;  // by a plain forward pass
  };

  // Remembers the method's point if it is among the nearest.
  void Consider(bool verified);

  const Attack& attack_;
  const AttackTarget target_;
  const std::unique_ptr<AttackState> method_;
  std::vector<Candidate> candidates_;  // nearest first
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_NEAREST_H_
