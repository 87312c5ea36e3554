#include "client/render/comparison_page.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/render/class_labels.h"
#include "client/render/comparison_tables.h"
#include "client/render/comparison_verdict.h"
#include "client/render/html_document.h"
#include "client/render/numbers.h"
#include "client/render/page/html_page.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

// Classes at each end of a long table.
constexpr int kMostClasses = 20;
// Of the tables of classes of all conditions together: what browsers open at once, some megabytes.
constexpr int kMostClassRows = 20000;
// What a picture or a summary has room for.
constexpr size_t kMostPlottedRows = 160;
constexpr size_t kClassWidth = 80;

// By the change of accuracy; classes without samples come last.
ClassOrder OrderOf(const v1::PairComparison& pair, bool leaves_out_others) {
  std::vector<const v1::ClassComparison*> classes;
  for (const auto& entry : pair.classes()) classes.push_back(&entry);
  const auto difference = [](const v1::ClassComparison* entry) -> const v1::AccuracyDifference& {
    return entry->outcomes().accuracy_difference();
  };
  std::stable_sort(classes.begin(), classes.end(), [&](const auto* a, const auto* b) {
    if (difference(a).has_value() != difference(b).has_value()) return difference(a).has_value();
    return difference(a).value() < difference(b).value();
  });
  ClassOrder order;
  order.leaves_out_others = leaves_out_others;
  order.by = "change";
  const bool few = classes.size() <= 2 * kMostClasses;
  const auto ranked =
      static_cast<size_t>(std::count_if(classes.begin(), classes.end(), [&](const auto* entry) {
        return difference(entry).has_value();
      }));
  for (size_t i = 0; i < classes.size(); ++i) {
    order.worst_first.push_back(classes[i]->index());
    const bool at_an_end = i < ranked && (i < kMostClasses || i + kMostClasses >= ranked);
    if (few || at_an_end) order.shown.insert(classes[i]->index());
  }
  return order;
}

int ClassRows(const v1::Comparison& comparison) {
  int rows = 0;
  for (const auto& condition : comparison.conditions()) {
    for (const auto& pair : condition.pairs()) rows += pair.classes_size();
  }
  return rows;
}

class ComparisonPrinter {
 public:
  explicit ComparisonPrinter(const v1::Comparison& comparison)
      : comparison_(comparison),
        leaves_out_classes_(ClassRows(comparison) > kMostClassRows),
        page_(ComparisonHead(comparison)),
        printer_(page_.body()) {}

  std::string Print() {
    PrintModels();
    PrintAccuracy();
    PrintLikeness();
    PrintTransfers();
    PrintConditions();
    PrintProvenance();
    return std::move(page_).Print();
  }

 private:
  static std::string PartId(int condition) { return absl::StrCat("condition-", condition + 1); }

  void Paragraph(const std::string& text) { page_.body().Element("p", {}, text).Break(); }

  void PrintLines(std::vector<std::string> lines, Tone tone = Tone::kPlain) {
    if (!lines.empty()) printer_.Print({Lines{std::move(lines), tone}});
  }

  void PrintModels() {
    page_.BeginSection("models", "Models");
    HtmlTableOptions options;
    options.wide = {1, 2};
    options.caption = "Letters stand for evaluations below; changes are told against A.";
    printer_.Print(EvaluationsTable(comparison_), options);
    PrintLines(LeftOutLines(comparison_));
    PrintLines(NoteLines(comparison_), Tone::kNotice);
    PrintLines(MissingEverywhere(comparison_));
  }

  void PrintAccuracy() {
    page_.BeginSection("accuracy", "Accuracy");
    const plot::IntervalPlot plot = ComparedAccuracies(comparison_);
    if (!plot.rows.empty() && plot.rows.size() <= kMostPlottedRows) {
      page_.AddFigure(
          plot::Draw(plot),
          absl::StrCat("Accuracy with exact ", Significant(comparison_.confidence_level() * 100),
                       " % intervals (Clopper-Pearson). The samples are the same, so "
                       "that intervals which overlap do not mean that models are "
                       "alike: the paired differences below tell."));
    }
    HtmlTableOptions options;
    options.sortable = true;
    for (int i = 0; i < comparison_.conditions_size(); ++i) {
      options.links.push_back("#" + PartId(i));
    }
    options.caption =
        "p: McNemar's exact test of the paired difference, by itself. The verdict above corrects "
        "for the number of conditions and models (Holm).";
    printer_.Print(OverviewTable(comparison_), options);
  }

  void PrintLikeness() {
    std::vector<int> conditions;
    const Table table = LikenessTable(comparison_, &conditions);
    if (table.rows.empty() || table.rows.size() > kMostPlottedRows) return;
    page_.BeginSection("likeness", "How alike they are");
    Paragraph(
        "agree: the same answer. error consist.: Cohen's kappa of being right, 1 where the same "
        "samples are wrong, 0 as often as chance has it. JS: Jensen-Shannon divergence of the "
        "softmax outputs, 0 alike, 1 bit where they share no class. linear CKA and 10-NN Jaccard: "
        "how alike the features are, 1 at most. new heads: linear classifiers trained on the "
        "features of one half of the samples and judged on the other.");
    HtmlTableOptions options;
    options.sortable = true;
    for (const int condition : conditions) options.links.push_back("#" + PartId(condition));
    printer_.Print(table, options);
  }

  void PrintTransfers() {
    if (comparison_.transfers().empty()) return;
    page_.BeginSection("transfer", "Transfer of attacks");
    Paragraph(
        "Adversarial examples made on the model of the row, shown to that of the column: of the "
        "samples that it gets right clean, those that fool it. On the diagonal a model is attacked "
        "by its own gradients.");
    for (const v1::TransferMatrix& matrix : comparison_.transfers()) {
      HtmlTableOptions options;
      options.caption = Printable(TransferParameters(matrix));
      printer_.Print(TransferTable(matrix), options);
    }
  }

  void PrintConditions() {
    if (comparison_.conditions().empty()) return;
    page_.BeginSection("conditions", "Conditions");
    Paragraph(
        "errors alike: of the samples that both get wrong, those with the same answer. p (Holm): "
        "corrected over the classes. CFPS: of all mistakes, the share that was taken for the "
        "class.");
    for (int i = 0; i < comparison_.conditions_size(); ++i) {
      PrintCondition(PartId(i), comparison_.conditions(i));
    }
  }

  void PrintTable(const Table& table, const std::string& heading) {
    if (table.rows.empty()) return;
    page_.body().Element("h4", {}, heading).Break();
    printer_.Print(table);
  }

  void PrintCondition(const std::string& id, const v1::ConditionComparison& condition) {
    page_.BeginPart(id, Printable(condition.id()),
                    condition.own_images() ? "each under its own attack" : "");
    printer_.Print(PairsTable(condition));
    if (condition.accuracies_size() > 2) PrintMatrices(condition);
    PrintTable(VectorsTable(condition), "Outputs and features");
    PrintTable(HeadsTable(condition), "Retrained heads");
    PrintLines(MissingUnder(comparison_, condition));
    PrintTable(OracleTable(comparison_, condition), "Oracle");
    if (!condition.oracle().undefined_reason().empty()) {
      PrintLines({absl::StrCat("oracle: - (", condition.oracle().undefined_reason(), ")")});
    }
    for (const v1::PairComparison& pair : condition.pairs()) PrintClasses(pair);
  }

  void PrintMatrices(const v1::ConditionComparison& condition) {
    page_.body().Element("h4", {}, "Every pair").Break();
    page_.body().Open("div", {{"class", "pair"}}).Break();
    for (const PairMatrix& matrix : PairMatrices(condition)) {
      printer_.Print(matrix.table);
    }
    page_.body().Close().Break();
  }

  void PrintClasses(const v1::PairComparison& pair) {
    if (pair.classes_size() == 0) return;
    page_.body()
        .Element("h4", {},
                 absl::StrCat("Classes: what ", EvaluationLetter(pair.second()),
                              " changes against ", EvaluationLetter(pair.first())))
        .Break();
    const ClassOrder order = OrderOf(pair, leaves_out_classes_);
    HtmlTableOptions options;
    options.sortable = true;
    options.order = &order;
    printer_.Print(ClassChangesTable(pair, comparison_.confidence_level(), kClassWidth), options);
  }

  void PrintProvenance() {
    page_.BeginSection("provenance", "How to repeat it");
    page_.body().Open("pre", {{"tabindex", "0"}});
    page_.body().Element("code", {}, CompareCommand(comparison_)).Close().Break();
    Paragraph(
        "At the server that has these evaluations. A comparison is a pure function of what they "
        "stored: it is the same whenever it is made. Its statistics are defined in docs/metrics.md "
        "of Assay, \"Two or more models\".");
  }

  const v1::Comparison& comparison_;
  const bool leaves_out_classes_;
  HtmlPage page_;
  HtmlPrinter printer_;
};

}  // namespace

std::string ComparisonPage(const v1::Comparison& comparison) {
  return ComparisonPrinter(comparison).Print();
}

}  // namespace assay::render
