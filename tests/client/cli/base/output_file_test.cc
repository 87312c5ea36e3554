#include "client/cli/base/output_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace assay::cli {
namespace {
namespace fs = std::filesystem;

class OutputFileTest : public ::testing::Test {
 protected:
  OutputFileTest() { fs::create_directories(directory_); }
  ~OutputFileTest() override { fs::remove_all(directory_); }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  size_t Files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/output_file_", getpid());
  const std::string path_ = directory_ + "/file";
};

TEST_F(OutputFileTest, FileAppearsWholeOrNotAtAll) {
  std::ofstream(path_) << "old";
  {
    auto file = OutputFile::Open(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Write("half of the n").ok());
  }
  EXPECT_EQ(Read(path_), "old");
  EXPECT_EQ(Files(), 1u);
  ASSERT_TRUE(WriteOutput(path_, "new").ok());
  EXPECT_EQ(Read(path_), "new");
  EXPECT_EQ(Files(), 1u);
}

TEST_F(OutputFileTest, DevicesAreWrittenInPlace) {
  EXPECT_TRUE(WriteOutput("/dev/null", "text").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  if (fs::exists("/dev/full")) {
    EXPECT_FALSE(WriteOutput("/dev/full", "text").ok());
  }
}

TEST_F(OutputFileTest, ImpossiblePlacesAreKnownInAdvance) {
  EXPECT_TRUE(CheckWritable("--report", path_).ok());
  EXPECT_TRUE(CheckWritable("--report", "").ok());
  EXPECT_EQ(CheckWritable("--report", directory_).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckWritable("--report", directory_ + "/no/file").code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(OutputFileTest, ADirectoryMayHaveToBeMade) {
  EXPECT_TRUE(CheckWritableDirectory("--vectors", "").ok());
  EXPECT_TRUE(CheckWritableDirectory("--vectors", directory_).ok());
  EXPECT_TRUE(CheckWritableDirectory("--vectors", directory_ + "/a/b/c").ok());
  EXPECT_FALSE(fs::exists(directory_ + "/a"));
  EXPECT_TRUE(CheckWritableDirectory("--vectors", "made/here").ok());
  std::ofstream(path_) << "a file";
  const absl::Status file = CheckWritableDirectory("--vectors", path_ + "/below");
  EXPECT_EQ(file.code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace assay::cli
