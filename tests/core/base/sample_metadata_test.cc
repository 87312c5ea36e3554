#include "core/base/sample_metadata.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/manifest.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What each sample has; empty: missing.
std::vector<std::string> Texts(const MetadataColumn& column) {
  std::vector<std::string> texts;
  for (const int32_t value : column.value_of) {
    texts.push_back(value < 0 ? "" : column.values[static_cast<size_t>(value)]);
  }
  return texts;
}

MetadataTable Good(absl::string_view csv) {
  const auto table = ReadMetadata(csv);
  EXPECT_TRUE(table.ok()) << table.status();
  return table.ok() ? *table : MetadataTable();
}

std::string Bad(absl::string_view csv) {
  const auto table = ReadMetadata(csv);
  EXPECT_FALSE(table.ok()) << csv;
  EXPECT_EQ(ReasonOf(table.status()), Reason::kInvalidArgument);
  return std::string(table.status().message());
}

// The declaration of a table and its canonical CSV.
v1::SampleMetadata Declared(const MetadataTable& table) {
  return DeclareMetadata(table, MetadataCsv(table));
}

TEST(SampleMetadataTest, ColumnsAreNumbersWhereAllValuesAre) {
  const MetadataTable table =
      Good("age,site,note,mixed\r\n18,north,,1\r\n 2.5e1 ,\"a,b\",,x\r\n,,,\r\n");
  EXPECT_EQ(table.samples, 3);
  ASSERT_THAT(table.columns, SizeIs(4));
  EXPECT_EQ(table.columns[0].name, "age");
  ASSERT_TRUE(table.columns[0].numeric);
  EXPECT_EQ(table.columns[0].numbers[0], 18);
  EXPECT_EQ(table.columns[0].numbers[1], 25);
  EXPECT_TRUE(std::isnan(table.columns[0].numbers[2]));
  EXPECT_FALSE(table.columns[1].numeric);
  EXPECT_THAT(Texts(table.columns[1]), ElementsAre("north", "a,b", ""));
  // Without any value it is nothing in particular.
  EXPECT_FALSE(table.columns[2].numeric);
  EXPECT_THAT(Texts(table.columns[3]), ElementsAre("1", "x", ""));
}

TEST(SampleMetadataTest, WhatIsWrongIsToldWithItsPlace) {
  EXPECT_THAT(Bad(""), HasSubstr("is empty"));
  EXPECT_THAT(Bad("a,a\n1,2\n"), HasSubstr("columns 1 and 2 are both called 'a'"));
  EXPECT_THAT(Bad("a, a \n1,2\n"), HasSubstr("both called 'a'"));
  EXPECT_THAT(Bad("a,,c\n1,2,3\n"), HasSubstr("column 2 has no name"));
  EXPECT_THAT(Bad("contrast\n1\n"), HasSubstr("is called 'contrast', as a column that every"));
  EXPECT_THAT(Bad("a,b\n1,2\n3\n"), HasSubstr("line 3 has 1 value; the header has 2 columns"));
  EXPECT_THAT(Bad("a,b\n1,2\n\n1,2\n"), HasSubstr("line 3 is empty; the header has 2 columns"));
  EXPECT_THAT(Bad("a,b\n1,2,3\n"), HasSubstr("line 2 has 3 values"));
  for (const char* text : {"nan", "NaN", "inf", "-Infinity"}) {
    EXPECT_THAT(Bad(absl::StrCat("a,b\n1,2\n3,", text, "\n")),
                AllOf(HasSubstr("line 3, column 'b'"), HasSubstr(text)));
  }
  EXPECT_THAT(Bad("a\n(missing)\n"), HasSubstr("leave the cell empty"));
  EXPECT_THAT(Bad(absl::StrCat("a\n", std::string(201, 'x'))), HasSubstr("201 bytes; at most 200"));
  std::string wide = "a0";
  for (int i = 1; i <= 32; ++i) absl::StrAppend(&wide, ",a", i);
  EXPECT_THAT(Bad(wide), HasSubstr("has more than 32 columns"));
}

TEST(SampleMetadataTest, TooManyTextsAreToldWithTheLimit) {
  std::string many = "a\n";
  for (int i = 0; i < 100; ++i) absl::StrAppend(&many, "t", i, "\n");
  // A missing value is none of them.
  EXPECT_EQ(Good(many + "\n").samples, 101);
  EXPECT_THAT(Bad(many + "\nlast\n"),
              AllOf(HasSubstr("line 103, column 'a'"), HasSubstr("more than 100 distinct texts")));
  // Numbers may be as many as they like, and one word among them is named.
  std::string numbers = "a\n";
  for (int i = 0; i < 200; ++i) absl::StrAppend(&numbers, i, "\n");
  EXPECT_TRUE(Good(numbers).columns[0].numeric);
  EXPECT_THAT(Bad(absl::StrCat("a\nn/a\n", numbers.substr(2))), HasSubstr("because of 'n/a'"));
}

TEST(SampleMetadataTest, TheCanonicalFormDoesNotDependOnHowItWasWritten) {
  const char* const canonical = "age,site\n18,\"a,b\"\n,c\n0.1,\n";
  for (const char* text : {canonical, "age,site\r\n18.0,\"a,b\"\r\n,c\r\n1e-1,",
                           " age ,\"site\"\n+18,\"a,b\"\n , c\n.1,\n"}) {
    EXPECT_EQ(MetadataCsv(Good(text)), canonical) << text;
  }
  // One column whose last value is missing has as many rows when it is read again.
  EXPECT_EQ(Good(MetadataCsv(Good("a\n1\n\n"))).samples, 2);
  EXPECT_EQ(MetadataCsv(Good("a\n-0\n")), "a\n0\n");
}

TEST(SampleMetadataTest, WhatIsDeclaredMustBeWhatIsThere) {
  MetadataTable table = Good("age,site\n18,x\n40,y\n");
  ASSERT_TRUE(SetEdges({20, 30}, &table.columns[0]).ok());
  v1::SampleMetadata declared = Declared(table);
  EXPECT_THAT(CheckMetadata(declared, "m"), IsEmpty());
  const std::string csv = MetadataCsv(table);
  const auto read = ReadDeclaredMetadata(declared, csv);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->columns[0].edges, ElementsAre(20, 30));

  const auto refused = [&](const v1::SampleMetadata& other) {
    const auto wrong = ReadDeclaredMetadata(other, csv);
    EXPECT_EQ(ReasonOf(wrong.status()), Reason::kInvalidDataset);
    return std::string(wrong.status().message());
  };
  v1::SampleMetadata other = declared;
  other.mutable_columns(1)->set_numeric(true);
  EXPECT_THAT(refused(other), HasSubstr("'x' is no number"));
  other = declared;
  other.mutable_columns(1)->set_name("place");
  EXPECT_THAT(refused(other), HasSubstr("not what was declared"));
  other = declared;
  other.mutable_columns()->RemoveLast();
  EXPECT_THAT(refused(other), HasSubstr("not what was declared"));
  other = declared;
  other.add_columns()->set_name("more");
  EXPECT_THAT(refused(other), HasSubstr("has 2 columns; declared are 3"));
  // Numbers as texts are fine: that is what users ask for with =values.
  other = declared;
  other.mutable_columns(0)->set_numeric(false);
  EXPECT_TRUE(ReadDeclaredMetadata(other, csv).ok());
}

TEST(SampleMetadataTest, DeclarationsAreCheckedByThemselves) {
  const auto fields = [](const v1::SampleMetadata& declared) {
    std::vector<std::string> names;
    for (const FieldViolation& violation : CheckMetadata(declared, "m")) {
      names.push_back(violation.field);
    }
    return names;
  };
  v1::SampleMetadata declared;
  EXPECT_THAT(fields(declared), ElementsAre("m.columns"));
  declared = Declared(Good("age,site\n1,x\n2,y\n"));
  declared.mutable_columns(0)->add_edges(3);
  declared.mutable_columns(0)->add_edges(3);
  declared.mutable_columns(1)->add_edges(3);
  declared.set_digest("x");
  declared.set_size_bytes(0);
  EXPECT_THAT(fields(declared),
              ElementsAre("m.columns[0].edges", "m.columns[1].edges", "m.digest", "m.size_bytes"));
  declared = Declared(Good("age,site\n1,x\n2,y\n"));
  declared.mutable_columns(1)->set_name("age");
  EXPECT_THAT(fields(declared), ElementsAre("m.columns[1].name"));
  declared.mutable_columns(1)->set_name("brightness");
  EXPECT_THAT(fields(declared), ElementsAre("m.columns[1].name"));
}

TEST(SampleMetadataTest, EdgesAreForNumbersAndAscend) {
  MetadataTable table = Good("age,site\n18,x\n40,y\n");
  EXPECT_THAT(SetEdges({1}, &table.columns[1]).message(), HasSubstr("'site' has texts"));
  EXPECT_THAT(SetEdges({2, 1}, &table.columns[0]).message(), HasSubstr("1 follows 2"));
  EXPECT_THAT(SetEdges({}, &table.columns[0]).message(), HasSubstr("at least one edge"));
  EXPECT_THAT(SetEdges({NAN}, &table.columns[0]).message(), HasSubstr("finite"));
  EXPECT_TRUE(NumbersAsValues(&table.columns[0]).ok());
  EXPECT_FALSE(table.columns[0].numeric);
  EXPECT_THAT(Texts(table.columns[0]), ElementsAre("18", "40"));
}

TEST(SampleMetadataTest, AManifestWithoutMetadataKeepsItsDigest) {
  v1::DatasetManifest manifest;
  manifest.mutable_shape()->set_channels(1);
  manifest.mutable_shape()->set_height(2);
  manifest.mutable_shape()->set_width(3);
  manifest.set_pixel_type(v1::UINT8);
  manifest.add_class_names("a");
  manifest.add_chunks()->set_digest(std::string(64, 'a'));
  manifest.mutable_chunks(0)->set_samples(5);
  // The canonical text since the first version, through sha256sum.
  EXPECT_EQ(ManifestDigest(manifest),
            Sha256Hex(absl::StrCat("assay-dataset-v1\nshape 1 2 3\ntype UINT8\nclasses [\"a\"]\n"
                                   "chunk ",
                                   std::string(64, 'a'), " 5\n")));
  const std::string without = ManifestDigest(manifest);
  *manifest.mutable_metadata() = Declared(Good("age\n1\n2\n"));
  const std::string with = ManifestDigest(manifest);
  EXPECT_NE(with, without);
  EXPECT_EQ(SamplesDigest(manifest), without);
  // How numbers are cut is part of it.
  manifest.mutable_metadata()->mutable_columns(0)->add_edges(1.5);
  EXPECT_NE(ManifestDigest(manifest), with);
  EXPECT_EQ(SamplesDigest(manifest), without);
}

}  // namespace
}  // namespace assay
