#include "core/models/zip_archive.h"

#include <string>

#include "gmock/gmock.h"
#include "tests/server/engine/import/archives.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ZipArchive, GivesItsRecords) {
  const TemporaryFile file(ZipOf({{"a", "first"}, {"b/c", std::string("\0x", 2)}, {"e", ""}}));
  auto archive = ZipArchive::Open(file.path());
  ASSERT_TRUE(archive.ok()) << archive.status();
  EXPECT_THAT(archive->names(), ElementsAre("a", "b/c", "e"));
  EXPECT_TRUE(archive->Has("b/c"));
  EXPECT_FALSE(archive->Has("b"));
  EXPECT_EQ(archive->Read("b/c").value(), std::string("\0x", 2));
  EXPECT_EQ(archive->Read("a").value(), "first");
  EXPECT_EQ(archive->Read("e").value(), "");
  EXPECT_THAT(archive->Read("d").status().message(), HasSubstr("no record d"));
}

TEST(ZipArchive, NoArchiveIsAnError) {
  EXPECT_THAT(ZipArchive::Open("/nowhere").status().message(), HasSubstr("cannot be read"));
  EXPECT_FALSE(ZipArchive::Open("/").ok());
  EXPECT_FALSE(ZipArchive::FromBytes("PK\3\4").ok());
}

TEST(ZipArchive, CompressedRecordsAreRefused) {
  auto archive = ZipArchive::FromBytes(ZipOf({{"a", std::string(1000, 'x')}}, true));
  ASSERT_TRUE(archive.ok()) << archive.status();
  EXPECT_THAT(archive->Read("a").status().message(), HasSubstr("compressed or encrypted"));
}

TEST(ZipArchive, AChangedRecordIsFoundByItsChecksum) {
  std::string bytes = ZipOf({{"a", "some content"}});
  bytes[bytes.find("content")] = 'C';
  auto archive = ZipArchive::FromBytes(bytes);
  ASSERT_TRUE(archive.ok()) << archive.status();
  EXPECT_THAT(archive->Read("a").status().message(), HasSubstr("damaged"));
}

TEST(ZipArchive, RecordsThatOverlapCannotGiveMoreThanTheFileHas) {
  // Each record read again and again, as records that share their bytes would be.
  auto archive = ZipArchive::FromBytes(ZipOf({{"a", std::string(1000, 'x')}}));
  ASSERT_TRUE(archive.ok()) << archive.status();
  EXPECT_TRUE(archive->Read("a").ok());
  EXPECT_THAT(archive->Read("a").status().message(), HasSubstr("larger than the file"));
}

}  // namespace
}  // namespace assay::engine
