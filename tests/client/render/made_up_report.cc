#include "tests/client/render/made_up_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/rational.h"
#include "core/conditions/condition.h"
#include "core/report/report.h"

namespace assay::render {
namespace {

std::string Parameter(const v1::Condition& condition, const std::string& name) {
  const auto found = condition.parameters().find(name);
  return found == condition.parameters().end() ? "" : found->second;
}

double Number(const v1::Condition& condition, const std::string& name) {
  const auto value = Rational::Parse(Parameter(condition, name));
  return value.ok() ? value->ToDouble() : 0;
}

// One sample, the same under every condition.
struct Sample {
  int label;
  int clean_prediction;
  // How far the nearest error is, in Linf.
  double margin;
  int taken_for;
};

class Maker {
 public:
  explicit Maker(const MadeUp& what)
      : what_(what), classes_(static_cast<int>(what.class_names.size())), random_(what.seed) {
    for (int64_t i = 0; i < what.samples; ++i) samples_.push_back(MakeSample(i));
  }

  std::vector<v1::Outcome> Outcomes(const v1::Condition& condition) {
    std::vector<v1::Outcome> outcomes;
    for (size_t i = 0; i < samples_.size(); ++i) {
      v1::Outcome outcome;
      outcome.set_sample(static_cast<int64_t>(i));
      outcome.set_label(samples_[i].label);
      outcome.set_prediction(samples_[i].clean_prediction);
      outcome.set_confidence(0.8F);
      Fill(condition, samples_[i], outcome);
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }

 private:
  // In [0, 1); distributions of the standard library differ between its makers.
  double Uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  Sample MakeSample(int64_t index) {
    const int label = static_cast<int>(index % classes_);
    // Ease goes up and down over the classes.
    const double ease = 0.55 + 0.42 * std::abs(std::sin(1.3 * label + 0.4));
    Sample sample{label, label, 0, 0};
    const int away = Uniform() < 0.7 ? 1 : 3;
    sample.taken_for = (label + away) % classes_;
    if (Uniform() > ease) sample.clean_prediction = sample.taken_for;
    sample.margin = -std::log(1 - Uniform()) * 5 / 255 * ease * ease;
    return sample;
  }

  void Fill(const v1::Condition& condition, const Sample& sample, v1::Outcome& outcome) {
    const std::string& family = condition.family();
    if (family == kFamilyAttack) FillAttack(condition, sample, outcome);
    if (family == kFamilySmoothing) FillSmoothing(condition, sample, outcome);
    if (family == kFamilyCorruption) {
      const double strength = 0.05 * Number(condition, "severity");
      if (Uniform() < strength * (1.5 - 30 * std::min(sample.margin, 0.04))) {
        outcome.set_prediction(sample.taken_for);
      }
    }
    if (family == kFamilyBounds) {
      const double margin = sample.margin * 12 - Number(condition, "eps") * 60;
      outcome.mutable_bounds()->set_certified(margin > 0);
      outcome.mutable_bounds()->set_margin(
          sample.clean_prediction == sample.label ? margin : -std::abs(margin));
      outcome.mutable_bounds()->set_tightness(0.1);
    }
    if (family == kFamilyConformal) {
      for (int k = 0; k < classes_; ++k) {
        outcome.mutable_conformal()->add_scores(k == outcome.prediction() ? 0.2F
                                                : k == sample.label       ? 0.6F
                                                                          : 0.9F);
        outcome.mutable_conformal()->add_variances(0.01F);
      }
    }
    if (family == kFamilySequence) {
      for (int frame = 0; frame < static_cast<int>(Number(condition, "frames")); ++frame) {
        outcome.mutable_sequence()->add_predictions(Uniform() < 0.08 ? sample.taken_for
                                                                     : outcome.prediction());
      }
    }
  }

  void FillAttack(const v1::Condition& condition, const Sample& sample, v1::Outcome& outcome) {
    v1::AttackOutcome& attack = *outcome.mutable_attack();
    attack.set_clean_prediction(sample.clean_prediction);
    attack.set_attacked(sample.clean_prediction == sample.label);
    attack.set_forwards(attack.attacked() ? 42 : 1);
    attack.set_backwards(attack.attacked() ? 20 : 0);
    if (!attack.attacked()) return;
    const bool l2 = Parameter(condition, "norm") == "l2";
    // Weak attacks need more.
    if (Parameter(condition, "target") == "every") AddTargets(condition, sample, attack);
    const double need = sample.margin * (l2 ? 30 : 1) *
                        (condition.method() == "fgsm"     ? 1.6
                         : condition.method() == "square" ? 1.2
                                                          : 1);
    const bool distances = IsMinimumNorm(condition);
    if (!distances && need > Number(condition, "eps")) return;
    attack.set_success(true);
    attack.set_distance(distances ? need : Number(condition, "eps") * 0.999);
    attack.set_survives_rounding(Uniform() < 0.95);
    outcome.set_prediction(sample.taken_for);
  }

  void AddTargets(const v1::Condition& condition, const Sample& sample, v1::AttackOutcome& attack) {
    for (int target = 0; target < classes_; ++target) {
      if (target == sample.label) continue;
      const int away = (target - sample.label + classes_) % classes_;
      v1::TargetOutcome& own = *attack.add_targets();
      own.set_target(target);
      own.set_success(sample.margin * (target == sample.taken_for ? 1 : 1 + 0.3 * away) <=
                      Number(condition, "eps"));
    }
  }

  void FillSmoothing(const v1::Condition& condition, const Sample& sample, v1::Outcome& outcome) {
    const auto n0 = static_cast<int64_t>(Number(condition, "n0"));
    const auto n = static_cast<int64_t>(Number(condition, "n"));
    const double pa = std::min(1.0, 0.45 + 25 * sample.margin + 0.1 * Uniform());
    const auto fill = [&](int64_t draws, auto* histogram) {
      const auto top = static_cast<int64_t>(std::llround(pa * static_cast<double>(draws)));
      const int first = sample.clean_prediction;
      const int second = first == sample.taken_for ? sample.label : sample.taken_for;
      for (const auto& [index, count] : {std::pair{first, top}, {second, draws - top}}) {
        if (count == 0 || (classes_ == 1 && histogram->size() > 0)) continue;
        histogram->Add()->set_index(index);
        histogram->rbegin()->set_count(count);
      }
    };
    fill(n0, outcome.mutable_smoothing()->mutable_selection());
    fill(n, outcome.mutable_smoothing()->mutable_estimation());
    outcome.set_prediction(-1);
  }

  const MadeUp& what_;
  const int classes_;
  std::mt19937_64 random_;
  std::vector<Sample> samples_;
};

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
  std::abort();
}

}  // namespace

MadeUp Cifar() {
  MadeUp made_up;
  made_up.class_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                         "dog",      "frog",       "horse", "ship", "truck"};
  made_up.conditions = {"clean",
                        "attack/fgsm:eps=2/255+4/255+8/255",
                        "attack/pgd:eps=2/255+4/255+8/255",
                        "attack/pgd:eps=2/255,target=every",
                        "attack/square:eps=8/255",
                        "attack/fmn:norm=l2,eps=0.25+0.5",
                        "corruption/fog:severity=1-5",
                        "corruption/gaussian_noise:severity=1-5",
                        "smoothing/gaussian:sigma=0.25,n0=100,n=1000",
                        "smoothing/gaussian:sigma=0.5,n0=100,n=1000",
                        "bounds/ibp:eps=2/255",
                        "conformal/rscp",
                        "sequence/rotate",
                        "sequence/translate"};
  return made_up;
}

MadeUp ManyClasses() {
  MadeUp made_up;
  made_up.samples = 5000;
  for (int i = 0; i < 1000; ++i) {
    made_up.class_names.push_back(absl::StrCat("great white species number ", i));
  }
  made_up.conditions = {"clean", "attack/pgd:eps=1/255+4/255", "corruption/fog:severity=3",
                        "smoothing/gaussian:sigma=0.25,n0=100,n=1000"};
  return made_up;
}

MadeUp Hostile() {
  const std::string name = absl::StrCat("</td></table></script><script>owned=true</script>\"&'",
                                        "<img/src/onerror=owned=true>", std::string(200, 'W'));
  MadeUp made_up;
  made_up.samples = 100;
  made_up.model = absl::StrCat("models/", name);
  for (int i = 0; i < 5; ++i) made_up.class_names.push_back(absl::StrCat(i, name));
  made_up.conditions = {"clean", "attack/pgd:eps=1/255+2/255", "attack/pgd:target=every,eps=1/255",
                        "corruption/fog:severity=1+2", "smoothing/gaussian:n=100"};
  return made_up;
}

report::ReportInput MadeUpInput(const MadeUp& what) {
  report::ReportInput input;
  input.evaluation = "evaluations/demo";
  input.model = what.model;
  input.dataset = "datasets/cifar10-91ab";
  input.num_classes = static_cast<int>(what.class_names.size());
  input.class_names = what.class_names;
  input.expected_samples = what.samples;
  input.shape.set_channels(3);
  input.shape.set_height(32);
  input.shape.set_width(32);
  input.passes.set_forwards(723114);
  input.passes.set_needed_forwards(702400);
  input.passes.set_backwards(175720);
  v1::NumericsFingerprint numerics;
  numerics.set_device("cpu");
  numerics.set_libtorch_version("2.6.0");
  numerics.set_capability("AVX2");
  numerics.set_memory_format("nchw");
  numerics.set_digest(std::string(64, 'a'));
  input.numerics.push_back(numerics);
  ForEachCondition(what, [&](const v1::Condition& condition, std::vector<v1::Outcome> outcomes) {
    input.conditions.push_back({condition, std::move(outcomes)});
  });
  return input;
}

v1::Report MadeUpReport(const MadeUp& what) { return Must(report::BuildReport(MadeUpInput(what))); }

void ForEachCondition(
    const MadeUp& what,
    const std::function<void(const v1::Condition&, std::vector<v1::Outcome>)>& take) {
  Maker maker(what);
  for (const v1::Condition& condition : Must(ParseConditions(what.conditions))) {
    take(condition, maker.Outcomes(condition));
  }
}

}  // namespace assay::render
