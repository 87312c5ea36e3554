#include "client/render/report_page.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "client/render/class_labels.h"
#include "client/render/classwise_document.h"
#include "client/render/corruption_document.h"
#include "client/render/example_section.h"
#include "client/render/gate_document.h"
#include "client/render/html_document.h"
#include "client/render/numbers.h"
#include "client/render/page/html_page.h"
#include "client/render/repeat_command.h"
#include "client/render/report_document.h"
#include "client/render/report_plots.h"
#include "client/render/report_verdict.h"
#include "client/render/slice_page.h"
#include "client/render/text.h"
#include "core/conditions/families.h"
#include "google/protobuf/util/time_util.h"

namespace assay::render {
namespace {

using google::protobuf::util::TimeUtil;

// Classes at each end of a long table, and in a matrix.
constexpr int kMostClasses = 20;
constexpr int kMostDifferences = 10;
// Of the tables of classes of all conditions together: what browsers open at once, some megabytes.
constexpr size_t kMostClassRows = 20000;

// A page has room for names; one that is longer than a sentence is no name.
ReportStyle PageStyle() {
  ReportStyle style;
  style.class_width = 80;
  style.head_width = 32;
  style.matrix_classes = kMostClasses;
  return style;
}

std::string PartId(int condition) { return absl::StrCat("condition-", condition + 1); }

std::string Percents(double level) { return absl::StrCat(Significant(level * 100), " %"); }

// By class-wise accuracy; classes without one come last, and are not shown where there are many.
ClassOrder OrderOf(const v1::ConditionReport& condition, bool leaves_out_others) {
  std::vector<const v1::ClassReport*> classes;
  for (const auto& own : condition.classes()) classes.push_back(&own);
  std::stable_sort(classes.begin(), classes.end(),
                   [](const v1::ClassReport* a, const v1::ClassReport* b) {
                     if (a->accuracy().has_value() != b->accuracy().has_value()) {
                       return a->accuracy().has_value();
                     }
                     return a->accuracy().value() < b->accuracy().value();
                   });
  ClassOrder order;
  order.leaves_out_others = leaves_out_others;
  const bool few = classes.size() <= 2 * kMostClasses;
  const auto ranked = static_cast<size_t>(
      std::count_if(classes.begin(), classes.end(),
                    [](const v1::ClassReport* own) { return own->accuracy().has_value(); }));
  for (size_t i = 0; i < classes.size(); ++i) {
    order.worst_first.push_back(classes[i]->index());
    const bool at_an_end = i < ranked && (i < kMostClasses || i + kMostClasses >= ranked);
    if (few || at_an_end) order.shown.insert(classes[i]->index());
  }
  return order;
}

const v1::ConditionReport* CleanCondition(const v1::Report& report) {
  for (const auto& condition : report.conditions()) {
    if (condition.family() == kFamilyClean) return &condition;
  }
  return nullptr;
}

bool HasFamily(const v1::Report& report, absl::string_view family) {
  return std::any_of(report.conditions().begin(), report.conditions().end(),
                     [&](const auto& condition) { return condition.family() == family; });
}

// Rows of the tables of classes of all conditions.
size_t ClassRows(const v1::Report& report, const ReportStyle& style) {
  size_t rows = 0;
  for (const auto& condition : report.conditions()) {
    Document document;
    AddClasswise(condition, style, document);
    AddFamily(condition, style, document);
    for (const Block& block : document) {
      if (const auto* table = std::get_if<Table>(&block)) rows += table->classes.size();
    }
  }
  return rows;
}

// "Attack", for what this family adds.
std::string FamilyTitle(const v1::ConditionReport& condition) {
  std::string title = Printable(condition.family());
  if (!title.empty()) title[0] = absl::ascii_toupper(static_cast<unsigned char>(title[0]));
  return title;
}

class ReportPrinter {
 public:
  ReportPrinter(const v1::Report& report, const std::vector<report::GateResult>& gates,
                const Examples* examples)
      : report_(report),
        gates_(gates),
        examples_(examples),
        clean_(CleanCondition(report)),
        leaves_out_classes_(ClassRows(report, style_) > kMostClassRows),
        page_(ReportHead(report, gates)),
        printer_(page_.body()) {}

  std::string Print() {
    PrintGates();
    Document caveats;
    AddCaveats(report_, caveats);
    page_.BeginSection("accuracy", "Accuracy");
    printer_.Print(caveats);
    PrintAccuracy();
    PrintBudgets();
    PrintCorruptions();
    PrintCertificates();
    PrintSlices(report_, style_, page_, printer_);
    if (examples_ != nullptr) AddExamples(report_, *examples_, style_, page_);
    PrintConditions();
    PrintChecks();
    PrintProvenance();
    return std::move(page_).Print();
  }

 private:
  void Paragraph(const std::string& text) { page_.body().Element("p", {}, text).Break(); }

  void PrintGates() {
    if (gates_.empty()) return;
    Document document;
    AddGates(gates_, document);
    page_.BeginSection("gates", "Gates");
    for (const Block& block : document) {
      if (const auto* table = std::get_if<Table>(&block)) printer_.Print(*table);
    }
  }

  void PrintAccuracy() {
    if (report_.conditions().empty()) {
      Paragraph("This report has no conditions.");
      return;
    }
    const bool bounds = HasFamily(report_, kFamilyBounds);
    const bool sequences = HasFamily(report_, kFamilySequence);
    const plot::IntervalPlot plot = AccuracyPlot(report_);
    if (!plot.rows.empty()) {
      page_.AddFigure(
          plot::Draw(plot),
          absl::StrCat(
              "Accuracy of every condition with exact ", Percents(report_.confidence_level()),
              " intervals (Clopper-Pearson).",
              bounds ? " Of bounds it is the certified accuracy." : "",
              sequences ? " Sequences, which have flip rates, are left out." : "",
              plot.reference.has_value() ? " The dashed line is the clean accuracy." : ""));
    }
    HtmlTableOptions options;
    options.sortable = true;
    for (int i = 0; i < report_.conditions_size(); ++i) options.links.push_back("#" + PartId(i));
    options.caption =
        "Worst class: the one with the lowest class-wise accuracy. Top sink: the one that the "
        "largest share of all mistakes was taken for (CFPS).";
    if (bounds || sequences) {
      options.caption +=
          " The accuracy of bounds and of sequences is that of the images as they are; what they "
          "prove, and how often predictions flip, is with each of them.";
    }
    Table summary = SummaryTable(report_, style_);
    summary.columns.push_back({"checks", false});
    for (int i = 0; i < report_.conditions_size(); ++i) {
      summary.rows[static_cast<size_t>(i)].push_back(ChecksCell(report_.conditions(i)));
    }
    printer_.Print(summary, options);
  }

  void PrintFigures(const std::vector<plot::LinePlot>& plots, const std::string& caption) {
    page_.body().Open("div", {{"class", "figures"}}).Break();
    for (const plot::LinePlot& plot : plots) {
      page_.AddFigure(plot::Draw(plot), absl::StrCat(plot.title, ". ", caption));
    }
    page_.body().Close().Break();
  }

  void PrintBudgets() {
    const std::vector<plot::LinePlot> plots = BudgetPlots(report_);
    if (plots.empty()) return;
    page_.BeginSection("budgets", "Attacks of growing budget");
    PrintFigures(plots,
                 absl::StrCat("Whiskers and bands are ", Percents(report_.confidence_level()),
                              " intervals of each point. Attacks that look for distances "
                              "give the whole curve (at its lower side where it lacks points), "
                              "others the marked budgets."));
  }

  void PrintCorruptions() {
    Document corruptions, maps, sequences;
    AddCorruptionSummary(report_, style_, corruptions);
    PrintUnder("corruptions", "Corruptions", corruptions);
    AddSensitivityMaps(report_, maps);
    if (!maps.empty()) page_.BeginSection("sensitivity", "Sensitivity maps");
    printer_.Print(maps, "h3");
    AddSequenceSummary(report_, style_, sequences);
    PrintUnder("sequences", "Sequences", sequences);
  }

  // A section whose heading stands for the document's own.
  void PrintUnder(const std::string& id, const std::string& title, Document document) {
    if (document.empty()) return;
    page_.BeginSection(id, title);
    document.erase(document.begin());
    printer_.Print(document, "h3");
  }

  void PrintCertificates() {
    const std::vector<plot::LinePlot> plots = CertifiedPlots(report_);
    if (plots.empty()) return;
    page_.BeginSection("certificates", "Certified accuracy");
    PrintFigures(plots,
                 "Points are exact for these samples; between two of them at least the lower one "
                 "holds. The band reaches down to a lower bound that "
                 "holds at all radii at once and pays for certificates that may be wrong.");
  }

  void PrintConditions() {
    if (report_.conditions().empty()) return;
    page_.BeginSection("conditions", "Conditions");
    Paragraph(
        "n: samples of the class. CWA: class-wise accuracy. CFPS: of all misclassified samples, "
        "the share that was taken for the class. FP: their number. prec.: precision. taken for: "
        "the class that most of its samples were mistaken for. roles: weak and strong against the "
        "overall accuracy, sink and source against an equal share of errors.");
    for (int i = 0; i < report_.conditions_size(); ++i) {
      PrintCondition(PartId(i), report_.conditions(i));
    }
  }

  void PrintCondition(const std::string& id, const v1::ConditionReport& condition) {
    const Heading heading = AccuracyHeading(condition);
    page_.BeginPart(id, Printable(heading.text), Printable(heading.aside));
    const ClassOrder order = OrderOf(condition, leaves_out_classes_);
    Document classwise, family;
    AddClasswise(condition, style_, classwise);
    printer_.Print(classwise, "h4", &order);
    PrintMatrices(condition);
    PrintDifferences(condition);
    AddFamily(condition, style_, family);
    if (family.empty()) return;
    page_.body().Element("h4", {}, FamilyTitle(condition)).Break();
    if (const plot::LinePlot plot = PaPlot(condition); !plot.series.empty()) {
      PrintFigures({plot}, absl::StrCat("The bands hold everywhere at once, at the level ",
                                        Percents(report_.confidence_level()),
                                        " (Dvoretzky-Kiefer-Wolfowitz)."));
    }
    printer_.Print(family, "h4", &order);
  }

  void PrintDifferences(const v1::ConditionReport& condition) {
    const int pairs = condition.significant_differences_size();
    if (pairs == 0) return;
    HtmlTableOptions options;
    options.caption = absl::StrCat(
        "Differences of class-wise accuracy, by Fisher's exact test with Holm's correction",
        pairs > kMostDifferences
            ? absl::StrCat(": the ", kMostDifferences, " most significant of ", Count(pairs))
            : "");
    page_.body().Element("h4", {}, "Significant differences between classes").Break();
    printer_.Print(DifferencesTable(condition, kMostDifferences, style_), options);
  }

  void PrintMatrices(const v1::ConditionReport& condition) {
    // Bounds are proofs about the clean images, and sequences begin with them.
    const bool as_clean =
        condition.family() == kFamilyBounds || condition.family() == kFamilySequence;
    if (condition.confusion_matrix().empty()) return;
    if (as_clean && clean_ != nullptr) {
      Paragraph("Confusion matrix: that of the clean images.");
      return;
    }
    const std::vector<int> classes = MostConfused(condition, kMostClasses);
    const bool all = static_cast<int>(classes.size()) == condition.confusion_matrix_size();
    page_.body().Element("h4", {}, all ? "Confusion matrix" : "Most confused classes").Break();
    HtmlTableOptions options;
    options.matrix = true;
    page_.body().Open("div", {{"class", "pair"}}).Break();
    if (clean_ != nullptr && &condition != clean_ &&
        clean_->confusion_matrix_size() == condition.confusion_matrix_size()) {
      options.caption = "clean";
      printer_.Print(ConfusionTable(*clean_, classes, style_), options);
    }
    options.caption = Printable(condition.id());
    printer_.Print(ConfusionTable(condition, classes, style_), options);
    page_.body().Close().Break();
  }

  void PrintChecks() {
    const Table table = ChecksTable(report_);
    if (table.rows.empty()) return;
    page_.BeginSection("checks", "Checks");
    Paragraph(
        "Whether the numbers can be believed. A failed check: the number says nothing about "
        "robustness. One to look at: read it before the number is quoted.");
    HtmlTableOptions options;
    options.sortable = true;
    options.wide = {2, 3, 4};
    printer_.Print(table, options);
  }

  void PrintProvenance() {
    page_.BeginSection("provenance", "Settings and provenance");
    HtmlTableOptions options;
    options.wide = {2};
    options.code = {1};
    if (!report_.conditions().empty()) {
      page_.body().Element("h3", {}, "Settings of every condition").Break();
      printer_.Print(SettingsTable(), options);
    }
    page_.body().Element("h3", {}, "What was computed, and by what").Break();
    Lines origin;
    origin.lines = {
        absl::StrCat("evaluation ", report_.evaluation()), absl::StrCat("model ", report_.model()),
        absl::StrCat("dataset ", report_.dataset()), absl::StrCat("seed ", report_.seed()),
        absl::StrCat("confidence level ", Exact(report_.confidence_level()))};
    for (const auto& fingerprint : report_.numerics()) {
      origin.lines.push_back(absl::StrCat("digest of the numerics ", fingerprint.digest()));
    }
    AddProvenance(&origin);
    Document numerics = {origin};
    AddNumerics(report_, numerics);
    printer_.Print(numerics);
    PrintCommand();
  }

  // What the brief line does not say.
  void AddProvenance(Lines* lines) const {
    if (!report_.has_provenance()) return;
    const v1::Provenance& provenance = report_.provenance();
    const auto add = [lines](const char* what, const std::string& value) {
      if (!value.empty()) lines->lines.push_back(absl::StrCat(what, " ", Printable(value)));
    };
    add("SHA-256 of the model", provenance.model_digest());
    add("SHA-256 of the data", provenance.dataset_digest());
    add("format of the model", provenance.model_format());
    add("created", TimeUtil::ToString(provenance.create_time()));
    if (provenance.has_start_time()) add("started", TimeUtil::ToString(provenance.start_time()));
    if (provenance.has_end_time()) add("ended", TimeUtil::ToString(provenance.end_time()));
    if (provenance.model_seconds() > 0) {
      add("seconds of all lanes in the model", Significant(provenance.model_seconds()));
      add("seconds of all lanes around it", Significant(provenance.other_seconds()));
    }
    if (provenance.reused_samples() > 0) {
      add("outcomes of earlier evaluations, whose passes and seconds are not counted",
          absl::StrCat(provenance.reused_samples()));
    }
    if (provenance.has_energy_joules()) {
      add("joules", Significant(provenance.energy_joules()));
    }
  }

  void PrintCommand() {
    if (report_.conditions().empty()) return;
    page_.body().Element("h3", {}, "How to repeat it").Break();
    const std::string command = RepeatCommand(report_);
    if (command.empty()) {
      Paragraph(report_.samples_allowed() > 0
                    ? "It takes the gates that decided when to stop, which are no part of a "
                      "report: the same --require with --stop-when-decided."
                    : "No single command gives this report: some of its conditions cannot be "
                      "written as expressions, as those of a ready-made set.");
      return;
    }
    page_.body().Open("pre", {{"tabindex", "0"}});
    page_.body().Element("code", {}, command).Close().Break();
    Paragraph(
        "At a server that has this model and this dataset; with --local, the files of both take "
        "the place of their names. Not in the command, since a report does not keep them: options "
        "about classes (--classes, --allow-missing-classes) and those that compute a report anew "
        "(--alpha, --n, --reference). Equal seed and numerics give equal outcomes, bit for bit.");
  }

  Table SettingsTable() const {
    Table table;
    table.columns = {{"condition", false}, {"written", false}, {"all parameters", false}};
    for (const auto& condition : report_.conditions()) {
      std::vector<std::string> values;
      for (const auto& [name, value] : condition.parameters()) {
        values.push_back(absl::StrCat(name, "=", value));
      }
      // Maps have no order.
      std::sort(values.begin(), values.end());
      const std::string expression = ConditionExpression(condition);
      table.rows.push_back({condition.id(), expression.empty() ? kUndefined : expression,
                            values.empty() ? kUndefined : absl::StrJoin(values, ", ")});
    }
    return table;
  }

  const v1::Report& report_;
  const std::vector<report::GateResult>& gates_;
  // May be null.
  const Examples* const examples_;
  const ReportStyle style_ = PageStyle();
  const v1::ConditionReport* const clean_;
  const bool leaves_out_classes_;
  HtmlPage page_;
  HtmlPrinter printer_;
};

}  // namespace

std::string ReportPage(const v1::Report& report, const std::vector<report::GateResult>& gates,
                       const Examples* examples) {
  return ReportPrinter(report, gates, examples).Print();
}

}  // namespace assay::render
