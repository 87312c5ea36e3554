// Models and datasets: what is stored, what is refused, how lists are paged.
#include "server/store/catalog.h"

#include "google/protobuf/util/time_util.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using v1::Evaluation;

using CatalogTest = JobStoreTest;

constexpr char kRequest[] = "6f1c9a3e-0000-4000-8000-000000000001";

// --- owners

TEST_F(CatalogTest, AnOwnerIsChargedForWhatItMadeUntilThatIsDeleted) {
  const Owner ci{"ci", "token", std::nullopt}, me{"me", "token", std::nullopt};
  v1::Dataset dataset = MakeDataset("d", {"a"});
  dataset.set_size_bytes(3'000);
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), kRequest, ci), IsOk());
  ASSERT_THAT(store_->CreateDataset(dataset, "", ci), IsOk());
  ASSERT_THAT(store_->CreateModel(MakeModel("n", "another"), "", me), IsOk());
  ASSERT_THAT(store_->CreateModel(MakeModel("o"), ""), IsOk());
  EXPECT_EQ(*store_->BytesOf("ci"), 3'005);
  EXPECT_EQ(*store_->BytesOf("me"), 7);
  EXPECT_EQ(*store_->BytesOf("nobody"), 0);
  // It was there already; and the retry of a call is the first one.
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), "", me), IsOk());
  ASSERT_THAT(store_->CreateModel(MakeModel("p", "other"), kRequest, ci), IsOk());
  Reopen();
  EXPECT_EQ(*store_->BytesOf("ci"), 3'005);
  EXPECT_EQ(*store_->BytesOf("me"), 7);
  ASSERT_THAT(store_->DeleteModel("models/m"), IsOk());
  EXPECT_EQ(*store_->BytesOf("ci"), 3'000);
  ASSERT_THAT(store_->DeleteDataset("datasets/d"), IsOk());
  EXPECT_EQ(*store_->BytesOf("ci"), 0);
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), "", me), IsOk());
  EXPECT_EQ(*store_->BytesOf("me"), 12);
}

TEST_F(CatalogTest, WhatIsAboveTheQuotaOfItsOwnerIsNotMade) {
  const Owner ci{"ci", "token", 12};
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), "", ci), IsOk());
  ASSERT_THAT(store_->CreateModel(MakeModel("n", "another"), "", ci), IsOk());
  const auto refused = store_->CreateModel(MakeModel("o", "x"), "", ci);
  EXPECT_THAT(refused, HasReason(Reason::kQuotaExceeded));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("the token ci has stored 12 bytes, and with 1 more would be above its 12"));
  EXPECT_THAT(store_->GetModel("models/o"), HasReason(Reason::kNotFound));
  v1::Dataset dataset = MakeDataset("d", {"a"});
  dataset.set_size_bytes(1);
  EXPECT_THAT(store_->CreateDataset(dataset, "", ci), HasReason(Reason::kQuotaExceeded));
  EXPECT_THAT(store_->GetDataset("datasets/d"), HasReason(Reason::kNotFound));
  // What is there may be asked for again; and with less there, more may be.
  EXPECT_THAT(store_->CreateModel(MakeModel("m"), "", ci), IsOk());
  ASSERT_THAT(store_->DeleteModel("models/n"), IsOk());
  EXPECT_THAT(store_->CreateModel(MakeModel("o", "x"), "", ci), IsOk());
  EXPECT_EQ(*store_->BytesOf("ci"), 6);
}

// --- models

TEST_F(CatalogTest, ModelIsReadBackAsItWasStoredAndStamped) {
  v1::Model model = MakeModel("m");
  model.set_state(v1::Model::READY);
  model.set_state_reason("belongs to the engines");
  const auto created = store_->CreateModel(model, "");
  ASSERT_THAT(created, IsOk());
  Reopen();
  const auto read = store_->GetModel("models/m");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->SerializeAsString(), created->SerializeAsString());
  EXPECT_EQ(read->digest(), Sha256Hex("model"));
  EXPECT_EQ(read->size_bytes(), 5);
  EXPECT_EQ(read->state(), v1::Model::STATE_UNSPECIFIED);
  EXPECT_EQ(read->state_reason(), "");
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(read->create_time()), clock_.NowMicros());
}

TEST_F(CatalogTest, SameModelTwiceIsTheFirstOneAndOtherContentIsRefused) {
  const auto first = store_->CreateModel(MakeModel("m"), "");
  ASSERT_THAT(first, IsOk());
  clock_.AdvanceSeconds(5);
  const auto again = store_->CreateModel(MakeModel("m"), "");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
  const auto other = store_->CreateModel(MakeModel("m", "other"), "");
  EXPECT_THAT(other, HasReason(Reason::kAlreadyExists));
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("models/m"));
}

TEST_F(CatalogTest, RequestIdReturnsWhatItMadeWhateverTheArguments) {
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), kRequest), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a"}), kRequest), IsOk());
  ASSERT_THAT(store_->CreateEvaluation(MakeEvaluation("e"), MakeTasks(1), kRequest), IsOk());
  Reopen();
  EXPECT_EQ(store_->CreateModel(MakeModel("n", "other"), kRequest)->name(), "models/m");
  const auto dataset = store_->CreateDataset(MakeDataset("n", {"b"}), kRequest);
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->name(), "datasets/d");
  EXPECT_EQ(dataset->manifest().chunks_size(), 1);
  const auto evaluation = store_->CreateEvaluation(MakeEvaluation("n"), MakeTasks(3), kRequest);
  ASSERT_THAT(evaluation, IsOk());
  EXPECT_EQ(evaluation->proto.name(), "evaluations/e");
  EXPECT_EQ(evaluation->proto.progress().tasks(), 1);
  EXPECT_THAT(store_->GetModel("models/n"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetEvaluation("evaluations/n"), HasReason(Reason::kNotFound));

  // A request dies with what it made.
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteModel("models/m"), IsOk());
  EXPECT_EQ(store_->CreateModel(MakeModel("n"), kRequest)->name(), "models/n");
}

TEST_F(CatalogTest, ModelsAreListedByNameInPages) {
  for (const char* id : {"c", "a", "e", "b", "d"}) {
    ASSERT_THAT(store_->CreateModel(MakeModel(id), ""), IsOk());
  }
  std::vector<std::string> names;
  std::vector<size_t> sizes;
  Page page{2, ""};
  do {
    const auto listing = store_->ListModels(page, {});
    ASSERT_THAT(listing, IsOk());
    sizes.push_back(listing->records.size());
    for (const v1::Model& record : listing->records) names.push_back(record.name());
    page.token = listing->next_token;
    // What comes before the token is of no interest any more.
    ASSERT_THAT(store_->DeleteModel(names.back()), IsOk());
  } while (!page.token.empty());
  EXPECT_THAT(names, ElementsAre("models/a", "models/b", "models/c", "models/d", "models/e"));
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST_F(CatalogTest, PageSizeHasADefaultAndACap) {
  for (int i = 0; i < 1002; ++i) {
    ASSERT_THAT(store_->CreateModel(MakeModel(absl::StrCat("m", i)), ""), IsOk());
  }
  EXPECT_EQ(store_->ListModels({0, ""}, {})->records.size(), 100u);
  EXPECT_EQ(store_->ListModels({-3, ""}, {})->records.size(), 100u);
  const auto most = store_->ListModels({5000, ""}, {});
  EXPECT_EQ(most->records.size(), 1000u);
  const auto rest = store_->ListModels({1000, most->next_token}, {});
  EXPECT_EQ(rest->records.size(), 2u);
  EXPECT_EQ(rest->next_token, "");
}

TEST_F(CatalogTest, ForeignPageTokensAreRefused) {
  for (const char* id : {"a", "b"}) {
    ASSERT_THAT(store_->CreateModel(MakeModel(id), ""), IsOk());
    Create(id, MakeTasks(1));
  }
  const std::string of_models = store_->ListModels({1, ""}, {})->next_token;
  const std::string of_evaluations = store_->ListEvaluations({1, ""}, {})->next_token;
  ASSERT_NE(of_models, "");
  ASSERT_NE(of_evaluations, "");
  const auto refused = [](const absl::Status& status) {
    EXPECT_THAT(status, HasReason(Reason::kInvalidArgument));
    const auto violations = ViolationsOf(status);
    ASSERT_EQ(violations.size(), 1u);
    EXPECT_EQ(violations[0].field, "page_token");
  };
  for (const std::string& token : {std::string("!"), std::string("abc"), of_evaluations}) {
    refused(store_->ListModels({1, token}, {}).status());
    refused(store_->ListDatasets({1, token}).status());
  }
  // "evaluations/x"
  for (const std::string& token :
       {std::string("!"), of_models, std::string("ZXZhbHVhdGlvbnMveA")}) {
    refused(store_->ListEvaluations({1, token}, {}).status());
  }
}

TEST_F(CatalogTest, ModelInUseStaysUntilItsEvaluationEnds) {
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

TEST_F(CatalogTest, ValidationIsKeptWithTheModel) {
  v1::ModelValidation validation;
  validation.set_num_classes(10);
  EXPECT_THAT(store_->SetModelValidation("models/m", validation), HasReason(Reason::kNotFound));
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), ""), IsOk());
  ASSERT_THAT(store_->SetModelValidation("models/m", validation), IsOk());
  Reopen();
  const auto model = store_->GetModel("models/m");
  EXPECT_EQ(model->validation().num_classes(), 10);
  EXPECT_EQ(model->digest(), Sha256Hex("model"));
}

TEST_F(CatalogTest, NumericsAreKeptByKey) {
  EXPECT_EQ(*store_->GetNumerics("k"), std::nullopt);
  ASSERT_THAT(store_->SetNumerics("k", MakeNumerics("cpu")), IsOk());
  ASSERT_THAT(store_->SetNumerics("l", MakeNumerics("H100")), IsOk());
  Reopen();
  EXPECT_EQ((*store_->GetNumerics("k"))->device(), "cpu");
  EXPECT_EQ((*store_->GetNumerics("k"))->batch_size(), 64);
  const auto kept = store_->SetNumerics("k", MakeNumerics("A100"));
  ASSERT_THAT(kept, IsOk());
  EXPECT_EQ(kept->device(), "cpu") << "the first choice counts for all";
  EXPECT_EQ((*store_->GetNumerics("k"))->device(), "cpu");
  EXPECT_EQ((*store_->GetNumerics("l"))->device(), "H100");
}

// --- datasets

TEST_F(CatalogTest, DatasetKeepsItsManifestInOrder) {
  const auto created = store_->CreateDataset(MakeDataset("d", {"z", "a", "z"}), "");
  ASSERT_THAT(created, IsOk());
  Reopen();
  const auto read = store_->GetDataset("datasets/d");
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->SerializeAsString(), created->SerializeAsString());
  EXPECT_EQ(read->manifest().chunks(0).digest(), Sha256Hex("z"));
  EXPECT_EQ(read->manifest().chunks(1).digest(), Sha256Hex("a"));
  EXPECT_EQ(read->manifest().chunks(1).samples(), 10);
  EXPECT_EQ(read->manifest().class_names(1), "dog");
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(read->create_time()), clock_.NowMicros());
}

TEST_F(CatalogTest, DatasetNameIsTakenByOtherContentOnly) {
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a", "b"}), ""), IsOk());
  const auto again = store_->CreateDataset(MakeDataset("d", {"a", "b"}), "");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->manifest().chunks_size(), 2);
  EXPECT_THAT(store_->CreateDataset(MakeDataset("d", {"b", "a"}), ""),
              HasReason(Reason::kAlreadyExists));
}

TEST_F(CatalogTest, DatasetsAreListedWithoutTheirChunks) {
  for (const char* id : {"b", "a", "c"}) {
    ASSERT_THAT(store_->CreateDataset(MakeDataset(id, {"x", "y"}), ""), IsOk());
  }
  const auto first = store_->ListDatasets({2, ""});
  ASSERT_THAT(first, IsOk());
  ASSERT_EQ(first->records.size(), 2u);
  EXPECT_EQ(first->records[0].name(), "datasets/a");
  EXPECT_EQ(first->records[0].samples(), 20);
  EXPECT_EQ(first->records[0].manifest().class_names_size(), 2);
  EXPECT_EQ(first->records[0].manifest().chunks_size(), 0);
  const auto second = store_->ListDatasets({2, first->next_token});
  ASSERT_EQ(second->records.size(), 1u);
  EXPECT_EQ(second->records[0].name(), "datasets/c");
  EXPECT_EQ(second->next_token, "");
}

TEST_F(CatalogTest, DatasetInUseStaysUntilItsEvaluationsAreDeleted) {
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

TEST_F(CatalogTest, BlobsInUseAreThoseOfModelsDatasetsAndStreams) {
  EXPECT_THAT(*store_->BlobsInUse(), IsEmpty());
  ASSERT_THAT(store_->CreateModel(MakeModel("m", "model"), ""), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a", "b"}), ""), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("e", {"b", "c"}), ""), IsOk());
  ASSERT_THAT(
      store_->CreateStream(MakeEvaluation("s", Evaluation::RECEIVING), v1::DatasetManifest()),
      IsOk());
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

TEST_F(CatalogTest, MetadataIsInUseWithItsManifest) {
  v1::Dataset dataset = MakeDataset("d", {"a"});
  dataset.mutable_manifest()->mutable_metadata()->set_digest(Sha256Hex("csv"));
  dataset.mutable_manifest()->mutable_metadata()->add_columns()->set_name("age");
  ASSERT_THAT(store_->CreateDataset(dataset, ""), IsOk());
  v1::DatasetManifest stream;
  stream.mutable_metadata()->set_digest(Sha256Hex("streamed"));
  ASSERT_THAT(store_->CreateStream(MakeEvaluation("s", Evaluation::RECEIVING), stream), IsOk());
  Reopen();
  EXPECT_EQ(store_->GetDataset("datasets/d")->manifest().metadata().columns(0).name(), "age");
  EXPECT_EQ(store_->GetStreamManifest("evaluations/s")->metadata().digest(), Sha256Hex("streamed"));
  EXPECT_THAT(*store_->BlobsInUse(),
              UnorderedElementsAre(Sha256Hex("a"), Sha256Hex("csv"), Sha256Hex("streamed")));
  ASSERT_THAT(store_->DeleteDataset("datasets/d"), IsOk());
  EXPECT_THAT(*store_->BlobsInUse(), UnorderedElementsAre(Sha256Hex("streamed")));
}

TEST_F(CatalogTest, StatisticsStayAsLongAsSomebodyNamesTheirChunk) {
  const std::string a = Sha256Hex("a"), b = Sha256Hex("b");
  const std::string bytes("\0x\0\xff", 4);
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"a"}), ""), IsOk());
  ASSERT_THAT(store_->KeepStatistics({{a, "3x32x32 UINT8", bytes},
                                      {a, "1x3x1024 UINT8", "other"},
                                      {b, "3x32x32 UINT8", "nobody's"}}),
              IsOk());
  // What is there already stays.
  ASSERT_THAT(store_->KeepStatistics({{a, "3x32x32 UINT8", "again"}}), IsOk());
  Reopen();
  const auto get = [&](const std::string& chunk, const std::string& layout) {
    const auto values = store_->GetStatistics(chunk, layout);
    EXPECT_THAT(values, IsOk());
    return values.ok() ? *values : std::nullopt;
  };
  EXPECT_EQ(get(a, "3x32x32 UINT8"), bytes);
  EXPECT_EQ(get(a, "1x3x1024 UINT8"), "other");
  EXPECT_EQ(get(a, "1x1x3072 UINT8"), std::nullopt);
  EXPECT_EQ(get(b, "3x32x32 UINT8"), "nobody's");
  ASSERT_THAT(store_->ReleaseSpace(), IsOk());
  EXPECT_EQ(get(a, "3x32x32 UINT8"), bytes);
  EXPECT_EQ(get(b, "3x32x32 UINT8"), std::nullopt);
}

}  // namespace
}  // namespace assay::store
