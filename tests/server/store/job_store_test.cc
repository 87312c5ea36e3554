// Models, datasets and evaluations: what is stored, what is refused, how lists are paged.
#include "server/store/job_store.h"

#include "google/protobuf/util/time_util.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using v1::Evaluation;

constexpr char kRequest[] = "6f1c9a3e-0000-4000-8000-000000000001";

// --- models

TEST_F(JobStoreTest, ModelIsReadBackAsItWasStoredAndStamped) {
  ModelRecord model = MakeModel("m");
  model.proto.set_state(v1::Model::READY);
  model.proto.set_state_reason("belongs to the engines");
  const auto created = store_->CreateModel(model, "");
  ASSERT_THAT(created, IsOk());
  Reopen();
  const auto read = store_->GetModel("models/m");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->proto.SerializeAsString(), created->proto.SerializeAsString());
  EXPECT_EQ(read->proto.digest(), Sha256Hex("model"));
  EXPECT_EQ(read->proto.size_bytes(), 5);
  EXPECT_EQ(read->proto.state(), v1::Model::STATE_UNSPECIFIED);
  EXPECT_EQ(read->proto.state_reason(), "");
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(read->proto.create_time()), clock_.NowMicros());
}

TEST_F(JobStoreTest, SameModelTwiceIsTheFirstOneAndOtherContentIsRefused) {
  const auto first = store_->CreateModel(MakeModel("m"), "");
  ASSERT_THAT(first, IsOk());
  clock_.AdvanceSeconds(5);
  const auto again = store_->CreateModel(MakeModel("m"), "");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->proto.SerializeAsString(), first->proto.SerializeAsString());
  const auto other = store_->CreateModel(MakeModel("m", "other"), "");
  EXPECT_THAT(other, HasReason(Reason::kAlreadyExists));
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("models/m"));
}

TEST_F(JobStoreTest, RequestIdReturnsWhatItMadeWhateverTheArguments) {
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), kRequest), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a"}), kRequest), IsOk());
  ASSERT_THAT(store_->CreateEvaluation(MakeEvaluation("e"), MakeTasks(1), kRequest), IsOk());
  Reopen();
  EXPECT_EQ(store_->CreateModel(MakeModel("n", "other"), kRequest)->proto.name(), "models/m");
  const auto dataset = store_->CreateDataset(MakeDataset("n", {"b"}), kRequest);
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->proto.name(), "datasets/d");
  EXPECT_EQ(dataset->proto.manifest().chunks_size(), 1);
  const auto evaluation = store_->CreateEvaluation(MakeEvaluation("n"), MakeTasks(3), kRequest);
  ASSERT_THAT(evaluation, IsOk());
  EXPECT_EQ(evaluation->proto.name(), "evaluations/e");
  EXPECT_EQ(evaluation->proto.progress().tasks(), 1);
  EXPECT_THAT(store_->GetModel("models/n"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetEvaluation("evaluations/n"), HasReason(Reason::kNotFound));

  // A request dies with what it made.
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteModel("models/m"), IsOk());
  EXPECT_EQ(store_->CreateModel(MakeModel("n"), kRequest)->proto.name(), "models/n");
}

TEST_F(JobStoreTest, ModelsAreListedByNameInPages) {
  for (const char* id : {"c", "a", "e", "b", "d"}) {
    ASSERT_THAT(store_->CreateModel(MakeModel(id), ""), IsOk());
  }
  std::vector<std::string> names;
  std::vector<size_t> sizes;
  Page page{2, ""};
  do {
    const auto listing = store_->ListModels(page);
    ASSERT_THAT(listing, IsOk());
    sizes.push_back(listing->records.size());
    for (const ModelRecord& record : listing->records) names.push_back(record.proto.name());
    page.token = listing->next_token;
    // What comes before the token is of no interest any more.
    ASSERT_THAT(store_->DeleteModel(names.back()), IsOk());
  } while (!page.token.empty());
  EXPECT_THAT(names, ElementsAre("models/a", "models/b", "models/c", "models/d", "models/e"));
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST_F(JobStoreTest, PageSizeHasADefaultAndACap) {
  for (int i = 0; i < 1002; ++i) {
    ASSERT_THAT(store_->CreateModel(MakeModel(absl::StrCat("m", i)), ""), IsOk());
  }
  EXPECT_EQ(store_->ListModels({0, ""})->records.size(), 100u);
  EXPECT_EQ(store_->ListModels({-3, ""})->records.size(), 100u);
  const auto most = store_->ListModels({5000, ""});
  EXPECT_EQ(most->records.size(), 1000u);
  const auto rest = store_->ListModels({1000, most->next_token});
  EXPECT_EQ(rest->records.size(), 2u);
  EXPECT_EQ(rest->next_token, "");
}

TEST_F(JobStoreTest, ForeignPageTokensAreRefused) {
  for (const char* id : {"a", "b"}) {
    ASSERT_THAT(store_->CreateModel(MakeModel(id), ""), IsOk());
    Create(id, MakeTasks(1));
  }
  const std::string of_models = store_->ListModels({1, ""})->next_token;
  const std::string of_evaluations = store_->ListEvaluations({1, ""})->next_token;
  ASSERT_NE(of_models, "");
  ASSERT_NE(of_evaluations, "");
  const auto refused = [](const absl::Status& status) {
    EXPECT_THAT(status, HasReason(Reason::kInvalidArgument));
    const auto violations = ViolationsOf(status);
    ASSERT_EQ(violations.size(), 1u);
    EXPECT_EQ(violations[0].field, "page_token");
  };
  for (const std::string& token : {std::string("!"), std::string("abc"), of_evaluations}) {
    refused(store_->ListModels({1, token}).status());
    refused(store_->ListDatasets({1, token}).status());
  }
  // "evaluations/x"
  for (const std::string& token :
       {std::string("!"), of_models, std::string("ZXZhbHVhdGlvbnMveA")}) {
    refused(store_->ListEvaluations({1, token}).status());
  }
}

TEST_F(JobStoreTest, ModelInUseStaysUntilItsEvaluationEnds) {
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), ""), IsOk());
  Create("e", MakeTasks(1));
  const absl::Status in_use = store_->DeleteModel("models/m");
  EXPECT_THAT(in_use, HasReason(Reason::kInUse));
  EXPECT_THAT(std::string(in_use.message()), HasSubstr("evaluations/e"));
  const ClaimedTask claim = Claim();
  EXPECT_THAT(store_->DeleteModel("models/m"), HasReason(Reason::kInUse));
  Commit(claim);
  EXPECT_THAT(store_->DeleteModel("models/m"), IsOk());
  EXPECT_THAT(store_->GetModel("models/m"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->DeleteModel("models/m"), HasReason(Reason::kNotFound));
}

TEST_F(JobStoreTest, ValidationIsKeptWithTheModel) {
  v1::ModelValidation validation;
  validation.set_num_classes(10);
  EXPECT_THAT(store_->SetModelValidation("models/m", validation), HasReason(Reason::kNotFound));
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), ""), IsOk());
  ASSERT_THAT(store_->SetModelValidation("models/m", validation), IsOk());
  Reopen();
  const auto model = store_->GetModel("models/m");
  EXPECT_EQ(model->proto.validation().num_classes(), 10);
  EXPECT_EQ(model->proto.digest(), Sha256Hex("model"));
}

TEST_F(JobStoreTest, NumericsAreKeptByKey) {
  EXPECT_EQ(*store_->GetNumerics("k"), std::nullopt);
  ASSERT_THAT(store_->SetNumerics("k", MakeNumerics("cpu")), IsOk());
  ASSERT_THAT(store_->SetNumerics("l", MakeNumerics("H100")), IsOk());
  Reopen();
  EXPECT_EQ((*store_->GetNumerics("k"))->device(), "cpu");
  EXPECT_EQ((*store_->GetNumerics("k"))->batch_size(), 64);
  ASSERT_THAT(store_->SetNumerics("k", MakeNumerics("A100")), IsOk());
  EXPECT_EQ((*store_->GetNumerics("k"))->device(), "A100");
  EXPECT_EQ((*store_->GetNumerics("l"))->device(), "H100");
}

// --- datasets

TEST_F(JobStoreTest, DatasetKeepsItsManifestInOrder) {
  const auto created = store_->CreateDataset(MakeDataset("d", {"z", "a", "z"}), "");
  ASSERT_THAT(created, IsOk());
  Reopen();
  const auto read = store_->GetDataset("datasets/d");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->proto.SerializeAsString(), created->proto.SerializeAsString());
  EXPECT_EQ(read->proto.manifest().chunks(0).digest(), Sha256Hex("z"));
  EXPECT_EQ(read->proto.manifest().chunks(1).digest(), Sha256Hex("a"));
  EXPECT_EQ(read->proto.manifest().chunks(1).samples(), 10);
  EXPECT_EQ(read->proto.manifest().class_names(1), "dog");
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(read->proto.create_time()), clock_.NowMicros());
}

TEST_F(JobStoreTest, DatasetNameIsTakenByOtherContentOnly) {
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a", "b"}), ""), IsOk());
  const auto again = store_->CreateDataset(MakeDataset("d", {"a", "b"}), "");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->proto.manifest().chunks_size(), 2);
  EXPECT_THAT(store_->CreateDataset(MakeDataset("d", {"b", "a"}), ""),
              HasReason(Reason::kAlreadyExists));
}

TEST_F(JobStoreTest, DatasetsAreListedWithoutTheirChunks) {
  for (const char* id : {"b", "a", "c"}) {
    ASSERT_THAT(store_->CreateDataset(MakeDataset(id, {"x", "y"}), ""), IsOk());
  }
  const auto first = store_->ListDatasets({2, ""});
  ASSERT_THAT(first, IsOk());
  ASSERT_EQ(first->records.size(), 2u);
  EXPECT_EQ(first->records[0].proto.name(), "datasets/a");
  EXPECT_EQ(first->records[0].proto.samples(), 20);
  EXPECT_EQ(first->records[0].proto.manifest().class_names_size(), 2);
  EXPECT_EQ(first->records[0].proto.manifest().chunks_size(), 0);
  const auto second = store_->ListDatasets({2, first->next_token});
  ASSERT_EQ(second->records.size(), 1u);
  EXPECT_EQ(second->records[0].proto.name(), "datasets/c");
  EXPECT_EQ(second->next_token, "");
}

TEST_F(JobStoreTest, DatasetInUseStaysUntilItsEvaluationsAreDeleted) {
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a"}), ""), IsOk());
  Create("e", MakeTasks(1));
  EXPECT_THAT(store_->DeleteDataset("datasets/d"), HasReason(Reason::kInUse));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(store_->DeleteDataset("datasets/d"), HasReason(Reason::kInUse));
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(store_->DeleteDataset("datasets/d"), IsOk());
  EXPECT_THAT(store_->GetDataset("datasets/d"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->DeleteDataset("datasets/d"), HasReason(Reason::kNotFound));
}

TEST_F(JobStoreTest, BlobsInUseAreThoseOfModelsDatasetsAndStreams) {
  EXPECT_THAT(*store_->BlobsInUse(), IsEmpty());
  ASSERT_THAT(store_->CreateModel(MakeModel("m", "model"), ""), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a", "b"}), ""), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("e", {"b", "c"}), ""), IsOk());
  ASSERT_THAT(store_->CreateEvaluation(MakeEvaluation("s", Evaluation::RECEIVING), {}, ""), IsOk());
  ASSERT_THAT(store_->CreateStreamManifest("evaluations/s", v1::DatasetManifest()), IsOk());
  v1::DatasetManifest::Chunk chunk;
  chunk.set_digest(Sha256Hex("streamed"));
  ASSERT_THAT(store_->AppendStreamChunk("evaluations/s", 0, chunk, MakeTasks(1)), IsOk());
  EXPECT_THAT(*store_->BlobsInUse(),
              UnorderedElementsAre(Sha256Hex("model"), Sha256Hex("a"), Sha256Hex("b"),
                                   Sha256Hex("c"), Sha256Hex("streamed")));

  ASSERT_THAT(store_->CancelEvaluation("evaluations/s"), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/s"), IsOk());
  ASSERT_THAT(store_->DeleteDataset("datasets/d"), IsOk());
  ASSERT_THAT(store_->DeleteModel("models/m"), IsOk());
  EXPECT_THAT(*store_->BlobsInUse(), UnorderedElementsAre(Sha256Hex("b"), Sha256Hex("c")));
}

// --- evaluations

TEST_F(JobStoreTest, EvaluationStartsQueuedWithTheTotalsOfItsTasks) {
  Evaluation evaluation = MakeEvaluation("e", Evaluation::STATE_UNSPECIFIED);
  const auto created = store_->CreateEvaluation(evaluation, MakeTasks(3), "");
  ASSERT_THAT(created, IsOk());
  Reopen();
  const EvaluationRecord read = Get("e");
  EXPECT_EQ(read.proto.SerializeAsString(), created->proto.SerializeAsString());
  EXPECT_EQ(read.revision, created->revision);
  EXPECT_EQ(read.proto.state(), Evaluation::QUEUED);
  EXPECT_EQ(read.proto.spec().seed(), 7);
  EXPECT_EQ(read.proto.spec().dataset(), "datasets/d");
  EXPECT_EQ(read.proto.conditions_size(), 2);
  EXPECT_EQ(read.proto.progress().tasks(), 3);
  EXPECT_EQ(read.proto.progress().samples(), 30);
  EXPECT_EQ(read.proto.progress().work(), 7.5);
  EXPECT_EQ(read.proto.progress().tasks_done(), 0);
  EXPECT_EQ(read.proto.progress().current_condition(), "");
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(read.proto.create_time()), clock_.NowMicros());
  EXPECT_FALSE(read.proto.has_start_time());
  EXPECT_FALSE(read.proto.has_end_time());
  EXPECT_FALSE(read.proto.has_failure());
}

TEST_F(JobStoreTest, TakenEvaluationNameIsRefusedAndLeavesNoTasks) {
  Create("e", MakeTasks(1));
  EXPECT_THAT(store_->CreateEvaluation(MakeEvaluation("e"), MakeTasks(5), ""),
              HasReason(Reason::kAlreadyExists));
  EXPECT_EQ((*store_->CountTasks())["OPEN"], 1);
}

TEST_F(JobStoreTest, UnknownEvaluationIsNotFoundEverywhere) {
  const std::string name = "evaluations/none";
  EXPECT_THAT(store_->GetEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->CancelEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->RetryEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->FailEvaluation(name, v1::Failure()), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->DeleteEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetOutcomes(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetModel("models/none"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetDataset("datasets/none"), HasReason(Reason::kNotFound));
}

TEST_F(JobStoreTest, EvaluationsAreListedNewestFirst) {
  for (const char* id : {"b", "a", "d", "c", "e"}) Create(id, MakeTasks(1));
  std::vector<std::string> names;
  Page page{2, ""};
  do {
    const auto listing = store_->ListEvaluations(page);
    ASSERT_THAT(listing, IsOk());
    for (const EvaluationRecord& record : listing->records) {
      names.push_back(record.proto.name());
      EXPECT_EQ(record.proto.progress().tasks(), 1);
      EXPECT_GT(record.revision, 0);
    }
    page.token = listing->next_token;
    // One that comes in between belongs to no later page.
    if (names.size() == 2) Create("late", MakeTasks(1));
  } while (!page.token.empty());
  EXPECT_THAT(names, ElementsAre("evaluations/e", "evaluations/c", "evaluations/d", "evaluations/a",
                                 "evaluations/b"));
}

TEST_F(JobStoreTest, ProgressFollowsTheTasks) {
  std::vector<Task> tasks = MakeTasks(1, 0);
  const std::vector<Task> attack = MakeTasks(2, 1);
  tasks.insert(tasks.end(), attack.begin(), attack.end());
  // In binary, 0.3 + 0.1 + 0.2 is more than 0.3 + 0.2 + 0.1.
  tasks[0].work = 0.3;
  tasks[1].work = 0.1;
  tasks[2].work = 0.2;
  Create("e", tasks);
  const ClaimedTask first = Claim();
  const ClaimedTask second = Claim();
  const ClaimedTask third = Claim();
  EXPECT_EQ(Get("e").proto.progress().current_condition(), "clean");
  Commit(first);
  Commit(third);
  v1::Progress progress = Get("e").proto.progress();
  EXPECT_EQ(progress.tasks_done(), 2);
  EXPECT_EQ(progress.samples_done(), 20);
  EXPECT_DOUBLE_EQ(progress.work_done(), 0.5);
  EXPECT_EQ(progress.current_condition(), "attack/pgd/linf/8-255");
  Commit(second);
  progress = Get("e").proto.progress();
  EXPECT_EQ(progress.tasks_done(), progress.tasks());
  EXPECT_EQ(progress.samples_done(), progress.samples());
  EXPECT_EQ(progress.work_done(), progress.work());
  EXPECT_EQ(progress.current_condition(), "");
}

TEST_F(JobStoreTest, RevisionGrowsWithEveryVisibleChange) {
  std::vector<int64_t> revisions;
  const auto note = [&] { revisions.push_back(Get("e").revision); };
  Create("e", MakeTasks(2));
  note();
  ClaimedTask claim = Claim();
  note();
  Commit(claim);
  note();
  claim = Claim();
  note();
  ASSERT_THAT(store_->ReleaseTask(claim, true, 0), IsOk());
  note();
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  note();
  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  note();
  ASSERT_THAT(store_->FailEvaluation("evaluations/e", v1::Failure()), IsOk());
  note();
  EXPECT_EQ(revisions.size(), 8u);
  EXPECT_TRUE(std::is_sorted(revisions.begin(), revisions.end(), std::less_equal<int64_t>()));
  const int64_t last = revisions.back();
  EXPECT_EQ(Get("e").revision, last);
}

TEST_F(JobStoreTest, CancelStopsTheWorkAndKeepsTheOutcomes) {
  Create("e", MakeTasks(3));
  Commit(Claim());
  const ClaimedTask running = Claim();
  clock_.AdvanceSeconds(1);
  const auto cancelled = store_->CancelEvaluation("evaluations/e");
  ASSERT_THAT(cancelled, IsOk());
  EXPECT_EQ(cancelled->proto.state(), Evaluation::CANCELLED);
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(cancelled->proto.end_time()), clock_.NowMicros());
  EXPECT_EQ(cancelled->proto.progress().tasks_done(), 1);
  EXPECT_EQ(cancelled->proto.progress().current_condition(), "");
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->CommitTask(running, MakeOutcomes(running.task), MakeNumerics()),
              HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->ReleaseTask(running, true, 0), IsOk());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(store_->GetOutcomes("evaluations/e")->size(), 1u);
  EXPECT_THAT(store_->CancelEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
}

TEST_F(JobStoreTest, FailureIsKeptAndEndsTheWork) {
  Create("e", MakeTasks(2));
  const ClaimedTask running = Claim();
  v1::Failure failure;
  failure.set_reason("MODEL_FAILED");
  failure.set_message("size mismatch");
  ASSERT_THAT(store_->FailEvaluation("evaluations/e", failure), IsOk());
  Reopen();
  const Evaluation failed = Get("e").proto;
  EXPECT_EQ(failed.state(), Evaluation::FAILED);
  EXPECT_EQ(failed.failure().reason(), "MODEL_FAILED");
  EXPECT_EQ(failed.failure().message(), "size mismatch");
  EXPECT_TRUE(failed.has_end_time());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->FailEvaluation("evaluations/e", failure), HasReason(Reason::kWrongState));
  EXPECT_THAT(store_->CancelEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
}

TEST_F(JobStoreTest, RetryQueuesTheUnfinishedTasksOnly) {
  Create("e", MakeTasks(3));
  Commit(Claim());
  const ClaimedTask running = Claim();
  ASSERT_THAT(store_->FailEvaluation("evaluations/e", v1::Failure()), IsOk());
  const auto retried = store_->RetryEvaluation("evaluations/e");
  ASSERT_THAT(retried, IsOk());
  EXPECT_EQ(retried->proto.state(), Evaluation::QUEUED);
  EXPECT_FALSE(retried->proto.has_failure());
  EXPECT_FALSE(retried->proto.has_end_time());
  EXPECT_FALSE(retried->proto.has_start_time());
  // The worker of before has lost its claim, although nobody has taken the task over yet.
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kLeaseLost));

  const ClaimedTask again = Claim();
  EXPECT_EQ(again.task.id, running.task.id);
  EXPECT_GT(again.fence, running.fence);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  EXPECT_TRUE(Get("e").proto.has_start_time());
  Commit(again);
  Commit(Claim());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(StateOf("e"), Evaluation::SUCCEEDED);
  EXPECT_EQ(store_->GetOutcomes("evaluations/e")->size(), 3u);
}

TEST_F(JobStoreTest, RetryNeedsAFailedOrCancelledEvaluation) {
  Create("e", MakeTasks(1));
  EXPECT_THAT(store_->RetryEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
  const ClaimedTask claim = Claim();
  EXPECT_THAT(store_->RetryEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
  Commit(claim);
  EXPECT_THAT(store_->RetryEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
}

TEST_F(JobStoreTest, DeleteTakesTasksAndOutcomesAlong) {
  Create("e", MakeTasks(2));
  Create("other", MakeTasks(1));
  EXPECT_THAT(store_->DeleteEvaluation("evaluations/e"), HasReason(Reason::kInUse));
  Commit(Claim());
  const ClaimedTask running = Claim();
  EXPECT_THAT(store_->DeleteEvaluation("evaluations/e"), HasReason(Reason::kInUse));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(store_->GetEvaluation("evaluations/e"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetOutcomes("evaluations/e"), HasReason(Reason::kNotFound));
  EXPECT_THAT(*store_->CountTasks(),
              UnorderedElementsAre(Pair("OPEN", 1), Pair("LEASED", 0), Pair("DONE", 0)));
  EXPECT_THAT(store_->CommitTask(running, MakeOutcomes(running.task), MakeNumerics()),
              HasReason(Reason::kCancelled));
  // A new evaluation of the same name has nothing to do with the old claim.
  Create("e", MakeTasks(2));
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kCancelled));
  EXPECT_EQ(store_->GetOutcomes("evaluations/e")->size(), 0u);
}

TEST_F(JobStoreTest, OutcomesComeByConditionThenSampleWithTheirNumerics) {
  std::vector<Task> tasks = MakeTasks(2, 1);
  const std::vector<Task> clean = MakeTasks(2, 0);
  tasks.insert(tasks.end(), clean.rbegin(), clean.rend());
  Create("e", tasks);
  for (int i = 0; i < 4; ++i) {
    const ClaimedTask claim = Claim();
    ASSERT_THAT(
        store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(i == 0 ? "gpu" : "cpu")),
        IsOk());
  }
  Reopen();
  const auto outcomes = store_->GetOutcomes("evaluations/e");
  ASSERT_THAT(outcomes, IsOk());
  std::vector<std::string> seen;
  for (const TaskOutcomes& task : *outcomes) {
    seen.push_back(
        absl::StrCat(task.condition, " ", task.first_sample, " ", task.numerics.device()));
    Task expected;
    expected.condition = task.condition;
    expected.first_sample = task.first_sample;
    expected.samples = 10;
    EXPECT_EQ(task.outcomes.SerializeAsString(), MakeOutcomes(expected).SerializeAsString());
  }
  EXPECT_THAT(seen, ElementsAre("0 0 cpu", "0 10 cpu", "1 0 gpu", "1 10 cpu"));
}

TEST_F(JobStoreTest, EvaluationsAndTasksAreCountedByState) {
  EXPECT_THAT(*store_->CountEvaluations(),
              UnorderedElementsAre(Pair("RECEIVING", 0), Pair("QUEUED", 0), Pair("RUNNING", 0),
                                   Pair("SUCCEEDED", 0), Pair("FAILED", 0), Pair("CANCELLED", 0)));
  EXPECT_THAT(*store_->CountTasks(),
              UnorderedElementsAre(Pair("OPEN", 0), Pair("LEASED", 0), Pair("DONE", 0)));
  Create("done", MakeTasks(1));
  Commit(Claim());
  Create("cancelled", MakeTasks(4));
  Claim();
  ASSERT_THAT(store_->CancelEvaluation("evaluations/cancelled"), IsOk());
  Create("failed", MakeTasks(1));
  ASSERT_THAT(store_->FailEvaluation("evaluations/failed", v1::Failure()), IsOk());
  Create("running", MakeTasks(4));
  Commit(Claim());
  Claim();
  Create("queued", MakeTasks(3));
  ASSERT_THAT(store_->CreateEvaluation(MakeEvaluation("s", Evaluation::RECEIVING), {}, ""), IsOk());
  EXPECT_THAT(*store_->CountEvaluations(),
              UnorderedElementsAre(Pair("RECEIVING", 1), Pair("QUEUED", 1), Pair("RUNNING", 1),
                                   Pair("SUCCEEDED", 1), Pair("FAILED", 1), Pair("CANCELLED", 1)));
  // What the cancelled and the failed one left undone is nobody's work.
  EXPECT_THAT(*store_->CountTasks(),
              UnorderedElementsAre(Pair("OPEN", 5), Pair("LEASED", 1), Pair("DONE", 2)));
}

}  // namespace
}  // namespace assay::store
