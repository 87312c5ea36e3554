#include "server/monitoring/system_usage.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace assay::monitoring {
namespace {

namespace fs = std::filesystem;

TEST(SystemUsageTest, AProcessHasTheMemoryAndTheSecondsThatItUses) {
  const auto before = ReadProcess(getpid());
  ASSERT_TRUE(before.has_value());
  // Of the kernel, not of an allocator that may have kept some.
  constexpr size_t kBytes = 64 << 20;
  void* const memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 'x', kBytes);
  volatile unsigned busy = 0;
  auto after = ReadProcess(getpid());
  while (after->cpu_seconds < before->cpu_seconds + 0.1) {
    for (int i = 0; i < 1'000'000; ++i) busy = busy + 1;
    after = ReadProcess(getpid());
  }
  EXPECT_GE(after->resident_bytes, before->resident_bytes + (60 << 20));
  munmap(memory, kBytes);
}

TEST(SystemUsageTest, AProcessThatEndedHasNoMemoryAndOneThatNeverWasIsNone) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const auto ended = ReadProcess(child);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->resident_bytes, 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(ReadProcess(child).has_value());
}

class MemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/assay-memory-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    Write("proc/meminfo",
          "MemTotal:       1000 kB\nMemFree:         1 kB\nMemAvailable:    400 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  void WriteGroup(const std::string& path, const std::string& max, const std::string& current) {
    Write("sys/fs/cgroup" + path + "/memory.max", max + "\n");
    Write("sys/fs/cgroup" + path + "/memory.current", current + "\n");
    Write("sys/fs/cgroup" + path + "/memory.stat", "anon 7\ninactive_file 1000\nactive_file 3\n");
  }
  fs::path root_;
};

TEST_F(MemoryTest, WithoutALimitItIsTheMachines) {
  auto memory = ReadMemory(root_.string());
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->size_bytes, 1000 * 1024);
  EXPECT_EQ(memory->used_bytes, 600 * 1024);
  Write("proc/self/cgroup", "0::/user/assay\n");
  WriteGroup("/user/assay", "max", "50000");
  memory = ReadMemory(root_.string());
  EXPECT_EQ(memory->size_bytes, 1000 * 1024);
  EXPECT_EQ(memory->used_bytes, 600 * 1024);
}

TEST_F(MemoryTest, TheSmallestLimitAroundTheProcessCountsWithoutCaches) {
  Write("proc/self/cgroup", "12:pids:/elsewhere\n0::/user/assay\n");
  WriteGroup("/user/assay", "500000", "50000");
  WriteGroup("/user", "300000", "200000");
  const auto memory = ReadMemory(root_.string());
  EXPECT_EQ(memory->size_bytes, 300000);
  EXPECT_EQ(memory->used_bytes, 199000);
}

TEST_F(MemoryTest, InAContainerTheLimitIsThatOfTheRoot) {
  Write("proc/self/cgroup", "0::/\n");
  WriteGroup("", "300000", "500");
  const auto memory = ReadMemory(root_.string());
  EXPECT_EQ(memory->size_bytes, 300000);
  EXPECT_EQ(memory->used_bytes, 0) << "never negative";
}

TEST_F(MemoryTest, WithoutProcNothingIsSaid) {
  EXPECT_FALSE(ReadMemory((root_ / "nothing").string()).has_value());
}

TEST(SystemUsageTest, ThisMachineHasMemory) {
  const auto memory = ReadMemory();
  ASSERT_TRUE(memory.has_value());
  EXPECT_GT(memory->used_bytes, 0);
  EXPECT_GE(memory->size_bytes, memory->used_bytes);
}

}  // namespace
}  // namespace assay::monitoring
