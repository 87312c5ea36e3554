#include "client/data/metadata_file.h"

#include <string>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/client/data/test_files.h"

namespace assay::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MetadataFileTest : public ::testing::Test {
 protected:
  std::string Refused(const std::string& bytes, int64_t samples = 2) {
    const auto table = ReadMetadataFile(directory_.Write("m.csv", bytes), samples, 0);
    EXPECT_EQ(ReasonOf(table.status()), Reason::kUnreadableInput);
    EXPECT_THAT(std::string(table.status().message()), HasSubstr("m.csv"));
    return std::string(table.status().message());
  }
  MetadataTable Table() {
    const auto table =
        ReadMetadataFile(directory_.Write("m.csv", "age,a=b\n18,1\n30,2\n65,3\n"), 3, 0);
    EXPECT_TRUE(table.ok()) << table.status();
    return table.ok() ? *table : MetadataTable();
  }
  std::string EdgesRefused(const std::vector<std::string>& edges) {
    MetadataTable table = Table();
    const absl::Status status = ApplyEdges(edges, &table);
    EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("--metadata-edges"));
    return std::string(status.message());
  }

  const TempDir directory_;
};

TEST_F(MetadataFileTest, ReadsWhatSpreadsheetsWrite) {
  const std::string path =
      directory_.Write("m.csv",
                       "\xef\xbb\xbf"
                       "age,\"site\"\r\n18,\"M\xc3\xbcnchen, Ost\"\r\n19,b\r\n");
  const auto table = ReadMetadataFile(path, 2, 0);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->columns[0].name, "age");
  EXPECT_THAT(table->columns[1].values, ElementsAre("M\xc3\xbcnchen, Ost", "b"));
}

TEST_F(MetadataFileTest, AnotherLengthIsToldWithBothNumbers) {
  EXPECT_THAT(Refused("a\n1\n2\n3\n"),
              AllOf(HasSubstr("has 3 rows"), HasSubstr("there are 2 samples")));
  EXPECT_THAT(Refused("a\n1\n"), HasSubstr("has 1 rows"));
}

TEST_F(MetadataFileTest, WhatIsWrongInsideIsToldWithTheLine) {
  EXPECT_THAT(Refused("a,b\n1,2\n3\n"), HasSubstr("line 3"));
  EXPECT_THAT(Refused("a\n1\nnan\n"), HasSubstr("line 3, column 'a'"));
  EXPECT_THAT(Refused("\xff\xfe"
                      "a\n"),
              HasSubstr("UTF-16"));
}

TEST_F(MetadataFileTest, TheFirstRowsAreKeptAfterAllWereChecked) {
  const std::string path = directory_.Write("m.csv", "a\n1\n2\n3\n");
  const auto table = ReadMetadataFile(path, 3, 2);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->samples, 2);
  EXPECT_THAT(table->columns[0].numbers, ElementsAre(1, 2));
  EXPECT_FALSE(ReadMetadataFile(path, 2, 2).ok());
  EXPECT_FALSE(ReadMetadataFile(directory_.Write("n.csv", "a\n1\n2\ninf\n"), 3, 2).ok());
}

TEST_F(MetadataFileTest, EdgesAreWrittenAfterTheColumn) {
  MetadataTable table = Table();
  ASSERT_TRUE(ApplyEdges({"age=18,40.5", "a=b=values"}, &table).ok());
  EXPECT_THAT(table.columns[0].edges, ElementsAre(18, 40.5));
  EXPECT_THAT(table.columns[1].values, ElementsAre("1", "2", "3"));
}

TEST_F(MetadataFileTest, EdgesThatAreWrongAreTold) {
  EXPECT_THAT(EdgesRefused({"agee=1"}), HasSubstr("did you mean 'age'?"));
  EXPECT_THAT(EdgesRefused({"age"}), HasSubstr("must be COLUMN=EDGE"));
  EXPECT_THAT(EdgesRefused({"age=1,x"}), HasSubstr("'x' is no number"));
  EXPECT_THAT(EdgesRefused({"age="}), HasSubstr("'' is no number"));
  EXPECT_THAT(EdgesRefused({"age=2,1"}), HasSubstr("edges must ascend"));
  EXPECT_THAT(EdgesRefused({"age=nan"}), HasSubstr("finite"));
  EXPECT_THAT(EdgesRefused({"age=1", "age=2"}), HasSubstr("cut twice"));
}

}  // namespace
}  // namespace assay::client
