// Several models as one: the mean of their logits. For attacks that transfer from several
// surrogates, and for smoothed ensembles.
#ifndef ASSAY_SERVER_ENGINE_BASE_ENSEMBLE_H_
#define ASSAY_SERVER_ENGINE_BASE_ENSEMBLE_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

// Whether two models can share batches: kInvalidCondition, with both described, when they differ in
// image shape, number of classes or batch size. `what`: the second one's name in the error.
absl::Status CheckSameInterface(const Classifier& first, const Classifier& second,
                                absl::string_view what);

// logits = mean of the members' logits, summed in double precision in the members' order. The
// gradient of a scalar of the mean is the sum of the members' gradients, each given 1/M of the
// scalar's derivative. A pass costs one pass of every member, which is what usage() counts, and a
// gradient pass holds all members' intermediate results at once.
class EnsembleClassifier final : public Classifier {
 public:
  // The members are not owned and must outlive the ensemble. kInvalidCondition: no member, one that
  // appears twice, or members that differ in image shape, number of classes or batch size.
  static absl::StatusOr<std::unique_ptr<EnsembleClassifier>> Create(
      std::vector<Classifier*> members);

  Shape shape() const override { return members_[0]->shape(); }
  int num_classes() const override { return members_[0]->num_classes(); }
  int batch_size() const override { return members_[0]->batch_size(); }
  int threads() const override { return members_[0]->threads(); }

  absl::Status Forward(const float* images, float* logits) override;
  absl::Status ForwardBackward(const float* images, const LogitGradient& logit_gradient,
                               float* logits, float* gradient) override;

  Usage usage() const override { return usage_; }

 private:
  explicit EnsembleClassifier(std::vector<Classifier*> members) : members_(std::move(members)) {}

  // The gradient pass of members [m, M), those before it being inside theirs: every member's logits
  // are known before the first derivative is needed, without a second forward pass.
  absl::Status Nested(size_t m, const float* images, const LogitGradient& logit_gradient,
                      float* logits);
  size_t logit_count() const;
  void Mean(float* logits) const;

  const std::vector<Classifier*> members_;
  Usage usage_;
  std::vector<double> logit_sum_, gradient_sum_;
  std::vector<float> derivative_, member_gradient_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_ENSEMBLE_H_
