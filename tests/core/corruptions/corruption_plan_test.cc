// What goes beyond the published corruptions: combinations, severities between the rows, one cell
// of a grid, spatial changes, occlusion, sequences.
#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/corruptions/frost_files.h"
#include "core/corruptions/jpeg_codec.h"
#include "core/corruptions/plan.h"
#include "core/corruptions/tables.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/corruptions/golden_corruptions.h"

namespace assay::corruptions {
namespace {

v1::ImageShape ShapeOf(const Image& image) {
  v1::ImageShape shape;
  shape.set_channels(image.channels);
  shape.set_height(image.height);
  shape.set_width(image.width);
  return shape;
}

// Every pixel value different from its neighbours'.
Image Pattern(int height, int width, int channels) {
  Image image{height, width, channels, {}};
  for (int i = 0; i < height * width * channels; ++i) {
    image.pixels.push_back(static_cast<uint8_t>((i * 37 + i / 7) % 251));
  }
  return image;
}

v1::Condition Parsed(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  if (!conditions.ok()) return {};
  EXPECT_EQ(conditions->size(), 1u);
  return conditions->at(0);
}

Image Applied(const std::string& expression, Image image, int64_t sample = 3) {
  const v1::Condition condition = Parsed(expression);
  const auto plan = CorruptionPlan::Make(condition, ShapeOf(image), nullptr);
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (plan.ok()) plan->Apply(RandomKey(0, condition.id()), sample, image);
  return image;
}

// The registered corruptions that take a severity.
std::vector<Corruption> WithSeverities() {
  std::vector<Corruption> all;
  for (const Corruption& corruption : AllCorruptions()) {
    const auto conditions = ParseConditions({absl::StrCat("corruption/", corruption.name)});
    EXPECT_TRUE(conditions.ok()) << conditions.status();
    if (conditions.ok() && conditions->at(0).parameters().contains("severity")) {
      all.push_back(corruption);
    }
  }
  EXPECT_GE(all.size(), 20u);
  return all;
}

uint8_t At(const Image& image, int y, int x, int c) {
  return image.pixels[static_cast<size_t>((y * image.width + x) * image.channels + c)];
}

TEST(CorruptionPlan, MakesTheBytesOfTheCorruptionItNames) {
  const Image before = Pattern(32, 32, 3);
  RandomStream random(RandomKey(0, "corruption/fog/3"), 3, 0);
  const Image expected = Corrupted(OfSeverity("fog", SeverityTable::k32, 3), before, random);
  EXPECT_EQ(Applied("corruption/fog:severity=3", before).pixels, expected.pixels);
}

TEST(CorruptionPlan, AppliesACombinationLeftToRightWithStreamsOfTheirOwn) {
  const Image before = Pattern(32, 32, 3);
  Image expected = before;
  const v1::Condition condition = Parsed("corruption/fog+gaussian_noise+pixelate:severity=2");
  EXPECT_EQ(condition.id(), "corruption/fog+gaussian_noise+pixelate/2");
  EXPECT_GT(WorkPerSample(condition), 1);
  uint32_t stream = 0;
  for (const char* name : {"fog", "gaussian_noise", "pixelate"}) {
    RandomStream random(RandomKey(0, condition.id()), 3, stream++);
    expected = Corrupted(OfSeverity(name, SeverityTable::k32, 2), expected, random);
  }
  EXPECT_EQ(Applied("corruption/fog+gaussian_noise+pixelate:severity=2", before).pixels,
            expected.pixels);
  EXPECT_NE(Applied("corruption/pixelate+gaussian_noise+fog:severity=2", before).pixels,
            expected.pixels);
}

TEST(CorruptionPlan, RefusesCombinationsThatMakeNoSense) {
  for (const char* expression : {"corruption/fog+nonsense",
                                 "corruption/fog+rotate",
                                 "corruption/+fog",
                                 "corruption/fog+",
                                 "attack/pgd+fab",
                                 "corruption/occlusion+fog",
                                 "corruption/fog+fog+fog+fog+fog+fog+fog+fog+fog",
                                 "corruption/fog:severity=0.5",
                                 "sequence/gaussian_noise:severity=0",
                                 "corruption/fog:severity=5.01",
                                 "corruption/fog:severity=nan",
                                 "corruption/fog:severity=-1",
                                 "corruption/fog:grid=0",
                                 "corruption/fog:grid=17",
                                 "corruption/fog:grid=2,cell=4",
                                 "corruption/fog:cell=1",
                                 "corruption/fog:table=33",
                                 "corruption/rotate:degrees=181",
                                 "corruption/rotate:severity=1",
                                 "corruption/scale:factor=0",
                                 "corruption/crop:keep=0",
                                 "corruption/crop:keep=1.1",
                                 "corruption/translate:x=2",
                                 "corruption/flip:axis=depth",
                                 "corruption/occlusion:size=0",
                                 "corruption/occlusion:grid=4,size=0.5",
                                 "sequence/fog:frames=1",
                                 "sequence/fog:frames=201",
                                 "sequence/gaussian_noise:severity=6",
                                 "sequence/fog:severity=1",
                                 "sequence/pgd",
                                 "sequence/fog:compare=last"}) {
    EXPECT_FALSE(ParseConditions({expression}).ok()) << expression;
  }
}

TEST(CorruptionPlan, LeavesImagesAsTheyAreAtSeverity0) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 9}, {31, 33}, {375, 500}}) {
    for (const Corruption& corruption : WithSeverities()) {
      if (corruption.name == std::string("frost")) continue;
      const Image before = Pattern(height, width, corruption.grayscale ? 1 : 3);
      EXPECT_EQ(Applied(absl::StrCat("corruption/", corruption.name, ":severity=0"), before).pixels,
                before.pixels)
          << corruption.name;
    }
  }
  const Image before = Pattern(31, 33, 3);
  EXPECT_EQ(Applied("corruption/fog+gaussian_noise:severity=0", before).pixels, before.pixels);
  // What cannot be evaluated at severity 1 cannot at 0 either.
  const v1::Condition frost = Parsed("corruption/frost:severity=0");
  EXPECT_FALSE(CorruptionPlan::Make(frost, ShapeOf(before), nullptr).ok());
}

TEST(CorruptionPlan, SaysWhichSeveritiesThereAre) {
  const auto refused = ParseConditions({"corruption/fog:severity=0.5"});
  EXPECT_THAT(refused.status().ToString(),
              testing::HasSubstr("from 1 to 5, or 0 for the image itself"));
}

TEST(CorruptionPlan, InterpolatesParametersBetweenSeverities) {
  // Brightness adds .1 at severity 2 and .15 at severity 3.
  const Image grey{32, 32, 3, std::vector<uint8_t>(3072, 100)};
  EXPECT_EQ(Applied("corruption/brightness:severity=2.5", grey).pixels[0],
            static_cast<uint8_t>(100 + 0.125 * 255));
  EXPECT_EQ(Parsed("corruption/brightness:severity=2.5").id(), "corruption/brightness/2.5");
  // Whole numbers are rounded, and halves go up: qualities 80 and 65 give 73.
  const CorruptionContext half{SeverityTable::k32, 1.5};
  EXPECT_EQ(Select(kJpegQuality, half), 73);
  EXPECT_DOUBLE_EQ(Select(kFog, {SeverityTable::k224, 4.25}).weight, 2.625);
  EXPECT_DOUBLE_EQ(Select(kFog, {SeverityTable::k224, 4.25}).decay, 1.475);
  EXPECT_EQ(Select(kZoomBlur, {SeverityTable::k32, 1.4}).count, 9);
  // Nothing lies between water and mud.
  EXPECT_FALSE(Select(kSpatter, {SeverityTable::k32, 3.4}).mud);
  EXPECT_TRUE(Select(kSpatter, {SeverityTable::k32, 3.5}).mud);
  EXPECT_DOUBLE_EQ(Select(kSpatter, {SeverityTable::k32, 3.4}).sigma, 1);
  EXPECT_DOUBLE_EQ(Select(kSpatter, {SeverityTable::k32, 4.5}).sigma, .6);
}

TEST(CorruptionPlan, EqualsTheTableAtEveryWholeSeverityOfEveryTable) {
  for (SeverityTable table :
       {SeverityTable::k32, SeverityTable::k64, SeverityTable::k224, SeverityTable::k299}) {
    for (int severity = 1; severity <= 5; ++severity) {
      const CorruptionContext context{table, static_cast<double>(severity)};
      const auto t = static_cast<size_t>(table);
      const auto s = static_cast<size_t>(severity - 1);
      EXPECT_EQ(Select(kGaussianNoise, context), kGaussianNoise[t][s]);
      EXPECT_EQ(Select(kSnow, context).mix, kSnow[t][s].mix);
    }
  }
}

TEST(CorruptionPlan, EveryCorruptionRunsBetweenSeverities) {
  const Image before = Pattern(40, 36, 3);
  for (const Corruption& corruption : WithSeverities()) {
    if (corruption.name == std::string("frost")) continue;
    for (const char* severity : {"1.1", "2.5", "3.9", "4.75"}) {
      for (const char* table : {"32", "64", "224", "299"}) {
        const std::string expression =
            absl::StrCat("corruption/", corruption.name, ":severity=", severity, ",table=", table);
        SCOPED_TRACE(expression);
        const Image after = Applied(expression, before);
        EXPECT_EQ(after.pixels.size(), before.pixels.size());
        EXPECT_NE(after.pixels, before.pixels);
      }
    }
  }
}

TEST(CorruptionPlan, ChangesOneCellOfAGridOnly) {
  const Image before = Pattern(30, 33, 3);
  const auto ids = ParseConditions({"corruption/brightness:severity=5,grid=4"});
  ASSERT_TRUE(ids.ok());
  ASSERT_EQ(ids->size(), 16u);
  EXPECT_EQ(ids->at(5).id(), "corruption/brightness/5/grid=4,cell=5");
  std::vector<int> touched(30 * 33, 0);
  for (int cell = 0; cell < 16; ++cell) {
    const Image after =
        Applied(absl::StrCat("corruption/brightness:severity=5,grid=4,cell=", cell), before);
    const Area area = GridCell(4, cell, before);
    for (int y = 0; y < 30; ++y) {
      for (int x = 0; x < 33; ++x) {
        const bool inside = y >= area.top && y < area.bottom && x >= area.left && x < area.right;
        bool same = true;
        for (int c = 0; c < 3; ++c) same = same && At(after, y, x, c) == At(before, y, x, c);
        EXPECT_TRUE(inside || same) << cell << ": " << y << "," << x;
        if (!same) ++touched[static_cast<size_t>(y * 33 + x)];
      }
    }
  }
  // Together the cells are the whole image, once.
  EXPECT_EQ(*std::max_element(touched.begin(), touched.end()), 1);
  const Image whole = Applied("corruption/brightness:severity=5", before);
  for (int i = 0; i < 30 * 33; ++i) {
    const bool changed = !std::equal(whole.pixels.begin() + 3 * i, whole.pixels.begin() + 3 * i + 3,
                                     before.pixels.begin() + 3 * i);
    EXPECT_EQ(touched[static_cast<size_t>(i)] == 1, changed) << i;
  }
}

TEST(CorruptionPlan, TakesImagesWithFewerPixelsThanCells) {
  const Image before = Pattern(2, 1, 1);
  for (int cell : {0, 7, 15}) {
    const Image after =
        Applied(absl::StrCat("corruption/gaussian_noise:severity=5,grid=4,cell=", cell), before);
    EXPECT_EQ(after.pixels.size(), 2u);
  }
}

TEST(CorruptionPlan, RefusesWhatMakesNoSenseForTheImages) {
  v1::ImageShape shape = ShapeOf(Pattern(8, 8, 1));
  const auto refusal = [&](const std::string& expression) {
    const absl::Status status = CorruptionPlan::Make(Parsed(expression), shape, nullptr).status();
    EXPECT_EQ(ReasonOf(status), Reason::kInvalidCondition) << expression;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal("corruption/snow:severity=1"), testing::HasSubstr("needs RGB images"));
  EXPECT_THAT(refusal("corruption/fog+saturate:severity=1"), testing::HasSubstr("needs RGB"));
  shape.set_channels(3);
  EXPECT_EQ(refusal("corruption/frost:severity=1"), kFrostNeedsPhotographs);
  EXPECT_EQ(refusal("corruption/fog+frost:severity=1"), kFrostNeedsPhotographs);
  shape.set_channels(4);
  refusal("corruption/gaussian_noise:severity=1");
  refusal("corruption/rotate:degrees=5");
  shape.set_channels(3);
  shape.set_height(kMaxJpegSide + 1);
  EXPECT_THAT(refusal("corruption/jpeg_compression:severity=1"), testing::HasSubstr("65500"));
  shape.set_height(kMaxJpegSide);
  EXPECT_TRUE(
      CorruptionPlan::Make(Parsed("corruption/jpeg_compression:severity=1"), shape, nullptr).ok());
}

TEST(CorruptionPlan, TakesGrayscaleImagesOrSaysWhoDoesNot) {
  const Image before = Pattern(31, 33, 1);
  int refused = 0;
  for (const Corruption& corruption : AllCorruptions()) {
    // The last one: of those with severities, the strongest.
    const auto conditions = ParseConditions({absl::StrCat("corruption/", corruption.name)});
    ASSERT_TRUE(conditions.ok()) << conditions.status();
    const v1::Condition& condition = conditions->back();
    SCOPED_TRACE(condition.id());
    const auto plan = CorruptionPlan::Make(condition, ShapeOf(before), nullptr);
    EXPECT_EQ(plan.ok(), corruption.grayscale);
    if (plan.ok()) {
      Image after = before;
      plan->Apply(RandomKey(0, condition.id()), 3, after);
      EXPECT_NE(after.pixels, before.pixels);
    } else {
      ++refused;
      EXPECT_EQ(ReasonOf(plan.status()), Reason::kInvalidCondition);
      EXPECT_THAT(std::string(plan.status().message()),
                  testing::AllOf(testing::HasSubstr(corruption.name),
                                 testing::HasSubstr("needs RGB images; these have 1 channel")));
    }
  }
  // Colour is what they are about, or painted with.
  EXPECT_EQ(refused, 5) << "saturate, snow, frost, frost-procedural and spatter";
}

TEST(Jpeg, HandlesTheLargestSideThatTheFormatAllows) {
  const Image wide{1, kMaxJpegSide, 1, std::vector<uint8_t>(kMaxJpegSide, 90)};
  EXPECT_EQ(Applied("corruption/jpeg_compression:severity=1", wide).width, kMaxJpegSide);
}

TEST(Planes, RoundToBytesAndBack) {
  const Image image = Pattern(3, 5, 3);
  std::vector<float> planes(45);
  ImageToPlanes(image, planes.data());
  EXPECT_FLOAT_EQ(planes[15], At(image, 0, 0, 1) / 255.0F);
  EXPECT_EQ(ImageFromPlanes(planes.data(), ShapeOf(image)).pixels, image.pixels);
}

// --- spatial changes, against their definitions

TEST(Spatial, AChangeByNothingChangesNothing) {
  for (int channels : {1, 3}) {
    const Image before = Pattern(31, 33, channels);
    for (const char* expression :
         {"corruption/rotate:degrees=0", "corruption/translate:x=0,y=0",
          "corruption/scale:factor=1", "corruption/crop:keep=1",
          "corruption/crop:keep=1,at=bottom-right", "corruption/crop:keep=1,at=random"}) {
      EXPECT_EQ(Applied(expression, before).pixels, before.pixels) << expression;
    }
  }
}

TEST(Spatial, QuarterTurnsAreExact) {
  const Image before = Pattern(17, 17, 3);
  const Image quarter = Applied("corruption/rotate:degrees=90,fill=black", before);
  const Image back = Applied("corruption/rotate:degrees=-90,fill=black", quarter);
  const Image half = Applied("corruption/rotate:degrees=180,fill=black", before);
  for (int y = 0; y < 17; ++y) {
    for (int x = 0; x < 17; ++x) {
      for (int c = 0; c < 3; ++c) {
        // Counterclockwise: the right edge becomes the upper one.
        EXPECT_EQ(At(quarter, 16 - x, y, c), At(before, y, x, c));
        EXPECT_EQ(At(half, 16 - y, 16 - x, c), At(before, y, x, c));
      }
    }
  }
  EXPECT_EQ(back.pixels, before.pixels);
}

TEST(Spatial, TranslationMovesByWholePixelsAndFillsAsTold) {
  const Image before = Pattern(10, 20, 1);
  const Image black = Applied("corruption/translate:x=0.1,y=-0.2,fill=black", before);
  const Image edge = Applied("corruption/translate:x=0.1,y=-0.2,fill=edge", before);
  const Image reflect = Applied("corruption/translate:x=0.1,y=-0.2", before);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 20; ++x) {
      const int from_y = y + 2, from_x = x - 2;
      const bool inside = from_y < 10 && from_x >= 0;
      EXPECT_EQ(At(black, y, x, 0), inside ? At(before, from_y, from_x, 0) : 0);
      EXPECT_EQ(At(edge, y, x, 0), At(before, std::min(from_y, 9), std::max(from_x, 0), 0));
      EXPECT_EQ(At(reflect, y, x, 0), At(before, from_y < 10 ? from_y : 19 - from_y,
                                         from_x >= 0 ? from_x : -1 - from_x, 0));
    }
  }
}

TEST(Spatial, SamplingIsBilinear) {
  const Image before{1, 4, 1, {0, 100, 200, 40}};
  const Image after = Applied("corruption/translate:x=0.125,fill=black", before);
  EXPECT_EQ(after.pixels, (std::vector<uint8_t>{0, 50, 150, 120}));
}

TEST(Spatial, ScaleAndCropTakeTheRightWindow) {
  // A linear ramp stays one: value = 2 x + 3 y.
  Image ramp{24, 40, 1, {}};
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 40; ++x) ramp.pixels.push_back(static_cast<uint8_t>(2 * x + 3 * y));
  }
  const Image large = Applied("corruption/scale:factor=2", ramp);
  const Image corner = Applied("corruption/crop:keep=0.5,at=bottom-right", ramp);
  const Image middle = Applied("corruption/crop:keep=0.5", ramp);
  for (int y = 4; y < 20; ++y) {
    for (int x = 4; x < 36; ++x) {
      EXPECT_NEAR(At(large, y, x, 0), 2 * (19.5 + (x - 19.5) / 2) + 3 * (11.5 + (y - 11.5) / 2),
                  0.51);
      EXPECT_NEAR(At(middle, y, x, 0), At(large, y, x, 0), 1);
      EXPECT_NEAR(At(corner, y, x, 0),
                  2 * (20 + (x + 0.5) / 2 - 0.5) + 3 * (12 + (y + 0.5) / 2 - 0.5), 0.51);
    }
  }
}

TEST(Spatial, FlipMirrors) {
  const Image before = Pattern(4, 6, 3);
  const Image horizontal = Applied("corruption/flip", before);
  const Image vertical = Applied("corruption/flip:axis=vertical", before);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 6; ++x) {
      EXPECT_EQ(At(horizontal, y, x, 2), At(before, y, 5 - x, 2));
      EXPECT_EQ(At(vertical, y, x, 2), At(before, 3 - y, x, 2));
    }
  }
  EXPECT_EQ(Applied("corruption/flip:axis=both", before).pixels,
            Applied("corruption/rotate:degrees=180", before).pixels);
}

TEST(Spatial, TakesImagesOfAnySize) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 9}, {9, 1}, {31, 33}, {375, 500}}) {
    const Image before = Pattern(height, width, 3);
    for (const char* expression :
         {"corruption/rotate:degrees=33", "corruption/rotate:degrees=-180,fill=edge",
          "corruption/translate:x=-1,y=1", "corruption/scale:factor=20",
          "corruption/scale:factor=0.05", "corruption/crop:keep=0.05,at=random",
          "corruption/flip:axis=both", "corruption/occlusion:size=1",
          "corruption/occlusion:size=0.01,color=mean"}) {
      const Image after = Applied(expression, before);
      EXPECT_EQ(after.height, height);
      EXPECT_EQ(after.width, width);
      EXPECT_EQ(after.pixels.size(), before.pixels.size());
    }
  }
}

TEST(Occlusion, CoversASquareSomewhere) {
  const Image before{40, 60, 3, std::vector<uint8_t>(40 * 60 * 3, 10)};
  std::set<int> places;
  for (int64_t sample = 0; sample < 20; ++sample) {
    const Image after = Applied("corruption/occlusion:size=0.25,color=white", before, sample);
    EXPECT_EQ(std::count(after.pixels.begin(), after.pixels.end(), 255), 10 * 10 * 3);
    const auto first = std::find(after.pixels.begin(), after.pixels.end(), 255);
    places.insert(static_cast<int>(first - after.pixels.begin()));
    for (int row = 0; row < 10; ++row) {
      EXPECT_EQ(std::count(first + row * 180, first + row * 180 + 30, 255), 30);
    }
  }
  EXPECT_GT(places.size(), 15u);
}

TEST(Occlusion, CoversTheCellOfAGrid) {
  const Image before{40, 60, 3, std::vector<uint8_t>(40 * 60 * 3, 10)};
  const Image after = Applied("corruption/occlusion:grid=4,cell=6", before);
  EXPECT_EQ(std::count(after.pixels.begin(), after.pixels.end(), 128), 10 * 15 * 3);
  EXPECT_EQ(At(after, 10, 30, 0), 128);
  EXPECT_EQ(At(after, 19, 44, 2), 128);
  EXPECT_EQ(At(after, 10, 29, 0), 10);
}

// --- sequences

std::vector<Image> Frames(const std::string& expression, const Image& image, int64_t sample = 0) {
  const v1::Condition condition = Parsed(expression);
  const auto plan = SequencePlan::Make(condition, ShapeOf(image), nullptr);
  EXPECT_TRUE(plan.ok()) << plan.status();
  std::vector<Image> frames;
  for (int frame = 0; plan.ok() && frame < plan->frames(); ++frame) {
    frames.push_back(image);
    plan->Apply(RandomKey(0, condition.id()), sample, frame, frames.back());
  }
  return frames;
}

TEST(SequencePlan, BeginsWithTheImageItself) {
  const Image image = Pattern(32, 32, 3);
  for (const MethodHelp& method : AllMethods()) {
    if (!absl::StartsWith(method.expression, "sequence/")) continue;
    SCOPED_TRACE(method.expression);
    for (int frames : {2, 3, 7}) {
      const auto made = Frames(absl::StrCat(method.expression, ":frames=", frames), image);
      ASSERT_EQ(made.size(), static_cast<size_t>(frames));
      EXPECT_EQ(made[0].pixels, image.pixels);
      for (size_t i = 1; i < made.size(); ++i) EXPECT_NE(made[i].pixels, made[i - 1].pixels) << i;
    }
  }
}

TEST(SequencePlan, NoiseIsNewInEveryFrameAndAsStrongInEach) {
  const Image grey{64, 64, 3, std::vector<uint8_t>(64 * 64 * 3, 128)};
  const auto frames = Frames("sequence/gaussian_noise:severity=2,frames=5,table=32", grey);
  std::set<std::vector<uint8_t>> different;
  for (size_t i = 1; i < frames.size(); ++i) {
    double squares = 0;
    for (uint8_t pixel : frames[i].pixels) squares += (pixel + 0.5 - 128) * (pixel + 0.5 - 128);
    const double deviation = std::sqrt(squares / static_cast<double>(frames[i].pixels.size()));
    EXPECT_NEAR(deviation, 0.06 * 255, 0.5);
    different.insert(frames[i].pixels);
  }
  EXPECT_EQ(different.size(), 4u);
}

TEST(SequencePlan, GrowsEvenlyToSeverity5OrTheGivenEnd) {
  const Image grey{32, 32, 3, std::vector<uint8_t>(3072, 60)};
  // Severities 1, 2, 3, 4 and 5 add .05, .1, .15, .2 and .3.
  const auto bright = Frames("sequence/brightness:frames=6", grey);
  const double added[] = {0, 0.05, 0.1, 0.15, 0.2, 0.3};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(bright[i].pixels[0], static_cast<uint8_t>((60 / 255.0 + added[i]) * 255.0)) << i;
  }
  const Image image = Pattern(20, 20, 1);
  const auto moving = Frames("sequence/translate:x=0.2,frames=5,fill=black", image);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(At(moving[static_cast<size_t>(i)], 7, 10, 0), At(image, 7, 10 - i, 0)) << i;
  }
  const auto turning = Frames("sequence/rotate:degrees=90,frames=3", image);
  EXPECT_EQ(turning[2].pixels, Applied("corruption/rotate:degrees=90", image).pixels);
  EXPECT_EQ(turning[1].pixels, Applied("corruption/rotate:degrees=45", image).pixels);
}

}  // namespace
}  // namespace assay::corruptions
