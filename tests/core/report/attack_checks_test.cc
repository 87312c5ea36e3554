// Every check from outcomes made by hand: passing, and failing for its own reason.
#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/probe_order.h"
#include "core/conditions/condition.h"
#include "core/report/checks.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using v1::Check;

constexpr int kClasses = 5;
constexpr int kSamples = 40;

v1::ModelValidation SoundModel() {
  v1::ModelValidation model;
  model.set_deterministic(true);
  model.set_differentiable(true);
  model.set_gradient_relative_error(0.001);
  return model;
}

// Samples 0, 2, 4, ... fall, the others survive `backwards` gradient passes.
std::vector<v1::Outcome> SoundOutcomes(int64_t backwards = 20) {
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < kSamples; ++i) {
    const int label = i % kClasses;
    if (i % 2 == 0) {
      outcomes.push_back(Fooled(i, label, (label + 1) % kClasses, 0.02));
      outcomes.back().mutable_attack()->set_survives_rounding(true);
    } else {
      outcomes.push_back(Survivor(i, label, backwards + 2, backwards));
      if (backwards > 0) {
        outcomes.back().mutable_attack()->set_break_point_angle(0.3);
        outcomes.back().mutable_attack()->set_increasing_loss(0.05);
      }
    }
    outcomes.back().mutable_attack()->set_backwards(backwards);
  }
  if (backwards > 0) {
    outcomes[1].mutable_attack()->set_unconstrained(v1::AttackOutcome::FOOLED);
    outcomes[21].mutable_attack()->set_unconstrained(v1::AttackOutcome::FOOLED);
  }
  return outcomes;
}

ConditionOutcomes Under(const std::string& expression, std::vector<v1::Outcome> outcomes) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return {conditions->at(0), std::move(outcomes)};
}

// An evaluation in which every check that applies passes.
struct Case {
  v1::ModelValidation model = SoundModel();
  int classes = kClasses;
  std::vector<ConditionOutcomes> conditions = {Under("attack/pgd:eps=8/255", SoundOutcomes()),
                                               Under("attack/square:eps=8/255", SoundOutcomes(0))};

  v1::Outcome& outcome(int sample) { return conditions[0].outcomes[static_cast<size_t>(sample)]; }
  v1::AttackOutcome& attack(int sample) { return *outcome(sample).mutable_attack(); }
  void ForSurvivors(const std::function<void(v1::AttackOutcome&)>& change) {
    for (int i = 1; i < kSamples; i += 2) change(attack(i));
  }
  // Sample `sample` was fooled instead of robust, in all conditions but the first.
  void OthersFool(int sample) {
    for (size_t i = 1; i < conditions.size(); ++i) {
      const int label = sample % kClasses;
      auto& fallen = conditions[i].outcomes[static_cast<size_t>(sample)];
      const int64_t backwards = fallen.attack().backwards();
      fallen = Fooled(sample, label, (label + 1) % kClasses, 0.02);
      fallen.mutable_attack()->set_backwards(backwards);
    }
  }

  v1::Report Report() const {
    ReportInput input = Input(classes, conditions);
    input.validation = model;
    const auto report = BuildReport(input);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::Report();
  }
};

// The check `name` of the condition number `index`.
Check Find(const v1::Report& report, const std::string& name, int index = 0) {
  for (const Check& check : report.conditions(index).attack().checks()) {
    if (check.name() == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return Check();
}

TEST(AttackChecks, ASoundAttackPassesEveryCheckThatApplies) {
  const v1::Report report = Case().Report();
  std::vector<std::string> names, not_applicable;
  for (const Check& check : report.conditions(0).attack().checks()) {
    names.push_back(check.name());
    if (check.verdict() == Check::NOT_APPLICABLE) {
      not_applicable.push_back(check.name());
    } else {
      EXPECT_EQ(check.verdict(), Check::PASSED) << check.DebugString();
    }
  }
  std::vector<std::string> rows;
  for (const CheckRow& row : AttackChecks()) rows.push_back(row.name);
  EXPECT_EQ(names, rows);
  // PGD has no ratio of logits and no stages, and is no transfer.
  EXPECT_THAT(not_applicable, ::testing::ElementsAre("class-count", "square-after-gradients",
                                                     "non-transferability"));
}

struct Row {
  const char* name;
  Check::Verdict verdict;
  void (*change)(Case&);
  friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }
};

class EachCheck : public ::testing::TestWithParam<Row> {};

TEST_P(EachCheck, HasItsVerdictAndSaysWhatWasSeen) {
  Case changed;
  GetParam().change(changed);
  const v1::Report report = changed.Report();
  const Check check = Find(report, GetParam().name);
  EXPECT_EQ(check.verdict(), GetParam().verdict) << check.DebugString();
  EXPECT_FALSE(check.message().empty());
  // One line each.
  for (const auto& condition : report.conditions()) {
    for (const Check& any : condition.attack().checks()) {
      EXPECT_LE(any.message().size(), 100u) << any.message();
    }
  }
  if (check.has_threshold()) {
    const bool within =
        check.at_least() ? check.value() >= check.threshold() : check.value() <= check.threshold();
    EXPECT_EQ(within, check.verdict() == Check::PASSED) << check.DebugString();
  }
}

constexpr auto kPassed = Check::PASSED;
constexpr auto kWarning = Check::WARNING;
constexpr auto kFailed = Check::FAILED;
constexpr auto kNotApplicable = Check::NOT_APPLICABLE;

void OnlySquare(Case& c) { c.conditions.erase(c.conditions.begin()); }
void Autoattack(Case& c, const std::string& version = "standard") {
  const std::string expression = absl::StrCat("attack/autoattack:eps=8/255,version=", version);
  auto outcomes = std::move(c.conditions[0].outcomes);
  for (int i = 0; i < kSamples; i += 2) {
    outcomes[static_cast<size_t>(i)].mutable_attack()->set_stage("apgd-ce");
  }
  c.conditions[0] = Under(expression, std::move(outcomes));
}

INSTANTIATE_TEST_SUITE_P(
    Table, EachCheck,
    ::testing::Values(
        Row{"randomised-model", kFailed, [](Case& c) { c.model.set_deterministic(false); }},
        Row{"randomised-model", kNotApplicable,
            [](Case& c) {
              c.model.set_deterministic(false);
              c.conditions[0].condition = Under("attack/pgd:eps=8/255,eot=20", {}).condition;
            }},
        Row{"randomised-model", kNotApplicable,
            [](Case& c) {
              c.model.set_deterministic(false);
              Autoattack(c, "rand");
            }},
        Row{"softmax-output", kWarning, [](Case& c) { c.model.set_softmax_output(true); }},
        Row{"gradient-available", kFailed,
            [](Case& c) {
              c.model.set_differentiable(false);
              c.model.clear_gradient_relative_error();
            }},
        Row{"gradient-available", kNotApplicable, OnlySquare},
        Row{"gradient-error", kPassed,
            [](Case& c) { c.model.set_gradient_relative_error(0.05); }},
        Row{"gradient-error", kWarning,
            [](Case& c) { c.model.set_gradient_relative_error(0.06); }},
        Row{"class-count", kPassed, [](Case& c) { Autoattack(c); }},
        Row{"class-count", kWarning,
            [](Case& c) {
              // Three classes: labels 3 and 4 become 0 and 1.
              Autoattack(c);
              c.classes = 3;
              for (ConditionOutcomes& condition : c.conditions) {
                for (v1::Outcome& o : condition.outcomes) {
                  o.set_label(o.label() % 3);
                  o.mutable_attack()->set_clean_prediction(o.label());
                  o.set_prediction(o.attack().success() ? (o.label() + 1) % 3 : o.label());
                }
              }
            }},
        Row{"better-than-guessing", kFailed,
            [](Case& c) {
              // One in five right, as a constant answer would be.
              for (int i = 0; i < kSamples; ++i) {
                if (i % kClasses != 3) c.outcome(i) = NotAttacked(i, i % kClasses, 3);
              }
            }},
        Row{"better-than-guessing", kWarning,
            [](Case& c) {
              for (int i = 0; i < kSamples; ++i) {
                const bool right = i % kClasses == 3 || i == 0;
                if (!right) c.outcome(i) = NotAttacked(i, i % kClasses, 3);
              }
            }},
        Row{"zero-gradients", kPassed, [](Case& c) { c.attack(1).set_zero_gradients(1); }},
        Row{"zero-gradients", kWarning, [](Case& c) { c.attack(1).set_zero_gradients(3); }},
        Row{"zero-gradients", kFailed,
            [](Case& c) {
              // Of one class only: all of its passes but a few.
              for (int i = 2; i < kSamples; i += kClasses) c.attack(i).set_zero_gradients(15);
            }},
        Row{"zero-gradients", kNotApplicable, OnlySquare},
        Row{"nonfinite-gradients", kWarning,
            [](Case& c) { c.attack(1).set_nonfinite_gradients(1); }},
        Row{"silent-success", kWarning,
            [](Case& c) { c.attack(1).set_unconfirmed_candidates(1); }},
        Row{"silent-success", kFailed,
            [](Case& c) {
              for (const int i : {1, 3, 5}) c.attack(i).set_unconfirmed_candidates(2);
            }},
        Row{"silent-success", kPassed,
            [](Case& c) { c.attack(0).set_unconfirmed_candidates(9); }},
        Row{"undecided-samples", kWarning,
            [](Case& c) {
              c.outcome(1).set_undecided(true);
              c.outcome(1).set_prediction(-1);
            }},
        Row{"undecided-samples", kFailed,
            [](Case& c) {
              for (int i = 0; i < kSamples; i += 2) {
                c.outcome(i) = Undecided(i, i % kClasses);
                c.attack(i).set_attacked(true);
                c.attack(i).set_clean_prediction(i % kClasses);
              }
              c.outcome(1).set_undecided(true);
              c.outcome(1).set_prediction(-1);
            }},
        Row{"tied-logits", kWarning, [](Case& c) { c.outcome(0).set_tie(true); }},
        Row{"budget", kFailed, [](Case& c) { c.attack(0).set_distance(0.0314); }},
        Row{"budget", kPassed, [](Case& c) { c.attack(0).set_distance(8.0 / 255); }},
        Row{"budget", kNotApplicable,
            [](Case& c) { c.conditions[0].condition = Under("attack/ddn", {}).condition; }},
        Row{"survives-rounding", kPassed,
            [](Case& c) {
              for (const int i : {0, 2}) c.attack(i).set_survives_rounding(false);
            }},
        Row{"survives-rounding", kWarning,
            [](Case& c) {
              for (const int i : {0, 2, 4}) c.attack(i).set_survives_rounding(false);
            }},
        Row{"square-after-gradients", kPassed, [](Case& c) { Autoattack(c); }},
        Row{"square-after-gradients", kWarning,
            [](Case& c) {
              Autoattack(c);
              c.attack(0).set_stage("square");
            }},
        Row{"unconstrained-attack", kWarning,
            [](Case& c) {
              for (int i = 1; i < 12; i += 2) {
                c.attack(i).set_unconstrained(v1::AttackOutcome::FOOLED);
              }
              c.attack(1).set_unconstrained(v1::AttackOutcome::HELD);
            }},
        Row{"unconstrained-attack", kFailed,
            [](Case& c) { c.attack(1).set_unconstrained(v1::AttackOutcome::HELD); }},
        // Random starts find what the gradient at the image does not.
        Row{"unconstrained-attack", kFailed,
            [](Case& c) {
              c.attack(1).set_unconstrained(v1::AttackOutcome::FOOLED_FROM_ELSEWHERE);
            }},
        // To a minimum-norm attack a survivor has no adversarial example at all.
        Row{"unconstrained-attack", kFailed,
            [](Case& c) {
              c.conditions[0].condition = Under("attack/ddn", {}).condition;
              c.conditions.pop_back();
            }},
        Row{"unconstrained-attack", kNotApplicable,
            [](Case& c) {
              c.conditions[0].condition = Under("attack/ddn", {}).condition;
              c.conditions.pop_back();
              c.ForSurvivors([](v1::AttackOutcome& a) { a.clear_unconstrained(); });
            }},
        Row{"unconstrained-attack", kNotApplicable,
            [](Case& c) {
              c.ForSurvivors([](v1::AttackOutcome& a) { a.clear_unconstrained(); });
            }},
        Row{"break-point-angle", kWarning,
            [](Case& c) {
              c.ForSurvivors([](v1::AttackOutcome& a) { a.set_break_point_angle(0.51); });
            }},
        Row{"break-point-angle", kPassed,
            [](Case& c) { c.attack(1).set_break_point_angle(1); }},
        Row{"break-point-angle", kNotApplicable,
            [](Case& c) {
              c.ForSurvivors([](v1::AttackOutcome& a) { a.clear_break_point_angle(); });
            }},
        Row{"increasing-loss", kWarning,
            [](Case& c) {
              c.ForSurvivors([](v1::AttackOutcome& a) { a.set_increasing_loss(0.25); });
            }},
        Row{"increasing-loss", kNotApplicable,
            [](Case& c) {
              c.conditions[0].condition = Under("attack/pgd:eps=8/255,eot=2", {}).condition;
            }},
        Row{"black-box-comparison", kWarning, [](Case& c) { c.OthersFool(1); }},
        Row{"black-box-comparison", kNotApplicable,
            [](Case& c) {
              c.OthersFool(1);
              c.conditions[1].condition = Under("attack/square:eps=4/255", {}).condition;
            }},
        // A run that answers for every budget, at the one of the black box.
        Row{"black-box-comparison", kWarning,
            [](Case& c) {
              c.OthersFool(1);
              c.conditions[0].condition = Under("attack/ddn:eps=0.5", {}).condition;
              c.conditions[1].condition = Under("attack/square:norm=l2,eps=0.5", {}).condition;
            }},
        Row{"silent-success", kNotApplicable,
            [](Case& c) {
              c.attack(1).set_unconfirmed_candidates(1);
              c.conditions[0].condition = Under("attack/ddn", {}).condition;
            }},
        // Half of the samples say nothing of the other half.
        Row{"black-box-comparison", kNotApplicable,
            [](Case& c) {
              c.OthersFool(1);
              c.conditions[1].outcomes.pop_back();
            }},
        // To reach one class is harder than to reach any.
        Row{"black-box-comparison", kNotApplicable, [](Case& c) {
              c.OthersFool(1);
              c.conditions[0].condition = Under("attack/pgd:eps=8/255,target=3", {}).condition;
            }}));

TEST(AttackChecks, ZeroGradientsNameTheWorstClass) {
  Case changed;
  for (int i = 2; i < kSamples; i += kClasses) changed.attack(i).set_zero_gradients(15);
  const Check check = Find(changed.Report(), "zero-gradients");
  EXPECT_DOUBLE_EQ(check.value(), 0.75);
  EXPECT_THAT(check.message(), ::testing::HasSubstr("75 % of the gradients of class 2"));
}

TEST(AttackChecks, SurvivorsThatFallWithoutABudgetAreCounted) {
  Case c;
  c.attack(3).set_unconstrained(v1::AttackOutcome::FOOLED_FROM_ELSEWHERE);
  c.attack(5).set_unconstrained(v1::AttackOutcome::HELD);
  const Check pgd = Find(c.Report(), "unconstrained-attack");
  EXPECT_DOUBLE_EQ(pgd.value(), 0.5);
  EXPECT_THAT(pgd.message(), ::testing::HasSubstr("3 of 4 survivors fell without a budget, 2 from "
                                                  "the image"));
  c.conditions[0].condition = Under("attack/ddn", {}).condition;
  const Check ddn = Find(c.Report(), "unconstrained-attack");
  EXPECT_DOUBLE_EQ(ddn.value(), 0.75);
  EXPECT_THAT(ddn.message(), ::testing::HasSubstr("3 of 4 survivors at any budget fell to APGD"));
}

// Small tasks try more; the report does not depend on them.
TEST(AttackChecks, OfSurvivorsThatWereTriedTheFirst32Count) {
  std::vector<v1::Outcome> outcomes;
  std::vector<int64_t> order;
  for (int i = 0; i < 100; ++i) {
    outcomes.push_back(Survivor(i, i % kClasses, 22, 20));
    order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [](int64_t a, int64_t b) { return ProbeOrder(a) < ProbeOrder(b); });
  for (size_t i = 0; i < order.size(); ++i) {
    outcomes[static_cast<size_t>(order[i])].mutable_attack()->set_unconstrained(
        i < kMaxProbes ? v1::AttackOutcome::FOOLED : v1::AttackOutcome::HELD);
  }
  Case c;
  c.conditions = {Under("attack/pgd:eps=8/255", std::move(outcomes))};
  const Check check = Find(c.Report(), "unconstrained-attack");
  EXPECT_EQ(check.verdict(), Check::PASSED);
  EXPECT_THAT(check.message(), ::testing::HasSubstr("32 of 32 survivors"));
}

TEST(AttackChecks, ABlackBoxThatFindsMoreIsNamed) {
  Case changed;
  changed.OthersFool(1);
  const v1::Report report = changed.Report();
  const Check check = Find(report, "black-box-comparison");
  EXPECT_NEAR(check.value(), 1.0 / kSamples, 1e-12);
  EXPECT_THAT(check.message(), ::testing::HasSubstr("attack/square/linf/8-255 leaves 47.5 %"));
  EXPECT_EQ(Find(report, "black-box-comparison", 1).verdict(), Check::NOT_APPLICABLE);
}

// The transfer fools three of the four samples that PGD fools, or one of them.
TEST(AttackChecks, ATransferIsComparedSampleBySample) {
  for (const auto& [transferred, verdict] : {std::pair{3, Check::PASSED}, {1, Check::WARNING}}) {
    Case c;
    c.conditions = {Under("attack/pgd:eps=8/255", {}),
                    Under("attack/transfer:eps=8/255,surrogates=other", {})};
    for (int i = 0; i < 8; ++i) {
      const auto add = [&](size_t condition, bool fooled) {
        v1::Outcome outcome =
            fooled ? Fooled(i, i % 5, (i + 1) % 5, 0.01) : Survivor(i, i % 5, 9, 8);
        outcome.mutable_attack()->set_backwards(8);
        c.conditions[condition].outcomes.push_back(outcome);
      };
      add(0, i < 4);
      // It also fools one that PGD does not.
      add(1, i < transferred || i == 7);
    }
    const Check check = Find(c.Report(), "non-transferability", 1);
    EXPECT_EQ(check.verdict(), verdict) << check.DebugString();
    EXPECT_DOUBLE_EQ(check.value(), (4.0 - transferred) / 4);
    // Gradients of other models say nothing of this one.
    EXPECT_EQ(Find(c.Report(), "gradient-available", 1).verdict(), Check::NOT_APPLICABLE);
    EXPECT_EQ(Find(c.Report(), "non-transferability", 0).verdict(), Check::NOT_APPLICABLE);
  }
}

TEST(AttackChecks, WithoutAValidatedModelItsChecksDoNotApply) {
  const Case c;
  const auto report = BuildReport(Input(kClasses, c.conditions));
  ASSERT_TRUE(report.ok());
  for (const char* name :
       {"randomised-model", "softmax-output", "gradient-available", "gradient-error"}) {
    EXPECT_EQ(Find(*report, name).verdict(), Check::NOT_APPLICABLE);
  }
}

TEST(AttackChecks, WithoutSamplesNothingIsJudged) {
  Case c;
  for (ConditionOutcomes& condition : c.conditions) condition.outcomes.clear();
  const v1::Report report = c.Report();
  for (const Check& check : report.conditions(0).attack().checks()) {
    if (check.name() == "randomised-model" || check.name() == "softmax-output") continue;
    EXPECT_EQ(check.verdict(), Check::NOT_APPLICABLE) << check.DebugString();
  }
}

TEST(AttackChecks, OnlyAttacksHaveThem) {
  const v1::ConditionReport report = OnlyCondition(Input(2, {Clean({Predicted(0, 0, 0)})}));
  EXPECT_FALSE(report.has_attack());
}

// docs/checks.md against the tables.
class ChecksPage : public ::testing::Test {
 protected:
  struct Section {
    std::string name;
    // Words with one space between them: what is said of the check, and of the group it is in.
    std::string own, group;
  };

  void SetUp() override {
    std::ifstream file(ASSAY_SOURCE_DIR "/docs/checks.md");
    ASSERT_TRUE(file);
    bool in_group = false;
    std::string group;
    for (std::string line; std::getline(file, line);) {
      if (absl::StartsWith(line, "### `")) {
        sections_.push_back({line.substr(5, line.find('`', 5) - 5), "", group});
        in_group = false;
      } else if (absl::StartsWith(line, "## ")) {
        group.clear();
        in_group = true;
      } else if (in_group) {
        absl::StrAppend(&group, line, " ");
      } else if (!sections_.empty()) {
        absl::StrAppend(&sections_.back().own, line, " ");
      }
    }
  }

  Section Of(const std::string& name) const {
    for (const Section& section : sections_) {
      if (section.name == name) return section;
    }
    ADD_FAILURE() << "no section " << name;
    return {};
  }

  std::vector<Section> sections_;
};

// One that both tables have is one section.
std::vector<CheckRow> AllRows() {
  std::vector<CheckRow> rows = ConditionChecks();
  for (const CheckRow& row : AttackChecks()) {
    const bool there = std::any_of(rows.begin(), rows.end(), [&](const CheckRow& other) {
      return std::string(other.name) == row.name;
    });
    if (!there) rows.push_back(row);
  }
  return rows;
}

TEST_F(ChecksPage, ExplainsEveryCheckInTheOrderOfTheReport) {
  std::vector<std::string> sections, names;
  for (const Section& section : sections_) sections.push_back(section.name);
  for (const CheckRow& row : AllRows()) names.push_back(row.name);
  EXPECT_EQ(sections, names);
}

// Those that do not depend on the run: "Above 0.01: WARNING. Above 0.5: FAILED".
TEST_F(ChecksPage, HasTheLimitsOfTheTables) {
  int compared = 0;
  for (const CheckRow& row : AllRows()) {
    SCOPED_TRACE(row.name);
    const std::string text = Of(row.name).own;
    std::vector<std::string> written, meant;
    const std::regex limit("(Above|Below) ([0-9.]+): (WARNING|FAILED)");
    for (std::sregex_iterator found(text.begin(), text.end(), limit), end; found != end; ++found) {
      written.push_back(found->str());
    }
    if (row.limit.has_value() && !row.limit->yes_or_no) {
      const char* beyond = row.limit->at_least ? "Below " : "Above ";
      meant.push_back(absl::StrCat(beyond, row.limit->threshold, ": WARNING"));
      if (row.limit->fails.has_value()) {
        meant.push_back(absl::StrCat(beyond, *row.limit->fails, ": FAILED"));
      }
    }
    EXPECT_EQ(written, meant);
    compared += static_cast<int>(written.size());
    if (row.limit.has_value() && row.limit->yes_or_no) {
      const bool fails = row.limit->fails.has_value();
      EXPECT_EQ(absl::StrContains(text, "FAILED"), fails);
      EXPECT_EQ(absl::StrContains(text, "WARNING"), !fails);
    }
  }
  EXPECT_GE(compared, 15);
}

TEST_F(ChecksPage, SaysWhichChecksAreForWhiteBoxes) {
  for (const CheckRow& row : AllRows()) {
    const Section section = Of(row.name);
    const bool white = absl::StartsWith(section.own, "White box only") ||
                       absl::StartsWith(section.group, "White box only");
    EXPECT_EQ((row.needs & kGradients) != 0, white) << row.name;
  }
}

}  // namespace
}  // namespace assay::report
