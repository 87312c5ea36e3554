// Tasks that go on with samples that an earlier run has finished.
#include <cstddef>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

// Remembers what it hears.
class Listener final : public TaskObserver {
 public:
  void OnProgress(int64_t samples_done, double fraction) override {
    EXPECT_LE(fraction, 1);
    if (first_progress < 0) first_progress = samples_done;
  }
  void OnOutcome(const v1::Outcome& outcome) override { heard.push_back(outcome); }
  bool Cancelled() override { return false; }

  int64_t first_progress = -1;
  std::vector<v1::Outcome> heard;
};

std::vector<std::string> Bytes(const std::vector<v1::Outcome>& outcomes) {
  std::vector<std::string> bytes;
  for (const auto& outcome : outcomes) bytes.push_back(outcome.SerializeAsString());
  return bytes;
}

class ResumeTest : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr size_t kSamples = 60;
  LinearClassifier model_{{3, 4, 4}, 5, 8, /*lanes=*/2};
  const VectorSource samples_{model_, kSamples};
  const v1::Condition condition_ = ParseOne(GetParam());

  std::vector<v1::Outcome> Run(TaskObserver& observer,
                               const std::vector<v1::Outcome>& finished = {}) {
    const auto outcomes =
        RunTask({condition_, 3, samples_, model_, observer}, /*resources=*/{}, finished);
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    return outcomes.ok() ? *outcomes : std::vector<v1::Outcome>();
  }
};

TEST_P(ResumeTest, OutcomesAreThoseOfARunWithoutInterruption) {
  Listener listener;
  const std::vector<v1::Outcome> outcomes = Run(listener);
  ASSERT_EQ(outcomes.size(), kSamples);
  ASSERT_EQ(listener.heard.size(), kSamples) << "every sample once";
  for (const size_t there : {size_t{1}, kSamples / 3, kSamples - 1, kSamples}) {
    // As they were finished, which is not the order of the dataset.
    const std::vector<v1::Outcome> finished(listener.heard.begin(),
                                            listener.heard.begin() + static_cast<long>(there));
    Listener resumed;
    const auto before = model_.usage();
    EXPECT_EQ(Bytes(Run(resumed, finished)), Bytes(outcomes)) << there;
    EXPECT_EQ(resumed.heard.size(), kSamples - there);
    if (there < kSamples) {
      EXPECT_GE(resumed.first_progress, static_cast<int64_t>(there)) << "what is there counts";
    } else if (condition_.family() != kFamilyAttack) {
      EXPECT_EQ((model_.usage() - before).forward_images, 0);
    }
  }
}

TEST_P(ResumeTest, AnOutcomeOfAnotherLabelIsNotTakenOver) {
  Listener listener;
  const std::vector<v1::Outcome> outcomes = Run(listener);
  std::vector<v1::Outcome> finished = outcomes;
  finished[7].set_label((finished[7].label() + 1) % 5);
  finished[7].set_confidence(0.125F);
  EXPECT_EQ(Bytes(Run(listener, finished)), Bytes(outcomes));
}

// The attacks leave more survivors than are tried without a budget, which are chosen of the task.
INSTANTIATE_TEST_SUITE_P(Conditions, ResumeTest,
                         ::testing::Values("clean", "corruption/gaussian_noise:severity=3",
                                           "attack/pgd:eps=1/255,steps=5",
                                           "attack/autoattack:eps=1/255",
                                           "attack/square:eps=1/255,queries=20",
                                           "attack/fmn:steps=10", "attack/deepfool",
                                           "smoothing/gaussian:sigma=0.5,n0=10,n=50",
                                           "conformal/rscp:sigma=0.5,n=4"));

TEST(ResumeWholeTest, AConditionOverAllSamplesStartsOver) {
  LinearClassifier model({3, 4, 4}, 5, 8, /*lanes=*/2);
  const VectorSource samples(model, 20);
  const v1::Condition condition = ParseOne("attack/universal:eps=8/255,epochs=2");
  Listener listener;
  const auto outcomes = RunTask({condition, 3, samples, model, listener});
  ASSERT_TRUE(outcomes.ok());
  EXPECT_TRUE(listener.heard.empty());
  std::vector<v1::Outcome> finished = *outcomes;
  for (auto& outcome : finished) outcome.set_prediction(4);
  const auto again = RunTask({condition, 3, samples, model, listener}, {}, finished);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(Bytes(*again), Bytes(*outcomes));
}

}  // namespace
}  // namespace assay::engine
