#include "client/render/example_section.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/class_labels.h"
#include "client/render/condition_facts.h"
#include "client/render/example_pictures.h"
#include "client/render/numbers.h"
#include "client/render/plot_points.h"
#include "client/render/text.h"
#include "core/conditions/families.h"

namespace assay::render {
namespace {

// Of the text of all pictures: some pages have a hundred conditions, and some images are large.
constexpr size_t kMostBytes = 4000000;

// A condition of the report with its examples, and a picture of each.
struct Row {
  const v1::ConditionReport* condition;
  const ConditionExamples* examples;
  std::vector<ExamplePictures> pictures;
  // How many of them are shown.
  size_t shown = 0;
};

size_t BytesOf(const Row& row, size_t most) {
  size_t bytes = 0;
  for (size_t i = 0; i < std::min(most, row.pictures.size()); ++i) bytes += row.pictures[i].bytes();
  return bytes;
}

// As many of each condition as there is room for; where that is not even one, of the first
// conditions.
void Fit(std::vector<Row>& rows) {
  size_t most = 0;
  for (const Row& row : rows) most = std::max(most, row.pictures.size());
  const auto total = [&] {
    size_t bytes = 0;
    for (const Row& row : rows) bytes += BytesOf(row, most);
    return bytes;
  };
  while (most > 1 && total() > kMostBytes) --most;
  size_t used = 0;
  for (Row& row : rows) {
    used += BytesOf(row, most);
    row.shown = used <= kMostBytes ? std::min(most, row.pictures.size()) : 0;
  }
}

std::string Confidence(double confidence) {
  return confidence > 0 ? absl::StrCat(" (", Percent(confidence), "\xc2\xa0%)") : "";
}

class SectionPrinter {
 public:
  SectionPrinter(const Examples& examples, const ReportStyle& style, HtmlPage& page)
      : examples_(examples), style_(style), page_(page), out_(page.body()) {}

  void Print(const Row& row) {
    out_.Element("h3", {}, Printable(row.condition->id())).Break();
    if (row.shown == 0) {
      return Paragraph(row.pictures.empty()
                           ? row.examples->none
                           : "Left out: with these images the page would become too large.");
    }
    out_.Open("div", {{"class", "examples"}}).Break();
    for (size_t i = 0; i < row.shown; ++i) {
      Print(*row.condition, row.examples->examples[i], row.pictures[i]);
    }
    out_.Close().Break();
  }

  void Paragraph(const std::string& text) { out_.Element("p", {}, Printable(text)).Break(); }

 private:
  void Print(const v1::ConditionReport& condition, const Example& example,
             const ExamplePictures& pictures) {
    const v1::Outcome& outcome = example.outcome;
    const std::string sample = absl::StrCat("sample ", Count(outcome.sample()));
    const std::string label = ClassAt(condition, outcome.label(), style_);
    const std::string taken_for =
        absl::StrCat("taken for ", ClassAt(condition, outcome.prediction(), style_));
    const bool is_attack = condition.family() == kFamilyAttack;
    const bool changed = !pictures.changed.source.empty();
    out_.Open("figure").Open("div", {{"class", "pictures"}});
    page_.AddPicture(pictures.clean.source,
                     absl::StrCat("Clean image, ", sample, ": ", label,
                                  changed ? "" : absl::StrCat(", ", taken_for)),
                     pictures.clean.width, pictures.clean.height);
    if (changed) {
      page_.AddPicture(pictures.changed.source,
                       absl::StrCat(is_attack ? "Adversarial example of " : "Corrupted image of ",
                                    sample, ", ", taken_for),
                       pictures.changed.width, pictures.changed.height);
    }
    std::vector<std::string> facts = {sample};
    if (example.before.has_value()) {
      facts.push_back(
          absl::StrCat("clean: ", ClassAt(condition, example.before->prediction, style_),
                       Confidence(example.before->confidence)));
    }
    if (is_attack) {
      const std::string norm = Parameter(condition, "norm");
      facts.push_back(absl::StrCat(norm.empty() ? "" : NormName(norm) + " ", "distance ",
                                   Significant(outcome.attack().distance(), 3)));
    }
    if (!pictures.difference.source.empty()) {
      const std::string factor = pictures.enlarged >= 1 ? Count(std::llround(pictures.enlarged))
                                                        : Significant(pictures.enlarged, 2);
      page_.AddPicture(pictures.difference.source,
                       absl::StrCat("Difference of the two, times ", factor, "; grey is none"),
                       pictures.difference.width, pictures.difference.height);
      facts.push_back(absl::StrCat("difference \xc3\x97 ", factor));
      if (!outcome.attack().survives_rounding()) {
        facts.push_back("does not fool the model when rounded to 8 bits, as here");
      }
    }
    out_.Close().Open("figcaption");
    out_.Element("b", {}, label).Text(" ");
    out_.Element("span", {}, absl::StrCat(taken_for, Confidence(outcome.confidence())));
    out_.Empty("br", {}).Text(absl::StrJoin(facts, "; "));
    out_.Close().Close().Break();
  }

  const Examples& examples_;
  const ReportStyle& style_;
  HtmlPage& page_;
  plot::Markup& out_;
};

}  // namespace

void AddExamples(const v1::Report& report, const Examples& examples, const ReportStyle& style,
                 HtmlPage& page) {
  std::vector<Row> rows;
  std::string none = examples.none;
  for (const auto& condition : report.conditions()) {
    if (!HasExamples(condition)) continue;
    const auto found = examples.conditions.find(condition.id());
    if (found == examples.conditions.end()) continue;
    Row row{&condition, &found->second, {}};
    for (const Example& example : row.examples->examples) {
      auto pictures = MakePictures(example, examples.shape, condition.family() == kFamilyAttack);
      if (!pictures.ok()) {
        none = std::string(pictures.status().message());
        break;
      }
      row.pictures.push_back(*std::move(pictures));
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty() && none.empty()) return;
  page.BeginSection("examples", "Example images");
  SectionPrinter printer(examples, style, page);
  if (!none.empty()) return printer.Paragraph(none);
  Fit(rows);
  const bool any =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.shown > 0; });
  if (any) {
    printer.Paragraph(
        "Mistakes, not a sample of all images: the first of each class in the order of the "
        "dataset, classes with the lowest accuracy first. From the left: the image as it is; what "
        "the condition made of it; for attacks their difference, enlarged as is said, where grey "
        "is no difference.");
  }
  for (const Row& row : rows) printer.Print(row);
}

}  // namespace assay::render
