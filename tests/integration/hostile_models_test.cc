// Models on which attacks fail for reasons of their own, through the real server: each report says
// so, by the name of the check, and says nothing of the kind about sound models.
#include <map>
#include <string>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::Contains;
using Names = std::vector<std::string>;

constexpr int kSamples = 41;

// Labelled by the answers of a model, so that it is right about all it answers.
class AnsweredData : public GeneratedData {
 public:
  AnsweredData(int64_t size, int classes) : GeneratedData(size, 3, 8, classes) {}
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    const size_t before = labels->size();
    const absl::Status status = GeneratedData::Read(first, count, labels, pixels);
    for (size_t i = before; i < labels->size(); ++i) {
      const auto answer = answers.find(first + static_cast<int64_t>(i - before));
      if (answer != answers.end()) (*labels)[i] = answer->second;
    }
    return status;
  }
  std::map<int64_t, int32_t> answers;
};

struct Row {
  const char* model;
  int classes;
  const char* eps;
  // Checks of attack/pgd, then of attack/autoattack.
  Names failed, warned;
  Names autoattack_failed, autoattack_warned;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.model; }
};

class HostileModels : public ZooFixture {
 protected:
  void SetUp() override { StartServer(); }

  static Names With(v1::Check::Verdict verdict, const v1::ConditionReport& condition) {
    Names names;
    for (const v1::Check& check : condition.attack().checks()) {
      if (check.verdict() == verdict) names.push_back(check.name());
    }
    return names;
  }

  static std::string Described(const v1::ConditionReport& condition) {
    std::string text = condition.id() + "\n";
    for (const v1::Check& check : condition.attack().checks()) {
      text += v1::Check::Verdict_Name(check.verdict()) + " " + check.name() + ": " +
              check.message() + "\n";
    }
    return text;
  }
};

class HostileModel : public HostileModels, public ::testing::WithParamInterface<Row> {};

TEST_P(HostileModel, IsFoundOut) {
  const Row& row = GetParam();
  const std::string model = Upload(row.model);
  AnsweredData data(kSamples, row.classes);
  data.brightest = 255;
  const v1::Evaluation plain = Run(Spec(model, Upload(data), {"clean"}));
  ASSERT_EQ(plain.state(), v1::Evaluation::SUCCEEDED) << plain.failure().message();
  for (const auto& [key, bytes] : Outcomes(plain.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    if (outcome.prediction() >= 0) data.answers[key.second] = outcome.prediction();
  }

  const std::string eps = std::string(":eps=") + row.eps;
  const v1::Evaluation end =
      Run(Spec(model, Upload(data), {"clean", "attack/pgd" + eps, "attack/autoattack" + eps}));
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  const auto report = ReportOf(end.name());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->conditions_size(), 3);
  EXPECT_EQ(report->conditions(0).attack().checks_size(), 0);
  for (const int i : {1, 2}) {
    const v1::ConditionReport& attack = report->conditions(i);
    SCOPED_TRACE(Described(attack));
    EXPECT_EQ(With(v1::Check::FAILED, attack), i == 1 ? row.failed : row.autoattack_failed);
    EXPECT_EQ(With(v1::Check::WARNING, attack), i == 1 ? row.warned : row.autoattack_warned);
  }
}

const Names kNoGradient = {"gradient-available", "zero-gradients", "unconstrained-attack"};

INSTANTIATE_TEST_SUITE_P(
    Zoo, HostileModel,
    ::testing::Values(
        // Sound ones: nothing to say.
        Row{"linear", 4, "8/255", {}, {}, {}, {}}, Row{"tiny_cnn", 4, "8/255", {}, {}, {}, {}},
        Row{"zero_gradient", 4, "2/255", kNoGradient, {}, kNoGradient, {"square-after-gradients"}},
        Row{"constant", 4, "2/255", kNoGradient, {}, kNoGradient, {}},
        Row{"softmax", 4, "2/255", {}, {"softmax-output"}, {}, {"softmax-output"}},
        Row{"linear_k2", 2, "2/255", {}, {}, {}, {"class-count"}},
        Row{"linear_k3", 3, "2/255", {}, {}, {}, {"class-count"}},
        // NaN gradients end every attack at once.
        Row{"nan_some",
            4,
            "2/255",
            {"gradient-available", "undecided-samples"},
            {"better-than-guessing", "nonfinite-gradients"},
            {"gradient-available", "undecided-samples"},
            {"better-than-guessing", "nonfinite-gradients"}},
        // Half of the samples are NaN from the start; two more are driven there.
        Row{"nan_bright",
            4,
            "2/255",
            {},
            {"better-than-guessing"},
            {},
            {"better-than-guessing", "undecided-samples"}},
        // Another model in the passes that look for a gradient than in those that confirm.
        Row{"adapts", 4, "2/255", {"silent-success"}, {}, {"silent-success"}, {}}),
    [](const auto& row) { return row.param.model; });

// What else is seen of it depends on chance.
TEST_F(HostileModels, OneThatIsRandomIsFoundOutAndMayBeAttackedOnAverage) {
  AnsweredData data(20, 4);
  const v1::Evaluation end = Run(Spec(Upload("random"), Upload(data),
                                      {"attack/pgd", "attack/autoattack", "attack/pgd:eot=4"}));
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  const auto report = ReportOf(end.name());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(With(v1::Check::FAILED, report->conditions(0)), Contains("randomised-model"));
  EXPECT_THAT(With(v1::Check::FAILED, report->conditions(1)), Contains("randomised-model"));
  EXPECT_THAT(With(v1::Check::NOT_APPLICABLE, report->conditions(2)), Contains("randomised-model"));
}

}  // namespace
}  // namespace assay::testing
