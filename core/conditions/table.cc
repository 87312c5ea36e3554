#include "core/conditions/table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/conditions/families.h"

namespace assay::conditions {

const std::vector<Method>& Methods() {
  static const auto* const methods = [] {
    auto* all = new std::vector<Method>{
        {kFamilyClean, "", "the images as they are", {}, nullptr, [](Params&) { return 1.0; }, {}}};
    for (auto* group : {GradientAttacks, AutoAttackFamily, MinimumNormAttacks, BlackBoxAttacks,
                        LocalAttacks, BaselineAttacks, Corruptions, Certification, Bounds}) {
      for (Method& method : group()) all->push_back(std::move(method));
    }
    return all;
  }();
  return *methods;
}

const Method* MethodOf(const v1::Condition& condition) {
  const bool corruption = condition.family() == kFamilyCorruption;
  const std::string name =
      corruption ? condition.method().substr(0, condition.method().find('+')) : condition.method();
  for (const Method& method : Methods()) {
    if (method.family == condition.family() && method.name == name) return &method;
  }
  return nullptr;
}

Rational Number(const Values& values, const std::string& name) {
  return *Rational::Parse(values.at(name));
}

std::string CanonicalNumber(const Rational& number) {
  std::string text = number.ToString();
  const int64_t denominator = number.denominator();
  if (text.find('/') != std::string::npos && 255 % denominator == 0) {
    return absl::StrCat(number.numerator() * (255 / denominator), "/255");
  }
  return text;
}

Parameter Real(std::string name, std::string default_text, double above, double maximum,
               std::string summary) {
  Parameter p;
  p.name = std::move(name);
  p.kind = Kind::kNumber;
  p.default_text = default_text;
  p.summary = std::move(summary);
  p.default_value = [default_text](const Values&) { return default_text; };
  p.minimum = above;
  p.maximum = maximum;
  p.above = true;
  return p;
}

Parameter Integer(std::string name, int64_t default_value, double minimum, double maximum,
                  std::string summary) {
  Parameter p =
      Real(std::move(name), absl::StrCat(default_value), minimum, maximum, std::move(summary));
  p.kind = Kind::kInteger;
  p.above = false;
  return p;
}

Parameter Choice(std::string name, std::vector<std::string> choices, std::string summary) {
  Parameter p = Real(std::move(name), choices[0], 0, 0, std::move(summary));
  p.kind = Kind::kChoice;
  p.choices = std::move(choices);
  return p;
}

Parameter Models(std::string name, std::string summary, bool optional) {
  Parameter p = Real(std::move(name), "", 0, 0, std::move(summary));
  p.kind = Kind::kModel;
  p.list = true;
  p.optional = optional;
  return p;
}

Parameter Later(std::string implied, Parameter p) {
  p.implied = std::move(implied);
  return p;
}

Parameter Headline(Parameter p) {
  p.headline = true;
  return p;
}

Parameter Expanding(Parameter p) {
  p.expands = true;
  return p;
}

Parameter List(Parameter p) {
  p.list = true;
  return p;
}

Parameter WithDefault(Parameter p, std::function<std::string(const Values&)> value,
                      std::string text) {
  p.default_value = std::move(value);
  p.default_text = std::move(text);
  return p;
}

std::vector<Parameter> NormAndEps(std::vector<std::string> norms) {
  static const std::map<std::string, std::string> kUsual = {
      {"linf", "8/255"}, {"l2", "0.5"}, {"l1", "12"}, {"l0", "24"}};
  std::string text;
  for (const std::string& norm : norms) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", kUsual.at(norm), " for ", norm);
  }
  return {
      Headline(Choice("norm", std::move(norms), "norm of the budget")),
      Headline(Expanding(WithDefault(
          Real("eps", "", 0, kMaxBudget, "budget, in pixel values of [0, 1]"),
          [](const Values& v) { return kUsual.at(v.at("norm")); }, text))),
  };
}

std::string EpsOver(int64_t divisor, const Values& values) {
  const Rational eps = Number(values, "eps");
  return CanonicalNumber(Rational(eps.numerator(), eps.denominator() * divisor));
}

Parameter StepSize(int64_t divisor) {
  return WithDefault(
      Real("step", "", 0, kMaxBudget, "step size, in pixel values"),
      [divisor](const Values& v) { return EpsOver(divisor, v); }, absl::StrCat("eps/", divisor));
}

std::vector<Parameter> NormAndBudgets(std::vector<std::string> norms) {
  std::vector<Parameter> parameters = NormAndEps(std::move(norms));
  Parameter& eps = parameters.back();
  eps.expands = false;
  eps.list = eps.ascending = true;
  eps.summary = "budgets to report, in pixel values of [0, 1]; one run serves them all";
  return parameters;
}

std::string CheckBudgets(const Values& values) {
  constexpr size_t kMaxBudgets = 100;
  const std::vector<std::string> budgets = absl::StrSplit(values.at("eps"), '+');
  if (budgets.size() > kMaxBudgets) {
    return absl::StrCat("eps lists at most ", kMaxBudgets, " budgets; got ", budgets.size());
  }
  for (const std::string& eps : budgets) {
    const std::string problem = CheckLinf({{"norm", values.at("norm")}, {"eps", eps}});
    if (!problem.empty()) return problem;
    if (values.at("norm") == "l0" && Rational::Parse(eps)->denominator() != 1) {
      return absl::StrCat("eps=", eps, ": for norm=l0 it is a number of pixel values, an integer");
    }
  }
  return "";
}

std::string CheckLinf(const Values& values) {
  if (values.at("norm") == "linf" && Number(values, "eps").ToDouble() > 1) {
    return "eps must be at most 1 for norm=linf, since pixels are in [0, 1]";
  }
  return "";
}

double GradientWork(double runs, double steps) { return 1 + runs * (1 + 3 * steps); }

}  // namespace assay::conditions
