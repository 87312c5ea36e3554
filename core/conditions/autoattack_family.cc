// The protocol of AutoAttack and its parts.
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

// The published settings for l1, and those for the other norms.
Parameter UsualForL1(Parameter p, const std::string& for_l1, const std::string& otherwise) {
  return WithDefault(
      std::move(p),
      [for_l1, otherwise](const Values& v) { return v.at("norm") == "l1" ? for_l1 : otherwise; },
      absl::StrCat(for_l1, " for l1, otherwise ", otherwise));
}

Parameter Targets(const std::string& summary) { return Integer("targets", 9, 1, 1000, summary); }

Method Apgd(const std::string& name, const std::string& summary) {
  Method m{kFamilyAttack, name, summary, NormAndEps({"linf", "l2", "l1"}), nullptr, nullptr};
  m.parameters.push_back(Integer("steps", 100, 1, 100000, "iterations of one run"));
  const bool targeted = name == "apgd-t";
  if (name != "apgd-ce") {
    m.traits.classes = [targeted](Params&) {
      return targeted ? kTargetedRatioClasses : kRatioClasses;
    };
  }
  m.parameters.push_back(
      targeted ? UsualForL1(Targets("target classes, nearest first"), "5", "9")
               : UsualForL1(Integer("restarts", 1, 1, 1000, "random starts"), "5", "1"));
  m.parameters.push_back(
      Later("1", Integer("eot", 1, 1, 1000,
                         "gradient passes averaged in each iteration, for models that draw "
                         "random numbers")));
  m.parameters.push_back(
      Later("no", UsualForL1(Choice("larger_eps", {"no", "yes"},
                                    "l1 only: begin in 3 eps, then 2 eps, then eps"),
                             "yes", "no")));
  m.check = [](const Values& v) -> std::string {
    if (v.at("larger_eps") == "yes" && v.at("norm") != "l1") {
      return "larger_eps=yes is for norm=l1 only";
    }
    return CheckLinf(v);
  };
  m.work = [targeted](Params& p) {
    return GradientWork(static_cast<double>(p.Integer(targeted ? "targets" : "restarts")),
                        static_cast<double>(p.Integer("steps") * p.Integer("eot")));
  };
  return m;
}

Parameter FabRestarts() {
  return Integer("restarts", 1, 1, 1000, "the first from the image, the others from random starts");
}

Method Fab() {
  Method m{kFamilyAttack,
           "fab",
           "FAB, minimum norm, towards the nearest of all boundaries (Croce and Hein, 2020)",
           NormAndEps({"linf", "l2", "l1"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("steps", 100, 1, 100000, "iterations of one run"));
  m.parameters.push_back(FabRestarts());
  m.work = [](Params& p) {
    // A gradient for each of the other classes, whose number is not known here; ten is usual.
    constexpr double kTypicalGradients = 9;
    return GradientWork(static_cast<double>(p.Integer("restarts")),
                        kTypicalGradients * static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method FabT() {
  Method m{kFamilyAttack,
           "fab-t",
           "FAB, minimum norm, targeted at the nearest classes (Croce and Hein, 2020)",
           NormAndEps({"linf", "l2", "l1"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("steps", 100, 1, 100000, "iterations of one run"));
  m.parameters.push_back(Later("1", FabRestarts()));
  m.parameters.push_back(Targets("target classes, nearest first, each with all restarts"));
  m.work = [](Params& p) {
    return GradientWork(static_cast<double>(p.Integer("targets") * p.Integer("restarts")),
                        static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method Square() {
  Method m{kFamilyAttack,
           "square",
           "Square, black box: random search on logits (Andriushchenko et al., 2020)",
           NormAndEps({"linf", "l2", "l1"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("queries", 5000, 1, 10'000'000, "queries for each sample"));
  m.parameters.push_back(Real("p_init", "0.8", 0, 1, "share of the image in the first window"));
  m.work = [](Params& p) { return 2 + static_cast<double>(p.Integer("queries")); };
  m.traits.black_box = true;
  return m;
}

// The published settings. Those of "standard" are the defaults of the parts; "custom" runs the
// parts with the settings of "plus", which are the defaults of the published classes.
std::vector<std::string> AutoAttackParts(Params& params) {
  const std::string version = params.Text("version");
  const std::string head = absl::StrCat(":norm=", params.Text("norm"), ",eps=", params.Text("eps"));
  std::vector<std::string> names;
  if (version == "standard") names = {"apgd-ce", "apgd-t", "fab-t", "square"};
  if (version == "plus") names = {"apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"};
  if (version == "rand") names = {"apgd-ce", "apgd-dlr"};
  if (version == "custom") names = absl::StrSplit(params.Text("parts"), '+');
  std::vector<std::string> expressions;
  for (const std::string& name : names) {
    std::string settings;
    if (version == "rand") {
      settings = ",restarts=1,eot=20,larger_eps=no";
    } else if (version != "standard") {
      if (name == "apgd-ce" || name == "apgd-dlr") settings = ",restarts=5,larger_eps=no";
      if (name == "apgd-t") settings = ",targets=9,larger_eps=no";
      if (name == "fab") settings = ",restarts=5";
    }
    expressions.push_back(absl::StrCat(kFamilyAttack, "/", name, head, settings));
  }
  return expressions;
}

Method AutoAttack() {
  Method m{kFamilyAttack,
           "autoattack",
           "AutoAttack: several attacks one after the other on what is still robust (Croce and "
           "Hein, 2020)",
           NormAndEps({"linf", "l2", "l1"}),
           nullptr,
           nullptr};
  m.parameters.push_back(
      Choice("version", {"standard", "plus", "rand", "custom"}, "which parts with which settings"));
  Parameter parts =
      List(Choice("parts", {"apgd-ce", "apgd-dlr", "apgd-t", "fab", "fab-t", "square"},
                  "with version=custom: the parts in their order, a+b+..."));
  parts.optional = true;
  m.parameters.push_back(
      Later("", WithDefault(
                    std::move(parts), [](const Values&) { return ""; }, "none")));
  m.check = [](const Values& v) -> std::string {
    const bool custom = v.at("version") == "custom";
    const std::string& named = v.at("parts");
    if (custom != !named.empty()) {
      return custom ? "version=custom needs parts, for example parts=apgd-ce+square"
                    : "parts are for version=custom only";
    }
    std::set<absl::string_view> seen;
    for (absl::string_view part : absl::StrSplit(named, '+', absl::SkipEmpty())) {
      if (!seen.insert(part).second) return absl::StrCat("parts names ", part, " twice");
    }
    return CheckLinf(v);
  };
  m.work = [](Params& p) {
    const auto stages = ParseConditions(AutoAttackParts(p));
    double sum = 1;
    if (stages.ok()) {
      for (const v1::Condition& stage : *stages) sum += WorkPerSample(stage);
    }
    return sum;
  };
  m.traits.stages = AutoAttackParts;
  return m;
}

}  // namespace

std::vector<Method> AutoAttackFamily() {
  return {
      Apgd("apgd-ce", "Auto-PGD on cross-entropy (Croce and Hein, 2020)"),
      Apgd("apgd-dlr", "Auto-PGD on the difference-of-logits ratio (Croce and Hein, 2020)"),
      Apgd("apgd-t", "Auto-PGD targeted at the nearest classes (Croce and Hein, 2020)"),
      Fab(),
      FabT(),
      Square(),
      AutoAttack(),
  };
}

}  // namespace assay::conditions
