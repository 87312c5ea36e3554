// The rows that condition.cc reads: what a user can write, method by method. Private to
// core/conditions/condition.cc and the files beside this one, each of which holds one group of
// methods; to add a method is to add a row to the group where it belongs.
#ifndef ASSAY_CORE_CONDITIONS_TABLE_H_
#define ASSAY_CORE_CONDITIONS_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "assay/v1/types.pb.h"
#include "core/base/rational.h"

namespace assay {
class Params;  // params.h
}

namespace assay::conditions {

// Canonical texts by parameter name.
using Values = std::map<std::string, std::string>;

enum class Kind {
  kNumber,
  kInteger,  // with `choices`: these words too
  kChoice,
  kModel,  // id of a model on the server
};

struct Parameter {
  std::string name;
  Kind kind = Kind::kNumber;
  // The default as canonical text, given the values of the parameters before it.
  std::function<std::string(const Values&)> default_value;
  std::string default_text;
  std::string summary;
  // kNumber, kInteger: allowed range, the lower end excluded when `above`.
  double minimum = 0;
  double maximum = 0;
  bool above = false;
  // kChoice, kInteger.
  std::vector<std::string> choices;
  // Part of the id itself.
  bool headline = false;
  // "a+b" makes one condition of each value; so do ranges of integers ("1-5").
  bool expands = false;
  // "a+b" is one value of several parts, kept in the order given.
  bool list = false;
  // Of a list of numbers: ascending and without repetition instead.
  bool ascending = false;
  // May be empty (which the default then is).
  bool optional = false;
  // What conditions mean that were stored before there was this parameter; nothing for parameters
  // that are as old as their method. Never changes (docs/decisions/0009-stored-means-the-same.md).
  std::optional<std::string> implied = {};
};

// What the planner and the report must know of a method.
struct Traits {
  // Its outcomes depend on all samples together, so one task computes them.
  bool whole_dataset = false;
  // Finds distances: robust accuracy at every eps comes from one run. Its parameter "eps" lists the
  // budgets that the report breaks down.
  bool minimum_norm = false;
  // Sees what the model answers, and never a gradient of it.
  bool black_box = false;
  // Classes that its loss needs, fewer making a simpler one stand in; without: any number will do.
  std::function<int(Params&)> classes = nullptr;
  // Of a method made of others: their expressions, in the order in which they run.
  std::function<std::vector<std::string>(Params&)> stages = nullptr;
};

struct Method {
  std::string family;
  std::string name;
  std::string summary;
  std::vector<Parameter> parameters;
  // What is wrong with the values together; empty: nothing.
  std::function<std::string(const Values&)> check;
  // Model passes that one sample is expected to cost, a backward pass counting as two.
  std::function<double(Params&)> work;
  Traits traits = {};
};

// Every method, in the order in which help texts list them.
const std::vector<Method>& Methods();
// The row of a condition; nullptr for a method that does not exist. Of "corruption/fog+snow" that
// of the first part, which it is like in all but the name.
const Method* MethodOf(const v1::Condition& condition);

// A set of expressions by one name: suite/NAME.
struct Suite {
  std::string name;
  std::string summary;
  std::vector<std::string> expressions;
};

// The groups.
std::vector<Method> GradientAttacks();
std::vector<Method> AutoAttackFamily();
std::vector<Method> MinimumNormAttacks();
std::vector<Method> BlackBoxAttacks();
std::vector<Method> LocalAttacks();
std::vector<Method> BaselineAttacks();
std::vector<Method> Corruptions();
std::vector<Method> Certification();
std::vector<Method> Bounds();
std::vector<Suite> Suites();

// --- parts of rows

Parameter Real(std::string name, std::string default_text, double above, double maximum,
               std::string summary);
Parameter Integer(std::string name, int64_t default_value, double minimum, double maximum,
                  std::string summary);
// The first choice is the default.
Parameter Choice(std::string name, std::vector<std::string> choices, std::string summary);
// Ids of models on the server, at least one unless `optional`.
Parameter Models(std::string name, std::string summary, bool optional);
Parameter Headline(Parameter p);
// For a parameter that a method gets later: what the conditions mean that were stored without it.
Parameter Later(std::string implied, Parameter p);
Parameter Expanding(Parameter p);
Parameter List(Parameter p);
Parameter WithDefault(Parameter p, std::function<std::string(const Values&)> value,
                      std::string text);

Rational Number(const Values& values, const std::string& name);
// Pixel budgets are fractions of 255 in this field: 5/255 stays 5/255 although 1/51 is shorter.
std::string CanonicalNumber(const Rational& number);

// Norm and eps of a budget attack: "norm" is one of `norms`, eps has the field's customary default
// for each (8/255, 0.5, 12) and makes one condition of each value of a list.
std::vector<Parameter> NormAndEps(std::vector<std::string> norms);
// "step", by default eps / divisor; and that default by itself.
Parameter StepSize(int64_t divisor);
std::string EpsOver(int64_t divisor, const Values& values);
// As NormAndEps for a method that finds distances: eps is one list, of the budgets to report.
std::vector<Parameter> NormAndBudgets(std::vector<std::string> norms);
// For the row's `check` of such a method.
std::string CheckBudgets(const Values& values);
// For the row's `check`: pixels are in [0, 1], so a larger linf budget means nothing.
std::string CheckLinf(const Values& values);
// Model passes of `runs` runs of `steps` gradient steps and a last forward pass, after the clean
// one.
double GradientWork(double runs, double steps);
// Classes below which there is no difference-of-logits ratio.
inline constexpr int kRatioClasses = 3, kTargetedRatioClasses = 4;

inline constexpr double kMaxBudget = 1e6;

}  // namespace assay::conditions

#endif  // ASSAY_CORE_CONDITIONS_TABLE_H_
