// Every registered corruption: against the published scripts (golden files, see the README of the
// test data), and what must hold for any image.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/corruptions/corruption.h"
#include "core/corruptions/frost_photographs.h"
#include "core/corruptions/gaussian_filter.h"
#include "core/corruptions/motion.h"
#include "core/corruptions/tables.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/core/corruptions/golden_corruptions.h"
#include "tests/test_data.h"

namespace assay::corruptions {
namespace {

// What is expected of one corruption. To add a corruption is to add a row.
struct Expectation {
  const char* name;
  bool grayscale;
  // How far the size of the change over 1,000 images may be from the published scripts', as a
  // share; about six standard errors. 0: nothing is random, and every byte must be equal.
  double tolerance;
  // The same for the differences between neighbours in 16 images.
  double roughness_tolerance = 0;
  // No script was published, so that there is nothing to compare with; `tolerance` only says
  // whether it is random.
  bool unpublished = false;
};

constexpr Expectation Unpublished(const char* name, bool random, bool grayscale = true) {
  return {name, grayscale, random ? 1.0 : 0.0, 0, true};
}

constexpr Expectation kExpectations[] = {
    {"gaussian_noise", true, 0.004, 0.02},
    {"shot_noise", true, 0.005, 0.02},
    {"impulse_noise", true, 0.03, 0.04},
    {"speckle_noise", true, 0.006, 0.02},
    {"gaussian_blur", true, 0},
    {"defocus_blur", true, 0},
    {"glass_blur", true, 0.009, 0.02},
    {"motion_blur", true, 0.03, 0.03},
    {"zoom_blur", true, 0},
    {"snow", false, 0.07, 0.12},
    {"fog", true, 0.07, 0.04},
    {"spatter", false, 0.065, 0.25},
    {"brightness", true, 0},
    {"contrast", true, 0},
    {"saturate", false, 0},
    {"elastic_transform", true, 0.05, 0.08},
    {"frost", false, 0.07, 0.25},
    {"frost-procedural", false, 0.07, 0.25},
    {"pixelate", true, 0},
    {"jpeg_compression", true, 0},
    Unpublished("rotate", /*random=*/false),
    Unpublished("translate", /*random=*/false),
    Unpublished("scale", /*random=*/false),
    Unpublished("crop", /*random=*/false),
    Unpublished("flip", /*random=*/false),
    Unpublished("occlusion", /*random=*/true),
};

template <typename Condition>
std::vector<Expectation> Rows(const Condition& wanted) {
  std::vector<Expectation> rows;
  std::copy_if(std::begin(kExpectations), std::end(kExpectations), std::back_inserter(rows),
               wanted);
  return rows;
}
bool Published(const Expectation& row) { return !row.unpublished; }
bool PublishedFixed(const Expectation& row) { return Published(row) && row.tolerance == 0; }
bool PublishedRandom(const Expectation& row) { return Published(row) && row.tolerance > 0; }

void PrintTo(const Expectation& expectation, std::ostream* out) { *out << expectation.name; }

std::string TestName(const testing::TestParamInfo<Expectation>& info) {
  return absl::StrReplaceAll(info.param.name, {{"-", "_"}});
}

// What a user gets who writes no parameters: five severities (of the given table), or examples of
// the parameters that there are instead.
std::vector<v1::Condition> Conditions(const std::string& name, SeverityTable table) {
  auto conditions = ParseConditions({absl::StrCat("corruption/", name)});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  if (!conditions.ok()) return {};
  for (v1::Condition& condition : *conditions) {
    const auto severity = condition.parameters().find("severity");
    if (severity == condition.parameters().end()) continue;
    condition = OfSeverity(name, table, std::stod(severity->second));
  }
  return *std::move(conditions);
}

// How many grey levels each element is off: off[d] elements by d.
using Differences = std::map<int, int>;
Differences Compare(const Image& image, const std::string& golden, size_t index) {
  Differences differences;
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const auto expected = static_cast<uint8_t>(golden[index * image.pixels.size() + i]);
    const int difference = std::abs(image.pixels[i] - expected);
    if (difference != 0) ++differences[difference];
  }
  return differences;
}

TEST(Registry, HoldsExactlyTheExpectedCorruptions) {
  std::set<std::string> expected, registered;
  for (const Expectation& row : kExpectations) {
    expected.insert(row.name);
    const Corruption* found = FindCorruption(row.name);
    ASSERT_NE(found, nullptr) << row.name;
    EXPECT_EQ(found->name, std::string(row.name));
    EXPECT_EQ(found->grayscale, row.grayscale) << row.name;
  }
  for (const Corruption& corruption : AllCorruptions()) registered.insert(corruption.name);
  EXPECT_EQ(registered, expected);
  EXPECT_EQ(registered.size(), AllCorruptions().size()) << "a name is registered twice";
  EXPECT_EQ(FindCorruption(""), nullptr);
}

TEST(NearestTable, IsNamedByTheSmallerSide) {
  EXPECT_EQ(NearestTable(32, 32), SeverityTable::k32);
  EXPECT_EQ(NearestTable(1, 1000), SeverityTable::k32);
  EXPECT_EQ(NearestTable(28, 28), SeverityTable::k32);
  EXPECT_EQ(NearestTable(48, 48), SeverityTable::k32);
  EXPECT_EQ(NearestTable(49, 300), SeverityTable::k64);
  EXPECT_EQ(NearestTable(64, 64), SeverityTable::k64);
  EXPECT_EQ(NearestTable(144, 144), SeverityTable::k64);
  EXPECT_EQ(NearestTable(145, 145), SeverityTable::k224);
  EXPECT_EQ(NearestTable(224, 224), SeverityTable::k224);
  EXPECT_EQ(NearestTable(500, 261), SeverityTable::k224);
  EXPECT_EQ(NearestTable(262, 500), SeverityTable::k299);
  EXPECT_EQ(NearestTable(2000, 3000), SeverityTable::k299);
}

TEST(TruncateToByte, ClipsAndTruncates) {
  EXPECT_EQ(TruncateToByte(-0.5), 0);
  EXPECT_EQ(TruncateToByte(0.999), 254);
  EXPECT_EQ(TruncateToByte(1), 255);
  EXPECT_EQ(TruncateToByte(7), 255);
  for (int value = 0; value < 256; ++value) {
    EXPECT_EQ(TruncateToByte((value + 0.5) / 255), value);
    EXPECT_EQ(TruncateToByte(value / 255.0), value) << "an unchanged byte must survive";
  }
}

class DeterministicCorruption : public testing::TestWithParam<Expectation> {};
INSTANTIATE_TEST_SUITE_P(Corruptions, DeterministicCorruption,
                         testing::ValuesIn(Rows(PublishedFixed)), TestName);

// numpy 1.24, scipy 1.10, scikit-image 0.19, OpenCV 4.6 and Pillow 9.4 made the golden images.
TEST_P(DeterministicCorruption, EqualsTheOriginalScriptsByteForByte) {
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(cifar_path, "golden/corruptions_cifar_16.npz");
  ASSAY_TEST_DATA_OR_SKIP(imagenet_path, "golden/corruptions_imagenet224_1.npz");
  const std::vector<Image> images = ReadCifar(images_path);
  ASSERT_EQ(images.size(), 1000u);
  const std::string photograph = ReadGolden(imagenet_path, "input");
  ASSERT_EQ(photograph.size(), 224u * 224 * 3);
  const std::string name = GetParam().name;
  for (int severity = 1; severity <= 5; ++severity) {
    SCOPED_TRACE(severity);
    const std::string array = absl::StrCat(name, "_", severity);
    const std::string cifar = ReadGolden(cifar_path, array);
    ASSERT_EQ(cifar.size(), 16u * 3072);
    for (size_t i = 0; i < 16; ++i) {
      EXPECT_EQ(Compare(Corrupted(name, SeverityTable::k32, severity, images[i]), cifar, i),
                Differences())
          << "image " << i;
    }
    const std::string imagenet = ReadGolden(imagenet_path, array);
    ASSERT_EQ(imagenet.size(), photograph.size());
    const Image image{224, 224, 3, std::vector<uint8_t>(photograph.begin(), photograph.end())};
    EXPECT_EQ(Compare(Corrupted(name, SeverityTable::k224, severity, image), imagenet, 0),
              Differences());
  }
}

// The angle is all that is random in a motion blur, so the golden images must be reachable.
TEST(MotionBlur, SomeAngleGivesEachGoldenImage) {
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(cifar_path, "golden/corruptions_cifar_16.npz");
  const std::vector<Image> images = ReadCifar(images_path);
  for (int severity = 1; severity <= 5; ++severity) {
    const std::string golden = ReadGolden(cifar_path, absl::StrCat("motion_blur_", severity));
    ASSERT_EQ(golden.size(), 16u * 3072);
    const MotionParameters c =
        Select(kMotionBlur, {SeverityTable::k32, static_cast<double>(severity)});
    for (size_t i = 0; i < 8; ++i) {
      int fewest = 3072;
      const auto try_angle = [&](double angle) {
        Image image = images[i];
        MotionFilter(c.radius, c.sigma, angle, image);
        int different = 0;
        for (const auto& [distance, count] : Compare(image, golden, i)) different += count;
        const bool better = different < fewest;
        fewest = std::min(fewest, different);
        return better;
      };
      double best = 0;
      for (double angle = -45; angle < 45; angle += 0.25) {
        if (try_angle(angle)) best = angle;
      }
      for (double angle = best - 0.5; angle < best + 0.5; angle += 0.01) try_angle(angle);
      EXPECT_LE(fewest, 2) << "severity " << severity << ", image " << i;
    }
  }
}

// The photograph and the place are all that is random in frost, so the golden images must be there.
TEST(Frost, SomePartOfAPhotographGivesEachGoldenImage) {
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(cifar_path, "golden/corruptions_cifar_16.npz");
  SKIP_WITHOUT_PHOTOGRAPHS("frost");
  const std::vector<Image> images = ReadCifar(images_path);
  for (int severity = 1; severity <= 5; ++severity) {
    const std::string golden = ReadGolden(cifar_path, absl::StrCat("frost_", severity));
    ASSERT_EQ(golden.size(), 16u * 3072);
    const FrostParameters c = Select(kFrost, {SeverityTable::k32, static_cast<double>(severity)});
    for (size_t image = 0; image < 16; ++image) {
      const auto matches = [&](const Image& photograph, int top, int left) {
        for (int i = 0; i < 3072; ++i) {
          const int y = top + i / 96, x = 3 * left + i % 96;
          const double mixed =
              c.image_weight * images[image].pixels[static_cast<size_t>(i)] +
              c.frost_weight * photograph.pixels[static_cast<size_t>(y * photograph.width * 3 + x)];
          if (static_cast<uint8_t>(std::min(mixed, 255.0)) !=
              static_cast<uint8_t>(golden[image * 3072 + static_cast<size_t>(i)])) {
            return false;
          }
        }
        return true;
      };
      bool found = false;
      for (size_t k = 0; k < FrostPhotographs::kCount && !found; ++k) {
        const Image& photograph = Photographs()->Get(SeverityTable::k32, k);
        for (int top = 0; top <= photograph.height - 32 && !found; ++top) {
          for (int left = 0; left <= photograph.width - 32 && !found; ++left) {
            found = matches(photograph, top, left);
          }
        }
      }
      EXPECT_TRUE(found) << "severity " << severity << ", image " << image;
    }
  }
}

TEST(Frost, TakesThePublishedFilesOnly) {
  SKIP_WITHOUT_PHOTOGRAPHS("frost");
  const std::filesystem::path directory =
      std::filesystem::path(testing::TempDir()) / absl::StrCat("frost_files_", getpid());
  std::filesystem::remove_all(directory);
  const auto error = [&] {
    const auto loaded = FrostPhotographs::Load(directory.string());
    EXPECT_EQ(ReasonOf(loaded.status()), Reason::kUnreadableInput);
    return std::string(loaded.status().message());
  };
  EXPECT_THAT(error(), testing::HasSubstr("cannot read"));
  std::filesystem::copy(TestData("frost"), directory);
  EXPECT_TRUE(FrostPhotographs::Load(directory.string()).ok());
  std::filesystem::remove(directory / "frost3.png");
  EXPECT_THAT(error(), testing::HasSubstr("frost3.png"));
  // Two photographs exchanged are not the published ones either.
  std::filesystem::copy(directory / "frost2.png", directory / "frost3.png");
  EXPECT_THAT(error(), testing::HasSubstr("not the published photograph"));
  std::filesystem::remove_all(directory);
}

// Of after - before, over all elements of all images.
struct ChangeStatistics {
  double mean = 0, deviation = 0, mean_absolute = 0;
};

ChangeStatistics StatisticsOfChange(const std::string& name, int severity,
                                    const std::vector<Image>& images) {
  const auto corrupt = Corrupter(OfSeverity(name, SeverityTable::k32, severity), images.at(0));
  double sum = 0, squares = 0, absolute = 0, count = 0;
  for (size_t sample = 0; sample < images.size(); ++sample) {
    const Image& before = images[sample];
    const Image after = corrupt(before, static_cast<int64_t>(sample));
    for (size_t i = 0; i < before.pixels.size(); ++i) {
      const double difference = after.pixels[i] - before.pixels[i];
      sum += difference;
      squares += difference * difference;
      absolute += std::abs(difference);
      ++count;
    }
  }
  const double mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean), absolute / count};
}

ChangeStatistics PublishedStatistics(const nlohmann::json& stats, const std::string& name,
                                     int severity) {
  // Drawn frost is made to change images as much as the photographs do.
  const std::string published = name == "frost-procedural" ? "frost" : name;
  const nlohmann::json& entry = stats.at("stats").at(absl::StrCat(published, "/", severity));
  return {entry.at("mean_diff"), entry.at("std_diff"), entry.at("mean_abs_diff")};
}

// The largest difference of the three, as a share of the size of the change.
double Distance(const ChangeStatistics& a, const ChangeStatistics& b) {
  return std::max({std::abs(a.mean - b.mean) / b.mean_absolute,
                   std::abs(a.deviation / b.deviation - 1),
                   std::abs(a.mean_absolute / b.mean_absolute - 1)});
}

class PublishedCorruption : public testing::TestWithParam<Expectation> {};
INSTANTIATE_TEST_SUITE_P(Corruptions, PublishedCorruption, testing::ValuesIn(Rows(Published)),
                         TestName);

TEST_P(PublishedCorruption, ChangesImagesAsMuchAsTheOriginalScriptsDo) {
  SKIP_WITHOUT_PHOTOGRAPHS(GetParam().name);
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(stats_path, "golden/corruptions_cifar_stats.json");
  std::ifstream file(stats_path);
  const nlohmann::json stats = nlohmann::json::parse(file);
  const std::vector<Image> images = ReadCifar(images_path);
  const std::string name = GetParam().name;
  // Where numpy's exponential has another last bit than libm's, a handful of the 3 million elements
  // is off by one grey level.
  const double tolerance = std::max(GetParam().tolerance, 1e-6);
  for (int severity = 1; severity <= 5; ++severity) {
    SCOPED_TRACE(severity);
    const ChangeStatistics ours = StatisticsOfChange(name, severity, images);
    EXPECT_LT(Distance(ours, PublishedStatistics(stats, name, severity)), tolerance);
    // A parameter from the next column of the table must not pass.
    for (int other = 1; other <= 5; ++other) {
      // (6, 2) and (8, 2) are the same blur: the radius only cuts off weights that are 0 anyway.
      const bool same =
          name == "motion_blur" && severity + other == 7 && severity >= 3 && other >= 3;
      if (other == severity || same) continue;
      EXPECT_GT(Distance(ours, PublishedStatistics(stats, name, other)), tolerance)
          << "severity " << other << " would pass as well";
    }
  }
}

class RandomCorruption : public testing::TestWithParam<Expectation> {};
INSTANTIATE_TEST_SUITE_P(Corruptions, RandomCorruption, testing::ValuesIn(Rows(PublishedRandom)),
                         TestName);

// The mean difference between the changes of horizontal neighbours: how rough the texture of a
// corruption is. The statistics above do not see how changes hang together.
template <typename After>
double Roughness(const std::vector<Image>& before, const After& after) {
  double sum = 0, count = 0;
  for (size_t image = 0; image < before.size(); ++image) {
    for (size_t i = 0; i < 3072; ++i) {
      if (i % 96 >= 93) continue;
      const int here = after(image, i) - before[image].pixels[i];
      const int right = after(image, i + 3) - before[image].pixels[i + 3];
      sum += std::abs(here - right);
      ++count;
    }
  }
  return sum / count;
}

TEST_P(RandomCorruption, ChangesNeighboursAsDifferentlyAsTheOriginalScriptsDo) {
  SKIP_WITHOUT_PHOTOGRAPHS(GetParam().name);
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(cifar_path, "golden/corruptions_cifar_16.npz");
  std::vector<Image> images = ReadCifar(images_path);
  images.resize(16);
  const std::string name = GetParam().name;
  const std::string published = name == "frost-procedural" ? "frost" : name;
  for (int severity = 1; severity <= 5; ++severity) {
    const std::string golden = ReadGolden(cifar_path, absl::StrCat(published, "_", severity));
    ASSERT_EQ(golden.size(), 16u * 3072);
    const double theirs = Roughness(images, [&](size_t image, size_t i) {
      return static_cast<int>(static_cast<uint8_t>(golden[image * 3072 + i]));
    });
    const auto corrupt = Corrupter(OfSeverity(name, SeverityTable::k32, severity), images[0]);
    double ours = 0;
    constexpr int kRepetitions = 16;
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
      std::vector<Image> changed;
      for (size_t image = 0; image < 16; ++image) {
        changed.push_back(corrupt(images[image], static_cast<int64_t>(image) + 16 * repetition));
      }
      ours +=
          Roughness(images, [&](size_t image,
                                size_t i) { return static_cast<int>(changed[image].pixels[i]); }) /
          kRepetitions;
    }
    EXPECT_NEAR(ours / theirs, 1, GetParam().roughness_tolerance) << "severity " << severity;
  }
}

// Smooth, with structure at every scale, and reaching 0 and 255.
Image Pattern(int height, int width, int channels) {
  Image image{height, width, channels, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        const double wave =
            std::sin(0.7 * x + c) * std::cos(0.45 * y) + std::sin(0.05 * (x + 2 * y));
        image.pixels.push_back(static_cast<uint8_t>(std::clamp(128 + 80 * wave, 0.0, 255.0)));
      }
    }
  }
  return image;
}

constexpr SeverityTable kAllTables[] = {SeverityTable::k32, SeverityTable::k64, SeverityTable::k224,
                                        SeverityTable::k299};

class EveryCorruption : public testing::TestWithParam<Expectation> {};
INSTANTIATE_TEST_SUITE_P(Corruptions, EveryCorruption, testing::ValuesIn(kExpectations), TestName);

TEST_P(EveryCorruption, TakesImagesOfAnySize) {
  SKIP_WITHOUT_PHOTOGRAPHS(GetParam().name);
  const std::string name = GetParam().name;
  for (const auto& [height, width] : {std::pair{1, 1},
                                      {1, 2},
                                      {2, 1},
                                      {1, 17},
                                      {17, 1},
                                      {2, 2},
                                      {3, 5},
                                      {31, 33},
                                      {64, 40},
                                      {375, 500}}) {
    for (int channels : {3, 1}) {
      if (channels == 1 && !GetParam().grayscale) continue;
      const Image before = Pattern(height, width, channels);
      for (SeverityTable table : kAllTables) {
        const std::vector<v1::Condition> conditions = Conditions(name, table);
        for (const v1::Condition& condition : conditions) {
          // Large images take time: all severities with the table that they get, one with others.
          const bool large = height * width > 10'000;
          if (large && table != NearestTable(height, width) && &condition != &conditions.back()) {
            continue;
          }
          SCOPED_TRACE(absl::StrCat(height, "x", width, "x", channels, ", ", condition.id()));
          const Image after = Corrupted(condition, before);
          EXPECT_EQ(after.height, height);
          EXPECT_EQ(after.width, width);
          EXPECT_EQ(after.channels, channels);
          ASSERT_EQ(after.pixels.size(), before.pixels.size());
          EXPECT_TRUE(height * width < 1000 || after.pixels != before.pixels);
        }
      }
    }
  }
}

TEST_P(EveryCorruption, DependsOnItsArgumentsOnly) {
  SKIP_WITHOUT_PHOTOGRAPHS(GetParam().name);
  const std::string name = GetParam().name;
  const Image image = Pattern(32, 32, 3);
  for (const v1::Condition& condition : Conditions(name, SeverityTable::k32)) {
    const Image first = Corrupted(condition, image, 7);
    EXPECT_EQ(Corrupted(condition, image, 7).pixels, first.pixels);
    const Image other = Corrupted(condition, image, 8);
    EXPECT_EQ(other.pixels != first.pixels, GetParam().tolerance > 0) << condition.id();
  }
}

TEST_P(EveryCorruption, IsTheSameFromManyThreads) {
  SKIP_WITHOUT_PHOTOGRAPHS(GetParam().name);
  const std::string name = GetParam().name;
  const Image image = Pattern(40, 48, 3);
  const std::vector<v1::Condition> conditions = Conditions(name, SeverityTable::k32);
  const auto corrupted = [&](size_t i) {
    return Corrupted(conditions[i % conditions.size()], image, static_cast<int64_t>(i));
  };
  std::vector<Image> expected;
  for (size_t i = 0; i < 10; ++i) expected.push_back(corrupted(i));
  std::vector<std::thread> threads;
  std::array<std::vector<Image>, 3> results;
  for (std::vector<Image>& result : results) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < 10; ++i) result.push_back(corrupted(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Image>& result : results) {
    for (size_t i = 0; i < result.size(); ++i) EXPECT_EQ(result[i].pixels, expected[i].pixels);
  }
}

// Mean and standard deviation of the elements of a corrupted uniform image, in units of 1.
std::pair<double, double> MomentsOnUniform(const std::string& name, SeverityTable table,
                                           int severity, uint8_t value) {
  Image image{200, 200, 3, std::vector<uint8_t>(120'000, value)};
  image = Corrupted(name, table, severity, std::move(image));
  double sum = 0, squares = 0;
  for (uint8_t pixel : image.pixels) {
    // A byte stands for the middle of what was truncated to it.
    const double x = (pixel + 0.5) / 255;
    sum += x;
    squares += x * x;
  }
  const double mean = sum / 120'000;
  return {mean, std::sqrt(squares / 120'000 - mean * mean)};
}

// Closed forms, for all tables: on a grey dark or bright enough that nearly nothing is clipped.
TEST(Noise, HasTheTabulatedSizeOnUniformImages) {
  for (SeverityTable table : kAllTables) {
    for (int severity = 1; severity <= 5; ++severity) {
      SCOPED_TRACE(absl::StrCat("table ", static_cast<int>(table), ", severity ", severity));
      const CorruptionContext context{table, static_cast<double>(severity)};
      if (const double c = Select(kGaussianNoise, context); c < 0.16) {
        const auto [mean, deviation] = MomentsOnUniform("gaussian_noise", table, severity, 128);
        EXPECT_NEAR(mean, 128.0 / 255, 0.003);
        EXPECT_NEAR(deviation, c, 0.01 * c);
      }
      if (const double c = Select(kSpeckleNoise, context); c < 0.3) {
        const auto [mean, deviation] = MomentsOnUniform("speckle_noise", table, severity, 128);
        EXPECT_NEAR(mean, 128.0 / 255, 0.003);
        EXPECT_NEAR(deviation, c * 128 / 255, 0.01 * c);
      }
      if (const double c = Select(kShotNoise, context); c >= 15) {
        const auto [mean, deviation] = MomentsOnUniform("shot_noise", table, severity, 102);
        EXPECT_NEAR(mean, 0.4, 0.004);
        // Counts fall on few grey levels, unevenly.
        EXPECT_NEAR(deviation, std::sqrt(0.4 / c), 0.01 * std::sqrt(0.4 / c) + 0.3 / 255);
      }
      const double share = Select(kImpulseNoise, context);
      Image image{200, 200, 3, std::vector<uint8_t>(120'000, 77)};
      image = Corrupted("impulse_noise", table, severity, std::move(image));
      const auto salt = std::count(image.pixels.begin(), image.pixels.end(), 255);
      const auto pepper = std::count(image.pixels.begin(), image.pixels.end(), 0);
      const double error = 4.5 * std::sqrt(120'000 * share / 2);
      EXPECT_NEAR(static_cast<double>(salt), 60'000 * share, error);
      EXPECT_NEAR(static_cast<double>(pepper), 60'000 * share, error);
      EXPECT_EQ(std::count(image.pixels.begin(), image.pixels.end(), 77), 120'000 - salt - pepper);
    }
  }
}

// Whatever only moves or averages pixels leaves a uniform image as it is, up to the last bit before
// truncation.
TEST(Blur, LeavesUniformImagesAlone) {
  for (const char* name : {"gaussian_blur", "defocus_blur", "glass_blur", "motion_blur",
                           "elastic_transform", "pixelate"}) {
    for (SeverityTable table : kAllTables) {
      const Image before{40, 40, 3, std::vector<uint8_t>(4800, 201)};
      const Image after = Corrupted(name, table, 3, before);
      const auto [low, high] = std::minmax_element(after.pixels.begin(), after.pixels.end());
      EXPECT_GE(*low, 199) << name;
      EXPECT_LE(*high, 201) << name;
    }
  }
}

// A light, everywhere equal layer on top of the image: fog keeps the largest value at most where it
// was.
TEST(Fog, KeepsBlackImagesBlackAndNeverExceedsTheLargestValue) {
  const Image black{33, 32, 3, std::vector<uint8_t>(33 * 32 * 3, 0)};
  EXPECT_EQ(Corrupted("fog", SeverityTable::k32, 5, black).pixels, black.pixels);
  const Image grey{33, 32, 3, std::vector<uint8_t>(33 * 32 * 3, 100)};
  const Image after = Corrupted("fog", SeverityTable::k32, 5, grey);
  EXPECT_LE(*std::max_element(after.pixels.begin(), after.pixels.end()), 100);
  EXPECT_LT(*std::min_element(after.pixels.begin(), after.pixels.end()), 60);
}

TEST(Spatter, AddsOneColorToBlackImages) {
  const Image black{224, 224, 3, std::vector<uint8_t>(224 * 224 * 3, 0)};
  // Red and green of the brightest drop: water is (175, 238, 238) times the strength, mud (63, 42,
  // 20).
  const Image water = Corrupted("spatter", SeverityTable::k224, 1, black);
  EXPECT_EQ(*std::max_element(water.pixels.begin(), water.pixels.end()), 142);
  const Image mud = Corrupted("spatter", SeverityTable::k32, 5, black);
  EXPECT_GE(*std::max_element(mud.pixels.begin(), mud.pixels.end()), 62);
  EXPECT_LE(*std::max_element(mud.pixels.begin(), mud.pixels.end()), 63);
}

// The definition, tap by tap: a square of weights over an image continued beyond its edges.
TEST(GaussianFilter, EqualsTheTwoDimensionalSumEvenWhenTheKernelIsLargerThanTheImage) {
  for (const auto& [height, width, sigma] :
       {std::tuple{1, 1, 0.8}, {1, 5, 2.0}, {6, 4, 0.3}, {7, 5, 1.1}, {5, 3, 9.0}, {4, 9, 30.0}}) {
    const Image image = Pattern(height, width, 2);
    const std::vector<double> in(image.pixels.begin(), image.pixels.end());
    for (Border border : {Border::kNearest, Border::kReflect}) {
      SCOPED_TRACE(absl::StrCat(height, "x", width, ", sigma ", sigma));
      std::vector<double> out(in.size());
      GaussianFilter(in.data(), height, width, 2, sigma, 3.0, border, out.data());
      const int radius = static_cast<int>(3 * sigma + 0.5);
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          double sum = 0, weights = 0;
          for (int dy = -radius; dy <= radius; ++dy) {
            for (int dx = -radius; dx <= radius; ++dx) {
              const double weight = std::exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
              const int row = BorderIndex(y + dy, height, border);
              const int column = BorderIndex(x + dx, width, border);
              weights += weight;
              sum += weight * in[static_cast<size_t>((row * width + column) * 2 + 1)];
            }
          }
          EXPECT_NEAR(out[static_cast<size_t>((y * width + x) * 2 + 1)], sum / weights, 1e-9);
        }
      }
    }
  }
}

TEST(BorderIndex, RepeatsOrReflectsTheEdge) {
  // scipy's documentation: nearest is a a a a | a b c d | d d d d, reflect is
  // d c b a | a b c d | d c b a.
  const std::vector<int> nearest = {0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3};
  const std::vector<int> reflect = {3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0};
  for (int i = -4; i < 8; ++i) {
    EXPECT_EQ(BorderIndex(i, 4, Border::kNearest), nearest[static_cast<size_t>(i + 4)]);
    EXPECT_EQ(BorderIndex(i, 4, Border::kReflect), reflect[static_cast<size_t>(i + 4)]);
    EXPECT_EQ(BorderIndex(i, 1, Border::kReflect), 0);
    EXPECT_EQ(BorderIndex(i + 16, 4, Border::kReflect), reflect[static_cast<size_t>(i + 4)]);
    EXPECT_EQ(BorderIndex(i - 16, 4, Border::kReflect), reflect[static_cast<size_t>(i + 4)]);
  }
}

}  // namespace
}  // namespace assay::corruptions
