// Corruption and sequence conditions as tasks: outcomes that depend on nothing but seed, condition
// and sample.
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/corruptions/plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"
#include "tests/server/engine/base/recorder.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

using corruptions::CorruptionPlan;
using corruptions::Image;
using corruptions::ImageFromPlanes;

constexpr Shape kShape{3, 64, 64};

std::string Bytes(const std::vector<v1::Outcome>& outcomes) {
  std::string bytes;
  for (const v1::Outcome& outcome : outcomes) bytes += outcome.SerializeAsString();
  return bytes;
}

TEST(RunCorruption, ShowsTheSameBytesForOneAndTwoLanesAndAnyBatch) {
  for (const char* expression :
       {"corruption/gaussian_noise:severity=3", "corruption/glass_blur:severity=2",
        "corruption/snow:severity=4", "corruption/spatter:severity=1",
        "corruption/elastic_transform:severity=5", "corruption/fog+jpeg_compression:severity=2.5",
        "corruption/occlusion", "corruption/crop:at=random"}) {
    SCOPED_TRACE(expression);
    std::set<std::vector<float>> expected;
    for (const auto& [batch, lanes] : {std::pair{32, 1}, {32, 2}, {7, 2}, {1, 2}}) {
      Recorder model(kShape, 3, batch, lanes);
      const VectorSource samples(model, 32);
      ASSERT_EQ(RunCondition(expression, model, samples).size(), 32u);
      if (expected.empty()) expected = model.Images();
      EXPECT_EQ(expected.size(), 32u);
      EXPECT_TRUE(model.Images() == expected) << "batch " << batch << ", " << lanes << " lanes";
    }
  }
}

TEST(RunCorruption, ASampleDoesNotDependOnTheTaskItIsIn) {
  Recorder whole(kShape, 3, 4), part(kShape, 3, 4);
  const VectorSource all(whole, 8), last(part, 3, 5);
  RunCondition("corruption/gaussian_noise:severity=3", whole, all);
  RunCondition("corruption/gaussian_noise:severity=3", part, last);
  EXPECT_EQ(part.Images().size(), 3u);
  for (const auto& image : part.Images()) EXPECT_EQ(whole.Images().count(image), 1u);
}

TEST(RunCorruption, TheSeedAndTheConditionChangeTheNoise) {
  std::vector<std::set<std::vector<float>>> different;
  for (const auto& [expression, seed] :
       {std::pair<const char*, int64_t>{"corruption/gaussian_noise:severity=3", 1},
        {"corruption/gaussian_noise:severity=3", 2},
        {"corruption/gaussian_noise:severity=3,table=64", 1},
        {"corruption/gaussian_noise:severity=2.5", 1}}) {
    Recorder model(kShape, 3, 2);
    const VectorSource samples(model, 2);
    RunCondition(expression, model, samples, seed);
    for (const auto& other : different) EXPECT_TRUE(model.Images() != other);
    different.push_back(model.Images());
  }
}

TEST(RunCorruption, ShowsWhatThePlanMakes) {
  Recorder model(kShape, 3, 2);
  const VectorSource samples(model, 2, 40);
  RunCondition("corruption/glass_blur:severity=4", model, samples, 9);
  const v1::Condition condition = ParseOne("corruption/glass_blur:severity=4");
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(64);
  shape.set_width(64);
  const auto plan = CorruptionPlan::Make(condition, shape, nullptr);
  ASSERT_TRUE(plan.ok());
  Image image = ImageFromPlanes(samples.images[1].data(), shape);
  plan->Apply(RandomKey(9, condition.id()), 41, image);
  std::vector<float> expected(shape.channels() * 64 * 64);
  ImageToPlanes(image, expected.data());
  EXPECT_EQ(model.Images().count(expected), 1u);
}

TEST(RunCorruption, FrostNeedsPhotographs) {
  Recorder model(kShape, 3, 2);
  const VectorSource samples(model, 2);
  const auto outcomes = TryCondition("corruption/frost:severity=1", model, samples);
  EXPECT_EQ(ReasonOf(outcomes.status()), Reason::kInvalidCondition);
  EXPECT_THAT(std::string(outcomes.status().message()),
              testing::AllOf(testing::HasSubstr("--frost-directory"),
                             testing::HasSubstr("frost-procedural")));
}

TEST(RunSequence, HasAPredictionForEveryFrameAndTheImagesOwnFirst) {
  Recorder model(kShape, 3, 4);
  const VectorSource samples(model, 6);
  const auto outcomes = RunCondition("sequence/rotate:degrees=180,frames=5", model, samples);
  ASSERT_EQ(outcomes.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(outcomes[i].sequence().predictions_size(), 5);
    EXPECT_EQ(outcomes[i].sequence().predictions(0), outcomes[i].prediction());
    // A copy of what the last frame shows, through the model.
    Image image{64, 64, 3, {}};
    v1::ImageShape shape;
    shape.set_channels(3);
    shape.set_height(64);
    shape.set_width(64);
    image = ImageFromPlanes(samples.images[i].data(), shape);
    std::vector<float> turned(3 * 64 * 64), logits(3);
    std::vector<uint8_t> reversed;
    for (size_t p = 64 * 64; p-- > 0;) {
      for (size_t c = 0; c < 3; ++c) reversed.push_back(image.pixels[3 * p + c]);
    }
    image.pixels = reversed;
    ImageToPlanes(image, turned.data());
    model.Logits(turned.data(), logits.data());
    EXPECT_EQ(outcomes[i].sequence().predictions(4), Predict(logits.data(), 3).label);
  }
}

TEST(RunSequence, DoesNotDependOnThreadsOrBatch) {
  std::string expected;
  for (const auto& [batch, lanes] : {std::pair{16, 1}, {16, 2}, {5, 2}}) {
    LinearClassifier model(kShape, 5, batch, lanes);
    const VectorSource samples(model, 16);
    const std::string bytes =
        Bytes(RunCondition("sequence/gaussian_noise:severity=5,frames=4", model, samples));
    if (expected.empty()) expected = bytes;
    EXPECT_EQ(bytes, expected);
  }
}

TEST(RunSequence, ReportsProgressThatOnlyGrowsAndCanBeCancelled) {
  class Watcher : public QuietObserver {
   public:
    void OnProgress(int64_t samples_done, double fraction) override {
      EXPECT_GE(fraction, last_fraction);
      QuietObserver::OnProgress(samples_done, fraction);
    }
  };
  LinearClassifier model(kShape, 3, 2);
  const VectorSource samples(model, 6);
  const v1::Condition condition = ParseOne("sequence/scale:frames=3");
  Watcher watcher;
  ASSERT_TRUE(RunTask({condition, 1, samples, model, watcher}).ok());
  EXPECT_EQ(watcher.last_fraction, 1);
  EXPECT_EQ(watcher.last_samples, 6);
  QuietObserver cancelling;
  cancelling.cancel_after = 4;
  EXPECT_EQ(ReasonOf(RunTask({condition, 1, samples, model, cancelling}).status()),
            Reason::kCancelled);
}

}  // namespace
}  // namespace assay::engine
