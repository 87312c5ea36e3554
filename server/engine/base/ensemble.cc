#include "server/engine/base/ensemble.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

std::string Describe(const Classifier& member) {
  const Shape shape = member.shape();
  return absl::StrCat(shape.channels, " x ", shape.height, " x ", shape.width, " images, ",
                      member.num_classes(), " classes and batches of ", member.batch_size());
}

}  // namespace

absl::Status CheckSameInterface(const Classifier& first, const Classifier& second,
                                absl::string_view what) {
  const std::string wanted = Describe(first), found = Describe(second);
  if (wanted == found) return absl::OkStatus();
  return Error(Reason::kInvalidCondition,
               absl::StrCat("models that work together must agree: ", what, " has ", found,
                            " where the first model has ", wanted));
}

absl::StatusOr<std::unique_ptr<EnsembleClassifier>> EnsembleClassifier::Create(
    std::vector<Classifier*> members) {
  if (members.empty()) return Error(Reason::kInvalidCondition, "an ensemble needs a model");
  for (size_t m = 1; m < members.size(); ++m) {
    if (std::find(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(m), members[m]) !=
        members.begin() + static_cast<std::ptrdiff_t>(m)) {
      return Error(Reason::kInvalidCondition,
                   absl::StrCat("model ", m + 1, " of the ensemble appears twice; name each once"));
    }
    ASSAY_RETURN_IF_ERROR(CheckSameInterface(*members[0], *members[m],
                                             absl::StrCat("model ", m + 1, " of the ensemble")));
  }
  return std::unique_ptr<EnsembleClassifier>(new EnsembleClassifier(std::move(members)));
}

absl::Status EnsembleClassifier::Forward(const float* images, float* logits) {
  const auto start = SteadyClock::now();
  logit_sum_.assign(logit_count(), 0.0);
  for (Classifier* member : members_) {
    ASSAY_RETURN_IF_ERROR(member->Forward(images, logits));
    for (size_t i = 0; i < logit_sum_.size(); ++i) logit_sum_[i] += logits[i];
  }
  Mean(logits);
  usage_.forward_batches += static_cast<int64_t>(members_.size());
  usage_.seconds += SecondsSince(start);
  return absl::OkStatus();
}

absl::Status EnsembleClassifier::ForwardBackward(const float* images,
                                                 const LogitGradient& logit_gradient, float* logits,
                                                 float* gradient) {
  const auto start = SteadyClock::now();
  const size_t pixels = static_cast<size_t>(batch_size()) * shape().size();
  logit_sum_.assign(logit_count(), 0.0);
  derivative_.assign(logit_count(), 0.0F);
  gradient_sum_.assign(pixels, 0.0);
  member_gradient_.resize(pixels);
  ASSAY_RETURN_IF_ERROR(Nested(0, images, logit_gradient, logits));
  for (size_t i = 0; i < pixels; ++i) gradient[i] = static_cast<float>(gradient_sum_[i]);
  usage_.forward_batches += static_cast<int64_t>(members_.size());
  usage_.backward_batches += static_cast<int64_t>(members_.size());
  usage_.seconds += SecondsSince(start);
  return absl::OkStatus();
}

absl::Status EnsembleClassifier::Nested(size_t m, const float* images,
                                        const LogitGradient& logit_gradient, float* logits) {
  if (m == members_.size()) {
    Mean(logits);
    logit_gradient(logits, derivative_.data());
    const auto share = 1.0F / static_cast<float>(members_.size());
    for (float& value : derivative_) value *= share;
    return absl::OkStatus();
  }
  absl::Status inner;
  std::vector<float> own(logit_count());
  ASSAY_RETURN_IF_ERROR(members_[m]->ForwardBackward(
      images,
      [&](const float* member_logits, float* derivative) {
        for (size_t i = 0; i < logit_sum_.size(); ++i) logit_sum_[i] += member_logits[i];
        inner = Nested(m + 1, images, logit_gradient, logits);
        std::copy(derivative_.begin(), derivative_.end(), derivative);
      },
      own.data(), member_gradient_.data()));
  ASSAY_RETURN_IF_ERROR(inner);
  for (size_t i = 0; i < gradient_sum_.size(); ++i) gradient_sum_[i] += member_gradient_[i];
  return absl::OkStatus();
}

size_t EnsembleClassifier::logit_count() const {
  return static_cast<size_t>(batch_size()) * static_cast<size_t>(num_classes());
}

void EnsembleClassifier::Mean(float* logits) const {
  const double share = 1.0 / static_cast<double>(members_.size());
  for (size_t i = 0; i < logit_sum_.size(); ++i) {
    logits[i] = static_cast<float>(logit_sum_[i] * share);
  }
}

}  // namespace assay::engine
