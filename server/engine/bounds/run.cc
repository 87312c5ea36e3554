#include "server/engine/bounds/run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "core/conditions/params.h"
#include "server/engine/base/lanes.h"
#include "server/engine/bounds/interval.h"
#include "server/engine/bounds/propagation.h"
#include "server/engine/bounds/tightness.h"

namespace assay::engine {
namespace bounds {
namespace {

// Largest difference of logits, relative to their size, between a network and its model in single
// precision.
constexpr double kAgreement = 1e-3;
// The margin of a sample whose bounds overflowed or that has no finite logits.
constexpr double kNothingKnown = std::numeric_limits<double>::lowest();
// Multiplications of one sample that CROWN may need: some ten minutes of one core, after which an
// engine counts as stalled.
constexpr double kMostWork = 5e11;

// What CROWN costs at most: two rows for each input of an activation, each taken back through
// everything before it. Rows of elements that are decided are not made, and most coefficients of
// early rows are 0, so that a tenth is usual.
double CrownWork(const Network& network) {
  double total = 0;
  for (const Node& node : network.nodes()) {
    if (!std::holds_alternative<Activation>(node.op)) continue;
    total += 2 * static_cast<double>(node.size) * network.Multiplications(node.inputs[0]);
  }
  return total;
}

// The rows z_c - z_k for every other class k.
std::vector<Row> MarginRows(int c, size_t classes) {
  std::vector<Row> rows;
  for (int k = 0; k < static_cast<int>(classes); ++k) {
    if (k != c) rows.push_back({c, k});
  }
  return rows;
}

// A lower bound of the smallest row: the better of the two ways.
double SmallestMargin(const Propagation& propagation, int output, const std::vector<Row>& rows,
                      Method method) {
  std::vector<double> bounds = propagation.LowerBounds(output, rows, Reach::kActivation);
  if (method != Method::kIbp) {
    const std::vector<double> linear = propagation.LowerBounds(output, rows, Reach::kImage);
    for (size_t k = 0; k < bounds.size(); ++k) bounds[k] = std::max(bounds[k], linear[k]);
  }
  return *std::min_element(bounds.begin(), bounds.end());
}

absl::Status CheckAgreement(const std::vector<double>& ours, const float* theirs, int64_t sample) {
  double scale = 1, difference = 0;
  for (size_t k = 0; k < ours.size(); ++k) {
    scale = std::max(scale, std::abs(static_cast<double>(theirs[k])));
    difference = std::max(difference, std::abs(ours[k] - theirs[k]));
  }
  if (difference <= kAgreement * scale) return absl::OkStatus();
  return Error(Reason::kInvalidCondition,
               absl::StrCat("bounds do not suit this model: on sample ", sample,
                            " the network that was read from it gives logits that differ by ",
                            difference, ", so it does more than its graph shows"));
}

}  // namespace

Certificate Certify(const Network& network, const float* image, double eps, int label,
                    int prediction, Method method) {
  const Propagation propagation(
      network, InputBox(image, network.input_size(), eps),
      method == Method::kCrown ? Intermediate::kCrown : Intermediate::kInterval);
  const auto margin_of = [&](int c) {
    return SmallestMargin(propagation, network.output(), MarginRows(c, network.num_classes()),
                          method);
  };
  Certificate certificate;
  certificate.margin = margin_of(label);
  // A certified mistake is a mistake that no perturbation mends.
  certificate.certified = (prediction == label ? certificate.margin : margin_of(prediction)) > 0;
  return certificate;
}

}  // namespace bounds

absl::StatusOr<std::vector<v1::Outcome>> RunBounds(const TaskContext& task,
                                                   const bounds::Network& network) {
  Params params(task.condition);
  const double eps = params.Number("eps");
  bounds::Method method = bounds::Method::kIbp;
  if (task.condition.method() == "crown") {
    method =
        params.Text("intermediate") == "ibp" ? bounds::Method::kCrownIbp : bounds::Method::kCrown;
  }
  ASSAY_RETURN_IF_ERROR(params.status());
  Classifier& classifier = task.classifier;
  const auto classes = static_cast<size_t>(classifier.num_classes());
  if (network.input_size() != classifier.shape().size() || network.num_classes() != classes) {
    return Error(Reason::kInternal, "a network of another shape than its model");
  }
  if (method == bounds::Method::kCrown && bounds::CrownWork(network) > bounds::kMostWork) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat("this model is too deep or wide for ", task.condition.id(),
                              ": one image could take hours; write bounds/crown:intermediate=ibp"));
  }

  const size_t count = task.samples.size(), size = classifier.shape().size();
  std::vector<float> logits(count * classes);
  ASSAY_RETURN_IF_ERROR(ForwardAll(
      task, [&](size_t i, float* pixels) { task.samples.ReadImage(i, pixels); },
      [&](size_t i, const float* row) { std::copy(row, row + classes, &logits[i * classes]); }));

  std::vector<v1::Outcome> outcomes(count);
  const auto one = [&](size_t i) -> absl::Status {
    const int label = task.samples.label(i);
    const float* const theirs = &logits[i * classes];
    const Prediction prediction = Predict(theirs, static_cast<int>(classes));
    v1::Outcome& outcome = outcomes[i];
    outcome = MakeOutcome(task.samples.index(i), label, prediction);
    v1::BoundsOutcome* proof = outcome.mutable_bounds();
    if (prediction.undecided) {
      proof->set_margin(bounds::kNothingKnown);
      return absl::OkStatus();
    }
    std::vector<float> image(size);
    task.samples.ReadImage(i, image.data());
    const std::vector<double> pixels(image.begin(), image.end());
    const std::vector<std::vector<double>> values = network.Evaluate(pixels.data());
    ASSAY_RETURN_IF_ERROR(bounds::CheckAgreement(values.back(), theirs, task.samples.index(i)));
    const bounds::Certificate certificate =
        bounds::Certify(network, image.data(), eps, label, prediction.label, method);
    proof->set_certified(certificate.certified && !prediction.tie);
    proof->set_margin(std::max(certificate.margin, bounds::kNothingKnown));
    if (const auto tightness = bounds::Tightness(network, values)) {
      proof->set_tightness(*tightness);
    }
    return absl::OkStatus();
  };
  Mutex mutex;
  size_t done = 0;
  const absl::Status status = ForEachOnLanes(classifier, count, [&](size_t i) -> absl::Status {
    ASSAY_RETURN_IF_ERROR(one(i));
    MutexLock lock(mutex);
    ++done;
    task.observer.OnOutcome(outcomes[i]);
    task.observer.OnProgress(static_cast<int64_t>(done),
                             static_cast<double>(done) / static_cast<double>(count));
    if (task.observer.Cancelled()) return Error(Reason::kCancelled, "the task was cancelled");
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return outcomes;
}

}  // namespace assay::engine
