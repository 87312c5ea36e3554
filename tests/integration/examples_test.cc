// The example images of pages, from a real server: what is shown is what the model has seen.
#include "client/cli/base/examples.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "client/render/render.h"
#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Images as they are shown, in their full precision.
class ShownData : public GeneratedData {
 public:
  explicit ShownData(std::vector<const render::Example*> examples)
      : GeneratedData(static_cast<int64_t>(examples.size()), 3, 8, 4),
        examples_(std::move(examples)) {}
  v1::PixelType pixel_type() const override { return v1::FLOAT32; }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(first + count); ++i) {
      const auto& image =
          examples_[i]->changed.empty() ? examples_[i]->clean : examples_[i]->changed;
      labels->push_back(examples_[i]->outcome.label());
      pixels->append(reinterpret_cast<const char*>(image.data()), image.size() * sizeof(float));
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<const render::Example*> examples_;
};

class ExamplesTest : public ZooFixture {
 protected:
  render::Examples Fetch(const v1::Evaluation& evaluation) {
    cli::SessionOptions options;
    options.server = server_->address();
    options.quiet = true;
    client::Interrupt interrupt;
    cli::Session session(options, interrupt);
    v1::GetReportRequest request;
    request.set_name(evaluation.name());
    const auto report = client_->GetReport(request);
    EXPECT_TRUE(report.ok()) << report.status();
    report_ = *report;
    const auto examples = cli::FetchExamples(session, evaluation, report_, 4);
    EXPECT_TRUE(examples.ok()) << examples.status();
    return *examples;
  }

  v1::Report report_;
};

TEST_F(ExamplesTest, WhatIsShownIsWhatTheModelHasSeen) {
  StartServer();
  GeneratedData data(60, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  v1::EvaluationSpec spec = Spec(model, dataset,
                                 {"clean", "attack/pgd:eps=16/255", "corruption/gaussian_noise",
                                  "corruption/fog:severity=5", "attack/fmn:norm=l2,eps=0.5+1"},
                                 17);
  spec.set_keep_adversarials(true);
  const v1::Evaluation evaluation = Run(spec);
  ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
  const render::Examples examples = Fetch(evaluation);
  ASSERT_EQ(examples.none, "");
  EXPECT_GE(examples.conditions.size(), 5u);
  std::vector<const render::Example*> shown;
  for (const auto& [id, own] : examples.conditions) {
    EXPECT_EQ(own.none, "") << id;
    EXPECT_THAT(own.examples, SizeIs(4)) << id;
    for (const render::Example& example : own.examples) shown.push_back(&example);
  }
  ShownData again(shown);
  const v1::Evaluation judged = Run(Spec(model, Upload(again, "shown"), {"clean"}));
  ASSERT_EQ(judged.state(), v1::Evaluation::SUCCEEDED) << judged.failure().message();
  for (const auto& [key, bytes] : Outcomes(judged.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    const render::Example& example = *shown[static_cast<size_t>(key.second)];
    EXPECT_EQ(outcome.prediction(), example.outcome.prediction());
    // Bit for bit.
    EXPECT_EQ(outcome.confidence(), example.outcome.confidence());
    EXPECT_NE(outcome.prediction(), example.outcome.label());
  }
  const std::string page =
      render::RenderReport(report_, render::Format::kHtml, {}, {false, false, &examples});
  EXPECT_THAT(page, HasSubstr("alt=\"Adversarial example of sample"));
}

TEST_F(ExamplesTest, AnEvaluationThatKeptNothingSaysWhatBringsThem) {
  StartServer();
  GeneratedData data(8, 3, 8, 4);
  const v1::Evaluation evaluation =
      Run(Spec(Upload("tiny_cnn"), Upload(data), {"attack/pgd:eps=16/255"}));
  const render::Examples examples = Fetch(evaluation);
  EXPECT_THAT(examples.conditions.at(evaluation.conditions(0).id()).none,
              HasSubstr("--keep-adversarials"));
}

}  // namespace
}  // namespace assay::testing
