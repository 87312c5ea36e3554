#include "core/models/pickle_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace assay::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string Bytes(const char* text, size_t size) { return std::string(text, size); }
template <size_t kSize>
std::string Literal(const char (&text)[kSize]) {
  return Bytes(text, kSize - 1);
}

// Written by Python 3.11: pickle.dumps(collections.OrderedDict(a=1), protocol).
TEST(PickleScanTest, NamesAreFoundInEveryProtocol) {
  const std::vector<std::string> pickles = {
      Literal("ccollections\nOrderedDict\np0\n(tRp1\nVa\np2\nI1\ns."),
      Literal("\x80\x02"
              "ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00"
              "aq\x02K\x01s."),
      Literal("\x80\x04\x95+\x00\x00\x00\x00\x00\x00\x00\x8c\x0b"
              "collections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94\x8c\x01"
              "a\x94K\x01s.")};
  for (const std::string& pickle : pickles) {
    const PickleScan scan = ScanPickle(pickle + "rest");
    EXPECT_EQ(scan.size, pickle.size());
    EXPECT_THAT(scan.globals, ElementsAre("collections.OrderedDict"));
    EXPECT_THAT(scan.strings, ElementsAre("a"));
  }
}

TEST(PickleScanTest, ModulesThatWereSaidBeforeAreRemembered) {
  // ("os", "getcwd") made a global, "os" from the memo and "system" another.
  const PickleScan scan = ScanPickle(
      Literal("\x80\x04\x8c\x02os\x94\x8c\x06getcwd\x94\x93\x94h\x00\x8c\x06system\x94\x93\x94."));
  EXPECT_THAT(scan.globals, ElementsAre("os.getcwd", "os.system"));
  EXPECT_THAT(scan.strings, IsEmpty());
}

TEST(PickleScanTest, WhatIsCutOffOrNoPickleHasNoEnd) {
  const std::string pickle = Literal(
      "\x80\x02"
      "ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00"
      "aq\x02K\x01s.");
  for (size_t size = 0; size < pickle.size(); ++size) {
    EXPECT_EQ(ScanPickle(pickle.substr(0, size)).size, 0u) << size;
  }
  EXPECT_EQ(ScanPickle(Literal("\xff\xff")).size, 0u);
}

TEST(PickleScanTest, LengthsBeyondTheEndAreNotFollowed) {
  for (const std::string& head :
       {Literal("X\xff\xff\xff\xff"), Literal("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"),
        Literal("\x8b\xff\xff\xff\x7f"), Literal("B\xff\xff\xff\xff"), Literal("C\xff")}) {
    EXPECT_EQ(ScanPickle(head + "abc.").size, 0u);
  }
  // A global of the stack without anything on it.
  EXPECT_EQ(ScanPickle(Literal("\x80\x04\x93.")).size, 4u);
}

TEST(PickleScanTest, ManyNamesTakeLimitedMemory) {
  std::string pickle;
  for (int i = 0; i < 200000; ++i) pickle += "Va\n\x94";
  EXPECT_LE(ScanPickle(pickle + ".").strings.size(), 10000u);
}

}  // namespace
}  // namespace assay::engine
