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

// Whether two models can be shown the same images: kInvalidCondition, with both described, when
// they differ in image shape or number of classes. `what`: the second one's name in the error.
absl::Status CheckSameInterface(const Classifier& first, const Classifier& second,
                                absl::string_view what);

// logits = mean of the members' logits, summed in double precision in the members' order. The
// gradient of a scalar of the mean is the sum of the members' gradients, each given 1/M of the
// scalar's derivative. A pass costs one pass of every member, and a gradient pass holds all
// members' intermediate results at once.
class EnsembleClassifier final : public Classifier {
 public:
  // The members are not owned and must outlive the ensemble. kInvalidCondition: no member, one that
  // appears twice, or members that differ in image shape or number of classes or have no batch size
  // in common.
  static absl::StatusOr<std::unique_ptr<EnsembleClassifier>> Create(
      std::vector<Classifier*> members);

  Shape shape() const override { return members_[0]->shape(); }
  int num_classes() const override { return members_[0]->num_classes(); }
  const BatchSizes& forward_sizes() const override { return forward_sizes_; }
  const BatchSizes& gradient_sizes() const override { return gradient_sizes_; }
  int lanes() const override { return members_[0]->lanes(); }
  bool deterministic() const override;
  void BindThread(int lane) override;

 private:
  // What one gradient pass works with.
  struct GradientPass {
    const float* images;
    int rows;
    const LogitGradient& logit_gradient;
    float* logits;
    std::vector<double> logit_sum, gradient_sum;
    std::vector<float> derivative, member_gradient;
  };

  EnsembleClassifier(std::vector<Classifier*> members, BatchSizes forward_sizes,
                     BatchSizes gradient_sizes)
      : members_(std::move(members)),
        forward_sizes_(std::move(forward_sizes)),
        gradient_sizes_(std::move(gradient_sizes)) {}

  absl::Status RunForward(const float* images, int rows, float* logits) override;
  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override;
  // The gradient pass of members [m, M), those before it being inside theirs: every member's logits
  // are known before the first derivative is needed, without a second forward pass.
  absl::Status Nested(size_t m, GradientPass& pass);
  size_t logit_count(int rows) const;
  void Mean(const std::vector<double>& sum, float* logits) const;

  const std::vector<Classifier*> members_;
  const BatchSizes forward_sizes_, gradient_sizes_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_ENSEMBLE_H_
