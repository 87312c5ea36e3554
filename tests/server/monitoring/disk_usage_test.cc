#include "server/monitoring/disk_usage.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace assay::monitoring {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

class DiskUsageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/assay-disk-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    fs::create_directories(root_ / "blobs/ab");
  }
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& name, size_t bytes) const {
    std::ofstream(root_ / name) << std::string(bytes, 'x');
  }
  // Whether the blobs come to have so many bytes before a generous deadline.
  static bool BlobsCome(const DataDirectoryUsage& usage, int64_t bytes) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (usage.Read().blob_bytes != bytes) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
  }
  fs::path root_;
};

TEST_F(DiskUsageTest, FilesAreCountedByTheirLengthsHoweverDeep) {
  Write("blobs/one", 1000);
  Write("blobs/ab/two", 234);
  EXPECT_EQ(BytesBelow((root_ / "blobs").string()), 1234);
  EXPECT_EQ(BytesBelow((root_ / "nothing").string()), 0);
}

TEST_F(DiskUsageTest, BlobsDatabaseAndFileSystemAreTold) {
  Write("blobs/ab/one", 1000);
  Write("assay.db", 500);
  Write("assay.db-wal", 70);
  Write("something else", 10'000);
  const DataDirectoryUsage usage(root_.string());
  ASSERT_TRUE(BlobsCome(usage, 1000));
  const DiskUsage read = usage.Read();
  EXPECT_EQ(read.database_bytes, 570);
  EXPECT_GT(read.size_bytes, 0);
  EXPECT_GE(read.free_bytes, 0);
  EXPECT_LE(read.free_bytes, read.size_bytes);
  const auto space = fs::space(root_);
  EXPECT_EQ(read.size_bytes, static_cast<int64_t>(space.capacity));
}

TEST_F(DiskUsageTest, BlobsAreLookedAtAgain) {
  const DataDirectoryUsage usage(root_.string(), milliseconds(1));
  ASSERT_TRUE(BlobsCome(usage, 0));
  Write("blobs/ab/one", 1000);
  EXPECT_TRUE(BlobsCome(usage, 1000));
  fs::remove(root_ / "blobs/ab/one");
  EXPECT_TRUE(BlobsCome(usage, 0));
}

TEST_F(DiskUsageTest, ADirectoryThatIsNotThereHasNoFileSystem) {
  const DataDirectoryUsage usage((root_ / "nothing").string());
  EXPECT_EQ(usage.Read().size_bytes, std::nullopt);
  EXPECT_EQ(usage.Read().database_bytes, 0);
}

}  // namespace
}  // namespace assay::monitoring
