// Attacks whose budget is no ball: rotations and translations, patches, universal perturbations.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

Method Spatial() {
  Method m{kFamilyAttack,
           "spatial",
           "the worst of a grid of rotations and translations (Engstrom et al., 2019)",
           {},
           nullptr,
           nullptr};
  m.parameters.push_back(Real("max_rotation", "30", 0, 180, "degrees, either way"));
  m.parameters.push_back(
      Real("max_translation", "9.375", 0, 100,
           "percent of the side, along both axes and either way: 3 pixels of 32"));
  m.parameters.push_back(
      Integer("rotations", 31, 1, 1000, "angles, evenly spaced; 1: no rotation"));
  m.parameters.push_back(Integer("translations", 5, 1, 100,
                                 "shifts along each axis, evenly spaced; 1: no translation"));
  m.check = [](const Values& v) -> std::string {
    if (v.at("rotations") == "1" && v.at("translations") == "1") {
      return "one rotation and one translation are the image itself; use more of either";
    }
    return "";
  };
  m.work = [](Params& p) {
    const auto shifts = static_cast<double>(p.Integer("translations"));
    return static_cast<double>(p.Integer("rotations")) * shifts * shifts;
  };
  m.traits.black_box = true;
  return m;
}

Method Patch() {
  Method m{kFamilyAttack,
           "patch",
           "a square of any content at the worst of random places (after Brown et al., 2017, and "
           "Karmon et al., 2018)",
           {Headline(Expanding(Integer("size", 5, 1, 10000, "side of the square, in pixels")))},
           nullptr,
           nullptr};
  m.parameters.push_back(
      Integer("places", 20, 1, 100000, "random places tried by one query each in a restart"));
  m.parameters.push_back(Integer("steps", 50, 1, 100000, "gradient steps at the best place"));
  m.parameters.push_back(Real("step", "0.1", 0, 1, "step size, in pixel values"));
  m.parameters.push_back(Integer("restarts", 1, 1, 1000, "times that all this is done"));
  m.work = [](Params& p) {
    const auto restarts = static_cast<double>(p.Integer("restarts"));
    constexpr double kFirstGradient = 3;
    return kFirstGradient + restarts * static_cast<double>(p.Integer("places")) +
           GradientWork(restarts, static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method Universal() {
  Method m{kFamilyAttack,
           "universal",
           "one perturbation for all samples, by projected stochastic gradient ascent (Shafahi et "
           "al., 2020)",
           NormAndEps({"linf", "l2"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(
      Integer("epochs", 10, 1, 10000, "times that the samples are gone through"));
  m.parameters.push_back(StepSize(10));
  m.parameters.push_back(
      Integer("minibatch", 100, 1, 1000000, "samples whose mean gradient makes one step"));
  m.parameters.push_back(
      Real("fit", "1", 0, 1, "share of the samples that it is made from; it is tried on all"));
  m.work = [](Params& p) {
    return GradientWork(1, static_cast<double>(p.Integer("epochs")) * p.Number("fit"));
  };
  m.traits.whole_dataset = true;
  return m;
}

}  // namespace

std::vector<Method> LocalAttacks() { return {Spatial(), Patch(), Universal()}; }

}  // namespace assay::conditions
