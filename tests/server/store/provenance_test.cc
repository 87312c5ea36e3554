// What is remembered of where the numbers of an evaluation come from, and files from before it was.
#include <optional>
#include <string>

#include "server/store/sqlite.h"
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

TEST_F(ProvenanceTest, AFileFromBeforeIsBroughtUpToDateAndItsEvaluationsGoOn) {
  Create("e", MakeTasks(2));
  CommitWith("1.0.0", 1, 1);
  store_.reset();
  {
    // What version 1 had.
    const auto database = Database::Open(path());
    ASSERT_THAT(database, IsOk());
    ASSERT_THAT((*database)->RunScript("DROP TABLE provenance; DROP TABLE model_labels; "
                                       "DROP TABLE evaluation_labels; DROP TABLE kept_vectors; "
                                       "DROP TABLE chunk_statistics; "
                                       "ALTER TABLE manifests DROP COLUMN metadata; "
                                       "PRAGMA user_version = 1"),
                IsOk());
  }
  Reopen();
  EXPECT_EQ(Get("e").provenance.ByteSizeLong(), 0u);
  CommitWith("1.1.0", 1, 1);
  EXPECT_EQ(StateOf("e"), v1::Evaluation::SUCCEEDED);
  // Half of it is known, which would be wrong for the whole.
  EXPECT_EQ(Get("e").provenance.ByteSizeLong(), 0u);
  Create("new", MakeTasks(1));
  CommitWith("1.1.0", 1, 1);
  EXPECT_EQ(Get("new").provenance.assay_version(), "1.1.0");
}

}  // namespace
}  // namespace assay::store
