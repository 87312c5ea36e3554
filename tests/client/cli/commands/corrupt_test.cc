// `assay corrupt`, run inside this process.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/base/session.h"
#include "client/cli/command_line.h"
#include "client/data/npy_writer.h"
#include "client/data/open_dataset.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/corruptions/plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Corrupt : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(::testing::TempDir()) / absl::StrCat("corrupt_command_", getpid());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    std::string bytes;
    for (int i = 0; i < kImages; ++i) {
      bytes.push_back(static_cast<char>(i % 10));
      for (int k = 0; k < 3072; ++k) bytes.push_back(static_cast<char>((k * 7 + i * 31) % 256));
    }
    std::ofstream(directory_ / "batch.bin", std::ios::binary) << bytes;
  }
  void TearDown() override { fs::remove_all(directory_); }

  absl::Status Run(std::vector<std::string> words) {
    words.insert(words.begin(), {"assay", "-q", "corrupt", "--out", Out().string()});
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    auto parsed = ParseCommandLine(static_cast<int>(argv.size()), argv.data(), "");
    if (const auto* exit = std::get_if<Exit>(&parsed)) {
      return absl::InvalidArgumentError(exit->err);
    }
    client::Interrupt interrupt;
    const auto& call = std::get<Call>(parsed);
    Session session(call.options, interrupt);
    return call.run(session);
  }

  std::string Data() const { return (directory_ / "batch.bin").string(); }
  fs::path Out() const { return directory_ / "out"; }

  static constexpr int kImages = 300;  // more than one block
  fs::path directory_;
};

TEST_F(Corrupt, WritesTheBytesThatAnEvaluationShowsTheModel) {
  const absl::Status status =
      Run({"-d", Data(), "-c", "corruption/gaussian_noise:severity=1+3", "--seed", "5"});
  ASSERT_TRUE(status.ok()) << status;
  client::OpenOptions original, changed;
  original.paths = {Data()};
  changed.paths = {(Out() / "gaussian_noise_3.npy").string()};
  const auto before = client::OpenDataset(original);
  const auto after = client::OpenDataset(changed);
  ASSERT_TRUE(after.ok()) << after.status();
  ASSERT_EQ((*after)->size(), kImages);
  std::vector<int32_t> labels, labels_after;
  std::string pixels, pixels_after;
  ASSERT_TRUE((*before)->Read(0, kImages, &labels, &pixels).ok());
  ASSERT_TRUE((*after)->Read(0, kImages, &labels_after, &pixels_after).ok());
  EXPECT_EQ(labels, labels_after);

  const auto condition = ParseConditions({"corruption/gaussian_noise:severity=3"});
  const auto plan =
      corruptions::CorruptionPlan::Make(condition->at(0), (*before)->shape(), nullptr);
  const RandomKey key(5, "corruption/gaussian_noise/3");
  for (const int64_t sample : {0, 1, 299}) {
    std::vector<float> planes(3072);
    for (size_t k = 0; k < 3072; ++k) {
      planes[k] =
          static_cast<float>(static_cast<uint8_t>(pixels[static_cast<size_t>(sample) * 3072 + k])) /
          255.0F;
    }
    corruptions::Image image = corruptions::ImageFromPlanes(planes.data(), (*before)->shape());
    plan->Apply(key, sample, image);
    corruptions::ImageToPlanes(image, planes.data());
    for (size_t k = 0; k < 3072; ++k) {
      const auto byte = static_cast<uint8_t>(pixels_after[static_cast<size_t>(sample) * 3072 + k]);
      ASSERT_EQ(static_cast<float>(byte) / 255.0F, planes[k]) << sample << ": " << k;
    }
  }
  EXPECT_TRUE(fs::exists(Out() / "gaussian_noise_1.npy"));
  EXPECT_FALSE(fs::exists(Out() / "gaussian_noise_2.npy"));
}

TEST_F(Corrupt, WritesPngFilesAndAContactSheet) {
  ASSERT_TRUE(
      Run({"-d", Data(), "-c", "corruption/fog:severity=1-2", "--png", "--limit", "3"}).ok());
  client::OpenOptions folder;
  folder.paths = {Out().string()};
  // The PNG files and the array hold the same.
  client::OpenOptions array;
  array.paths = {(Out() / "fog_2.npy").string()};
  const auto images = client::OpenDataset(array);
  const auto files = client::OpenDataset(folder);
  ASSERT_TRUE(images.ok() && files.ok()) << images.status() << files.status();
  ASSERT_EQ((*files)->size(), 6);  // two severities of three
  std::vector<int32_t> labels;
  std::string from_array, from_files;
  ASSERT_TRUE((*images)->Read(0, 3, &labels, &from_array).ok());
  ASSERT_TRUE((*files)->Read(3, 3, &labels, &from_files).ok());
  EXPECT_EQ(from_array, from_files);
  // Width and height of the sheet, big-endian, after the header: three columns, three rows.
  const std::string sheet = Read(Out() / "fog_contact_sheet.png");
  ASSERT_GT(sheet.size(), 24u);
  EXPECT_EQ(static_cast<uint8_t>(sheet[19]), 3 * 34 - 2);
  EXPECT_EQ(static_cast<uint8_t>(sheet[23]), 3 * 34 - 2);
}

TEST_F(Corrupt, TakesGrayscaleImages) {
  const std::string path = (directory_ / "gray.npy").string();
  {
    const auto writer = client::NpyWriter::Create(path, client::NpyWriter::Type::kUint8, {28, 28});
    const auto labels = client::NpyWriter::Create((directory_ / "labels.npy").string(),
                                                  client::NpyWriter::Type::kInt64, {});
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE((*writer)->Append(std::string(28 * 28, static_cast<char>(40 * i))).ok());
      ASSERT_TRUE((*labels)->Append(std::string(8, '\0')).ok());
    }
    ASSERT_TRUE((*writer)->Finish().ok() && (*labels)->Finish().ok());
  }
  ASSERT_TRUE(Run({"-d", path, "-c", "corruption/brightness:severity=3", "--png"}).ok());
  client::OpenOptions options;
  options.paths = {(Out() / "brightness_3.npy").string()};
  const auto after = client::OpenDataset(options);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ((*after)->shape().channels(), 1);
  std::vector<int32_t> labels;
  std::string pixels;
  ASSERT_TRUE((*after)->Read(1, 1, &labels, &pixels).ok());
  EXPECT_EQ(static_cast<uint8_t>(pixels[0]), static_cast<uint8_t>(40 + 0.15 * 255));
  EXPECT_THAT(std::string(Run({"-d", path, "-c", "corruption/snow"}).message()),
              HasSubstr("needs RGB images"));
}

TEST_F(Corrupt, RefusesBeforeItWritesAnything) {
  for (const auto& [condition, text] :
       {std::pair<const char*, const char*>{"clean", "no corruption"},
        {"attack/pgd", "is no corruption"},
        {"corruption/fgo", "did you mean"},
        {"corruption/frost", "--frost-directory"}}) {
    const absl::Status status = Run({"-d", Data(), "-c", condition});
    EXPECT_THAT(std::string(status.message()), HasSubstr(text)) << condition;
    EXPECT_FALSE(fs::exists(Out() / "labels.npy"));
  }
  EXPECT_FALSE(
      Run({"-d", Data(), "-c", "corruption/frost", "--frost-directory", directory_.string()}).ok());
  // A pipe is not waited for.
  ASSERT_EQ(mkfifo((directory_ / "frost1.png").c_str(), 0600), 0);
  const absl::Status pipe =
      Run({"-d", Data(), "-c", "corruption/frost", "--frost-directory", directory_.string()});
  EXPECT_THAT(std::string(pipe.message()), HasSubstr("cannot read"));
  EXPECT_FALSE(Run({"-d", (directory_ / "nothing.bin").string(), "-c", "corruption/fog"}).ok());
}

}  // namespace
}  // namespace assay::cli
