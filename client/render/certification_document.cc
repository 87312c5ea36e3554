#include "client/render/certification_document.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/class_labels.h"
#include "client/render/condition_facts.h"
#include "client/render/numbers.h"

namespace assay::render {
namespace {

// Smallest p_A below or at which a share q of the samples lies.
std::string Quantile(const v1::PaDistribution& distribution, double q) {
  for (const auto& point : distribution.points()) {
    if (point.cumulative() >= q) return Significant(point.pa());
  }
  return kUndefined;
}

std::vector<Cell> PaRow(const std::string& who, const v1::PaDistribution& distribution) {
  const bool any = distribution.points_size() > 0;
  return {who,
          any ? Significant(distribution.mean()) : kUndefined,
          Quantile(distribution, 0.05),
          Quantile(distribution, 0.25),
          any ? Significant(distribution.median()) : kUndefined,
          Quantile(distribution, 0.75),
          Quantile(distribution, 0.95)};
}

// What is not the usual setting: Gaussian noise, L2, a fixed number of draws.
std::string SmoothingVariant(const v1::CertificationReport& certification) {
  std::vector<std::string> parts;
  if (certification.noise() != "gaussian" && !certification.noise().empty()) {
    parts.push_back(absl::StrCat(certification.noise(), " noise"));
  }
  if (certification.norm() != "l2" && !certification.norm().empty()) {
    parts.push_back(absl::StrCat("radii in ", certification.norm()));
  }
  if (certification.sound()) parts.push_back("sound in floating point");
  if (certification.alpha_scope() == "dataset") parts.push_back("alpha for all samples together");
  if (certification.mode() == "predict") parts.push_back("predictions only, no radii");
  if (certification.mode() == "anytime") {
    std::vector<std::string> radii;
    for (double radius : certification.wanted_radii()) radii.push_back(Significant(radius));
    parts.push_back(absl::StrCat(
        "anytime: ",
        radii.empty() ? "all draws" : absl::StrCat("until decided at ", absl::StrJoin(radii, ", ")),
        ", mean ", Significant(certification.mean_draws()), " and median ",
        Significant(certification.median_draws()), " draws a sample"));
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace

void AddCertification(const v1::ConditionReport& condition, const ReportStyle& style,
                      Document& document) {
  const auto& certification = condition.certification();
  Table curve;
  curve.columns = {{"radius"}, {"certified accuracy %"}, {"simultaneous lower %"}};
  const auto& tenfold = certification.curve_with_tenfold_n();
  if (!tenfold.empty()) curve.columns.push_back({"projected to 10 n %"});
  for (const auto& point : certification.curve()) {
    curve.rows.push_back({Significant(point.radius()), PercentWithInterval(point.accuracy()),
                          Percent(point.simultaneous_lower())});
    if (tenfold.empty()) continue;
    const auto projected = std::find_if(tenfold.begin(), tenfold.end(), [&](const auto& other) {
      return other.radius() == point.radius();
    });
    curve.rows.back().push_back(
        projected == tenfold.end() ? "" : Percent(projected->accuracy().value()));
  }
  document.push_back(curve);
  Table decisions;
  decisions.columns = {{"radius to decide"}, {"certified"}, {"refuted"}, {"open"}};
  for (const auto& decision : certification.decisions()) {
    decisions.rows.push_back({Significant(decision.radius()), Count(decision.certified()),
                              Count(decision.refuted()), Count(decision.open())});
  }
  if (!decisions.rows.empty()) document.push_back(decisions);
  if (const std::string setting = SmoothingVariant(certification); !setting.empty()) {
    document.push_back(Lines{{setting}});
  }
  const bool gaussian = certification.noise() == "gaussian" || certification.noise().empty();
  Lines lines{{absl::StrCat(gaussian ? "sigma " : "lambda ", Significant(certification.sigma()),
                            ", n0 ", Count(certification.n0()), ", n ", Count(certification.n()),
                            ", alpha ", Significant(certification.alpha()), "; ",
                            Count(certification.draws()), " draws"),
               absl::StrCat("abstained on ", Count(certification.abstentions()), " (",
                            PercentWithInterval(certification.abstention_rate()), " %)")}};
  if (certification.mode() != "predict") {
    lines.lines.push_back(absl::StrCat(
        "average certified radius ", Significant(certification.average_certified_radius()),
        ", median ", Significant(certification.median_radius()), "; cap of this budget ",
        Significant(certification.radius_cap()), ", reached by ",
        PercentWithInterval(certification.share_at_cap()), " %"));
  }
  document.push_back(std::move(lines));
  if (certification.undecided_draws() + certification.tied_draws() > 0) {
    document.push_back(Lines{{absl::StrCat("draws that count against every class: ",
                                           Count(certification.undecided_draws()), " not finite, ",
                                           Count(certification.tied_draws()), " tied")},
                             Tone::kNotice});
  }
  Table bands;
  bands.columns = {{"p_A of the top class", false}, {"samples"}, {"part of the average radius"}};
  for (int i = 0; i < certification.acr_bands_size(); ++i) {
    const auto& band = certification.acr_bands(i);
    bands.rows.push_back({absl::StrCat(i == 0 ? "[" : "(", Significant(band.lower()), ", ",
                                       Significant(band.upper()), "]"),
                          Count(band.samples()), Significant(band.acr_contribution())});
  }
  if (!bands.rows.empty()) document.push_back(bands);
  if (!certification.acr_notice().empty()) {
    document.push_back(Lines{{certification.acr_notice()}, Tone::kNotice});
  }
  Table pa;
  pa.columns = {{"p_A", false}, {"mean"}, {"5 %"}, {"25 %"}, {"median"}, {"75 %"}, {"95 %"}};
  pa.rows.push_back(PaRow("top class", certification.pa_top_class()));
  pa.rows.push_back(PaRow("true class", certification.pa_true_class()));
  pa.classes = {-1, -1};
  for (const auto& report : condition.classes()) {
    if (!report.has_certification()) continue;
    pa.classes.push_back(report.index());
    pa.rows.push_back(PaRow(ClassLabel(report, style), report.certification().pa_true_class()));
  }
  document.push_back(pa);
  Table classes;
  classes.columns = {
      {"class", false}, {"mean radius"}, {"median radius"}, {"abstained"}, {"abstained %"}};
  for (const auto& report : condition.classes()) {
    if (!report.has_certification()) continue;
    const auto& own = report.certification();
    classes.classes.push_back(report.index());
    const bool radii = HasRadii(condition, report.samples());
    classes.rows.push_back({ClassLabel(report, style),
                            radii ? Significant(own.average_certified_radius()) : kUndefined,
                            radii ? Significant(own.median_radius()) : kUndefined,
                            Count(own.abstentions()), PercentWithInterval(own.abstention_rate())});
  }
  if (!classes.rows.empty()) document.push_back(classes);
}

void AddBounds(const v1::ConditionReport& condition, const ReportStyle& style, Document& document) {
  const auto& bounds = condition.bounds();
  document.push_back(Lines{
      {absl::StrCat("certified accuracy ", PercentWithInterval(bounds.certified_accuracy()),
                    " % at Linf ", Significant(bounds.eps()), " by ", bounds.method(),
                    ": proven, without sampling"),
       absl::StrCat("predictions that cannot change, right or wrong: ", Count(bounds.certified())),
       absl::StrCat(
           "lower bound of the margin: mean ", Significant(bounds.mean_margin()), ", median ",
           Significant(bounds.median_margin()), "; interval tightness ",
           bounds.has_mean_tightness() ? Significant(bounds.mean_tightness()) : kUndefined)}});
  Table table;
  table.columns = {{"class", false}, {"certified %"}, {"median margin"}};
  for (const auto& own : bounds.classes()) {
    table.classes.push_back(own.index());
    table.rows.push_back({ClassAt(condition, own.index(), style),
                          PercentWithInterval(own.certified_accuracy()),
                          Significant(own.median_margin())});
  }
  if (!table.rows.empty()) document.push_back(table);
}

void AddConformal(const v1::ConditionReport& condition, const ReportStyle& style,
                  Document& document) {
  const auto& conformal = condition.conformal();
  document.push_back(
      Lines{{absl::StrCat("robust conformal sets: alpha ", Significant(conformal.alpha()),
                          ", L2 distance ", Significant(conformal.delta()), ", score ",
                          conformal.score()),
             absl::StrCat("Monte-Carlo correction by ", conformal.bound(), ", on average ",
                          Significant(conformal.mean_correction())),
             absl::StrCat("calibrated on ", Counted(conformal.calibration_samples(), "sample"),
                          ", measured on ", Count(conformal.test_samples()))}});
  if (!conformal.undefined_reason().empty()) {
    document.push_back(Lines{{conformal.undefined_reason()}, Tone::kNotice});
    return;
  }
  Table table;
  table.columns = {{"sets", false}, {"coverage %"}, {"mean size"}};
  const bool any = conformal.coverage().has_value();
  table.rows.push_back({"robust", PercentWithInterval(conformal.coverage()),
                        any ? Significant(conformal.mean_set_size()) : kUndefined});
  table.rows.push_back({"not robust", PercentWithInterval(conformal.plain_coverage()),
                        any ? Significant(conformal.plain_mean_set_size()) : kUndefined});
  document.push_back(table);
  Table classes;
  classes.columns = {{"class", false}, {"robust coverage %"}, {"mean size"}};
  for (const auto& own : conformal.classes()) {
    classes.classes.push_back(own.index());
    classes.rows.push_back(
        {ClassAt(condition, own.index(), style), PercentWithInterval(own.coverage()),
         own.coverage().has_value() ? Significant(own.mean_set_size()) : kUndefined});
  }
  if (!classes.rows.empty()) document.push_back(classes);
}

}  // namespace assay::render
