// What is kept of the images that a model was judged by, against a linear model's own arithmetic.
#include "server/engine/kept_vectors.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/server/engine/base/recorder.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Shape kShape{3, 8, 8};

// A task and what was kept after it.
struct Kept {
  std::vector<v1::Outcome> outcomes;
  std::vector<KeptExample> examples;
  std::vector<KeptVectors> vectors;
};

Kept RunAndKeep(const std::string& expression, Recorder& model, const SampleSource& samples,
                const VectorsToKeep& wanted) {
  Kept kept;
  QuietObserver observer;
  const v1::Condition condition = ParseOne(expression);
  const TaskContext task{condition, 1, samples, model, observer, {}, &kept.examples};
  const auto outcomes = RunTask(task);
  EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  kept.outcomes = outcomes.value_or(std::vector<v1::Outcome>());
  model.Forget();
  auto vectors = KeepVectors(task, {}, kept.examples, wanted);
  EXPECT_TRUE(vectors.ok()) << vectors.status();
  if (vectors.ok()) kept.vectors = *std::move(vectors);
  return kept;
}

std::vector<double> Softmax(const LinearClassifier& model, const std::vector<float>& image) {
  std::vector<float> logits(static_cast<size_t>(model.num_classes()));
  model.Logits(image.data(), logits.data());
  std::vector<double> shares;
  double sum = 0;
  for (const float logit : logits) sum += shares.emplace_back(std::exp(static_cast<double>(logit)));
  for (double& share : shares) share /= sum;
  return shares;
}

TEST(KeptVectors, ProbabilitiesAreTheSoftmaxOfTheImagesThatWereJudged) {
  for (const char* expression : {"clean", "corruption/gaussian_noise:severity=3",
                                 "attack/pgd:eps=0.05", "attack/fmn:norm=l2"}) {
    SCOPED_TRACE(expression);
    Recorder model(kShape, 5, 7);
    const VectorSource samples(model, 30, 100);
    VectorsToKeep wanted;
    wanted.probabilities = true;
    const auto before = model.usage();
    const Kept kept = RunAndKeep(expression, model, samples, wanted);
    ASSERT_THAT(kept.vectors, SizeIs(1));
    const KeptVectors& vectors = kept.vectors[0];
    EXPECT_EQ(vectors.kind, v1::PROBABILITIES);
    EXPECT_EQ(vectors.size, 5);
    EXPECT_EQ(vectors.samples, samples.indices);
    ASSERT_EQ(vectors.values.size(), 150u);
    EXPECT_GT((model.usage() - before).needed_forwards, 30);
    std::map<int64_t, std::vector<float>> examples;
    for (const KeptExample& example : kept.examples) examples[example.sample] = example.pixels;
    for (size_t i = 0; i < 30; ++i) {
      const float* const row = &vectors.values[i * 5];
      // The outcome's own prediction and confidence are of that image.
      EXPECT_EQ(std::max_element(row, row + 5) - row, kept.outcomes[i].prediction());
      EXPECT_NEAR(*std::max_element(row, row + 5), kept.outcomes[i].confidence(), 1e-6);
      const std::vector<float>* image = &samples.images[i];
      if (const auto found = examples.find(samples.indices[i]); found != examples.end()) {
        image = &found->second;
      }
      if (kept.outcomes[i].has_attack()) {
        EXPECT_EQ(examples.count(samples.indices[i]) > 0, kept.outcomes[i].attack().success());
      }
      if (ParseOne(expression).family() == kFamilyCorruption) continue;
      EXPECT_TRUE(model.Images().count(*image) == 1);
      const std::vector<double> expected = Softmax(model, *image);
      for (size_t k = 0; k < 5; ++k) EXPECT_NEAR(row[k], expected[k], 1e-6);
    }
  }
}

TEST(KeptVectors, AttacksThatFindSomeAndMissSomeKeepBoth) {
  Recorder model(kShape, 5, 7);
  const VectorSource samples(model, 40);
  VectorsToKeep wanted;
  wanted.probabilities = true;
  const Kept kept = RunAndKeep("attack/pgd:eps=0.02", model, samples, wanted);
  int found = 0;
  for (const auto& outcome : kept.outcomes) found += outcome.attack().success() ? 1 : 0;
  EXPECT_GT(found, 0);
  EXPECT_LT(found, 40);
  EXPECT_THAT(kept.vectors.at(0).samples, SizeIs(40));
}

TEST(KeptVectors, FeaturesAreWhatTheLayerAnswersToTheSameImages) {
  Recorder model(kShape, 5, 7);
  LinearClassifier layer(kShape, 11, 4, /*lanes=*/2);
  const VectorSource samples(model, 30);
  VectorsToKeep wanted;
  wanted.layer = &layer;
  const Kept kept = RunAndKeep("attack/pgd:eps=0.05", model, samples, wanted);
  ASSERT_THAT(kept.vectors, SizeIs(1));
  EXPECT_EQ(kept.vectors[0].kind, v1::FEATURES);
  EXPECT_EQ(kept.vectors[0].size, 11);
  EXPECT_EQ(layer.usage().needed_forwards, 30);
  std::map<int64_t, std::vector<float>> images;
  for (size_t i = 0; i < 30; ++i) images[samples.indices[i]] = samples.images[i];
  for (const KeptExample& example : kept.examples) images[example.sample] = example.pixels;
  std::vector<float> expected(11);
  for (size_t i = 0; i < 30; ++i) {
    layer.Logits(images[samples.indices[i]].data(), expected.data());
    const auto row = kept.vectors[0].values.begin() + static_cast<std::ptrdiff_t>(i * 11);
    EXPECT_EQ(std::vector<float>(row, row + 11), expected);
  }
}

TEST(KeptVectors, CorruptedImagesAreThoseOfTheTask) {
  Recorder model(kShape, 5, 7);
  const VectorSource samples(model, 12);
  // Identity, to see the image itself: as many numbers as pixels.
  class Identity final : public LinearClassifier {
   public:
    Identity() : LinearClassifier(kShape, 192, 4) {}
    absl::Status RunForward(const float* images, int rows, float* logits) override {
      std::copy_n(images, static_cast<size_t>(rows) * 192, logits);
      return absl::OkStatus();
    }
  } identity;
  VectorsToKeep wanted;
  wanted.layer = &identity;
  for (const char* expression : {"corruption/gaussian_noise:severity=3", "corruption/fog"}) {
    // What the task shows, in another model of the same kind.
    Recorder watched(kShape, 5, 12, /*lanes=*/1);
    RunCondition(expression, watched, samples);
    const Kept kept = RunAndKeep(expression, model, samples, wanted);
    for (size_t i = 0; i < 12; ++i) {
      const auto row = kept.vectors.at(0).values.begin() + static_cast<std::ptrdiff_t>(i * 192);
      EXPECT_TRUE(watched.Images().count({row, row + 192}) == 1) << expression;
    }
  }
}

TEST(KeptVectors, WhoKeepsNothingPaysNothing) {
  Recorder model(kShape, 5, 7);
  const VectorSource samples(model, 10);
  RunCondition("clean", model, samples);
  const auto passes = model.usage().needed_forwards;
  EXPECT_THAT(RunAndKeep("clean", model, samples, {}).vectors, IsEmpty());
  EXPECT_EQ(model.usage().needed_forwards, 2 * passes);
}

TEST(KeptVectors, ConditionsOfManyImagesKeepNone) {
  Recorder model(kShape, 5, 7);
  const VectorSource samples(model, 10);
  VectorsToKeep wanted;
  wanted.probabilities = true;
  wanted.layer = &model;
  for (const char* expression :
       {"smoothing/gaussian:sigma=0.25,n0=10,n=20", "sequence/gaussian_noise", "conformal/rscp"}) {
    EXPECT_FALSE(JudgesOneImage(ParseOne(expression))) << expression;
    QuietObserver observer;
    const v1::Condition condition = ParseOne(expression);
    const auto vectors = KeepVectors({condition, 1, samples, model, observer}, {}, {}, wanted);
    ASSERT_TRUE(vectors.ok());
    EXPECT_THAT(*vectors, IsEmpty());
  }
}

TEST(KeptVectors, SamplesWithoutFiniteLogitsAreLeftOut) {
  Recorder model(kShape, 5, 4, /*lanes=*/1);
  const VectorSource samples(model, 4);
  model.on_forward = [](int slot, float* logits) {
    if (slot == 2) logits[1] = NAN;
  };
  VectorsToKeep wanted;
  wanted.probabilities = true;
  const Kept kept = RunAndKeep("clean", model, samples, wanted);
  EXPECT_THAT(kept.vectors.at(0).samples, ElementsAre(0, 1, 3));
  EXPECT_THAT(kept.vectors.at(0).values, SizeIs(15));
  EXPECT_TRUE(kept.outcomes[2].undecided());
}

TEST(KeptVectors, AreInTheOrderOfTheDatasetWhateverThatOfTheTask) {
  Recorder model(kShape, 5, 4);
  VectorSource samples(model, 10);
  std::reverse(samples.images.begin(), samples.images.end());
  std::reverse(samples.labels.begin(), samples.labels.end());
  std::reverse(samples.indices.begin(), samples.indices.end());
  VectorsToKeep wanted;
  wanted.probabilities = true;
  const Kept kept = RunAndKeep("clean", model, samples, wanted);
  EXPECT_THAT(kept.vectors.at(0).samples, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  for (size_t i = 0; i < 10; ++i) {
    const std::vector<double> expected = Softmax(model, samples.images[9 - i]);
    for (size_t k = 0; k < 5; ++k) {
      EXPECT_NEAR(kept.vectors[0].values[i * 5 + k], expected[k], 1e-6);
    }
  }
}

TEST(KeptVectors, CancellationAndErrorsEndThePass) {
  Recorder model(kShape, 5, 4);
  const VectorSource samples(model, 40);
  QuietObserver observer;
  observer.cancel_after = 2;
  VectorsToKeep wanted;
  wanted.probabilities = true;
  const v1::Condition condition = ParseOne("clean");
  const auto vectors = KeepVectors({condition, 1, samples, model, observer}, {}, {}, wanted);
  EXPECT_EQ(ReasonOf(vectors.status()), Reason::kCancelled);
}

}  // namespace
}  // namespace assay::engine
