#include "server/scheduler/engine_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduler/fake_engine_models.h"

namespace assay::scheduler {
namespace {

using ::testing::HasSubstr;

class EngineLogTest : public ::testing::Test {
 protected:
  // A log with room for `head` bytes and the last `tail`.
  void Start(int64_t head, size_t tail) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    sink_ = ends[1];
    log_ = std::make_unique<EngineLog>(ends[0], path(), head, tail);
  }
  void Print(const std::string& text) {
    ASSERT_EQ(write(sink_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // The file once the engine has ended.
  std::string End() {
    close(sink_);
    log_.reset();
    return FileText(path());
  }
  std::string path() const { return directory_.File("log"); }

  store::TempDirectory directory_;
  int sink_ = -1;
  std::unique_ptr<EngineLog> log_;
};

TEST_F(EngineLogTest, WhatIsPrintedIsThereWhileTheEngineLives) {
  Start(1000, 100);
  Print("a line\n");
  EXPECT_TRUE(Eventually([&] { return FileText(path()) == "a line\n"; }));
  Print("another");
  EXPECT_EQ(End(), "a line\nanother");
}

TEST_F(EngineLogTest, AFloodKeepsItsBeginningAndItsEndAndTellsWhatIsMissing) {
  Start(10'000, 1024);
  std::string flood;
  for (int i = 0; i < 20'000; ++i) flood += absl::StrCat("line ", i, "\n");
  for (size_t at = 0; at < flood.size(); at += 5000) Print(flood.substr(at, 5000));
  const std::string text = End();
  EXPECT_EQ(text.substr(0, 10'000), flood.substr(0, 10'000));
  EXPECT_THAT(text, HasSubstr("the last 1 KiB are written when the engine ends"));
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("[assayd: ", flood.size() - 10'000 - 1024, " bytes dropped]\n",
                                     flood.substr(flood.size() - 1024))));
  EXPECT_LT(text.size(), 12'000u);
}

TEST_F(EngineLogTest, WhatJustFitsIsComplete) {
  Start(10, 5);
  Print("0123456789abcd");
  const std::string text = End();
  EXPECT_EQ(text.substr(0, 10), "0123456789");
  EXPECT_EQ(text.substr(text.size() - 5), "\nabcd");
  EXPECT_EQ(text.find("dropped"), std::string::npos);
}

TEST_F(EngineLogTest, ADescendantThatKeepsThePipeOpenHoldsNothingUp) {
  Start(1000, 100);
  const int kept = dup(sink_);
  Print("end");
  EXPECT_EQ(End(), "end");
  close(kept);
}

TEST_F(EngineLogTest, WithoutAFileTheEngineIsNotHeldUp) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EngineLog log(ends[0], directory_.File("no/such/directory"));
  const std::string much(1 << 20, 'x');  // more than a pipe holds
  EXPECT_EQ(write(ends[1], much.data(), much.size()), static_cast<ssize_t>(much.size()));
  close(ends[1]);
}

}  // namespace
}  // namespace assay::scheduler
