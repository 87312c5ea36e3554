#include "server/engine/validation/model_validation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/random.h"

namespace assay::engine {
namespace {

// Largest difference of logits, relative to their size, that another form of the model may cause.
constexpr double kFormTolerance = 1e-4;
// Difference of an image's gradient that freezing may cause, relative to its length: a unit at the
// kink of a ReLU may fall to the other side, and bfloat16 within the model rounds by that much.
constexpr double kGradientFormTolerance = 1e-2;
// Relative error of a directional derivative in float32 that is still no cause for a warning.
constexpr double kGradientTolerance = 0.05;
constexpr int kProbeBatch = 4;
// Largest difference of logits, relative to their size, that the other images of a batch may cause,
// and that a batch of another size may: its kernels round otherwise, in bfloat16 within the model
// by 1e-2.
constexpr double kBatchTolerance = 1e-4, kAloneTolerance = 2e-2;
// Batch sizes that people trace with, tried where a model does not take kProbeBatch.
constexpr int kTracedBatches[] = {1, 2, 3, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 256};
// Passes of the same images that must agree; AutoAttack compares as many.
constexpr int kProbePasses = 5;
// Likewise of gradients.
constexpr int kProbeGradients = 3;

bool AreLogits(const OutputForm& output, int rows) {
  return output.sizes.size() == 2 && output.sizes[0] == rows && output.sizes[1] >= 2;
}

// The size of logits that differences are relative to: the largest, at least 1.
double Scale(const std::vector<float>& logits) {
  double scale = 1;
  for (const float logit : logits) {
    if (std::isfinite(logit)) scale = std::max(scale, std::abs(double{logit}));
  }
  return scale;
}

// By how much two values of one logit differ. An image whose logits are not finite is undecided
// either way.
double Difference(float a, float b) {
  if (std::isfinite(a) && std::isfinite(b)) return std::abs(double{a} - b);
  return std::isfinite(a) || std::isfinite(b) ? std::numeric_limits<double>::infinity() : 0;
}

// Of logit k in the combination whose gradient is probed.
float ProbeWeight(int k) { return static_cast<float>(k % 3 - 1); }

// Between two gradients of the probes: the Euclidean distance, relative to the length of the
// first. Without the grey image, whose equal pixels leave it to rounding which is the largest.
double MedianDifference(const std::vector<float>& given, const std::vector<float>& changed,
                        size_t size) {
  std::vector<double> differences;
  for (size_t row = 1; row < kProbeBatch; ++row) {
    double squared = 0, apart = 0;
    for (size_t i = row * size; i < (row + 1) * size; ++i) {
      squared += double{given[i]} * given[i];
      apart += (double{given[i]} - changed[i]) * (double{given[i]} - changed[i]);
    }
    // Where there is no finite gradient, none is expected.
    if (!std::isfinite(squared)) continue;
    const double difference = apart == 0 ? 0 : std::sqrt(apart / squared);
    differences.push_back(std::isfinite(difference) ? difference
                                                    : std::numeric_limits<double>::infinity());
  }
  if (differences.empty()) return 0;
  std::sort(differences.begin(), differences.end());
  return differences[differences.size() / 2];
}

}  // namespace

std::vector<float> ProbeImages(const Shape& shape, int count) {
  std::vector<float> images(static_cast<size_t>(count) * shape.size(), 0.5F);
  const RandomKey key(0, "probe");
  for (int i = 1; i < count; ++i) {
    RandomStream random(key, i, 0);
    for (size_t j = 0; j < shape.size(); ++j) {
      images[static_cast<size_t>(i) * shape.size() + j] = 0.25F + 0.5F * random.Uniform();
    }
  }
  return images;
}

size_t ModelValidator::RowSize(int rows) const {
  return static_cast<size_t>(rows) * static_cast<size_t>(validation_.num_classes());
}

absl::Status ModelValidator::Forward(const float* images, int rows, float* logits) {
  const int step = PassRows(rows);
  for (int first = 0; first < rows; first += step) {
    ASSAY_RETURN_IF_ERROR(passes_.forward(images + static_cast<size_t>(first) * shape_.size(), step,
                                          logits + RowSize(first)));
  }
  return absl::OkStatus();
}

absl::Status ModelValidator::ForwardBackward(const float* images, int rows,
                                             const Classifier::LogitGradient& logit_gradient,
                                             float* logits, float* gradient) {
  const int step = PassRows(rows);
  for (int first = 0; first < rows; first += step) {
    const size_t at = static_cast<size_t>(first) * shape_.size();
    ASSAY_RETURN_IF_ERROR(passes_.forward_backward(images + at, step, logit_gradient,
                                                   logits + RowSize(first), gradient + at));
  }
  return absl::OkStatus();
}

// A model that does not take kProbeBatch images may take another number of them, and only that: a
// trace keeps the sizes that it saw.
void ModelValidator::FindFixedBatch(absl::StatusOr<OutputForm>* output) {
  for (const int rows : kTracedBatches) {
    absl::StatusOr<OutputForm> tried = passes_.look(ProbeImages(shape_, rows).data(), rows);
    if (ReasonOf(tried.status()) == Reason::kOutOfMemory) return;
    if (!tried.ok() || !AreLogits(*tried, rows)) continue;
    *output = std::move(tried);
    fixed_batch_ = rows;
    probe_rows_ = (kProbeBatch + rows - 1) / rows * rows;
    Warn(absl::StrCat("takes batches of exactly ", rows, rows == 1 ? " image" : " images",
                      ", as a trace does that has its batch size built in; it is run so. "
                      "Export it with x.flatten(1) or x.size(0) in place of the number to "
                      "choose the batch size freely"));
    return;
  }
}

absl::Status ModelValidator::CheckForm() {
  probe_rows_ = kProbeBatch;
  absl::StatusOr<OutputForm> output =
      passes_.look(ProbeImages(shape_, kProbeBatch).data(), kProbeBatch);
  if (output.ok() ? !AreLogits(*output, kProbeBatch)
                  : ReasonOf(output.status()) == Reason::kModelFailed) {
    FindFixedBatch(&output);
  }
  ASSAY_RETURN_IF_ERROR(output.status());
  if (fixed_batch_ == 0 && !AreLogits(*output, kProbeBatch)) {
    return Error(Reason::kModelOutputInvalid,
                 absl::StrCat("for ", kProbeBatch, " images the model returns a tensor of ",
                              absl::StrJoin(output->sizes, " x "), "; it must return logits of ",
                              kProbeBatch, " x K with K >= 2 classes"));
  }
  if (!output->floating_point) {
    return Error(Reason::kModelOutputInvalid,
                 absl::StrCat("the model returns ", output->type,
                              "; logits must be floating-point numbers"));
  }
  if (!output->float32) {
    Warn(absl::StrCat("returns ", output->type, "; logits are converted to float32"));
  }
  validation_.set_num_classes(static_cast<int>(output->sizes[1]));
  validation_.mutable_input_shape()->set_channels(shape_.channels);
  validation_.mutable_input_shape()->set_height(shape_.height);
  validation_.mutable_input_shape()->set_width(shape_.width);
  probes_ = ProbeImages(shape_, probe_rows_);
  return absl::OkStatus();
}

absl::Status ModelValidator::CheckLogits() {
  const int classes = validation_.num_classes();
  std::vector<float> first(RowSize(probe_rows_)), next(first.size());
  ASSAY_RETURN_IF_ERROR(Forward(probes_.data(), probe_rows_, first.data()));
  bool same = true;
  for (int pass = 1; pass < kProbePasses; ++pass) {
    ASSAY_RETURN_IF_ERROR(Forward(probes_.data(), probe_rows_, next.data()));
    same = same && std::memcmp(first.data(), next.data(), first.size() * sizeof(float)) == 0;
  }
  original_ = first;
  int broken_rows = 0;
  bool probabilities = true;
  for (int row = 0; row < kProbeBatch; ++row) {
    const float* logits = &first[RowSize(row)];
    if (!std::all_of(logits, logits + classes, [](float z) { return std::isfinite(z); })) {
      ++broken_rows;
    }
    double sum = 0;
    for (int k = 0; k < classes; ++k) {
      const double value = logits[k];
      probabilities = probabilities && value > -1e-5 && value < 1 + 1e-5;
      sum += value;
    }
    probabilities = probabilities && std::abs(sum - 1) < 1e-5;
  }
  if (broken_rows == kProbeBatch) {
    return Error(Reason::kModelNotFinite,
                 "the model's logits are not finite on grey or random images; check that it "
                 "expects pixels in [0, 1] and was saved with trained weights");
  }
  if (broken_rows > 0) {
    Warn("logits are not finite on some grey or random images; such samples are undecided");
  }
  validation_.set_deterministic(same);
  if (!same) {
    Warn("passes of the same images gave different logits; outcomes are not reproducible");
  }
  validation_.set_softmax_output(probabilities);
  if (probabilities) {
    Warn("outputs look like probabilities; a softmax inside the model blunts gradient attacks");
  }
  return absl::OkStatus();
}

ModelValidator::Agreement ModelValidator::CompareAfter(
    const std::function<absl::Status()>& change) {
  Agreement agreement;
  std::vector<float> changed(original_.size());
  agreement.status = change();
  if (agreement.status.ok()) {
    agreement.status = Forward(probes_.data(), probe_rows_, changed.data());
  }
  for (size_t i = 0; agreement.status.ok() && i < changed.size(); ++i) {
    agreement.difference = std::max(agreement.difference, Difference(original_[i], changed[i]));
  }
  agreement.tolerance = kFormTolerance * Scale(original_);
  return agreement;
}

absl::Status ModelValidator::ProbeGradient(std::vector<float>* logits,
                                           std::vector<float>* gradient) {
  const int classes = validation_.num_classes();
  logits->resize(RowSize(probe_rows_));
  gradient->resize(probes_.size());
  return ForwardBackward(
      probes_.data(), probe_rows_,
      [&](const float*, float* derivative) {
        for (int row = 0; row < PassRows(probe_rows_); ++row) {
          for (int k = 0; k < classes; ++k) derivative[row * classes + k] = ProbeWeight(k);
        }
      },
      logits->data(), gradient->data());
}

absl::Status ModelValidator::CheckFreezing(const std::function<absl::Status()>& freeze) {
  std::vector<float> logits, gradient;
  if (validation_.deterministic() && original_gradient_.empty() &&
      !ProbeGradient(&logits, &original_gradient_).ok()) {
    original_gradient_.clear();
  }
  const Agreement agreement = CompareAfter(freeze);
  const bool same_gradient =
      !agreement.agrees() || original_gradient_.empty() ||
      (ProbeGradient(&logits, &gradient).ok() &&
       MedianDifference(original_gradient_, gradient, shape_.size()) <= kGradientFormTolerance);
  validation_.set_frozen_max_difference(agreement.difference);
  validation_.set_frozen_tolerance(agreement.tolerance);
  validation_.set_frozen(agreement.agrees() && same_gradient);
  if (validation_.frozen() || !validation_.deterministic()) return absl::OkStatus();
  if (!agreement.status.ok()) {
    Warn(absl::StrCat("it cannot be frozen and is run as given, more slowly (",
                      agreement.status.message(), ")"));
  } else {
    Warn(absl::StrCat("freezing changes its ", same_gradient ? "logits" : "gradients",
                      "; it is run as given, more slowly"));
  }
  return absl::OkStatus();
}

bool ModelValidator::CheckForwardForm(const std::function<absl::Status()>& optimize) {
  return CompareAfter(optimize).agrees();
}

absl::Status ModelValidator::CheckPrecision(const std::function<void()>& round) {
  const Agreement agreement = CompareAfter([&] {
    round();
    return absl::OkStatus();
  });
  if (!agreement.status.ok()) {
    return Error(Reason::kInvalidModel,
                 absl::StrCat("it cannot compute in this precision (", agreement.status.message(),
                              "); use --precision fp32"));
  }
  if (!std::isfinite(agreement.difference)) {
    return Error(Reason::kModelNotFinite,
                 "in this precision its logits are not finite; use --precision fp32");
  }
  validation_.set_precision_difference(agreement.difference);
  Warn(
      absl::StrCat("in this precision its logits on random images differ from those in float32 by "
                   "up to ",
                   absl::StrFormat("%.2g", agreement.difference)));
  return absl::OkStatus();
}

absl::Status ModelValidator::CheckBatchDependence(bool trains) {
  if (!validation_.deterministic()) return absl::OkStatus();
  const size_t size = shape_.size();
  std::vector<float> together(RowSize(probe_rows_)), moved(together.size());
  ASSAY_RETURN_IF_ERROR(Forward(probes_.data(), probe_rows_, together.data()));
  const double scale = Scale(together);
  double difference = 0;
  bool dependent = false;
  const auto compare = [&](const float* a, const float* b, double tolerance) {
    for (int k = 0; k < validation_.num_classes(); ++k) {
      const double moved_by = Difference(a[k], b[k]);
      difference = std::max(difference, moved_by);
      dependent = dependent || moved_by > tolerance * scale;
    }
  };
  for (int row = 0; row < kProbeBatch; ++row) {
    const float* image = &probes_[static_cast<size_t>(row) * size];
    const float* logits = &together[RowSize(row)];
    const int place = (row + 1) % probe_rows_;
    std::vector<float> others(probes_.size());
    for (int other = 0; other < probe_rows_; ++other) {
      std::fill_n(&others[static_cast<size_t>(other) * size], size, other % 2 == 0 ? 0.25F : 0.75F);
    }
    std::copy_n(image, size, &others[static_cast<size_t>(place) * size]);
    ASSAY_RETURN_IF_ERROR(Forward(others.data(), probe_rows_, moved.data()));
    compare(logits, &moved[RowSize(place)], kBatchTolerance);
    if (fixed_batch_ != 0) continue;
    const absl::Status alone = Forward(image, 1, moved.data());
    // It need not take single images: it is not run on them.
    if (alone.ok()) compare(logits, moved.data(), kAloneTolerance);
  }
  validation_.mutable_numerics()->set_batch_difference(dependent ? difference : 0);
  if (dependent) {
    Warn(absl::StrCat(
        "its logits for an image move by up to ", absl::StrFormat("%.3g", difference),
        " with the other images of the batch, so outcomes depend on the batch size and on the "
        "order of the data",
        trains ? "; call model.eval() before exporting it" : ""));
  }
  return absl::OkStatus();
}

absl::Status ModelValidator::CheckGradientRepeats(const std::vector<float>& first) {
  if (!validation_.deterministic()) return absl::OkStatus();
  double scale = 0, difference = 0;
  for (const float value : first) {
    if (std::isfinite(value)) scale = std::max(scale, std::abs(double{value}));
  }
  std::vector<float> logits, next;
  for (int pass = 1; pass < kProbeGradients; ++pass) {
    ASSAY_RETURN_IF_ERROR(ProbeGradient(&logits, &next));
    for (size_t i = 0; i < next.size(); ++i) {
      difference = std::max(difference, Difference(first[i], next[i]));
    }
  }
  validation_.set_gradient_repeat_difference(scale > 0 ? difference / scale : difference);
  if (difference > 0) {
    Warn(absl::StrCat(
        "gradients of the same images differ from pass to pass, by up to ",
        absl::StrFormat("%.2g", validation_.gradient_repeat_difference()),
        " of the largest; outcomes of gradient attacks are not reproducible bit for bit"));
  }
  return absl::OkStatus();
}

absl::Status ModelValidator::CheckGradient() {
  const int classes = validation_.num_classes();
  const auto combination = [&](int row, const float* z) {
    double sum = 0;
    for (int k = 0; k < classes; ++k) {
      sum += double{ProbeWeight(k)} * z[row * classes + k];
    }
    return sum;
  };
  std::vector<float> logits, gradient;
  const absl::Status status = ProbeGradient(&logits, &gradient);
  if (!status.ok()) {
    if (ReasonOf(status) == Reason::kOutOfMemory) return status;
    Warn(absl::StrCat("has no usable gradient (", status.message(),
                      "); gradient attacks will fail"));
    return absl::OkStatus();
  }
  ASSAY_RETURN_IF_ERROR(CheckGradientRepeats(gradient));
  std::vector<double> errors;
  const size_t size = shape_.size();
  for (int row = 1; row < kProbeBatch; ++row) {
    const float* g = &gradient[static_cast<size_t>(row) * size];
    double squared = 0;
    for (size_t i = 0; i < size; ++i) squared += static_cast<double>(g[i]) * g[i];
    const double norm = std::sqrt(squared);
    if (!(norm > 0) || !std::isfinite(norm)) continue;
    // Kinks of ReLU make one step length misleading; the best of several counts.
    double best = 1;
    for (double h : {0.05, 0.01, 0.002}) {
      std::vector<float> moved = probes_;
      std::vector<float> plus(logits.size()), minus(logits.size());
      for (const double sign : {1.0, -1.0}) {
        for (size_t i = 0; i < size; ++i) {
          const size_t at = static_cast<size_t>(row) * size + i;
          moved[at] = static_cast<float>(probes_[at] + sign * h * g[i] / norm);
        }
        ASSAY_RETURN_IF_ERROR(
            Forward(moved.data(), probe_rows_, sign > 0 ? plus.data() : minus.data()));
      }
      const double numeric =
          (combination(row, plus.data()) - combination(row, minus.data())) / (2 * h);
      best = std::min(best, std::abs(numeric - norm) / norm);
    }
    errors.push_back(best);
  }
  validation_.set_differentiable(!errors.empty());
  if (errors.empty()) {
    Warn(
        "its gradient is zero or not finite on random images; gradient attacks will fail (see "
        "docs/checks.md)");
    return absl::OkStatus();
  }
  std::sort(errors.begin(), errors.end());
  const double median = errors[errors.size() / 2];
  validation_.set_gradient_relative_error(median);
  if (median > kGradientTolerance) {
    Warn(absl::StrCat("its gradient differs from finite differences by ",
                      static_cast<int>(median * 100), " %; gradient attacks may mislead"));
  }
  return absl::OkStatus();
}

}  // namespace assay::engine
