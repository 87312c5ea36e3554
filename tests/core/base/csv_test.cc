#include "core/base/csv.h"

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

absl::StatusOr<std::vector<CsvRecord>> ParseCsv(absl::string_view text) {
  std::vector<CsvRecord> records;
  ASSAY_RETURN_IF_ERROR(ReadCsv(text, /*most_fields=*/3, [&](const CsvRecord& record) {
    records.push_back(record);
    return absl::OkStatus();
  }));
  return records;
}

std::vector<std::vector<std::string>> Fields(absl::string_view text) {
  const auto records = ParseCsv(text);
  EXPECT_TRUE(records.ok()) << records.status();
  std::vector<std::vector<std::string>> fields;
  if (!records.ok()) return fields;
  for (const CsvRecord& record : *records) fields.push_back(record.fields);
  return fields;
}

// The rules and examples of RFC 4180, section 2.
TEST(CsvTest, ReadsTheExamplesOfTheStandard) {
  const auto expected =
      ElementsAre(ElementsAre("aaa", "bbb", "ccc"), ElementsAre("zzz", "yyy", "xxx"));
  EXPECT_THAT(Fields("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n"), expected);
  EXPECT_THAT(Fields("aaa,bbb,ccc\r\nzzz,yyy,xxx"), expected);
  EXPECT_THAT(Fields("aaa,bbb,ccc\nzzz,yyy,xxx\n"), expected);
  EXPECT_THAT(Fields("aaa,bbb,ccc\rzzz,yyy,xxx\r"), expected);
  EXPECT_THAT(Fields("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx"),
              ElementsAre(ElementsAre("aaa", "b\r\nbb", "ccc"), ElementsAre("zzz", "yyy", "xxx")));
  EXPECT_THAT(Fields("\"aaa\",\"b\"\"bb\",\"ccc\""),
              ElementsAre(ElementsAre("aaa", "b\"bb", "ccc")));
}

TEST(CsvTest, EmptyFieldsAndLinesAreThere) {
  EXPECT_THAT(Fields(""), SizeIs(0));
  EXPECT_THAT(Fields("a,,\n,b,\n"),
              ElementsAre(ElementsAre("a", "", ""), ElementsAre("", "b", "")));
  // Of one column an empty line is a value, and the last line end closes the last record.
  EXPECT_THAT(Fields("h\n\nx\n\n"),
              ElementsAre(ElementsAre("h"), ElementsAre(""), ElementsAre("x"), ElementsAre("")));
  EXPECT_THAT(Fields("\"\""), ElementsAre(ElementsAre("")));
  EXPECT_THAT(Fields(" a , b"), ElementsAre(ElementsAre(" a ", " b")));
}

TEST(CsvTest, RecordsKnowTheirLine) {
  const auto records = ParseCsv("a\n\"b\nb\"\nc\n");
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_THAT(*records, SizeIs(3));
  EXPECT_EQ((*records)[1].line, 2);
  EXPECT_EQ((*records)[2].line, 4);
}

TEST(CsvTest, QuotesThatAreWrongAreToldWithTheirLine) {
  const auto message = [](absl::string_view text) {
    const auto records = ParseCsv(text);
    EXPECT_FALSE(records.ok()) << text;
    EXPECT_EQ(ReasonOf(records.status()), Reason::kInvalidArgument);
    return std::string(records.status().message());
  };
  EXPECT_THAT(message("a\nb\"c\n"), HasSubstr("line 2: a quote inside a field"));
  EXPECT_THAT(message("a\n\"b\"c\n"), HasSubstr("line 2: text behind a closing quote"));
  EXPECT_THAT(message("a\n\"b\nc\nd"), HasSubstr("line 2: a quote that is opened here"));
  EXPECT_THAT(message("a\n,,,\n"), HasSubstr("line 2: more than 3 values"));
}

TEST(CsvTest, AnErrorOfTheVisitorEndsTheReading) {
  int records = 0;
  const absl::Status status = ReadCsv("a\nb\nc\"", 1, [&](const CsvRecord& record) {
    ++records;
    return record.fields[0] == "b" ? absl::NotFoundError("b") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(records, 2);
}

TEST(CsvTest, WhatIsWrittenIsReadAgain) {
  for (const char* text : {"", "a", "a,b", "a\"b", "\"", "a\nb", "a\r\nb", " a ", "'", ";"}) {
    EXPECT_THAT(Fields(absl::StrCat(CsvField(text), ",x\n")), ElementsAre(ElementsAre(text, "x")));
  }
}

}  // namespace
}  // namespace assay
