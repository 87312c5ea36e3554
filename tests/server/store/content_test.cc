// Outcomes that are found by what they are outcomes of.
#include <string>
#include <vector>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

class ContentTest : public JobStoreTest {
 protected:
  void CommitAs(const ClaimedTask& claim, const std::vector<ContentRange>& content,
                const std::string& device = "cpu", int64_t reused = 0) {
    EXPECT_THAT(store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(device),
                                   {"1.0.0", 0, 0, 0.0, reused, content}),
                IsOk());
  }
  // "key first+samples task", with the number of different fingerprints at the end.
  std::vector<std::string> Find(const std::vector<std::string>& keys) {
    const auto places = store_->FindContent(keys);
    EXPECT_THAT(places, IsOk());
    std::vector<std::string> found;
    for (const ContentPlace& place : *places) {
      found.push_back(absl::StrCat(place.range.key, " ", place.range.first_sample, "+",
                                   place.range.samples, " ", place.task));
    }
    return found;
  }
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(ContentTest, WhatIsCommittedIsFoundByItsKeys) {
  Create("e", MakeTasks(2));
  const ClaimedTask first = Claim(), second = Claim();
  CommitAs(first, {{"whole-0", 0, 10}, {"a", 0, 6}, {"b", 6, 4}});
  EXPECT_THAT(Find({"b"}), ElementsAre(absl::StrCat("b 6+4 ", first.task.id)));
  CommitAs(second, {{"whole-10", 10, 10}, {"b", 10, 2}, {"c", 12, 8}});
  Reopen();
  EXPECT_THAT(Find({"c", "nothing", "b"}), ElementsAre(absl::StrCat("b 6+4 ", first.task.id),
                                                       absl::StrCat("b 10+2 ", second.task.id),
                                                       absl::StrCat("c 12+8 ", second.task.id)));
  EXPECT_THAT(Find({}), IsEmpty());
  EXPECT_THAT(Find({"nothing"}), IsEmpty());
  const auto read = store_->ReadContent(second.task.id);
  ASSERT_THAT(read, IsOk());
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((*read)->first_sample, 10);
  EXPECT_EQ((*read)->outcomes.SerializeAsString(), MakeOutcomes(second.task).SerializeAsString());
  EXPECT_EQ((*read)->numerics.device(), "cpu");
}

TEST_F(ContentTest, OfEqualRangesTheLatestIsTold) {
  Create("e", MakeTasks(3));
  const ClaimedTask first = Claim(), second = Claim(), third = Claim();
  CommitAs(first, {{"a", 0, 10}});
  CommitAs(third, {{"a", 0, 10}}, "GPU");
  CommitAs(second, {{"a", 0, 10}});
  const auto places = store_->FindContent({"a"});
  ASSERT_THAT(places, IsOk());
  ASSERT_EQ(places->size(), 2u) << "one for each numerics";
  EXPECT_NE((*places)[0].fingerprint, (*places)[1].fingerprint);
  std::set<int64_t> tasks = {(*places)[0].task, (*places)[1].task};
  EXPECT_EQ(tasks, (std::set<int64_t>{second.task.id, third.task.id}));
}

TEST_F(ContentTest, ItGoesWithItsEvaluation) {
  Create("kept", MakeTasks(1));
  const ClaimedTask kept = Claim();
  CommitAs(kept, {{"a", 0, 10}});
  Create("e", MakeTasks(1));
  const ClaimedTask claim = Claim();
  CommitAs(claim, {{"a", 0, 10}});
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(Find({"a"}), ElementsAre(absl::StrCat("a 0+10 ", kept.task.id)));
  const auto read = store_->ReadContent(claim.task.id);
  ASSERT_THAT(read, IsOk());
  EXPECT_FALSE(read->has_value());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/kept"), IsOk());
  EXPECT_THAT(Find({"a"}), IsEmpty());
}

TEST_F(ContentTest, ARefusedCommitIsNotFound) {
  Create("e", MakeTasks(1));
  const ClaimedTask late = Claim();
  clock_.AdvanceSeconds(31);
  Claim("other");
  EXPECT_THAT(store_->CommitTask(late, MakeOutcomes(late.task), MakeNumerics(),
                                 {"1.0.0", 0, 0, 0.0, 0, {{"a", 0, 10}}}),
              HasReason(Reason::kLeaseLost));
  EXPECT_THAT(Find({"a"}), IsEmpty());
}

TEST_F(ContentTest, ReusedSamplesAreCounted) {
  Create("e", MakeTasks(2));
  CommitAs(Claim(), {}, "cpu", 10);
  CommitAs(Claim(), {}, "cpu", 3);
  EXPECT_EQ(Get("e").provenance.reused_samples(), 13);
}

}  // namespace
}  // namespace assay::store
