#include "client/render/examples.h"

#include <png.h>

#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/render/example_pictures.h"
#include "client/render/png.h"
#include "client/render/report_page.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/client/render/made_up_examples.h"
#include "tests/client/render/made_up_report.h"
#include "tests/client/render/sample_report.h"
#include "tests/client/render/well_formed.h"

namespace assay::render {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kMegabyte = 1000000;

// As libpng reads it: height x width x 3, or x 1.
Picture Decode(const std::string& bytes) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()), 0) << png.message;
  Picture picture;
  picture.height = static_cast<int>(png.height);
  picture.width = static_cast<int>(png.width);
  picture.channels = (png.format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1;
  picture.pixels.resize(PNG_IMAGE_SIZE(png));
  EXPECT_NE(png_image_finish_read(&png, nullptr, picture.pixels.data(), 0, nullptr), 0);
  return picture;
}

Picture Decode(const PagePicture& picture) {
  absl::string_view source = picture.source;
  EXPECT_TRUE(absl::ConsumePrefix(&source, "data:image/png;base64,"));
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(source, &bytes));
  return Decode(bytes);
}

size_t Count(const std::string& page, const std::string& text) {
  size_t found = 0;
  for (size_t at = page.find(text); at != std::string::npos; at = page.find(text, at + 1)) ++found;
  return found;
}

TEST(PngTest, IsReadBackAsItWas) {
  for (const int channels : {1, 3}) {
    Picture picture{3, 5, channels, {}};
    for (int i = 0; i < 15 * channels; ++i) picture.pixels.push_back(static_cast<uint8_t>(i * 5));
    const auto bytes = EncodePng(picture);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(bytes->substr(0, 8), "\x89PNG\r\n\x1a\n");
    const Picture read = Decode(*bytes);
    EXPECT_EQ(read.height, 3);
    EXPECT_EQ(read.width, 5);
    EXPECT_EQ(read.channels, channels);
    EXPECT_EQ(read.pixels, picture.pixels);
  }
}

TEST(PngTest, WhatIsNoPictureIsRefused) {
  EXPECT_EQ(ReasonOf(EncodePng({2, 2, 1, {1, 2, 3}}).status()), Reason::kInternal);
  EXPECT_EQ(ReasonOf(EncodePng({1, 1, 2, {1, 2}}).status()), Reason::kInternal);
  EXPECT_EQ(ReasonOf(EncodePng({0, 1, 1, {}}).status()), Reason::kInternal);
}

// --- which samples

v1::ConditionReport Report(const std::string& family,
                           const std::vector<std::vector<int64_t>>& confusion) {
  v1::ConditionReport report;
  report.set_family(family);
  for (size_t i = 0; i < confusion.size(); ++i) {
    v1::ClassReport& own = *report.add_classes();
    own.set_index(static_cast<int32_t>(i));
    int64_t all = 0;
    auto& row = *report.add_confusion_matrix();
    for (const int64_t count : confusion[i]) {
      row.add_counts(count);
      all += count;
    }
    own.mutable_accuracy()->set_value(static_cast<double>(confusion[i][i]) /
                                      static_cast<double>(all));
    if (family == "attack") own.mutable_attack()->set_successes(all - confusion[i][i]);
  }
  return report;
}

v1::Outcome Outcome(int64_t sample, int label, int prediction) {
  v1::Outcome outcome;
  outcome.set_sample(sample);
  outcome.set_label(label);
  outcome.set_prediction(prediction);
  return outcome;
}

std::vector<int64_t> Samples(const ExampleChoice& choice) {
  std::vector<int64_t> samples;
  for (const v1::Outcome& outcome : choice.Chosen()) samples.push_back(outcome.sample());
  return samples;
}

TEST(ExampleChoiceTest, TakesTheFirstMistakeOfEachClassWeakestClassesFirst) {
  // Accuracies 0.5, 1, 0.25.
  ExampleChoice choice(Report("clean", {{2, 1, 1}, {0, 3, 0}, {3, 0, 1}}), 3);
  const std::vector<v1::Outcome> outcomes = {Outcome(0, 0, 0), Outcome(1, 0, 2), Outcome(2, 0, 1),
                                             Outcome(3, 1, 1), Outcome(4, 2, 0), Outcome(5, 2, 2),
                                             Outcome(6, 2, 0), Outcome(7, 2, 0)};
  for (const v1::Outcome& outcome : outcomes) {
    choice.Offer(outcome);
    EXPECT_EQ(choice.complete(), outcome.sample() >= 6);
  }
  // One of each class with mistakes, then the second of the weakest.
  EXPECT_THAT(Samples(choice), ElementsAre(4, 1, 6));
}

TEST(ExampleChoiceTest, DoesNotWaitForMistakesThatAreNotThere) {
  ExampleChoice choice(Report("corruption", {{1, 1}, {0, 4}}), 5);
  EXPECT_FALSE(choice.complete());
  choice.Offer(Outcome(0, 0, 1));
  EXPECT_TRUE(choice.complete());
  EXPECT_TRUE(ExampleChoice(Report("clean", {{1, 0}, {0, 4}}), 5).complete());
  EXPECT_TRUE(ExampleChoice(Report("clean", {{0, 1}, {0, 4}}), 0).complete());
}

TEST(ExampleChoiceTest, WhatIsUndecidedOrTiedIsNoMistakeToShow) {
  ExampleChoice choice(Report("clean", {{1, 1}, {0, 1}}), 1);
  v1::Outcome outcome = Outcome(0, 0, 1);
  outcome.set_tie(true);
  choice.Offer(outcome);
  outcome.set_tie(false);
  outcome.set_undecided(true);
  choice.Offer(outcome);
  EXPECT_FALSE(choice.complete());
}

TEST(ExampleChoiceTest, OfAttacksSuccessesInsideTheBudgetCount) {
  ExampleChoice choice(Report("attack", {{1, 2}, {0, 1}}), 1, 0.5);
  v1::Outcome outcome = Outcome(3, 0, 1);
  // It was wrong before.
  choice.Offer(outcome);
  outcome.mutable_attack()->set_success(true);
  outcome.mutable_attack()->set_distance(0.75);
  choice.Offer(outcome);
  EXPECT_FALSE(choice.complete());
  outcome.mutable_attack()->set_distance(0.5);
  choice.Offer(outcome);
  EXPECT_THAT(Samples(choice), ElementsAre(3));
}

// --- pictures

v1::ImageShape Shape(int channels, int height, int width) {
  v1::ImageShape shape;
  shape.set_channels(channels);
  shape.set_height(height);
  shape.set_width(width);
  return shape;
}

TEST(ExamplePicturesTest, ChannelsAreInterleavedAndRounded) {
  Example example;
  // Red 0 and 1, green 0.5 and 0, blue 100/255 and 0.25.
  example.clean = {0, 1, 0.5F, 0, 100.0F / 255, 0.25F};
  const auto pictures = MakePictures(example, Shape(3, 1, 2), true);
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_THAT(Decode(pictures->clean).pixels, ElementsAre(0, 128, 100, 255, 0, 64));
  EXPECT_EQ(pictures->clean.width, 96);
  EXPECT_EQ(pictures->clean.height, 48);
  EXPECT_EQ(pictures->changed.source, "");
  EXPECT_EQ(pictures->difference.source, "");
}

TEST(ExamplePicturesTest, DifferencesAreEnlargedAroundGrey) {
  Example example;
  example.clean = {0.5F, 0.5F, 0.5F};
  example.changed = {0.5F + 8.0F / 255, 0.5F - 4.0F / 255, 0.5F};
  const auto pictures = MakePictures(example, Shape(1, 1, 3), true);
  ASSERT_TRUE(pictures.ok());
  EXPECT_EQ(pictures->enlarged, 15);  // 8 x 15 = 120, 8 x 16 = 128
  EXPECT_THAT(Decode(pictures->difference).pixels, ElementsAre(248, 68, 128));
  EXPECT_EQ(MakePictures(example, Shape(1, 1, 3), false)->difference.source, "");
}

TEST(ExamplePicturesTest, EnlargementJustFits) {
  EXPECT_EQ(Enlargement(8), 15);
  EXPECT_EQ(Enlargement(127), 1);
  EXPECT_EQ(Enlargement(0.5), 254);
  EXPECT_DOUBLE_EQ(Enlargement(254), 0.5);
  EXPECT_EQ(Enlargement(0), 1);
}

TEST(ExamplePicturesTest, LargeImagesAreMeansOfTheirPixels) {
  Example example;
  const v1::ImageShape shape = Shape(1, 225, 224);
  example.clean.assign(225 * 224, 0);
  // The first of the 3 x 3 pixels (224 / 112 would do, 225 needs more).
  for (const size_t i : {0, 1, 224}) example.clean[i] = 1;
  const auto pictures = MakePictures(example, shape, false);
  ASSERT_TRUE(pictures.ok());
  const Picture small = Decode(pictures->clean);
  EXPECT_EQ(small.height, 75);
  EXPECT_EQ(small.width, 75);
  EXPECT_EQ(small.pixels[0], 85);  // a third of 255
  EXPECT_EQ(small.pixels[1], 0);
}

TEST(ExamplePicturesTest, WrongSizesAreRefused) {
  Example example;
  example.clean = {0, 1};
  EXPECT_EQ(ReasonOf(MakePictures(example, Shape(1, 1, 3), true).status()), Reason::kInternal);
  example.changed = {1};
  EXPECT_EQ(ReasonOf(MakePictures(example, Shape(1, 1, 2), true).status()), Reason::kInternal);
}

// --- on the page

TEST(ExamplePageTest, ShowsEveryExampleWithWhatIsKnownOfIt) {
  MadeUp made_up = Cifar();
  made_up.samples = 200;
  made_up.conditions = {"clean", "attack/pgd:eps=8/255", "corruption/fog:severity=3", "bounds/ibp"};
  const v1::Report report = MadeUpReport(made_up);
  const Examples examples = MadeUpExamples(report, 2);
  const std::string page = ReportPage(report, {}, &examples);
  EXPECT_EQ(FirstFlaw(page), "");
  // Clean one picture, attacked three, corrupted two; of two samples.
  EXPECT_EQ(Count(page, "<img src=\"data:image/png;base64,"), 2u * (1 + 3 + 2));
  for (const char* text :
       {"<section id=\"examples\"",
        "alt=\"Clean image, sample 1,000: airplane, taken for "
        "automobile\" width=\"96\" height=\"96\"",
        "alt=\"Adversarial example of sample 1,007, taken for bird\"",
        "alt=\"Difference of the two, times 15; grey is none\"",
        "alt=\"Corrupted image of sample 1,000, taken for automobile\"",
        "<b>airplane</b> <span>taken for automobile (87.5\xc2\xa0%)</span>",
        "<br/>sample 1,000; clean: airplane (99.0\xc2\xa0%); ", "; Linf distance 0.0314; ",
        "difference \xc3\x97 15", "img-src data:;"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
  EXPECT_EQ(Count(page, "does not fool the model when rounded"), 1u);
  EXPECT_EQ(ReportPage(report, {}, &examples), page);
}

TEST(ExamplePageTest, WithoutExamplesNoPictureIsAllowed) {
  const std::string page = ReportPage(SampleReport());
  EXPECT_THAT(page, Not(HasSubstr("img-src")));
  EXPECT_THAT(page, Not(HasSubstr("Example images")));
}

TEST(ExamplePageTest, SaysWhyThereAreNone) {
  const v1::Report report = SampleReport();
  Examples examples;
  examples.none = "There are none: images of 4 channels cannot be shown.";
  EXPECT_THAT(ReportPage(report, {}, &examples), HasSubstr("images of 4 channels cannot"));
  examples.none.clear();
  examples.conditions[report.conditions(1).id()].none = "Use --keep-adversarials <DIR>.";
  const std::string page = ReportPage(report, {}, &examples);
  EXPECT_THAT(page, HasSubstr("Use --keep-adversarials &lt;DIR&gt;."));
  EXPECT_THAT(page, Not(HasSubstr("img-src")));
}

TEST(ExamplePageTest, TwentyConditionsOfSmallImagesAreSmall) {
  const v1::Report report = MadeUpReport(Cifar());
  const Examples examples = MadeUpExamples(report, 4);
  const std::string page = ReportPage(report, {}, &examples);
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_LT(page.size(), 2 * kMegabyte);
  EXPECT_THAT(page, Not(HasSubstr("Left out")));
}

TEST(ExamplePageTest, LargeImagesAreFewerAndTheLastAreLeftOut) {
  const v1::Report report = MadeUpReport(Cifar());
  const std::string page = [&] {
    const Examples examples = MadeUpExamples(report, 4, 3, 224);
    return ReportPage(report, {}, &examples);
  }();
  EXPECT_LT(page.size(), 5 * kMegabyte);
  EXPECT_GT(Count(page, "<img "), 20u);
  EXPECT_LT(Count(page, "<img "), 4u * 3 * 20);
}

}  // namespace
}  // namespace assay::render
