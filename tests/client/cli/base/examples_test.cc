#include "client/cli/base/examples.h"

#include <cstdint>
#include <string>
#include <vector>

#include "core/conditions/condition.h"
#include "core/corruptions/plan.h"
#include "gmock/gmock.h"
#include "tests/client/lib/fake_server.h"

namespace assay::cli {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kSide = 32;
constexpr size_t kPixels = 3 * kSide * kSide;

class ExamplesTest : public ::testing::Test {
 protected:
  ExamplesTest() : session_(Options(), interrupt_) {
    v1::Dataset& dataset = state()->datasets["datasets/d"];
    dataset.set_name("datasets/d");
    dataset.mutable_manifest()->mutable_shape()->set_channels(3);
    dataset.mutable_manifest()->mutable_shape()->set_height(kSide);
    dataset.mutable_manifest()->mutable_shape()->set_width(kSide);
    evaluation_.set_name("evaluations/e");
    evaluation_.mutable_spec()->set_dataset("datasets/d");
    evaluation_.mutable_spec()->set_seed(3);
    evaluation_.mutable_spec()->set_keep_adversarials(true);
  }

  SessionOptions Options() {
    SessionOptions options;
    options.server = server_.address();
    options.quiet = true;
    return options;
  }
  FakeServer::LockedState state() { return server_.state(); }

  // Two classes of two samples; sample 1, of class 0, and sample 2, of class 1, are taken for the
  // other one.
  void Add(const std::string& expression) {
    const v1::Condition condition = ParseConditions({expression})->front();
    *evaluation_.add_conditions() = condition;
    v1::ConditionReport& report = *report_.add_conditions();
    report.set_id(condition.id());
    report.set_family(condition.family());
    v1::StreamOutcomesResponse batch;
    batch.set_condition(condition.id());
    for (int i = 0; i < 2; ++i) {
      v1::ClassReport& own = *report.add_classes();
      own.set_index(i);
      own.mutable_accuracy()->set_value(0.5);
      own.mutable_attack()->set_successes(condition.family() == kFamilyAttack ? 1 : 0);
      auto& row = *report.add_confusion_matrix();
      row.add_counts(1);
      row.add_counts(1);
    }
    for (int i = 0; i < 4; ++i) {
      v1::Outcome& outcome = *batch.add_outcomes();
      outcome.set_sample(i);
      outcome.set_label(i / 2);
      outcome.set_prediction(i % 2);
      outcome.set_confidence(0.5F + 0.1F * static_cast<float>(i));
      if (condition.family() != kFamilyAttack) continue;
      outcome.mutable_attack()->set_attacked(true);
      outcome.mutable_attack()->set_success(outcome.label() != outcome.prediction());
      outcome.mutable_attack()->set_distance(0.01);
    }
    state()->outcomes.push_back(batch);
  }

  // Pixel k of sample i is i + k, as a byte.
  void AddImages(const std::vector<int64_t>& samples) {
    v1::StreamSamplesResponse batch;
    batch.set_pixel_type(v1::UINT8);
    for (const int64_t sample : samples) {
      batch.add_samples(sample);
      for (size_t k = 0; k < kPixels; ++k) {
        batch.mutable_images()->push_back(static_cast<char>(static_cast<size_t>(sample) + k));
      }
    }
    state()->samples.push_back(batch);
  }
  static std::vector<float> Image(size_t sample) {
    std::vector<float> planes;
    for (size_t k = 0; k < kPixels; ++k) {
      planes.push_back(static_cast<float>(static_cast<uint8_t>(sample + k)) / 255.0F);
    }
    return planes;
  }

  render::Examples Fetch(int most = 4) {
    auto examples = FetchExamples(session_, evaluation_, report_, most);
    EXPECT_TRUE(examples.ok()) << examples.status();
    return *std::move(examples);
  }

  FakeServer server_;
  client::Interrupt interrupt_;
  Session session_;
  v1::Evaluation evaluation_;
  v1::Report report_;
};

TEST_F(ExamplesTest, CleanImagesComeFromTheServer) {
  Add("clean");
  AddImages({1, 2});
  const render::Examples examples = Fetch();
  EXPECT_EQ(examples.none, "");
  EXPECT_EQ(examples.shape.height(), kSide);
  const auto& clean = examples.conditions.at("clean");
  ASSERT_THAT(clean.examples, SizeIs(2));
  EXPECT_EQ(clean.examples[0].outcome.sample(), 1);
  EXPECT_EQ(clean.examples[0].clean, Image(1));
  EXPECT_EQ(clean.examples[1].clean, Image(2));
  EXPECT_THAT(clean.examples[0].changed, SizeIs(0));
  EXPECT_FALSE(clean.examples[0].before.has_value());
  EXPECT_THAT(state()->sample_requests[0].samples(), ElementsAre(1, 2));
}

TEST_F(ExamplesTest, CorruptedImagesAreTheEngines) {
  Add("clean");
  Add("corruption/gaussian_noise:severity=3");
  AddImages({1, 2});
  const render::Examples examples = Fetch(1);
  const v1::Condition& condition = evaluation_.conditions(1);
  const auto& corrupted = examples.conditions.at(condition.id());
  ASSERT_THAT(corrupted.examples, SizeIs(1));
  const render::Example& example = corrupted.examples[0];
  // As server/engine/corruptions makes it, with the evaluation's seed.
  const std::vector<float> planes = Image(1);
  const auto plan = corruptions::CorruptionPlan::Make(condition, examples.shape, nullptr);
  ASSERT_TRUE(plan.ok());
  corruptions::Image image = corruptions::ImageFromPlanes(planes.data(), examples.shape);
  plan->Apply(RandomKey(3, condition.id()), 1, image);
  std::vector<float> expected(kPixels);
  corruptions::ImageToPlanes(image, expected.data());
  EXPECT_EQ(example.changed, expected);
  EXPECT_NE(example.changed, example.clean);
  // What the model said of the clean image.
  ASSERT_TRUE(example.before.has_value());
  EXPECT_EQ(example.before->prediction, 1);
  EXPECT_FLOAT_EQ(static_cast<float>(example.before->confidence), 0.6F);
}

TEST_F(ExamplesTest, KeptAdversarialExamplesAreFoundBySample) {
  Add("attack/pgd:eps=8/255");
  AddImages({1, 2});
  v1::StreamAdversarialsResponse kept;
  kept.set_condition(evaluation_.conditions(0).id());
  for (const int64_t sample : {0, 1, 2}) {
    kept.add_samples(sample);
    const std::vector<float> planes(kPixels, 0.25F * static_cast<float>(sample));
    kept.mutable_images()->append(reinterpret_cast<const char*>(planes.data()),
                                  kPixels * sizeof(float));
  }
  state()->adversarials.push_back(kept);
  const render::Examples examples = Fetch();
  const auto& attack = examples.conditions.at(evaluation_.conditions(0).id());
  ASSERT_THAT(attack.examples, SizeIs(2));
  EXPECT_EQ(attack.examples[0].clean, Image(1));
  EXPECT_THAT(attack.examples[0].changed, Each(0.25F));
  EXPECT_THAT(attack.examples[1].changed, Each(0.5F));
}

TEST_F(ExamplesTest, AdversarialExamplesThatWereNotKeptAreMissed) {
  Add("attack/pgd:eps=8/255");
  Add("clean");
  AddImages({1, 2});
  evaluation_.mutable_spec()->set_keep_adversarials(false);
  render::Examples examples = Fetch();
  EXPECT_THAT(examples.conditions.at(evaluation_.conditions(0).id()).none,
              HasSubstr("--keep-adversarials"));
  EXPECT_THAT(examples.conditions.at("clean").examples, SizeIs(2));
  EXPECT_EQ(state()->calls["StreamAdversarials"], 0);
  // One that the server has lost.
  evaluation_.mutable_spec()->set_keep_adversarials(true);
  examples = Fetch();
  EXPECT_THAT(examples.conditions.at(evaluation_.conditions(0).id()).none,
              HasSubstr("the adversarial example of sample 1 was not kept"));
}

TEST_F(ExamplesTest, OfSeveralBudgetsTheLargestHasTheExamples) {
  Add("attack/fmn:norm=l2,eps=0.25+0.5");
  const std::string largest = AtEachBudget(evaluation_.conditions(0)).back().id();
  report_.mutable_conditions(0)->set_id(largest);
  evaluation_.mutable_spec()->set_keep_adversarials(false);
  EXPECT_EQ(Fetch().conditions.count(largest), 1u);
}

TEST_F(ExamplesTest, WhatCannotBeHadIsSaidAndNoError) {
  Add("clean");
  state()->failures["StreamSamples"] = {
      grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "an older server")};
  EXPECT_THAT(Fetch().none, HasSubstr("an older server"));
  EXPECT_THAT(Fetch(0).conditions.at("clean").none, HasSubstr("None"));
  state()->datasets["datasets/d"].mutable_manifest()->mutable_shape()->set_channels(4);
  EXPECT_THAT(Fetch().none, HasSubstr("images of 4 channels cannot be shown"));
  evaluation_.mutable_spec()->clear_dataset();
  EXPECT_THAT(Fetch().none, HasSubstr("still arriving"));
}

}  // namespace
}  // namespace assay::cli
