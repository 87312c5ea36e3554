#include "server/scheduler/worker.h"

#include <signal.h>

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduler/planner.h"
#include "tests/server/scheduler/fake_engine_models.h"
#include "tests/server/scheduler/hooked_store.h"

namespace assay::scheduler {
namespace {

using store::HasReason;
using store::IsOk;
using ::testing::HasSubstr;

class WorkerTest : public EngineFixture {
 protected:
  WorkerTest() {
    worker_options_.owner = "worker";
    worker_options_.device = "cpu";
    worker_options_.lease_seconds = 0.1;  // of a clock that stands still; renewed every 33 ms
    worker_options_.cancel_grace_seconds = 0.3;
    worker_options_.retry_wait_seconds = 0;  // the clock stands still
  }

  ~WorkerTest() override {
    workers_.clear();
    pool_.reset();
  }

  void StartWorker() {
    if (!hooked_) hooked_.emplace(*store_);
    if (!pool_) pool_.emplace(options_, *hooked_, *blobs_, metrics_);
    workers_.push_back(
        std::make_unique<Worker>(worker_options_, *hooked_, *blobs_, *pool_, hub_, metrics_));
  }
  store::HookedStore& hooked() {
    if (!hooked_) hooked_.emplace(*store_);
    return *hooked_;
  }

  // Queues an evaluation of a model that behaves as told.
  void Submit(const std::string& id, const std::string& behaviour, const std::vector<int>& chunks,
              int32_t task_samples, const std::vector<std::string>& conditions = {"clean"}) {
    AddModel(id, behaviour);
    AddDataset(id, chunks, class_names_);
    v1::EvaluationSpec spec;
    spec.set_model("models/" + id);
    spec.set_dataset("datasets/" + id);
    spec.set_keep_probabilities(keep_probabilities_);
    spec.set_allow_missing_classes(allow_missing_classes_);
    spec.set_task_samples(task_samples);
    Queue(id, spec, conditions);
  }

  // Of a model and a dataset that are there.
  void Queue(const std::string& id, const v1::EvaluationSpec& spec,
             const std::vector<std::string>& conditions) {
    v1::Evaluation evaluation;
    evaluation.set_name("evaluations/" + id);
    *evaluation.mutable_spec() = spec;
    const auto parsed = ParseConditions(conditions);
    ASSERT_THAT(parsed, IsOk());
    for (const auto& condition : *parsed) *evaluation.add_conditions() = condition;
    const auto dataset = store_->GetDataset(spec.dataset());
    ASSERT_THAT(dataset, IsOk());
    const int64_t samples = spec.limit() > 0 ? spec.limit() : dataset->samples();
    ASSERT_THAT(store_->CreateEvaluation(evaluation,
                                         PlanTasks(*parsed, 0, samples, spec.task_samples()), ""),
                IsOk());
    hub_.NotifyWork();
  }

  v1::Evaluation Get(const std::string& id) {
    const auto record = store_->GetEvaluation("evaluations/" + id);
    EXPECT_THAT(record, IsOk());
    return record.ok() ? record->proto : v1::Evaluation();
  }
  bool Ends(const std::string& id, v1::Evaluation::State state) {
    return Eventually([&] { return Get(id).state() == state; });
  }
  // Whether the evaluation has every outcome of [0, samples) under `conditions` conditions, once,
  // with the labels of the dataset.
  void ExpectComplete(const std::string& id, int samples, int conditions = 1) {
    const auto tasks = store::ReadAllOutcomes(*store_, "evaluations/" + id);
    ASSERT_THAT(tasks, IsOk());
    std::set<std::pair<int, int64_t>> seen;
    for (const auto& task : *tasks) {
      for (const auto& outcome : task.outcomes.outcomes()) {
        EXPECT_TRUE(seen.insert({task.condition, outcome.sample()}).second);
        EXPECT_EQ(outcome.label(), outcome.sample() % 10);
      }
    }
    EXPECT_EQ(seen.size(), static_cast<size_t>(samples * conditions));
  }

  std::string EngineLog(int number) {
    return FileText(directory_.File(absl::StrCat("engine-", number, ".log")));
  }
  // Forward passes that the report counts.
  int64_t Passes(const std::string& id) {
    const auto tasks = store::ReadAllOutcomes(*store_, "evaluations/" + id);
    EXPECT_THAT(tasks, IsOk());
    int64_t passes = 0;
    for (const auto& task : *tasks) passes += task.outcomes.passes().forwards();
    return passes;
  }
  int SamplesInCheckpoint(int64_t task = 1) {
    store::ClaimedTask claim;
    claim.task.id = task;
    const auto checkpoint = store_->ReadCheckpoint(claim);
    EXPECT_THAT(checkpoint, IsOk());
    return checkpoint->has_value() ? (*checkpoint)->outcomes.outcomes_size() : 0;
  }

  // Of the next submission.
  bool keep_probabilities_ = false;
  int class_names_ = 0;
  bool allow_missing_classes_ = false;
  WorkerOptions worker_options_;
  Hub hub_;
  std::optional<store::HookedStore> hooked_;
  std::optional<EnginePool> pool_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

TEST_F(WorkerTest, EveryTaskIsRunAndCommittedOnce) {
  StartWorker();
  // Tasks that begin and end inside chunks, and one that spans three.
  Submit("e", "", {7, 5, 1, 12}, 10, {"clean", "corruption/gaussian_noise:severity=1-2"});
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 25, 3);
  EXPECT_EQ(Get("e").progress().samples_done(), 75);
  EXPECT_TRUE(Eventually([&] {
    const std::string text = metrics_.Render();
    return text.find("assay_samples_total{kind=\"clean\"} 25") != std::string::npos &&
           text.find("assay_samples_total{kind=\"corruption\"} 50") != std::string::npos &&
           text.find("assay_task_seconds_count{kind=\"corruption\"} 6") != std::string::npos;
  }));
  EXPECT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").condition.empty(); }))
      << "nothing is running any more";
}

// The model has ten logits, which nobody knew when the evaluation was created.
TEST_F(WorkerTest, ClassNamesMustBeAsManyAsLogitsUnlessThatIsAllowed) {
  StartWorker();
  for (const int names : {9, 11}) {
    class_names_ = names;
    allow_missing_classes_ = false;
    const std::string id = "refused" + std::to_string(names);
    Submit(id, "name=" + id, {5}, 5);
    ASSERT_TRUE(Ends(id, v1::Evaluation::FAILED));
    EXPECT_EQ(Get(id).failure().reason(), "INVALID_DATASET");
    EXPECT_THAT(Get(id).failure().message(),
                HasSubstr("names " + std::to_string(names) + " classes, but the model has 10"));
    EXPECT_THAT(Get(id).failure().message(), HasSubstr("--allow-missing-classes"));
    allow_missing_classes_ = true;
    const std::string allowed = "allowed" + std::to_string(names);
    Submit(allowed, "name=" + allowed, {5}, 5);
    EXPECT_TRUE(Ends(allowed, v1::Evaluation::SUCCEEDED));
  }
  class_names_ = 10;
  allow_missing_classes_ = false;
  Submit("equal", "name=equal", {5}, 5);
  EXPECT_TRUE(Ends("equal", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, TwoWorkersShareTheTasks) {
  StartWorker();
  worker_options_.owner = "other";
  worker_options_.device = "cuda:0";
  StartWorker();
  Submit("e", "", {200}, 10);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 200);
}

TEST_F(WorkerTest, ProgressOfARunningTaskIsTold) {
  StartWorker();
  Submit("e", "run=wait:" + directory_.File("gate"), {10}, 10);
  EXPECT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  EXPECT_DOUBLE_EQ(hub_.GetRunning("evaluations/e").work_done, 5);
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RUNNING);
  Touch(directory_.File("gate"));
  EXPECT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, ATaskWhoseEngineDiesIsTriedAgain) {
  StartWorker();
  Submit("e", "run=abort-once:" + directory_.File("died"), {20}, 10);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("assay_engine_restarts_total{reason=\"died_at_work\"} 1"));
}

TEST_F(WorkerTest, ATaskWhoseEngineIsKilledGoesOnFromWhatItHadTold) {
  options_.batch_size = 32;  // or no two engines have the same numerics
  StartWorker();
  Submit("e", "run=half-kill:" + directory_.File("died"), {7, 13}, 20);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
  EXPECT_THAT(EngineLog(0), HasSubstr("run 20 of 20"));
  EXPECT_THAT(EngineLog(1), HasSubstr("run 10 of 20"));
  EXPECT_EQ(Passes("e"), 20) << "of both runs";
  EXPECT_EQ(store_->GetEvaluation("evaluations/e")->provenance.model_seconds(), 0.5);
  EXPECT_EQ(SamplesInCheckpoint(), 0);
  // In the order of the dataset, as if nothing had happened.
  const auto tasks = store::ReadAllOutcomes(*store_, "evaluations/e");
  ASSERT_THAT(tasks, IsOk());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(tasks->at(0).outcomes.outcomes(i).sample(), i);
}

TEST_F(WorkerTest, ACheckpointOfOtherNumericsIsNotTakenOver) {
  StartWorker();  // each engine has other ones
  Submit("e", "run=half-kill:" + directory_.File("died"), {20}, 20);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
  EXPECT_THAT(EngineLog(1), HasSubstr("run 20 of 20"));
  EXPECT_EQ(Passes("e"), 30) << "what was in vain was done, too";
}

TEST_F(WorkerTest, ATaskThatIsGivenBackLeavesACheckpoint) {
  options_.batch_size = 32;
  worker_options_.checkpoint_seconds = 3600;
  StartWorker();
  Submit("e", "run=half-wait:" + directory_.File("gate"), {20}, 20);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 10; }));
  EXPECT_EQ(SamplesInCheckpoint(), 0) << "it is not time yet";
  workers_.clear();
  EXPECT_EQ(SamplesInCheckpoint(), 10);
  EXPECT_EQ(store_->CountTasks()->at("OPEN"), 1);
  Touch(directory_.File("gate"));
  StartWorker();
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
  EXPECT_EQ(Passes("e"), 20);
}

TEST_F(WorkerTest, FinishedSamplesAreStoredWhileTheTaskRuns) {
  options_.batch_size = 32;
  worker_options_.checkpoint_seconds = 1e-9;  // with every event
  std::atomic<bool> full = true;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "AddToCheckpoint" || !full) return absl::OkStatus();
    return Error(Reason::kStorageFull, "no room");
  });
  StartWorker();
  Submit("full", "run=half-wait:" + directory_.File("gate"), {20}, 20);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/full").samples_done == 10; }));
  EXPECT_EQ(SamplesInCheckpoint(1), 0);
  Touch(directory_.File("gate"));
  ASSERT_TRUE(Ends("full", v1::Evaluation::SUCCEEDED)) << "which nobody has to wait for";
  full = false;
  Submit("e", "run=half-wait:" + directory_.File("other"), {20}, 20);
  EXPECT_TRUE(Eventually([&] { return SamplesInCheckpoint(2) == 10; }));
  Touch(directory_.File("other"));
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, ATaskThatKeepsMoreThanOutcomesStartsOver) {
  options_.batch_size = 32;
  keep_probabilities_ = true;
  StartWorker();
  Submit("e", "run=half-kill:" + directory_.File("died"), {20}, 20);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  EXPECT_THAT(EngineLog(1), HasSubstr("run 20 of 20"));
}

// --- outcomes that are there already

class ReusingWorkerTest : public WorkerTest {
 protected:
  ReusingWorkerTest() {
    options_.batch_size = 32;  // or no two engines have the same numerics
    AddModel("m", "probes=same");
    AddDataset("d", {20, 20, 20});
    spec_.set_model("models/m");
    spec_.set_dataset("datasets/d");
    spec_.set_task_samples(15);
    spec_.set_limit(30);
    StartWorker();
  }

  // "computed reused" of an evaluation that has ended well, all of whose outcomes are there.
  std::string Run(const v1::EvaluationSpec& spec,
                  const std::vector<std::string>& conditions = {"clean"}) {
    const std::string id = absl::StrCat("e", ++evaluations_);
    Queue(id, spec, conditions);
    if (!Ends(id, v1::Evaluation::SUCCEEDED)) return "failed";
    ExpectComplete(id, static_cast<int>(spec.limit()), static_cast<int>(conditions.size()));
    return absl::StrCat(Passes(id), " ",
                        store_->GetEvaluation("evaluations/" + id)->provenance.reused_samples());
  }

  v1::EvaluationSpec spec_;
  int evaluations_ = 0;
};

TEST_F(ReusingWorkerTest, TheSameIsNotComputedTwice) {
  EXPECT_EQ(Run(spec_), "30 0");
  EXPECT_EQ(Run(spec_), "0 30");
  const auto first = store::ReadAllOutcomes(*store_, "evaluations/e1");
  const auto second = store::ReadAllOutcomes(*store_, "evaluations/e2");
  ASSERT_EQ(first->size(), second->size());
  for (size_t i = 0; i < first->size(); ++i) {
    EXPECT_EQ((*first)[i].numerics.SerializeAsString(), (*second)[i].numerics.SerializeAsString());
    v1::OutcomeBatch without = (*first)[i].outcomes;
    without.clear_passes();
    v1::OutcomeBatch same = (*second)[i].outcomes;
    same.clear_passes();
    EXPECT_EQ(without.SerializeAsString(), same.SerializeAsString());
  }
  EXPECT_TRUE(Eventually([&] {
    return metrics_.Render().find("assay_reused_samples_total{kind=\"clean\"} 30") !=
           std::string::npos;
  }));
}

TEST_F(ReusingWorkerTest, WhatIsAddedIsComputed) {
  EXPECT_EQ(Run(spec_), "30 0");
  EXPECT_EQ(Run(spec_, {"clean", "corruption/gaussian_noise:severity=1"}), "30 30");
  spec_.set_limit(50);
  EXPECT_EQ(Run(spec_), "20 30");
  // Cut in another way, too.
  spec_.set_task_samples(60);
  spec_.set_limit(60);
  EXPECT_EQ(Run(spec_), "10 50");
  spec_.set_limit(7);
  EXPECT_EQ(Run(spec_), "0 7");
}

TEST_F(ReusingWorkerTest, WhatDiffersIsComputed) {
  EXPECT_EQ(Run(spec_), "30 0");
  v1::EvaluationSpec other = spec_;
  other.set_seed(1);
  EXPECT_EQ(Run(other), "30 0");
  AddModel("other", "probes=same");
  other = spec_;
  other.set_model("models/other");
  EXPECT_EQ(Run(other), "30 0");
  // The same bytes by another name are the same.
  ASSERT_THAT(store_->CreateModel(store::MakeModel("twin", ModelContent("probes=same name=m")), ""),
              IsOk());
  other.set_model("models/twin");
  EXPECT_EQ(Run(other), "0 30");
  // The second chunk is of other images.
  AddDataset("changed", {20, 10, 20});
  other = spec_;
  other.set_dataset("datasets/changed");
  EXPECT_EQ(Run(other), "10 20");
}

TEST_F(ReusingWorkerTest, OutcomesOfOtherNumericsAreNotTaken) {
  EXPECT_EQ(Run(spec_), "30 0");
  workers_.clear();
  pool_.reset();
  options_.batch_size = 16;
  StartWorker();
  EXPECT_EQ(Run(spec_), "30 0");
  EXPECT_EQ(Run(spec_), "0 30");
}

TEST_F(ReusingWorkerTest, WhoAsksForItComputesAll) {
  EXPECT_EQ(Run(spec_), "30 0");
  v1::EvaluationSpec other = spec_;
  other.set_no_cache(true);
  EXPECT_EQ(Run(other), "30 0");
  other = spec_;
  other.set_keep_probabilities(true);
  EXPECT_EQ(Run(other), "30 0");
}

TEST_F(ReusingWorkerTest, WhatIsDeletedIsComputedAgain) {
  EXPECT_EQ(Run(spec_), "30 0");
  EXPECT_EQ(Run(spec_), "0 30");
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e1"), IsOk());
  EXPECT_EQ(Run(spec_), "0 30") << "it is there once more";
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e2"), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e3"), IsOk());
  EXPECT_EQ(Run(spec_), "30 0");
}

TEST_F(WorkerTest, ATaskWhoseEngineDiedWaitsLongerEachTimeWhileOthersRun) {
  worker_options_.retry_wait_seconds = 5;
  StartWorker();
  Submit("bad", "run=abort", {1}, 1);
  const auto died = [&](int times) {
    return metrics_.Render().find(
               absl::StrCat("assay_engine_restarts_total{reason=\"died_at_work\"} ", times)) !=
           std::string::npos;
  };
  // Of a task that waits nothing runs, and its evaluation goes on.
  const auto waits = [&](int times) {
    return Eventually([&] {
      return died(times) && *store_->CountTasks() == std::map<std::string, int64_t>{
                                                         {"OPEN", 1}, {"LEASED", 0}, {"DONE", 0}};
    });
  };
  ASSERT_TRUE(waits(1));
  EXPECT_EQ(store_->OldestOpenTaskMicros()->has_value(), false);
  clock_.AdvanceSeconds(4.9);
  EXPECT_EQ(store_->OldestOpenTaskMicros()->has_value(), false);
  Submit("good", "", {20}, 10);
  ASSERT_TRUE(Ends("good", v1::Evaluation::SUCCEEDED));
  EXPECT_EQ(Get("bad").state(), v1::Evaluation::RUNNING);

  clock_.AdvanceSeconds(0.1);
  hub_.NotifyWork();
  ASSERT_TRUE(Eventually([&] { return died(2); }));
  ASSERT_TRUE(Eventually([&] { return store_->CountTasks()->at("LEASED") == 0; }));
  clock_.AdvanceSeconds(19.9);
  EXPECT_EQ(store_->OldestOpenTaskMicros()->has_value(), false);
  clock_.AdvanceSeconds(0.1);
  hub_.NotifyWork();
  ASSERT_TRUE(Ends("bad", v1::Evaluation::FAILED));
  EXPECT_TRUE(died(3));
  EXPECT_THAT(Get("bad").failure().message(), HasSubstr("after 3 attempts at sample 0 alone"));

  // A retry begins at once, with as many attempts as the first time.
  ASSERT_THAT(store_->RetryEvaluation("evaluations/bad"), IsOk());
  hub_.NotifyWork();
  ASSERT_TRUE(Eventually([&] { return died(4); }));
  ASSERT_TRUE(Eventually([&] { return store_->CountTasks()->at("LEASED") == 0; }));
  EXPECT_EQ(Get("bad").state(), v1::Evaluation::RUNNING);
}

TEST_F(WorkerTest, AnEngineThatDiesAgainAndAgainFailsTheEvaluationAndNoOther) {
  StartWorker();
  Submit("bad", "run=abort", {20}, 10);
  Submit("good", "", {20}, 10);
  ASSERT_TRUE(Ends("bad", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("bad").failure().reason(), "ENGINE_LOST");
  EXPECT_THAT(Get("bad").failure().message(), HasSubstr("signal 6"));
  EXPECT_THAT(Get("bad").failure().message(), HasSubstr("after 3 attempts at sample"));
  EXPECT_TRUE(Ends("good", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, AnEngineThatIsKilledFromOutsideIsNotTheModelsFaultSoSoon) {
  StartWorker();
  Submit("bad", "run=kill", {10}, 10);
  ASSERT_TRUE(Ends("bad", v1::Evaluation::FAILED));
  EXPECT_THAT(Get("bad").failure().message(), HasSubstr("signal 9 (SIGKILL) from outside"));
  EXPECT_THAT(Get("bad").failure().message(), HasSubstr("memory runs out"));
  EXPECT_THAT(Get("bad").failure().message(), HasSubstr("after 9 attempts at samples 0 to 9"))
      << "and no sample is looked for";
}

TEST_F(WorkerTest, TheSampleAtWhichTheModelDiesIsFoundAndOnlyItsConditionIsGivenUp) {
  StartWorker();
  Submit("e", "run=abort-at:13", {20}, 10,
         {"clean", "corruption/gaussian_noise:severity=1", "corruption/fog:severity=1"});
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  const v1::Evaluation ended = Get("e");
  EXPECT_EQ(ended.failure().reason(), "ENGINE_LOST");
  EXPECT_THAT(ended.failure().message(), HasSubstr("1 of 3 conditions failed"));
  EXPECT_THAT(ended.failure().message(), HasSubstr("at sample 13 alone"));
  ASSERT_EQ(ended.failed_conditions_size(), 1);
  EXPECT_EQ(ended.failed_conditions(0).condition(), ended.conditions(1).id());
  const auto tasks = store::ReadAllOutcomes(*store_, "evaluations/e");
  ASSERT_THAT(tasks, IsOk());
  std::map<int, int> samples;
  for (const auto& task : *tasks) samples[task.condition] += task.outcomes.outcomes_size();
  EXPECT_EQ(samples[0], 20);
  EXPECT_GE(samples[1], 10);
  EXPECT_LT(samples[1], 20);
  EXPECT_EQ(samples[2], 20);
}

TEST_F(WorkerTest, WhereNoTaskHasEverSucceededTheOtherConditionsAreNotTried) {
  StartWorker();
  Submit("e", "run=error", {20}, 10, {"clean", "corruption/fog:severity=1"});
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("e").failed_conditions_size(), 0);
  EXPECT_THAT(Get("e").failure().message(), ::testing::Not(HasSubstr("conditions")));
}

TEST_F(WorkerTest, ErrorsOfTheModelFailTheEvaluationAtOnce) {
  StartWorker();
  Submit("e", "run=error", {20}, 10);
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("e").failure().reason(), "MODEL_FAILED");
  EXPECT_THAT(Get("e").failure().message(), HasSubstr("boom"));
  Submit("at-load", "load=nan", {20}, 10);
  ASSERT_TRUE(Ends("at-load", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("at-load").failure().reason(), "MODEL_NOT_FINITE");
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("assay_engine_restarts_total{reason=\"died_at_work\"} 0"));
}

TEST_F(WorkerTest, AWrongNumberOfOutcomesIsNeverCommitted) {
  StartWorker();
  Submit("e", "run=short", {20}, 20);
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("e").failure().reason(), "INTERNAL");
  EXPECT_THAT(Get("e").failure().message(), HasSubstr("log"));
  const auto outcomes = store::ReadAllOutcomes(*store_, "evaluations/e");
  ASSERT_THAT(outcomes, IsOk());
  EXPECT_TRUE(outcomes->empty());
}

TEST_F(WorkerTest, AnEvaluationWhoseModelIsGoneFailsInsteadOfWaitingForEver) {
  Submit("e", "", {20}, 20);
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteModel("models/e"), IsOk());
  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  StartWorker();
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("e").failure().reason(), "NOT_FOUND");
  EXPECT_THAT(Get("e").failure().message(), HasSubstr("models/e"));
}

TEST_F(WorkerTest, TheMetricsTellWhatItIsDoing) {
  const auto is = [&](const std::string& state) {
    return Eventually([&] {
      return metrics_.Render().find(absl::StrCat("assay_workers{device=\"cpu\",state=\"", state,
                                                 "\"} 1\n")) != std::string::npos;
    });
  };
  std::atomic<bool> full = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "CommitTask" || !full) return absl::OkStatus();
    return Error(Reason::kStorageFull, "no room");
  });
  StartWorker();
  EXPECT_TRUE(is("idle"));
  full = true;
  Submit("e", "run=wait:" + directory_.File("gate"), {10}, 10);
  EXPECT_TRUE(is("working"));
  Touch(directory_.File("gate"));
  EXPECT_TRUE(is("blocked"));
  full = false;
  hub_.NotifyWork();
  EXPECT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  EXPECT_TRUE(is("idle"));
}

TEST_F(WorkerTest, ACancelledEvaluationStopsAndTheEngineGoesOnToTheNext) {
  StartWorker();
  Submit("e", "run=wait:" + directory_.File("gate"), {20}, 10);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  EXPECT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").condition.empty(); }));
  EXPECT_EQ(Get("e").state(), v1::Evaluation::CANCELLED);
  Touch(directory_.File("gate"));
  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  hub_.NotifyWork();
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
  EXPECT_EQ(FileText(directory_.File("engine-1.log")), "") << "no second engine was started";
}

TEST_F(WorkerTest, ACancelledEvaluationWhoseModelHangsIsKilledAfterTheGracePeriod) {
  StartWorker();
  Submit("e", "run=hang", {20}, 10);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  Submit("next", "", {20}, 10);
  EXPECT_TRUE(Ends("next", v1::Evaluation::SUCCEEDED));
  EXPECT_EQ(Get("e").state(), v1::Evaluation::CANCELLED);
}

TEST_F(WorkerTest, ACancelledEvaluationDoesNotWaitForAModelThatHangsWhileLoading) {
  StartWorker();
  Submit("e", "load=hang", {20}, 10);
  ASSERT_TRUE(Eventually([&] { return Get("e").state() == v1::Evaluation::RUNNING; }));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  Submit("next", "", {20}, 10);
  EXPECT_TRUE(Ends("next", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, AModelWithoutProgressCountsAsHanging) {
  worker_options_.stall_seconds = 0.3;
  StartWorker();
  Submit("e", "run=hang", {20}, 10);
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("e").failure().reason(), "MODEL_FAILED");
  EXPECT_THAT(Get("e").failure().message(), HasSubstr("no progress for 0.3 s under clean"));
}

TEST_F(WorkerTest, SlowProgressIsNoStall) {
  worker_options_.stall_seconds = 1.5;
  StartWorker();
  Submit("e", "run=drip:" + directory_.File("gate"), {20}, 20);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  // For longer than the limit.
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(Eventually(
      [&] { return std::chrono::steady_clock::now() - start > std::chrono::seconds(2); }));
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RUNNING);
  Touch(directory_.File("gate"));
  EXPECT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, ALongTaskKeepsItsLease) {
  StartWorker();
  Submit("e", "run=wait:" + directory_.File("gate"), {20}, 20);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  // Each renewal moves the end of the lease; between two of them the clock moves by half a lease.
  for (int i = 0; i < 4; ++i) {
    std::atomic<int> renewals = 0;
    const auto hook = hooked().Install([&](const std::string& method) {
      if (method == "RenewLease") ++renewals;
      return absl::OkStatus();
    });
    ASSERT_TRUE(Eventually([&] { return renewals >= 2; }));
    clock_.AdvanceSeconds(0.05);
  }
  const auto other = store_->ClaimTask("other", 1'000'000, "");
  ASSERT_THAT(other, IsOk());
  EXPECT_FALSE(other->has_value());
  Touch(directory_.File("gate"));
  EXPECT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, TheResultOfALostLeaseIsDropped) {
  // The worker is held up at its commit for so long that somebody else takes the task over and
  // finishes it.
  std::atomic<bool> taken = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method == "RenewLease") return Error(Reason::kStorageFailed, "no contact");
    if (method != "CommitTask" || taken) return absl::OkStatus();
    taken = true;
    clock_.AdvanceSeconds(60);
    const auto claim = store_->ClaimTask("other", 1'000'000, "");
    EXPECT_THAT(claim, IsOk());
    if (!claim.ok() || !claim->has_value()) return absl::OkStatus();
    EXPECT_EQ((*claim)->attempt, 2);
    v1::OutcomeBatch outcomes = store::MakeOutcomes((*claim)->task);
    for (auto& outcome : *outcomes.mutable_outcomes()) outcome.set_prediction(9);
    return store_->CommitTask(**claim, outcomes, store::MakeNumerics("other"), {});
  });
  StartWorker();
  Submit("e", "", {10}, 10);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ASSERT_TRUE(taken);
  // A second evaluation shows that the worker is past its late commit.
  Submit("next", "", {10}, 10);
  ASSERT_TRUE(Ends("next", v1::Evaluation::SUCCEEDED));
  const auto outcomes = store::ReadAllOutcomes(*store_, "evaluations/e");
  ASSERT_THAT(outcomes, IsOk());
  ASSERT_EQ(outcomes->size(), 1u);
  EXPECT_EQ(outcomes->at(0).numerics.device(), "other");
  EXPECT_EQ(outcomes->at(0).outcomes.outcomes(0).prediction(), 9);
}

TEST_F(WorkerTest, ALeaseLostWhileTheTaskRunsStopsIt) {
  StartWorker();
  Submit("e", "run=wait:" + directory_.File("gate"), {10}, 10);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  std::atomic<bool> refused = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "RenewLease" || refused) return absl::OkStatus();
    refused = true;
    return Error(Reason::kLeaseLost, "taken over");
  });
  EXPECT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").condition.empty(); }));
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RUNNING) << "it is somebody else's now";
  EXPECT_TRUE(Eventually(
      [&] { return metrics_.Render().find("assay_leases_lost_total 1\n") != std::string::npos; }));
  // When that somebody dies too, the task is claimed again.
  Touch(directory_.File("gate"));
  clock_.AdvanceSeconds(60);
  hub_.NotifyWork();
  EXPECT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
}

TEST_F(WorkerTest, AStoreThatFailsForAWhileLosesNothing) {
  std::atomic<int> failures = 0;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "CommitTask" || ++failures > 6) return absl::OkStatus();
    hub_.NotifyWork();  // so that the test does not wait for the worker's patience
    return Error(failures % 2 == 0 ? Reason::kStorageFull : Reason::kStorageFailed, "no room");
  });
  StartWorker();
  Submit("e", "", {20}, 20);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
  EXPECT_TRUE(Eventually([&] {
    return metrics_.Render().find("assay_passes_total{direction=\"forward\",kind=\"clean\"} 20") !=
           std::string::npos;
  })) << "computed once";
}

TEST_F(WorkerTest, AStoreThatFailsOtherwiseIsTriedAgainToo) {
  for (const char* failing : {"ClaimTask", "GetEvaluation", "GetModel", "GetDataset", "GetNumerics",
                              "SetNumerics", "SetModelValidation"}) {
    SCOPED_TRACE(failing);
    std::atomic<int> failures = 0;
    const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
      if (method != failing || ++failures > 1) return absl::OkStatus();
      hub_.NotifyWork();
      return Error(Reason::kStorageFailed, "the disk at /secret is gone");
    });
    if (workers_.empty()) StartWorker();
    const std::string id = Slug(failing);
    Submit(id, "", {20}, 20);
    ASSERT_TRUE(Ends(id, v1::Evaluation::SUCCEEDED));
    ExpectComplete(id, 20);
  }
}

TEST_F(WorkerTest, AStoreThatKeepsFailingFailsTheEvaluationWithoutTellingPaths) {
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "GetDataset") return absl::OkStatus();
    return Error(Reason::kStorageFailed, "the disk at /secret is gone");
  });
  StartWorker();
  Submit("e", "", {20}, 20);
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("e").failure().reason(), "STORAGE_FAILED");
  EXPECT_THAT(Get("e").failure().message(), ::testing::Not(HasSubstr("/secret")));
}

TEST_F(WorkerTest, ADatabaseThatIsAwayIsNoFaultOfTheTaskHoweverOften) {
  std::atomic<int> failures = 0;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    // Nor can the task be given back then.
    if ((method != "GetDataset" && method != "ReleaseTask") || ++failures > 12) {
      return absl::OkStatus();
    }
    clock_.AdvanceSeconds(60);
    hub_.NotifyWork();
    return Error(Reason::kUnavailable, "the database is away");
  });
  StartWorker();
  Submit("e", "", {20}, 20);
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
}

TEST_F(WorkerTest, BlobsThatAreNotMountedAreNoFaultOfTheTaskHoweverOften) {
  Submit("e", "", {20}, 20);
  const std::string blobs = directory_.File("blobs"), away = directory_.File("away");
  std::atomic<int> failures = 0;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method == "GetDataset" && failures < 8) {
      // As an engine says it.
      return Error(Reason::kStorageFailed, "cannot open the file of the model");
    }
    if (method == "ReleaseTask") {
      if (++failures == 8) std::filesystem::rename(away, blobs);
      hub_.NotifyWork();
    }
    return absl::OkStatus();
  });
  std::filesystem::rename(blobs, away);
  StartWorker();
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
}

TEST_F(WorkerTest, AShutdownGivesTheTaskBackWithoutCountingTheAttempt) {
  StartWorker();
  Submit("e", "run=wait:" + directory_.File("gate"), {20}, 20);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  workers_.clear();
  EXPECT_TRUE(hub_.GetRunning("evaluations/e").condition.empty());
  const auto claim = store_->ClaimTask("other", 1'000'000, "");
  ASSERT_THAT(claim, IsOk());
  ASSERT_TRUE(claim->has_value()) << "open at once, not when the lease runs out";
  EXPECT_EQ((*claim)->attempt, 1);
}

TEST_F(WorkerTest, AShutdownDoesNotWaitForAModelThatHangs) {
  for (const char* behaviour : {"load=hang", "run=hang"}) {
    SCOPED_TRACE(behaviour);
    const std::string id = Slug(behaviour);
    Submit(id, behaviour, {20}, 20);
    StartWorker();
    ASSERT_TRUE(Eventually([&] { return Get(id).state() == v1::Evaluation::RUNNING; }));
    workers_.clear();
    ASSERT_THAT(store_->CancelEvaluation("evaluations/" + id), IsOk());
  }
}

TEST_F(WorkerTest, AShutdownEndsTheWaitForAFullStore) {
  std::atomic<bool> waiting = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "CommitTask") return absl::OkStatus();
    waiting = true;
    return Error(Reason::kStorageFull, "no room");
  });
  StartWorker();
  Submit("e", "", {20}, 20);
  ASSERT_TRUE(Eventually([&] { return waiting.load(); }));
  workers_.clear();
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RUNNING) << "for the next start to finish";
}

TEST_F(WorkerTest, AnUnloadedModelIsLoadedAgainForTheTaskThatWasRunning) {
  StartWorker();
  const std::string gate = directory_.File("gate");
  Submit("e", "run=wait:" + gate, {20}, 20);
  ASSERT_TRUE(Eventually([&] { return hub_.GetRunning("evaluations/e").samples_done == 1; }));
  Touch(gate);
  pool_->Unload("models/e");
  EXPECT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED));
  ExpectComplete("e", 20);
}

}  // namespace
}  // namespace assay::scheduler
