// What is remembered of where the numbers of an evaluation come from.
#include <optional>
#include <string>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

class ProvenanceTest : public JobStoreTest {
 protected:
  void CommitWith(const std::string& version, double model_seconds, double other_seconds,
                  std::optional<double> joules = std::nullopt) {
    const ClaimedTask claim = Claim();
    EXPECT_THAT(store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(),
                                   {version, model_seconds, other_seconds, joules}),
                IsOk());
  }
};

TEST_F(ProvenanceTest, TheModelIsTheOneOfThatMoment) {
  ASSERT_THAT(store_->CreateModel(MakeModel("m", "first"), ""), IsOk());
  Create("e", MakeTasks(1));
  CommitWith("1.0.0", 0, 0);
  ASSERT_THAT(store_->DeleteModel("models/m"), IsOk());
  ASSERT_THAT(store_->CreateModel(MakeModel("m", "second"), ""), IsOk());
  Create("later", MakeTasks(1));
  EXPECT_EQ(Get("e").provenance.model_digest(), Sha256Hex("first"));
  EXPECT_EQ(Get("later").provenance.model_digest(), Sha256Hex("second"));
}

TEST_F(ProvenanceTest, SecondsAddUpAndVersionsAreNamedOnce) {
  Create("e", MakeTasks(4));
  CommitWith("1.1.0", 1.5, 0.25);
  CommitWith("1.1.0", 2, 0.5);
  // Within the text of another.
  CommitWith("1.1.0.1", 4, 1);
  Reopen();
  CommitWith("1.1", 8, 2);
  const v1::Provenance provenance = Get("e").provenance;
  EXPECT_EQ(provenance.assay_version(), "1.1.0, 1.1.0.1, 1.1");
  EXPECT_EQ(provenance.model_seconds(), 15.5);
  EXPECT_EQ(provenance.other_seconds(), 3.75);
}

TEST_F(ProvenanceTest, EnergyIsKnownWhereThatOfEveryTaskIs) {
  Create("e", MakeTasks(3));
  EXPECT_FALSE(Get("e").provenance.has_energy_joules());
  CommitWith("1.1.0", 1, 1, 2.5);
  Reopen();
  CommitWith("1.1.0", 1, 1, 4);
  EXPECT_EQ(Get("e").provenance.energy_joules(), 6.5);
  // The sum of the others would be taken for that of all.
  CommitWith("1.1.0", 1, 1);
  EXPECT_FALSE(Get("e").provenance.has_energy_joules());
  Create("idle", MakeTasks(1));
  CommitWith("1.1.0", 1, 1, 0.0);
  EXPECT_TRUE(Get("idle").provenance.has_energy_joules());
}

}  // namespace
}  // namespace assay::store
