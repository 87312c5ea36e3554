#include "client/render/plot_kinds.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/report_plots.h"
#include "client/render/text.h"
#include "core/base/errors.h"

namespace assay::render {
namespace {

struct Part {
  // Of a norm or a condition; empty where there can be one only.
  std::string name;
  plot::Markup plot;
};

std::vector<Part> AccuracyParts(const v1::Report& report) {
  const plot::IntervalPlot plot = AccuracyPlot(report);
  if (plot.rows.empty()) return {};
  return {{"", plot::Draw(plot)}};
}

std::vector<Part> OfNorms(const std::vector<plot::LinePlot>& plots) {
  std::vector<Part> parts;
  for (const plot::LinePlot& plot : plots) parts.push_back({plot.part, plot::Draw(plot)});
  return parts;
}

std::vector<Part> BudgetParts(const v1::Report& report) { return OfNorms(BudgetPlots(report)); }

std::vector<Part> CertifiedParts(const v1::Report& report) {
  return OfNorms(CertifiedPlots(report));
}

std::vector<Part> PaParts(const v1::Report& report) {
  std::vector<Part> parts;
  for (const auto& condition : report.conditions()) {
    const plot::LinePlot plot = PaPlot(condition);
    if (!plot.series.empty()) parts.push_back({Printable(condition.id()), plot::Draw(plot)});
  }
  return parts;
}

struct Row : PlotKind {
  std::vector<Part> (*parts)(const v1::Report& report);
};

const std::vector<Row>& Rows() {
  static const auto* const rows = new std::vector<Row>{
      {{"accuracy", "accuracy of every condition with its interval",
        "any condition but a sequence, for example clean"},
       AccuracyParts},
      {{"budget", "robust accuracy against the budget, for each norm",
        "an attack with two budgets or more, for example attack/pgd:eps=2/255 and "
        "attack/pgd:eps=4/255, or one that looks for distances, for example attack/fab"},
       BudgetParts},
      {{"certified", "certified accuracy against the radius, for each norm",
        "a condition that certifies, for example smoothing/gaussian:sigma=0.25"},
       CertifiedParts},
      {{"pa", "distribution of p_A with its band, for each condition",
        "a condition that certifies, for example smoothing/gaussian:sigma=0.25"},
       PaParts},
  };
  return *rows;
}

}  // namespace

const std::vector<PlotKind>& PlotKinds() {
  static const auto* const kinds = new std::vector<PlotKind>(Rows().begin(), Rows().end());
  return *kinds;
}

std::vector<std::string> PlotKindNames() {
  std::vector<std::string> names;
  for (const PlotKind& kind : PlotKinds()) names.push_back(kind.name);
  return names;
}

absl::Status CheckPlotKind(const std::string& kind) {
  const std::vector<std::string> names = PlotKindNames();
  if (std::find(names.begin(), names.end(), kind) != names.end()) return absl::OkStatus();
  const std::string nearest = Nearest(kind, names);
  return InvalidFields(
      {{"kind",
        absl::StrCat("there is no plot '", Printable(kind), "'; ",
                     nearest.empty() ? absl::StrCat("known are ", absl::StrJoin(names, ", "))
                                     : absl::StrCat("did you mean ", nearest, "?"))}});
}

absl::StatusOr<plot::Markup> PlotOfKind(const v1::Report& report, const std::string& kind,
                                        const std::string& part) {
  ASSAY_RETURN_IF_ERROR(CheckPlotKind(kind));
  const auto row =
      std::find_if(Rows().begin(), Rows().end(), [&](const Row& one) { return one.name == kind; });
  std::vector<Part> parts = row->parts(report);
  if (parts.empty()) {
    return Error(Reason::kWrongState,
                 absl::StrCat(report.evaluation(), " has nothing for the plot '", kind,
                              "': it needs ", row->needs));
  }
  std::vector<std::string> names;
  for (Part& one : parts) {
    if (one.name == part || (part.empty() && parts.size() == 1)) return std::move(one.plot);
    if (!one.name.empty()) names.push_back(one.name);
  }
  if (names.empty()) {
    return InvalidFields({{"--of", absl::StrCat("there is only one plot '", kind, "'")}});
  }
  const std::string known = absl::StrJoin(names, ", ");
  if (part.empty()) {
    return InvalidFields({{"--of", absl::StrCat("there are several; say which: ", known)}});
  }
  return InvalidFields(
      {{"--of", absl::StrCat("'", Printable(part), "' is none of those that are there: ", known)}});
}

}  // namespace assay::render
