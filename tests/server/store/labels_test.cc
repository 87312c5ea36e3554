// Labels of models and evaluations, and lists that are filtered.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using v1::Evaluation;

class LabelsTest : public JobStoreTest {
 protected:
  void CreateLabelled(const std::string& id, const Labels& labels,
                      const std::string& model = "models/m") {
    Evaluation evaluation = MakeEvaluation(id, Evaluation::QUEUED, model);
    for (const auto& [key, value] : labels) {
      (*evaluation.mutable_spec()->mutable_labels())[key] = value;
    }
    ASSERT_THAT(store_->CreateEvaluation(evaluation, MakeTasks(1), ""), IsOk());
  }

  // Ids of the evaluations that the filter lets through, read in pages of `page_size`.
  std::vector<std::string> List(const EvaluationFilter& filter, int page_size = 2) {
    std::vector<std::string> ids;
    Page page{page_size, ""};
    do {
      const auto listing = store_->ListEvaluations(page, filter);
      EXPECT_THAT(listing, IsOk());
      if (!listing.ok()) return ids;
      EXPECT_LE(static_cast<int>(listing->records.size()), page_size);
      // A page is short only at the end: the filter works inside of paging.
      EXPECT_TRUE(listing->next_token.empty() ||
                  static_cast<int>(listing->records.size()) == page_size);
      for (const auto& record : listing->records) ids.push_back(record.proto.name().substr(12));
      page.token = listing->next_token;
    } while (!page.token.empty());
    return ids;
  }

  std::vector<std::string> Models(const Labels& labels) {
    std::vector<std::string> ids;
    Page page{1, ""};
    do {
      const auto listing = store_->ListModels(page, labels);
      EXPECT_THAT(listing, IsOk());
      if (!listing.ok()) return ids;
      for (const v1::Model& model : listing->records) ids.push_back(model.name().substr(7));
      page.token = listing->next_token;
    } while (!page.token.empty());
    return ids;
  }

  static v1::Model Labelled(const std::string& id, const Labels& labels) {
    v1::Model model = MakeModel(id);
    for (const auto& [key, value] : labels) (*model.mutable_labels())[key] = value;
    return model;
  }
};

TEST_F(LabelsTest, EvaluationsAreListedByWhatTheyAllHave) {
  CreateLabelled("a", {{"stage", "prod"}, {"commit", "1"}});
  CreateLabelled("b", {{"stage", "test"}, {"commit", "1"}});
  CreateLabelled("c", {});
  CreateLabelled("d", {{"stage", "prod"}, {"commit", "2"}}, "models/other");
  CreateLabelled("e", {{"stage", "prod"}, {"commit", "2"}});
  Reopen();
  EXPECT_THAT(List({}), ElementsAre("e", "d", "c", "b", "a"));
  EXPECT_THAT(List({{{"stage", "prod"}}, "", "", {}}), ElementsAre("e", "d", "a"));
  EXPECT_THAT(List({{{"stage", "prod"}}, "", "", {}}, 1), ElementsAre("e", "d", "a"));
  EXPECT_THAT(List({{{"stage", ""}}, "", "", {}}), ElementsAre("e", "d", "b", "a"));
  EXPECT_THAT(List({{{"stage", "prod"}, {"commit", "2"}}, "", "", {}}), ElementsAre("e", "d"));
  EXPECT_THAT(List({{{"stage", "prod"}, {"commit", ""}}, "models/m", "", {}}),
              ElementsAre("e", "a"));
  EXPECT_THAT(List({{}, "models/other", "datasets/d", {}}), ElementsAre("d"));
  EXPECT_THAT(List({{}, "", "datasets/none", {}}), IsEmpty());
  EXPECT_THAT(List({{{"unknown", ""}}, "", "", {}}), IsEmpty());
  EXPECT_EQ(Get("a").proto.spec().labels().at("commit"), "1");
}

TEST_F(LabelsTest, ValuesAreComparedAsTheyAre) {
  // What a careless query would take for a number, a pattern, a quote or the empty filter.
  const Labels labels = {{"a", "007"}, {"b", "100%"}, {"c", "it's \"x\""}, {"d", "null"}};
  CreateLabelled("e", labels);
  for (const auto& label : labels) EXPECT_THAT(List({{label}, "", "", {}}), ElementsAre("e"));
  EXPECT_THAT(List({{{"a", "7"}}, "", "", {}}), IsEmpty());
  EXPECT_THAT(List({{{"b", "100_"}}, "", "", {}}), IsEmpty());
  EXPECT_THAT(List({{{"A", "007"}}, "", "", {}}), IsEmpty());
}

TEST_F(LabelsTest, EvaluationsAreListedByState) {
  CreateLabelled("queued", {});
  CreateLabelled("cancelled", {});
  CreateLabelled("failed", {});
  ASSERT_THAT(store_->CancelEvaluation("evaluations/cancelled"), IsOk());
  ASSERT_THAT(store_->FailEvaluation("evaluations/failed", v1::Failure()), IsOk());
  EXPECT_THAT(List({{}, "", "", {Evaluation::QUEUED}}), ElementsAre("queued"));
  EXPECT_THAT(List({{}, "", "", {Evaluation::FAILED, Evaluation::CANCELLED}}),
              ElementsAre("failed", "cancelled"));
  EXPECT_THAT(List({{}, "", "", {Evaluation::SUCCEEDED}}), IsEmpty());
}

TEST_F(LabelsTest, ADeletedEvaluationTakesItsLabelsAlong) {
  CreateLabelled("e", {{"stage", "prod"}});
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  CreateLabelled("e", {});
  EXPECT_THAT(List({{{"stage", ""}}, "", "", {}}), IsEmpty());
}

TEST_F(LabelsTest, ModelsAreListedByLabelsAndCreatedAgainToSetMore) {
  ASSERT_THAT(store_->CreateModel(Labelled("a", {{"stage", "test"}, {"team", "x"}}), ""), IsOk());
  ASSERT_THAT(store_->CreateModel(Labelled("b", {}), ""), IsOk());
  EXPECT_THAT(Models({}), ElementsAre("a", "b"));
  EXPECT_THAT(Models({{"stage", ""}}), ElementsAre("a"));
  // What knows the model already changes what it is called, and keeps the rest.
  v1::ModelValidation validation;
  validation.set_num_classes(10);
  ASSERT_THAT(store_->SetModelValidation("models/a", validation), IsOk());
  const auto again = store_->CreateModel(Labelled("a", {{"stage", "prod"}, {"run", "7"}}), "");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(LabelsOf(again->labels()), (Labels{{"stage", "prod"}, {"team", "x"}, {"run", "7"}}));
  EXPECT_EQ(again->validation().num_classes(), 10);
  Reopen();
  EXPECT_THAT(Models({{"stage", "test"}}), IsEmpty());
  EXPECT_THAT(Models({{"stage", "prod"}, {"team", "x"}}), ElementsAre("a"));
  EXPECT_EQ((*store_->GetModel("models/a")).SerializeAsString().size(),
            again->SerializeAsString().size());
  // Their number stays bounded.
  Labels many;
  for (size_t i = 0; i < kMostLabels - 2; ++i) many[absl::StrCat("k", i)] = "v";
  EXPECT_THAT(store_->CreateModel(Labelled("a", many), ""), HasReason(Reason::kInvalidArgument));
  EXPECT_EQ((*store_->GetModel("models/a")).labels().size(), 3u);
  ASSERT_THAT(store_->DeleteModel("models/a"), IsOk());
  ASSERT_THAT(store_->CreateModel(Labelled("a", {}), ""), IsOk());
  EXPECT_THAT(Models({{"stage", ""}}), IsEmpty());
}

TEST_F(LabelsTest, LabelsOfAModelAreSetBesideThoseThatItHas) {
  v1::Model model = MakeModel("m", "content");
  (*model.mutable_labels())["stage"] = "test";
  (*model.mutable_labels())["team"] = "vision";
  ASSERT_THAT(store_->CreateModel(model, ""), IsOk());
  ASSERT_THAT(store_->SetModelLabels("models/m", {{"stage", "live"}, {"gates", "passed"}}), IsOk());
  const auto stored = store_->GetModel("models/m");
  ASSERT_THAT(stored, IsOk());
  EXPECT_EQ(LabelsOf(stored->labels()),
            (Labels{{"stage", "live"}, {"team", "vision"}, {"gates", "passed"}}));
  EXPECT_THAT(Models({{"stage", "live"}}), ElementsAre("m"));
  EXPECT_THAT(Models({{"stage", "test"}}), IsEmpty());
  EXPECT_THAT(store_->SetModelLabels("models/none", {{"a", "b"}}), HasReason(Reason::kNotFound));
}

}  // namespace
}  // namespace assay::store
