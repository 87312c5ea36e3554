// The protocol of AutoAttack and its parts.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/condition.h"
#include "common/conditions/table.h"

namespace assay::conditions {
namespace {

Method Apgd(const std::string& name, const std::string& summary) {
  Method m{kFamilyAttack, name, summary, NormAndEps({"linf", "l2"}), CheckLinf, nullptr};
  m.parameters.push_back(Integer("steps", 100, 1, 100000, "iterations of one run"));
  const bool targeted = name == "apgd-t";
  m.parameters.push_back(targeted ? Integer("targets", 9, 1, 1000, "target classes, nearest first")
                                  : Integer("restarts", 1, 1, 1000, "random starts"));
  m.work = [targeted](Params& p) {
    return GradientWork(static_cast<double>(p.Integer(targeted ? "targets" : "restarts")),
                        static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method FabT() {
  Method m{kFamilyAttack,
           "fab-t",
           "FAB, minimum norm, targeted at the nearest classes (Croce and Hein, 2020)",
           NormAndEps({"linf", "l2"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("steps", 100, 1, 100000, "iterations for each target"));
  m.parameters.push_back(Integer("targets", 9, 1, 1000, "target classes, nearest first"));
  m.work = [](Params& p) {
    return GradientWork(static_cast<double>(p.Integer("targets")),
                        static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method Square() {
  Method m{kFamilyAttack,
           "square",
           "Square, black box: random search on logits (Andriushchenko et al., 2020)",
           NormAndEps({"linf", "l2"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("queries", 5000, 1, 10'000'000, "queries for each sample"));
  m.parameters.push_back(Real("p_init", "0.8", 0, 1, "share of the image in the first window"));
  m.work = [](Params& p) { return 2 + static_cast<double>(p.Integer("queries")); };
  return m;
}

Method AutoAttack() {
  Method m{kFamilyAttack,
           "autoattack",
           "AutoAttack: apgd-ce, apgd-t, fab-t and square on what is still robust (Croce and Hein, "
           "2020)",
           NormAndEps({"linf", "l2"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Choice("version", {"standard"}, "which parts"));
  m.work = [](Params&) {
    return GradientWork(1, 100) + GradientWork(9, 100) + GradientWork(9, 100) + 5001;
  };
  return m;
}

}  // namespace

std::vector<Method> AutoAttackFamily() {
  return {
      Apgd("apgd-ce", "Auto-PGD on cross-entropy (Croce and Hein, 2020)"),
      Apgd("apgd-dlr", "Auto-PGD on the difference-of-logits ratio (Croce and Hein, 2020)"),
      Apgd("apgd-t", "Auto-PGD targeted at the nearest classes (Croce and Hein, 2020)"),
      FabT(),
      Square(),
      AutoAttack(),
  };
}

}  // namespace assay::conditions
