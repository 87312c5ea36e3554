// What can be compared, and what is said about the rest.
#include "core/report/comparability.h"

#include <limits>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Candidate Done(const std::string& id, const std::vector<std::string>& conditions) {
  Candidate candidate;
  candidate.evaluation.set_name("evaluations/" + id);
  candidate.evaluation.set_state(v1::Evaluation::SUCCEEDED);
  candidate.evaluation.mutable_spec()->set_dataset("datasets/d");
  for (const std::string& condition : conditions) {
    candidate.evaluation.add_conditions()->set_id(condition);
  }
  candidate.data_digest = "digest";
  candidate.samples = 100;
  return candidate;
}

// "field: description" of each violation.
std::vector<std::string> Complaints(const absl::Status& status) {
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument) << status;
  std::vector<std::string> complaints;
  for (const FieldViolation& violation : ViolationsOf(status)) {
    complaints.push_back(violation.field + ": " + violation.description);
  }
  return complaints;
}

std::vector<std::string> Complaints(const std::vector<Candidate>& candidates) {
  return Complaints(CheckComparable(candidates, false).status());
}

v1::CompareEvaluationsRequest Request(const std::vector<std::string>& names) {
  v1::CompareEvaluationsRequest request;
  for (const std::string& name : names) request.add_names(name);
  return request;
}

TEST(CheckRequest, TakesTwoOrMoreEvaluationsAndOneOfThemAsOracle) {
  v1::CompareEvaluationsRequest request = Request({"evaluations/a", "evaluations/b"});
  EXPECT_TRUE(CheckRequest(request).ok());
  request.set_oracle("evaluations/b");
  request.set_confidence_level(0.99);
  EXPECT_TRUE(CheckRequest(request).ok());
}

TEST(CheckRequest, TellsEverythingThatIsWrongAtOnce) {
  EXPECT_THAT(Complaints(CheckRequest(Request({"evaluations/a"}))),
              ElementsAre("names: 1 evaluations; from 2 to 16 can be compared"));
  EXPECT_THAT(Complaints(CheckRequest(Request(std::vector<std::string>(17, "evaluations/a"))))[0],
              HasSubstr("17 evaluations"));
  v1::CompareEvaluationsRequest request =
      Request({"evaluations/a", "evaluations/b", "evaluations/a"});
  request.set_oracle("evaluations/c");
  request.set_confidence_level(1.5);
  EXPECT_THAT(
      Complaints(CheckRequest(request)),
      ElementsAre("names[2]: evaluations/a is there already; each can be compared once",
                  "oracle: evaluations/c is not among the compared evaluations (evaluations/a, "
                  "evaluations/b, evaluations/a)",
                  "confidence_level: 1.5 is not from 0.5 to 1 (usual: 0.95)"));
  request = Request({"evaluations/a", "evaluations/b"});
  request.set_confidence_level(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(CheckRequest(request).ok());
  request.set_confidence_level(0.499);
  EXPECT_FALSE(CheckRequest(request).ok());
  request.set_confidence_level(0.5);
  EXPECT_TRUE(CheckRequest(request).ok());
}

TEST(CheckComparable, FindsTheSameConditionsWhereverTheyStand) {
  const auto compared = CheckComparable(
      {Done("a", {"clean", "fog", "pgd"}), Done("b", {"pgd", "clean", "fog"})}, false);
  ASSERT_TRUE(compared.ok()) << compared.status();
  EXPECT_THAT(compared->positions,
              ElementsAre(ElementsAre(0, 1), ElementsAre(1, 2), ElementsAre(2, 0)));
  EXPECT_THAT(compared->left_out, IsEmpty());
}

TEST(CheckComparable, RefusesWhatHasNotSucceededAndSaysTheState) {
  std::vector<Candidate> candidates = {Done("a", {"clean"}), Done("b", {"clean"}),
                                       Done("c", {"clean"})};
  candidates[1].evaluation.set_state(v1::Evaluation::RUNNING);
  candidates[2].evaluation.set_state(v1::Evaluation::FAILED);
  const absl::Status status = CheckComparable(candidates, false).status();
  EXPECT_EQ(ReasonOf(status), Reason::kWrongState);
  EXPECT_EQ(status.message(),
            "evaluations/b is RUNNING, evaluations/c is FAILED; only evaluations that have "
            "SUCCEEDED can be compared");
}

TEST(CheckComparable, RefusesOtherDataSeedsAndLimits) {
  std::vector<Candidate> candidates = {Done("a", {"clean"}), Done("b", {"clean"}),
                                       Done("c", {"clean"})};
  candidates[1].data_digest = "other";
  candidates[1].evaluation.mutable_spec()->set_dataset("datasets/e");
  candidates[1].evaluation.mutable_spec()->set_seed(4);
  candidates[2].samples = 50;
  EXPECT_THAT(
      Complaints(candidates),
      ElementsAre("names[1]: evaluations/b has the data of datasets/e, evaluations/a has that of "
                  "datasets/d; only answers to the same images can be compared",
                  "names[1]: evaluations/b has seed 4, evaluations/a has seed 0; random draws are "
                  "the same with the same seed only",
                  "names[2]: evaluations/c has 50 samples, evaluations/a has 100; evaluate both "
                  "with the same limit"));
}

TEST(CheckComparable, TheSameDataUnderAnotherNameIsTheSame) {
  std::vector<Candidate> candidates = {Done("a", {"clean"}), Done("b", {"clean"})};
  candidates[1].evaluation.mutable_spec()->set_dataset("datasets/copy");
  EXPECT_TRUE(CheckComparable(candidates, false).ok());
}

TEST(CheckComparable, RefusesOtherConditionsUnlessTheCommonOnesAreWanted) {
  const std::vector<Candidate> candidates = {
      Done("a", {"clean", "fog/1", "fog/2", "fog/3", "fog/4"}), Done("b", {"pgd", "clean"})};
  EXPECT_THAT(Complaints(candidates),
              ElementsAre("names[1]: evaluations/b lacks fog/1, fog/2, fog/3 and 1 more; --common "
                          "(`common` in a request) leaves out what not all have",
                          "names[1]: evaluations/a lacks pgd; --common (`common` in a request) "
                          "leaves out what not all have"));
  const auto compared = CheckComparable(candidates, true);
  ASSERT_TRUE(compared.ok()) << compared.status();
  EXPECT_THAT(compared->positions, ElementsAre(ElementsAre(0, 1)));
  ASSERT_EQ(compared->left_out.size(), 5u);
  EXPECT_EQ(compared->left_out[0].id(), "fog/1");
  EXPECT_THAT(compared->left_out[0].evaluations(), ElementsAre("evaluations/a"));
  EXPECT_EQ(compared->left_out[4].id(), "pgd");
  EXPECT_THAT(compared->left_out[4].evaluations(), ElementsAre("evaluations/b"));
}

TEST(CheckComparable, OfThreeTellsWhoHasWhatIsLeftOut) {
  const auto compared = CheckComparable(
      {Done("a", {"clean", "fog"}), Done("b", {"clean"}), Done("c", {"fog", "clean"})}, true);
  ASSERT_TRUE(compared.ok()) << compared.status();
  ASSERT_EQ(compared->left_out.size(), 1u);
  EXPECT_THAT(compared->left_out[0].evaluations(), ElementsAre("evaluations/a", "evaluations/c"));
}

TEST(CheckComparable, RefusesToCompareNothing) {
  const absl::Status status =
      CheckComparable({Done("a", {"clean"}), Done("b", {"fog"})}, true).status();
  EXPECT_THAT(Complaints(status), ElementsAre("names: no condition is common to all of them"));
}

TEST(CheckComparable, OneThatStoppedEarlyHasOtherSamples) {
  Candidate whole = Done("whole", {"clean"}), early = Done("early", {"clean"});
  early.evaluation.mutable_decision()->set_stopped_early(true);
  // As many, but not the same.
  EXPECT_THAT(Complaints({whole, early}),
              ElementsAre(HasSubstr("the first 100 samples of a random order")));
  whole.evaluation.mutable_decision()->set_stopped_early(true);
  EXPECT_TRUE(CheckComparable({whole, early}, false).ok());
  early.samples = 200;
  EXPECT_THAT(Complaints({whole, early}), ElementsAre(HasSubstr("evaluate both to the end")));
  early.samples = 100;
  early.evaluation.mutable_spec()->set_limit(500);
  EXPECT_THAT(Complaints({whole, early}), ElementsAre(HasSubstr("random orders are not the same")));
}

}  // namespace
}  // namespace assay::report
