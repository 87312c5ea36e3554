#include "server/engine/base/ensemble.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

std::string Describe(const Classifier& member) {
  const Shape shape = member.shape();
  return absl::StrCat(shape.channels, " x ", shape.height, " x ", shape.width, " images and ",
                      member.num_classes(), " classes");
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
  std::vector<int> forward = members[0]->forward_sizes().all();
  std::vector<int> gradient = members[0]->gradient_sizes().all();
  for (size_t m = 1; m < members.size(); ++m) {
    forward = members[m]->forward_sizes().Common(BatchSizes(forward));
    gradient = members[m]->gradient_sizes().Common(BatchSizes(gradient));
    if (!forward.empty() && !gradient.empty()) continue;
    return Error(
        Reason::kInvalidCondition,
        absl::StrCat("model ", m + 1, " of the ensemble takes batches of other sizes than ",
                     "those before it, as a trace may that has its batch size built in; "
                     "export it for any batch size"));
  }
  return std::unique_ptr<EnsembleClassifier>(
      new EnsembleClassifier(std::move(members), BatchSizes(forward), BatchSizes(gradient)));
}

bool EnsembleClassifier::deterministic() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const Classifier* member) { return member->deterministic(); });
}

void EnsembleClassifier::BindThread(int lane) {
  for (Classifier* member : members_) member->BindThread(lane);
}

absl::Status EnsembleClassifier::RunForward(const float* images, int rows, float* logits) {
  std::vector<double> sum(logit_count(rows));
  for (Classifier* member : members_) {
    ASSAY_RETURN_IF_ERROR(member->Forward(images, rows, logits));
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += logits[i];
  }
  Mean(sum, logits);
  return absl::OkStatus();
}

absl::Status EnsembleClassifier::RunForwardBackward(const float* images, int rows,
                                                    const LogitGradient& logit_gradient,
                                                    float* logits, float* gradient) {
  const size_t pixels = static_cast<size_t>(rows) * shape().size();
  GradientPass pass{images, rows, logit_gradient, logits, {}, {}, {}, {}};
  pass.logit_sum.resize(logit_count(rows));
  pass.derivative.resize(logit_count(rows));
  pass.gradient_sum.resize(pixels);
  pass.member_gradient.resize(pixels);
  ASSAY_RETURN_IF_ERROR(Nested(0, pass));
  for (size_t i = 0; i < pixels; ++i) gradient[i] = static_cast<float>(pass.gradient_sum[i]);
  return absl::OkStatus();
}

absl::Status EnsembleClassifier::Nested(size_t m, GradientPass& pass) {
  if (m == members_.size()) {
    Mean(pass.logit_sum, pass.logits);
    pass.logit_gradient(pass.logits, pass.derivative.data());
    const auto share = 1.0F / static_cast<float>(members_.size());
    for (float& value : pass.derivative) value *= share;
    return absl::OkStatus();
  }
  absl::Status inner;
  std::vector<float> own(logit_count(pass.rows));
  ASSAY_RETURN_IF_ERROR(members_[m]->ForwardBackward(
      pass.images, pass.rows,
      [&](const float* member_logits, float* derivative) {
        for (size_t i = 0; i < pass.logit_sum.size(); ++i) pass.logit_sum[i] += member_logits[i];
        inner = Nested(m + 1, pass);
        std::copy(pass.derivative.begin(), pass.derivative.end(), derivative);
      },
      own.data(), pass.member_gradient.data()));
  ASSAY_RETURN_IF_ERROR(inner);
  for (size_t i = 0; i < pass.gradient_sum.size(); ++i) {
    pass.gradient_sum[i] += pass.member_gradient[i];
  }
  return absl::OkStatus();
}

size_t EnsembleClassifier::logit_count(int rows) const {
  return static_cast<size_t>(rows) * static_cast<size_t>(num_classes());
}

void EnsembleClassifier::Mean(const std::vector<double>& sum, float* logits) const {
  const double share = 1.0 / static_cast<double>(members_.size());
  for (size_t i = 0; i < sum.size(); ++i) logits[i] = static_cast<float>(sum[i] * share);
}

}  // namespace assay::engine
