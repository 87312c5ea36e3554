// Checks: can a number be believed? An attack that fails and a model that holds look the same, and
// so do a bad model and a wrong export. Each check is a row of a table, of every condition in
// condition_checks.cc and of attacks in attack_checks.cc: to add one is to add a row there and a
// section to docs/checks.md, which says what each means, where its limit comes from and what to do.
#ifndef ASSAY_CORE_REPORT_CHECKS_H_
#define ASSAY_CORE_REPORT_CHECKS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "core/report/report_input.h"
#include "core/report/resolved_outcomes.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace assay::report {

// What checks look at: a condition, the report that it has so far, the model, the other attacks.
struct Facts {
  const ReportInput* evaluation = nullptr;
  const v1::ConditionReport* report = nullptr;

  // --- of every condition
  // What computed the outcomes of all of them.
  const std::vector<v1::NumericsFingerprint>* numerics = nullptr;

  // --- of attacks
  const v1::Condition* run = nullptr;
  // All attacks of the evaluation, this one included.
  const std::vector<Facts>* attacks = nullptr;
  // Why checks of gradients do not apply; empty for a white box: it used gradients of the model.
  std::string no_gradients = {};
  bool minimum_norm = false;
  // Averages over passes of a model that draws random numbers.
  bool averages = false;
  // Its examples were made on other models.
  bool transfer = false;
  // Complete, for any mistake, inside a budget that others can have too, sample by sample.
  bool comparable = false;
  // Attacked samples that ended in what is not finite.
  int64_t undecided = 0;
  int64_t survivors = 0;
  // Survivors that a gradient pass took for fooled.
  int64_t silent = 0;
  // Of the gradients of a class, the largest share that was zero, and the class.
  double zero_gradients = 0;
  int zero_gradients_class = 0;
  // Survivors that were tried without a budget; fooled by gradients from the image; and fooled from
  // another start only.
  int64_t tried = 0, fell_from_image = 0, fell_from_elsewhere = 0;
  // Survivors whose losses say something; means over them.
  int64_t curves = 0;
  double break_point_angle = 0, increasing_loss = 0;
  // The samples that were fooled, where other attacks are compared with them, ascending.
  std::vector<int64_t> fooled = {};
};

// The facts of an attack, of whose report all but the checks is filled. They point to all
// arguments but `resolved`.
Facts AttackFacts(const ReportInput& evaluation, const v1::Condition& condition,
                  const ResolvedCondition& resolved, const v1::ConditionReport& report,
                  const std::vector<Facts>& attacks);

// What a value may be: at most `threshold` (or at least), and when it is not just a warning.
struct Limit {
  double threshold = 0;
  // Beyond: FAILED. Without: a warning is the worst.
  std::optional<double> fails = std::nullopt;
  bool at_least = false;
  // A question: the value is 1 where there is a fault and 0 elsewhere, and is not shown.
  bool yes_or_no = false;
};
constexpr Limit AtMost(double threshold, std::optional<double> fails = std::nullopt) {
  return {threshold, fails};
}
constexpr Limit AtLeast(double threshold, std::optional<double> fails = std::nullopt) {
  return {threshold, fails, true};
}
inline constexpr Limit kFaultWarns = {0, std::nullopt, false, true};
inline constexpr Limit kFaultFails = {0, 0.0, false, true};

// What a check found.
struct Finding {
  double value = 0;
  std::string seen = {};
  // Where they depend on the run: instead of the row's.
  std::optional<Limit> limit = std::nullopt;
  std::string remedy = {};
  // Not empty: why there is nothing to judge, and all else is empty.
  std::string not_applicable = {};
};
Finding NotApplicable(std::string why);

// What a check cannot do without: it does not apply then.
enum Needs : unsigned {
  kNothing = 0,
  kCleanImages = 1,  // and is not even named where others are evaluated
  kModel = 2,        // that an engine has validated
  kGradients = 4,    // of the model: a white box
};

struct CheckRow {
  const char* name;
  unsigned needs;
  // Without: comes with the finding.
  std::optional<Limit> limit;
  // What to do beyond the limit.
  const char* remedy;
  Finding (*measure)(const Facts& facts);
};

// The tables, in the order of the report.
const std::vector<CheckRow>& ConditionChecks();
const std::vector<CheckRow>& AttackChecks();

void FillChecks(const std::vector<CheckRow>& rows, const Facts& facts,
                google::protobuf::RepeatedPtrField<v1::Check>* checks);

// --- parts of findings

// Clean accuracy against the best answer without a look at the image: for both tables.
Finding BetterThanGuessing(const Facts& facts);
// "12.5 %"
std::string Percent(double share);
// "1 of 3 samples"; `what` in the singular.
std::string Of(int64_t count, int64_t all, const std::string& what);
double Share(int64_t count, int64_t all);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_CHECKS_H_
