#include "server/repository/trigger_file.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/repository/verdicts.h"

namespace assay::repository {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr char kStart[] = "data: datasets/d\ncondition: [clean, attack/pgd:eps=8/255]\n";

std::string Refusal(const std::string& text) {
  const auto trigger = ReadTrigger(text, "t.yaml");
  return trigger.ok() ? "it is taken" : std::string(trigger.status().message());
}

TEST(TriggerTest, AnEvaluationFileIsRead) {
  const auto trigger = ReadTrigger(
      absl::StrCat(kStart,
                   "suite: classwise\nseed: 7\npriority: low\ndeadline: 2h\nno-cache: true\n"
                   "limit: 100\nlabel: [team=vision]\n"
                   "require:\n  - accuracy(clean) >= 90%\n  - accuracy(clean) >= baseline - 1%\n"
                   "baseline: previous\nundecided: pass\nconfidence-level: 0.99\n"),
      "t.yaml");
  ASSERT_TRUE(trigger.ok()) << trigger.status();
  EXPECT_EQ(trigger->spec.dataset(), "datasets/d");
  EXPECT_THAT(trigger->spec.conditions(),
              ElementsAre("clean", "attack/pgd:eps=8/255", "suite/classwise"));
  EXPECT_EQ(trigger->spec.seed(), 7);
  EXPECT_EQ(trigger->spec.priority(), v1::PRIORITY_LOW);
  EXPECT_EQ(trigger->spec.deadline().seconds(), 7200);
  EXPECT_EQ(trigger->spec.limit(), 100);
  EXPECT_TRUE(trigger->spec.no_cache());
  EXPECT_EQ(trigger->spec.labels().at("team"), "vision");
  EXPECT_EQ(trigger->gates.size(), 2u);
  EXPECT_TRUE(trigger->undecided_passes);
  EXPECT_EQ(trigger->confidence_level, 0.99);
  EXPECT_FALSE(trigger->spec.has_stop_when_decided());
}

TEST(TriggerTest, ItsGatesAreLabelsOfTheEvaluation) {
  const auto trigger = ReadTrigger(
      absl::StrCat(kStart, "require: accuracy(clean) >= baseline\nbaseline: previous\n"), "t.yaml");
  ASSERT_TRUE(trigger.ok()) << trigger.status();
  const Labels labels = EvaluationLabels(*trigger, "resnet", 3, "evaluations/e");
  EXPECT_THAT(labels, Contains(Pair("repository", "resnet")));
  EXPECT_THAT(labels, Contains(Pair("version", "3")));
  EXPECT_THAT(labels, Contains(Pair("gate/1", "accuracy(clean) >= baseline")));
  EXPECT_THAT(labels, Contains(Pair("gate/baseline", "evaluations/e")));
}

TEST(TriggerTest, TheDigestIsOfWhatTheFileSays) {
  const auto digest = [](const std::string& text) { return ReadTrigger(text, "t").value().digest; };
  EXPECT_EQ(digest(kStart),
            digest("# why\ncondition: [clean, attack/pgd:eps=8/255]\ndata: datasets/d\n"));
  EXPECT_NE(digest(kStart), digest(absl::StrCat(kStart, "seed: 1\n")));
}

TEST(TriggerTest, WhatCannotBeRightIsToldWithItsLine) {
  EXPECT_THAT(Refusal("condition: clean\n"), HasSubstr("'data' is missing"));
  EXPECT_THAT(Refusal("data: images.npy\ncondition: clean\n"),
              HasSubstr("assay dataset upload FILE --id ID"));
  EXPECT_THAT(Refusal("data: datasets/d\n"), HasSubstr("give conditions"));
  EXPECT_THAT(Refusal("data: datasets/d\ncondition: attack/pdg\n"), HasSubstr("t.yaml:2"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "model: m.pt\n")), HasSubstr("is the new version"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "normalize: imagenet\n")), HasSubstr("assay.yaml"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "report: r.json\n")), HasSubstr("command line"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "require: accuracy(corruption/fog:severity=1) > 0\n")),
              HasSubstr("has no condition"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "require: accuracy(clean) >= baseline\n")),
              HasSubstr("baseline: previous"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "baseline: previous\n")),
              HasSubstr("no requirement speaks of the baseline"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "require: accuracy(clean) >= baseline\nbaseline: x\n")),
              HasSubstr("got 'x'"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "label: repository=x\n")),
              HasSubstr("the repository sets itself"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "confidence-level: 95\n")), HasSubstr("below 1"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "stop-when-decided: true\n")), HasSubstr("decide when"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "seed: many\n")), HasSubstr("whole number"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "priority: now\n")), HasSubstr("low, normal or high"));
  EXPECT_THAT(Refusal(absl::StrCat(kStart, "deadline: tonight\n")), HasSubstr("such as 2h"));
}

TEST(ModelOptionsTest, AreThoseOfTheCommandLine) {
  const auto interface = ReadModelOptions("normalize: imagenet\nchannels: bgr\n", "assay.yaml");
  ASSERT_TRUE(interface.ok()) << interface.status();
  EXPECT_EQ(interface->mean_size(), 3);
  EXPECT_EQ(interface->channels(), v1::ModelInterface::BGR);
  EXPECT_THAT(ReadModelOptions("\nchannels: gbr\n", "m/assay.yaml").status().message(),
              HasSubstr("m/assay.yaml:2: 'channels' must be rgb or bgr; got 'gbr'"));
  EXPECT_THAT(ReadModelOptions("data: x\n", "m/assay.yaml").status().message(),
              HasSubstr("unknown key 'data'"));
}

}  // namespace
}  // namespace assay::repository
