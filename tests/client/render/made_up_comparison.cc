#include "tests/client/render/made_up_comparison.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/random.h"
#include "core/conditions/condition.h"
#include "core/report/comparison.h"

namespace assay::render {
namespace {

const std::vector<std::string>& CifarClasses() {
  static const auto* const names = new std::vector<std::string>{
      "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  return *names;
}

// In [0, 1): the same for equal arguments.
double Chance(const std::string& what, int64_t sample) {
  RandomStream random(RandomKey(1, what), sample, 0);
  return random.Uniform();
}

class Maker {
 public:
  explicit Maker(const MadeUpModels& what)
      : what_(what), classes_(static_cast<int>(what.class_names.size())) {}

  int Label(int64_t sample) const { return static_cast<int>(sample % classes_); }

  // What the model says to the condition's image: harder images are wrong for all.
  int Answer(size_t model, const std::string& condition, int64_t sample) const {
    const int label = Label(sample);
    const double hard = Chance("hard", sample) + (label % 3 == 0 ? 0.08 : 0);
    const double noise = Chance(absl::StrCat(condition, " ", model), sample);
    const double easier = 0.03 * static_cast<double>(model);
    const double level = condition == "clean" ? 0.9 : 0.62;
    if (0.7 * hard + 0.3 * noise < level + easier - 0.1) return label;
    return noise < 0.8 ? (label + 1) % classes_ : static_cast<int>(noise * 1000) % classes_;
  }

  report::ConditionOutcomes Run(const v1::Condition& condition, size_t model) const {
    report::ConditionOutcomes run{condition, {}};
    for (int64_t i = 0; i < what_.samples; ++i) {
      v1::Outcome& outcome = run.outcomes.emplace_back();
      outcome.set_sample(i);
      outcome.set_label(Label(i));
      outcome.set_prediction(Answer(model, condition.id(), i));
      if (condition.family() == kFamilyAttack) Attack(model, outcome);
    }
    return run;
  }

  // Rows about a point for each class; models see them by noise of their own.
  report::Vectors Vectors(size_t model, const std::string& condition, bool probabilities) const {
    report::Vectors table;
    table.size = probabilities ? classes_ : 16 + 8 * static_cast<int>(model);
    const RandomKey key(7, absl::StrCat(condition, " ", model));
    std::vector<float> row(static_cast<size_t>(table.size));
    for (int64_t i = 0; i < what_.samples; ++i) {
      table.samples.push_back(i);
      const size_t answer = static_cast<size_t>(Answer(model, condition, i));
      if (probabilities) {
        row.assign(row.size(), 0.3F / static_cast<float>(classes_));
        row[answer] += 0.7F;
      } else {
        RandomStream(key, i, 0).FillNormal(0.6F, row.data(), row.size());
        row[static_cast<size_t>(Label(i)) % row.size()] += 1.5F;
        row[answer % row.size()] += 1;
      }
      table.values.insert(table.values.end(), row.begin(), row.end());
    }
    return table;
  }

 private:
  void Attack(size_t model, v1::Outcome& outcome) const {
    v1::AttackOutcome& attack = *outcome.mutable_attack();
    const int clean = Answer(model, "clean", outcome.sample());
    attack.set_clean_prediction(clean);
    if (clean != outcome.label()) {
      outcome.set_prediction(clean);
      return;
    }
    attack.set_attacked(true);
    attack.set_success(outcome.prediction() != outcome.label());
  }

  const MadeUpModels& what_;
  const int classes_;
};

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  Must(value.status());
  return *std::move(value);
}

}  // namespace

MadeUpModels TwoModels() {
  MadeUpModels what;
  what.models = {"resnet-0f3c12", "resnet-adv-88ab01"};
  what.class_names = CifarClasses();
  what.conditions = {"clean", "corruption/fog:severity=3", "corruption/gaussian_noise:severity=3",
                     "attack/pgd:norm=linf,eps=2/255"};
  return what;
}

MadeUpModels FourModels() {
  MadeUpModels what = TwoModels();
  what.models = {"resnet-0f3c12", "resnet-adv-88ab01", "vit-pgd-7c1d", "cnn-a"};
  what.conditions = {"clean", "corruption/fog:severity=3", "attack/pgd:norm=linf,eps=2/255"};
  for (const std::string& model : what.models) {
    what.conditions.push_back(absl::StrCat("attack/transfer:eps=8/255,surrogates=", model));
  }
  return what;
}

MadeUpModels TwoOfManyClasses() {
  MadeUpModels what = TwoModels();
  what.samples = 5000;
  what.vectors = false;
  what.class_names.clear();
  for (int i = 0; i < 1000; ++i) what.class_names.push_back(absl::StrCat("synset ", i));
  return what;
}

MadeUpModels HostileModels() {
  MadeUpModels what = TwoModels();
  what.models = {"<script>owned=true</script>",
                 absl::StrCat(std::string(90, 'm'), "\"'><img src=x onerror=owned=true>")};
  what.class_names = {"<script>owned=true</script>", "\"'><img src=x onerror=owned=true>",
                      std::string(300, 'w'), "\xff\x1b[31m"};
  return what;
}

v1::Comparison MadeUpComparison(const MadeUpModels& what) {
  const Maker maker(what);
  std::vector<report::ReportInput> inputs;
  for (const std::string& model : what.models) {
    report::ReportInput input;
    input.evaluation = absl::StrCat("evaluations/", model);
    input.model = absl::StrCat("models/", model);
    input.dataset = "datasets/cifar10-test";
    input.seed = 7;
    input.num_classes = static_cast<int>(what.class_names.size());
    input.class_names = what.class_names;
    input.expected_samples = what.samples;
    inputs.push_back(std::move(input));
  }
  std::vector<report::KeptVectors> kept(what.models.size(),
                                        {what.vectors, what.vectors ? "penultimate" : ""});
  std::optional<int> oracle;
  if (what.oracle) oracle = static_cast<int>(what.models.size()) - 1;
  report::ComparisonBuilder builder(std::move(inputs), 0.95, oracle, std::move(kept));
  for (const v1::Condition& condition : Must(ParseConditions(what.conditions))) {
    std::vector<report::ConditionOutcomes> runs;
    for (size_t model = 0; model < what.models.size(); ++model) {
      runs.push_back(maker.Run(condition, model));
    }
    const auto read =
        [&](int model, v1::VectorKind kind,
            const report::WantedVectors&) -> absl::StatusOr<std::optional<report::Vectors>> {
      return maker.Vectors(static_cast<size_t>(model), condition.id(), kind == v1::PROBABILITIES);
    };
    Must(builder.Add(runs, read));
  }
  return Must(std::move(builder).Build());
}

}  // namespace assay::render
