#include "client/render/csv.h"

#include "gtest/gtest.h"

namespace assay::render {
namespace {

TEST(CsvTest, TextIsQuotedWhereItMustBe) {
  EXPECT_EQ(CsvRow().Add("plain").Add("a,b").Add("say \"x\"").Add("two\nlines").Line(),
            "plain,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\n");
}

TEST(CsvTest, NumbersKeepEveryDigit) {
  EXPECT_EQ(CsvRow().Add(int64_t{9007199254740993}).Add(0.1).Add(true).AddEmpty(2).Add(-1).Line(),
            "9007199254740993,0.1,1,,,-1\n");
}

}  // namespace
}  // namespace assay::render
