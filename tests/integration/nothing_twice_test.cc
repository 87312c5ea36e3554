// What is not computed twice: finished samples of a task that was interrupted, and outcomes that
// another evaluation has.
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class NothingTwiceTest : public ZooFixture {
 protected:
  std::string Log() const {
    std::ifstream file(directory_.path() + "/data/assayd.log");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static v1::EvaluationSpec Reusing(v1::EvaluationSpec spec) {
    spec.clear_no_cache();
    return spec;
  }
  int64_t Passes(const v1::Evaluation& evaluation) {
    const auto report = ReportOf(evaluation.name());
    EXPECT_TRUE(report.ok()) << report.status();
    return report->passes().forwards();
  }
  int64_t Reused(const v1::Evaluation& evaluation) {
    return ReportOf(evaluation.name())->provenance().reused_samples();
  }
  int64_t SamplesDone(const std::string& name) {
    const auto evaluation = client_->GetEvaluation(name);
    return evaluation.ok() ? evaluation->progress().samples_done() : 0;
  }
};

// --- interrupted tasks

// One task, of which some samples are finished when it is interrupted.
class InterruptedTest : public NothingTwiceTest {
 protected:
  static constexpr int kSamples = 640;
  // The lines that tell of a checkpoint that was taken over.
  static constexpr char kGoesOn[] = "a task goes on from its checkpoint";

  void Start() { StartServer({"--checkpoint-seconds", "0.1"}); }
  void Prepare() {
    Start();
    // Of which a quarter is right, and of these half are fooled, sooner or later; with momentum, so
    // that no iterate comes again and ends the attack.
    GeneratedData data(kSamples, 3, 8, 4);
    spec_ = Spec(Upload("slow"), Upload(data), {"attack/mi-fgsm:eps=0.01,steps=60"}, kSamples);
    undisturbed_ = Run(spec_);
    ASSERT_EQ(undisturbed_.state(), v1::Evaluation::SUCCEEDED);
    const auto created = client_->CreateEvaluation(spec_, "");
    ASSERT_TRUE(created.ok());
    name_ = created->name();
    // More samples than those that were wrong from the start, which are finished at once.
    const int64_t wrong =
        kSamples - ReportOf(undisturbed_.name())->conditions(0).attack().attacked();
    ASSERT_TRUE(Eventually([&] { return SamplesDone(name_) > wrong; }));
    ASSERT_LT(SamplesDone(name_), kSamples);
  }
  void ExpectTheSame() {
    const v1::Evaluation end = Await(name_);
    ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
    EXPECT_EQ(Outcomes(name_), Outcomes(undisturbed_.name()));
    EXPECT_EQ(ReportText(name_), ReportText(undisturbed_.name()));
    EXPECT_THAT(Log(), HasSubstr(kGoesOn));
  }

  v1::EvaluationSpec spec_;
  v1::Evaluation undisturbed_;
  std::string name_;
};

TEST_F(InterruptedTest, AfterAKilledEngineTheOtherSamplesAreRun) {
  Prepare();
  ASSERT_THAT(Log(), Not(HasSubstr(kGoesOn)));
  for (const pid_t engine : server_->Engines()) kill(engine, SIGKILL);
  ExpectTheSame();
  // What was in flight is computed again, and counted again.
  EXPECT_GE(Passes(*client_->GetEvaluation(name_)), Passes(undisturbed_));
}

TEST_F(InterruptedTest, AfterAnOrderlyEndTheOtherSamplesAreRun) {
  Prepare();
  ASSERT_EQ(server_->Terminate(), 0);
  Start();
  ExpectTheSame();
}

TEST_F(InterruptedTest, AfterAKilledServerTheOtherSamplesAreRun) {
  Prepare();
  // What was finished is stored a tenth of a second later, and more comes meanwhile.
  const int64_t done = SamplesDone(name_);
  ASSERT_TRUE(Eventually([&] { return SamplesDone(name_) > done; }));
  server_->Kill();
  Start();
  ExpectTheSame();
}

// --- outcomes that are there

TEST_F(NothingTwiceTest, TheSameEvaluationCostsNoPass) {
  StartServer();
  GeneratedData data(64, 3, 8, 4);
  // Of every kind.
  const v1::EvaluationSpec spec =
      Reusing(Spec(Upload("linear"), Upload(data),
                   {"clean", "attack/pgd:eps=4/255,steps=5", "attack/autoattack:eps=2/255",
                    "attack/universal:epochs=2", "attack/fmn:steps=10", "bounds/ibp:eps=1/255",
                    "corruption/gaussian_noise:severity=1",
                    "smoothing/gaussian:sigma=0.25,n0=10,n=50", "conformal/rscp:n=4"}));
  const v1::Evaluation first = Run(spec);
  ASSERT_EQ(first.state(), v1::Evaluation::SUCCEEDED) << first.failure().message();
  EXPECT_EQ(Reused(first), 0);
  const v1::Evaluation second = Run(spec);
  ASSERT_EQ(second.state(), v1::Evaluation::SUCCEEDED) << second.failure().message();
  EXPECT_EQ(Passes(second), 0);
  EXPECT_EQ(Reused(second), 64 * first.conditions_size());
  EXPECT_EQ(ReportOf(second.name())->provenance().model_seconds(), 0);
  EXPECT_EQ(Outcomes(second.name()), Outcomes(first.name()));
  EXPECT_EQ(ReportText(second.name()), ReportText(first.name()));
  // And computed once more they are the same.
  v1::EvaluationSpec again = spec;
  again.set_no_cache(true);
  const v1::Evaluation third = Run(again);
  EXPECT_EQ(Reused(third), 0);
  EXPECT_EQ(Passes(third), Passes(first));
  EXPECT_EQ(Outcomes(third.name()), Outcomes(first.name()));
  EXPECT_THAT(server_->Http("/metrics"),
              HasSubstr("assay_reused_samples_total{kind=\"attack\"} 256"));
}

TEST_F(NothingTwiceTest, ConditionsAndSamplesThatAreAddedAreComputed) {
  StartServer();
  GeneratedData data(120, 3, 8, 4);
  const std::string pgd = "attack/pgd:eps=1/255,steps=5";
  v1::EvaluationSpec spec = Reusing(Spec(Upload("linear"), Upload(data), {"clean", pgd}));
  spec.set_limit(50);
  ASSERT_EQ(Run(spec).state(), v1::Evaluation::SUCCEEDED);

  spec.add_conditions("smoothing/gaussian:sigma=0.25,n0=10,n=50");
  const v1::Evaluation wider = Run(spec);
  EXPECT_EQ(Reused(wider), 100);
  EXPECT_GE(Passes(wider), 50 * 60);

  spec.mutable_conditions()->RemoveLast();
  spec.set_limit(120);
  const v1::Evaluation longer = Run(spec);
  ASSERT_EQ(longer.state(), v1::Evaluation::SUCCEEDED) << longer.failure().message();
  EXPECT_EQ(Reused(longer), 100);
  v1::EvaluationSpec whole = spec;
  whole.set_no_cache(true);
  const v1::Evaluation computed = Run(whole);
  // More than 32 samples hold, and which of them are tried without a budget is chosen of all.
  EXPECT_EQ(Outcomes(longer.name()), Outcomes(computed.name()));
  EXPECT_EQ(ReportText(longer.name()), ReportText(computed.name()));
  EXPECT_LT(Passes(longer), Passes(computed));

  // Fewer samples, and another cut.
  spec.set_limit(40);
  spec.set_task_samples(7);
  whole = spec;
  whole.set_no_cache(true);
  const v1::Evaluation shorter = Run(spec);
  EXPECT_EQ(Reused(shorter), 80);
  EXPECT_EQ(Outcomes(shorter.name()), Outcomes(Run(whole).name()));
}

TEST_F(NothingTwiceTest, AStreamTakesWhatADatasetHad) {
  StartServer();
  GeneratedData data(64, 3, 8, 4);
  const std::string model = Upload("linear");
  const v1::Evaluation first =
      Run(Reusing(Spec(model, Upload(data), {"clean", "attack/pgd:steps=3"})));
  for (const bool no_cache : {false, true}) {
    v1::EvaluateRequest::Start start;
    start.set_model(model);
    start.add_conditions("clean");
    start.add_conditions("attack/pgd:steps=3");
    start.set_seed(7);
    start.set_no_cache(no_cache);
    const auto streamed = client_->Evaluate(start, data, 0, {}, nullptr);
    ASSERT_TRUE(streamed.ok()) << streamed.status();
    EXPECT_EQ(streamed->evaluation().spec().no_cache(), no_cache);
    EXPECT_EQ(Reused(streamed->evaluation()), no_cache ? 0 : 128);
    EXPECT_EQ(Outcomes(streamed->evaluation().name()), Outcomes(first.name()));
  }
}

TEST_F(NothingTwiceTest, WhatDiffersIsComputed) {
  StartServer();
  GeneratedData data(32, 3, 8, 4);
  const v1::EvaluationSpec spec = Reusing(Spec(Upload("linear"), Upload(data), {"clean"}));
  const v1::Evaluation first = Run(spec);
  ASSERT_EQ(first.state(), v1::Evaluation::SUCCEEDED);
  v1::EvaluationSpec other = spec;
  other.set_seed(8);
  EXPECT_EQ(Reused(Run(other)), 0) << "seed";
  other = spec;
  other.set_model(Upload("slow"));
  EXPECT_EQ(Reused(Run(other)), 0) << "model";
  GeneratedData relabelled(32, 3, 8, 3);
  other = spec;
  other.set_dataset(Upload(relabelled, "relabelled"));
  EXPECT_EQ(Reused(Run(other)), 0) << "labels";
  GeneratedData darker(32, 3, 8, 4);
  darker.brightest = 100;
  other.set_dataset(Upload(darker, "darker"));
  EXPECT_EQ(Reused(Run(other)), 0) << "images";
  other = spec;
  other.set_keep_probabilities(true);
  EXPECT_EQ(Reused(Run(other)), 0) << "kept";
  EXPECT_EQ(Reused(Run(spec)), 32) << "the same";
  const auto listed = client_->ListEvaluations({});
  ASSERT_TRUE(listed.ok()) << listed.status();
  for (const v1::Evaluation& evaluation : *listed) {
    ASSERT_TRUE(client_->DeleteEvaluation(evaluation.name()).ok());
  }
  EXPECT_EQ(Reused(Run(spec)), 0) << "deleted";
}

TEST_F(NothingTwiceTest, ARandomModelIsAskedAgain) {
  StartServer();
  GeneratedData data(32, 3, 8, 4);
  const v1::EvaluationSpec spec = Reusing(Spec(Upload("random"), Upload(data), {"clean"}));
  ASSERT_EQ(Run(spec).state(), v1::Evaluation::SUCCEEDED);
  EXPECT_EQ(Reused(Run(spec)), 0);
}

}  // namespace
}  // namespace assay::testing
