// A report computed of outcomes.csv is the one that the outcomes gave, and a file that is not what
// was written is refused.
#include "client/render/outcome_csv_reader.h"

#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/render/evaluation_record.h"
#include "client/render/outcome_csv.h"
#include "client/render/render.h"
#include "core/base/errors.h"
#include "core/report/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/render/made_up_report.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;

struct Written {
  v1::Report report;
  std::string csv;
};

// What a server would report of the input, and the file of its outcomes.
Written Write(report::ReportInput input) {
  v1::Provenance& provenance = input.provenance.emplace();
  provenance.set_assay_version("1.0.0");
  provenance.set_model_seconds(1.0 / 3);
  (*provenance.mutable_labels())["commit"] = "1a2b3c";
  (*provenance.mutable_labels())["stage"] = "prod";
  v1::ModelValidation validation;
  validation.set_num_classes(input.num_classes);
  validation.set_gradient_relative_error(0.1 + 0.2);
  input.validation = validation;
  auto report = report::BuildReport(input);
  EXPECT_TRUE(report.ok()) << report.status();

  report::EvaluationFacts facts;
  v1::Evaluation& evaluation = facts.evaluation;
  evaluation.set_name(input.evaluation);
  evaluation.mutable_spec()->set_model(input.model);
  evaluation.mutable_spec()->set_dataset(input.dataset);
  evaluation.mutable_spec()->set_seed(input.seed);
  std::vector<v1::Condition> conditions;
  int64_t rows = 0;
  for (const auto& condition : input.conditions) {
    *evaluation.add_conditions() = condition.condition;
    conditions.push_back(condition.condition);
    rows += static_cast<int64_t>(condition.outcomes.size());
  }
  evaluation.mutable_progress()->set_samples_done(rows);
  *facts.manifest.mutable_shape() = input.shape;
  for (const std::string& name : input.class_names) facts.manifest.add_class_names(name);
  facts.samples = input.expected_samples;
  facts.validation = input.validation;
  facts.kept = report::PartToKeep(*report);

  auto csv = OutcomeCsv::Create(conditions, input.expected_samples, input.shape);
  EXPECT_TRUE(csv.ok()) << csv.status();
  csv->Carry(EvaluationRecord(facts), rows);
  Written written{*report, OutcomeCsv::Header()};
  for (const auto& condition : input.conditions) {
    v1::StreamOutcomesResponse batch;
    batch.set_condition(condition.condition.id());
    for (const auto& outcome : condition.outcomes) *batch.add_outcomes() = outcome;
    absl::StrAppend(&written.csv, csv->Rows(batch));
  }
  return written;
}

absl::StatusOr<v1::Report> ReportOf(const std::string& csv,
                                    const v1::GetReportRequest& request = {}) {
  std::istringstream in(csv);
  std::optional<report::Recomputation> again;
  const absl::Status read = ReadOutcomeCsv(
      in,
      [&](report::EvaluationFacts facts) -> absl::Status {
        auto begun = report::Recomputation::Create(std::move(facts), request);
        ASSAY_RETURN_IF_ERROR(begun.status());
        again = *std::move(begun);
        return absl::OkStatus();
      },
      [&](const std::string& condition, v1::Outcome outcome) {
        return again->Add(condition, std::move(outcome));
      });
  ASSAY_RETURN_IF_ERROR(read);
  return std::move(*again).Finish();
}

std::string JsonOf(const v1::Report& report) { return RenderReport(report, Format::kJson); }

TEST(OutcomeCsvReaderTest, EveryFamilyGivesTheSameReportByteForByte) {
  const Written written = Write(MadeUpInput(Cifar()));
  const auto report = ReportOf(written.csv);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(JsonOf(*report), JsonOf(written.report));
}

TEST(OutcomeCsvReaderTest, ARecordThatIsLongIsCarriedByManyRows) {
  MadeUp many = ManyClasses();
  many.samples = 1000;
  many.conditions = {"clean"};
  for (std::string& name : many.class_names) absl::StrAppend(&name, std::string(300, 'x'));
  const Written written = Write(MadeUpInput(many));
  const auto report = ReportOf(written.csv);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(JsonOf(*report), JsonOf(written.report));
  size_t longest = 0;
  std::istringstream in(written.csv);
  for (std::string line; std::getline(in, line);) longest = std::max(longest, line.size());
  // Fields of Python's csv module have at most 131,072 characters.
  EXPECT_LT(longest, 131072u);
}

TEST(OutcomeCsvReaderTest, ARequestForAnotherReportIsHeard) {
  const Written written = Write(MadeUpInput(Cifar()));
  v1::GetReportRequest request;
  request.set_confidence_level(0.9);
  const auto report = ReportOf(written.csv, request);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->confidence_level(), 0.9);
  request.set_confidence_level(2);
  EXPECT_FALSE(ReportOf(written.csv, request).ok());
}

class RefusedTest : public ::testing::Test {
 protected:
  RefusedTest() {
    MadeUp made_up = Cifar();
    made_up.samples = 20;
    made_up.conditions = {"clean", "attack/pgd:eps=2/255"};
    csv_ = Write(MadeUpInput(made_up)).csv;
  }
  static std::string Refusal(const std::string& csv) {
    const auto report = ReportOf(csv);
    EXPECT_EQ(ReasonOf(report.status()), Reason::kUnreadableInput) << report.status();
    return std::string(report.status().message());
  }
  // The file with line `number`, from 1, as `change` makes it.
  template <typename Change>
  std::string WithLine(int number, const Change& change) const {
    std::istringstream in(csv_);
    std::string out;
    int at = 0;
    for (std::string line; std::getline(in, line);) {
      if (++at == number) line = change(line);
      if (!line.empty()) absl::StrAppend(&out, line, "\n");
    }
    return out;
  }

  std::string csv_;
};

TEST_F(RefusedTest, AColumnThatWasEdited) {
  const std::string changed = WithLine(5, [](std::string line) {
    return absl::StrReplaceAll(line, {{"clean,3,", "clean,33,"}});
  });
  EXPECT_THAT(Refusal(changed), HasSubstr("line 5: its columns are not those of its record"));
}

TEST_F(RefusedTest, ARowThatIsMissing) {
  EXPECT_THAT(Refusal(WithLine(9, [](const std::string&) { return std::string(); })),
              HasSubstr("it has 39 outcomes, the evaluation had 40"));
}

TEST_F(RefusedTest, ARowThatIsThereTwice) {
  EXPECT_THAT(Refusal(WithLine(9, [](const std::string& line) { return line + "\n" + line; })),
              HasSubstr("line 10: its sample is there twice"));
}

TEST_F(RefusedTest, OtherFilesAndFilesFromBefore) {
  EXPECT_THAT(Refusal(""), HasSubstr("its first line"));
  EXPECT_THAT(Refusal("condition,sample,label\nclean,0,1\n"), HasSubstr("its first line"));
  EXPECT_THAT(Refusal(OutcomeCsv::Header()), HasSubstr("no record of its evaluation"));
  EXPECT_THAT(Refusal(WithLine(2,
                               [](const std::string& line) {
                                 return line.substr(0, line.rfind(',')) + ",evaluation:!!";
                               })),
              HasSubstr("damaged"));
  EXPECT_THAT(Refusal(WithLine(3, [](const std::string&) { return std::string("clean"); })),
              HasSubstr("line 3: it has too few columns"));
}

}  // namespace
}  // namespace assay::render
