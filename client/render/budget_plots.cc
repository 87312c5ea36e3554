// Robust accuracy against the budget: BudgetPlots of report_plots.h.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/render/condition_facts.h"
#include "client/render/plot_points.h"
#include "client/render/report_plots.h"
#include "client/render/text.h"
#include "core/base/rational.h"
#include "core/conditions/families.h"

namespace assay::render {
namespace {

using plot::LinePlot;
using plot::Series;

// A condition with one budget, and what it says of it.
struct AtBudget {
  Rational eps;
  const v1::ConditionReport* condition;
  const v1::Rate* rate;
};

// Conditions that differ in their budget only.
struct Run {
  std::string name;
  std::vector<AtBudget> budgets;

  const v1::ConditionReport& first() const { return *budgets.front().condition; }
  bool is_line() const { return budgets.size() > 1 || first().attack().security_curve_size() > 1; }
};

struct Norm {
  std::string name;
  std::vector<Run> runs;
};

// The id without the family and the budget: "pgd/linf/steps=50" of
// "attack/pgd/linf/8-255/steps=50".
std::string RunName(const v1::ConditionReport& condition, const std::string& eps) {
  std::vector<std::string> parts = absl::StrSplit(Printable(condition.id()), '/');
  const std::string written = absl::StrReplaceAll(eps, {{"/", "-"}});
  const auto budget = std::find(parts.begin(), parts.end(), written);
  if (budget != parts.end()) parts.erase(budget);
  if (parts.size() > 1 && parts.front() == kFamilyAttack) parts.erase(parts.begin());
  return absl::StrJoin(parts, "/");
}

template <typename Named>
Named& Find(const std::string& name, std::vector<Named>& all) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  if (found != all.end()) return *found;
  all.emplace_back();
  all.back().name = name;
  return all.back();
}

std::vector<Norm> Norms(const v1::Report& report) {
  std::vector<Norm> norms;
  for (const auto& condition : report.conditions()) {
    if (!condition.has_attack() && !condition.has_bounds()) continue;
    const std::string text = Parameter(condition, "eps");
    const auto eps = Rational::Parse(text);
    const v1::Rate* rate = ComparableRate(condition);
    if (!eps.ok() || rate == nullptr) continue;
    const std::string norm = condition.has_bounds() ? "linf" : Parameter(condition, "norm");
    Run& run = Find(RunName(condition, text), Find(norm, norms).runs);
    run.budgets.push_back({*eps, &condition, rate});
  }
  for (Norm& norm : norms) {
    for (Run& run : norm.runs) {
      std::stable_sort(
          run.budgets.begin(), run.budgets.end(),
          [](const AtBudget& a, const AtBudget& b) { return a.eps.ToDouble() < b.eps.ToDouble(); });
    }
  }
  return norms;
}

// Budgets of pixels are grey levels, mostly.
bool InGreyLevels(const Norm& norm) {
  for (const Run& run : norm.runs) {
    for (const AtBudget& at : run.budgets) {
      if (255 % at.eps.denominator() != 0) return false;
    }
  }
  return norm.name == "linf";
}

Series CurveOf(const Run& run, double unit, double end) {
  const auto& curve = run.first().attack().security_curve();
  // Of a curve that lacks points only their sides are known; the lower one claims nothing.
  const bool thinned = curve.size() >= kMostCurvePoints;
  Series series;
  series.join = thinned ? Series::Join::kStepsBack : Series::Join::kSteps;
  series.uncertainty = Series::Uncertainty::kBand;
  series.markers = false;
  const v1::Rate* beyond = nullptr;
  for (const auto& entry : curve) {
    if (!entry.robust_accuracy().has_value()) continue;
    const double x = entry.eps() / unit;
    if (x > end) {
      beyond = &entry.robust_accuracy();
      break;
    }
    series.points.push_back(RatePoint(x, entry.robust_accuracy(), ""));
  }
  if (series.points.empty()) return series;
  // It holds its last value until the axis ends.
  series.points.push_back(thinned && beyond != nullptr ? RatePoint(end, *beyond, "")
                                                       : series.points.back());
  series.points.back().x = end;
  return series;
}

Series PointsOf(const Run& run, double unit) {
  Series series;
  series.join = run.is_line() ? Series::Join::kStraight : Series::Join::kNone;
  series.uncertainty = Series::Uncertainty::kWhiskers;
  const v1::Rate& clean = run.first().attack().clean_accuracy();
  if (run.is_line() && clean.has_value()) series.points.push_back(RatePoint(0, clean, "clean"));
  for (const AtBudget& at : run.budgets) {
    series.points.push_back(
        RatePoint(at.eps.ToDouble() / unit, *at.rate, Printable(at.condition->id())));
  }
  return series;
}

LinePlot PlotOf(const Norm& norm) {
  const bool grey = InGreyLevels(norm);
  const double unit = grey ? 1.0 / 255 : 1;
  double largest = 0, farthest = 0;
  for (const Run& run : norm.runs) {
    largest = std::max(largest, run.budgets.back().eps.ToDouble() / unit);
    const auto& curve = run.first().attack().security_curve();
    if (!curve.empty()) farthest = std::max(farthest, curve[curve.size() - 1].eps() / unit);
  }
  // Curves may go on for long where nothing is asked any more.
  const double end = std::max(largest, std::min(farthest, 2 * largest));
  const std::string budget =
      norm.name.empty() ? "budget" : absl::StrCat(NormName(norm.name), " budget");
  LinePlot plot;
  plot.part = norm.name;
  plot.title = absl::StrCat("Robust accuracy against the ", budget);
  plot.x_title = grey ? absl::StrCat(budget, ", 1/255") : budget;
  plot.y_title = "robust accuracy %";
  plot.x = plot::Range{0, end * 1.03};
  plot.y = kPercents;
  for (const Run& run : norm.runs) {
    Series series = run.first().attack().security_curve_size() > 1 ? CurveOf(run, unit, end)
                                                                   : PointsOf(run, unit);
    series.name = run.first().has_bounds() ? absl::StrCat(run.name, " (proven)") : run.name;
    plot.series.push_back(std::move(series));
  }
  plot.description = absl::StrCat("Lines that fall with the budget, for ", SeriesNames(plot),
                                  "; the numbers are in the table of all conditions.");
  return plot;
}

}  // namespace

std::vector<LinePlot> BudgetPlots(const v1::Report& report) {
  std::vector<LinePlot> plots;
  for (const Norm& norm : Norms(report)) {
    const bool any = std::any_of(norm.runs.begin(), norm.runs.end(), [](const Run& run) {
      return run.is_line() && !run.first().has_bounds();
    });
    if (any) plots.push_back(PlotOf(norm));
  }
  return plots;
}

}  // namespace assay::render
