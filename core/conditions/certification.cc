// Randomized smoothing, deterministic bounds, conformal sets.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/smoothing_setting.h"
#include "core/conditions/table.h"
#include "core/statistics/confidence_sequence.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::conditions {
namespace {

constexpr double kMaxRadius = 1e6;

// A condition as the certificates see it: for checks that need their formulas.
absl::StatusOr<SmoothingSetting> SettingOf(const char* noise, const Values& values) {
  v1::Condition condition;
  condition.set_method(noise);
  for (const auto& [name, value] : values) (*condition.mutable_parameters())[name] = value;
  return ParseSmoothingSetting(condition);
}

// Settings that can only abstain are refused, and radii that n draws cannot reach.
std::string CheckSmoothing(const char* noise, const Values& v) {
  if (Number(v, "alpha").ToDouble() >= 1) return "alpha must be below 1";
  const bool anytime = v.at("mode") == "anytime";
  const bool predict = v.at("mode") == "predict";
  if (predict != (v.at("n0") == "0")) {
    return predict ? "mode=predict selects no class: leave n0 out" : "n0 must be at least 1";
  }
  if (anytime && Number(v, "alpha").ToDouble() > 0.5) return "mode=anytime needs alpha up to 0.5";
  if (!anytime && !v.at("radii").empty()) return "radii are for mode=anytime to decide";
  if (anytime && v.at("scope") == "dataset") {
    return "scope=dataset needs alpha before the number of samples is known, so not with "
           "mode=anytime; give an alpha that is divided by it already";
  }
  const absl::StatusOr<SmoothingSetting> setting = SettingOf(noise, v);
  if (!setting.ok()) return std::string(setting.status().message());
  const int64_t smallest = SmallestUsefulN(*setting);
  if (setting->n < smallest) {
    return absl::StrCat("n=", v.at("n"), " can only abstain at alpha=", v.at("alpha"),
                        "; the smallest n that can certify is ", smallest);
  }
  // What Linf radii need depends on the number of pixels.
  if (setting->norm == RadiusNorm::kLinf) return "";
  for (const double radius : setting->radii) {
    const double p = ProbabilityFor(*setting, radius);
    // Closer to 1 than any number of draws can tell.
    constexpr double kOutOfReach = 1 - 1e-12;
    if (p > kOutOfReach) return absl::StrCat("no number of draws certifies radius ", radius);
    const int64_t needed = AnytimeSmallestN(p, setting->alpha);
    if (setting->n < needed) {
      return absl::StrCat("n=", v.at("n"), " cannot certify radius ", radius,
                          "; the smallest n that can is ", needed);
    }
  }
  return "";
}

// In anytime mode most samples are decided early.
double SmoothingWork(Params& p) {
  constexpr double kUsualDraws = 3000;
  const auto n0 = static_cast<double>(p.Integer("n0"));
  const auto n = static_cast<double>(p.Integer("n"));
  const bool stops = p.Text("mode") == "anytime" && !p.Text("radii").empty();
  return n0 + (stops ? std::min(n, kUsualDraws) : n);
}

Method Smoothing(const char* noise, std::string summary, Parameter scale,
                 std::vector<std::string> norms, std::vector<Parameter> more) {
  Parameter radii = Real("radii", "", 0, kMaxRadius,
                         "anytime: radii to decide, after which a sample stops; none: n draws");
  radii.above = false;
  radii.list = radii.ascending = radii.optional = true;
  const std::string usual_norm = norms.front();
  Method method;
  method.family = kFamilySmoothing;
  method.name = noise;
  method.summary = std::move(summary);
  method.parameters = {
      Headline(Expanding(std::move(scale))),
      Later("fixed",
            Choice("mode", {"fixed", "anytime", "predict"},
                   "n draws and radii; until the radii are decided; n draws and the class only")),
      WithDefault(
          Integer("n0", 100, 0, 1e6, "draws that select the class"),
          [](const Values& v) { return v.at("mode") == "predict" ? "0" : "100"; },
          "100, 0 for mode=predict"),
      Integer("n", 100000, 1, 1e8, "draws that bound its probability; anytime: at most"),
      Real("alpha", "0.001", 0, 1, "failure probability of one sample's certificate"),
      Later("", std::move(radii)),
      Later(usual_norm, Choice("norm", std::move(norms), "norm of the radii")),
      Later("sample", Choice("scope", {"sample", "dataset"},
                             "what alpha is for: each sample, or all samples together")),
  };
  for (Parameter& p : more) method.parameters.push_back(std::move(p));
  method.parameters.push_back(Later(
      "", Models("ensemble", "models whose logits are averaged with those of the evaluated one",
                 /*optional=*/true)));
  method.check = [noise](const Values& v) { return CheckSmoothing(noise, v); };
  method.work = SmoothingWork;
  return method;
}

Method Gaussian() {
  return Smoothing("gaussian", "randomized smoothing, certified L2 radii (Cohen et al., 2019)",
                   Real("sigma", "0.25", 0, 100, "standard deviation of the noise"), {"l2", "linf"},
                   {Later("no", Choice("sound", {"no", "yes"},
                                       "discretised noise that rounding errors cannot break"))});
}

Method Uniform() {
  return Smoothing("uniform", "uniform noise, certified L1 radii (Yang et al., 2020)",
                   Real("lambda", "0.5", 0, 100, "the noise is in [-lambda, lambda]"),
                   {"l1", "linf"}, {});
}

Method Laplace() {
  return Smoothing("laplace", "Laplace noise, certified L1 radii (Lecuyer et al., 2019)",
                   Real("lambda", "0.25", 0, 100, "scale of the noise"), {"l1"}, {});
}

}  // namespace

std::vector<Method> Certification() { return {Gaussian(), Uniform(), Laplace()}; }

}  // namespace assay::conditions
