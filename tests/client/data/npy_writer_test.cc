#include "client/data/npy_writer.h"

#include <filesystem>

#include "client/data/byte_source.h"
#include "client/data/npz_archive.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"
#include "tests/test_data.h"

namespace assay::client {
namespace {

TEST(NpyWriter, WritesWhatNumpyReads) {
  TempDir dir;
  const std::string path = dir.At("a.npy");
  auto writer = NpyWriter::Create(path, NpyWriter::Type::kUint8, {2, 3});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("abcdef").ok());
  ASSERT_TRUE((*writer)->Append("").ok());
  ASSERT_TRUE((*writer)->Append("ghijklmnopqr").ok());
  EXPECT_EQ((*writer)->items(), 3);
  EXPECT_FALSE(std::filesystem::exists(path)) << "an unfinished file must not be seen";
  ASSERT_TRUE((*writer)->Finish().ok());
  const std::string file = ReadAll(path);
  // The layout of numpy.lib.format: magic, version 1.0, length of the header, a dictionary with
  // keys in this order, spaces up to a multiple of 64 bytes, a newline, and the data.
  const std::string dictionary = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 3), }";
  ASSERT_EQ(file.size(), 128u + 18);
  EXPECT_EQ(file.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(file.substr(10, dictionary.size()), dictionary);
  EXPECT_EQ(file.substr(10 + dictionary.size(), 117 - dictionary.size()),
            std::string(117 - dictionary.size(), ' '));
  EXPECT_EQ(file.substr(127), "\nabcdefghijklmnopqr");
  EXPECT_EQ(dir.Files(), 1);
}

TEST(NpyWriter, WritesTheSameBytesAsNumpy) {
  ASSAY_TEST_DATA_OR_SKIP(golden, "golden/corruptions_cifar_16.npz");
  auto file = ByteSource::Open(golden);
  ASSERT_TRUE(file.ok());
  const auto archive = NpzArchive::Open(*std::move(file));
  ASSERT_TRUE(archive.ok()) << archive.status();
  const auto member = archive->OpenArray("brightness_1");
  ASSERT_TRUE(member.ok()) << member.status();
  const auto numpy = member->ReadAt(0, member->size());
  ASSERT_TRUE(numpy.ok());
  TempDir dir;
  auto writer = NpyWriter::Create(dir.At("a.npy"), NpyWriter::Type::kUint8, {32, 32, 3});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append(numpy->substr(numpy->size() - 16 * 3072)).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(ReadAll(dir.At("a.npy")), *numpy);
}

TEST(NpyWriter, WritesFloatImagesAndLabelsThatTheReaderReads) {
  TempDir dir;
  const std::vector<float> pixels = {0, 0.25f, 0.5f, 1, 0.1f, 0.2f, 0.3f, 0.4f};
  auto images = NpyWriter::Create(dir.At("adv.npy"), NpyWriter::Type::kFloat32, {1, 2, 2});
  auto labels = NpyWriter::Create(dir.At("adv_labels.npy"), NpyWriter::Type::kInt64, {});
  ASSERT_TRUE(images.ok() && labels.ok());
  ASSERT_TRUE((*images)->Append(Bytes(pixels)).ok());
  ASSERT_TRUE((*labels)->Append(Bytes<int64_t>({3, 1})).ok());
  ASSERT_TRUE((*images)->Finish().ok());
  ASSERT_TRUE((*labels)->Finish().ok());
  const auto samples = ReadPath(dir.At("adv.npy"));
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->labels, (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(samples->pixels, Bytes(pixels));
  EXPECT_NE(ReadAll(dir.At("adv_labels.npy")).find("'shape': (2,), }"), std::string::npos);
}

TEST(NpyWriter, RemovesAnUnfinishedFileAndKeepsTheOldOne) {
  TempDir dir;
  const std::string path = dir.Write("a.npy", "old");
  {
    auto writer = NpyWriter::Create(path, NpyWriter::Type::kUint8, {});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append("new").ok());
  }
  EXPECT_EQ(ReadAll(path), "old");
  EXPECT_EQ(dir.Files(), 1);
}

TEST(NpyWriter, RefusesPartsOfItemsAndUseAfterTheEnd) {
  TempDir dir;
  auto writer = NpyWriter::Create(dir.At("a.npy"), NpyWriter::Type::kFloat32, {2});
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(ReasonOf((*writer)->Append("1234")), Reason::kInvalidArgument);
  ASSERT_TRUE((*writer)->Append("12345678").ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(ReasonOf((*writer)->Append("12345678")), Reason::kWrongState);
  EXPECT_EQ(ReasonOf((*writer)->Finish()), Reason::kWrongState);
}

TEST(NpyWriter, RefusesShapesThatCannotBe) {
  TempDir dir;
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{0}, std::vector<int64_t>{3, -1},
        std::vector<int64_t>{1LL << 40, 1LL << 40}, std::vector<int64_t>(32, 1)}) {
    EXPECT_EQ(ReasonOf(NpyWriter::Create(dir.At("a.npy"), NpyWriter::Type::kUint8, shape).status()),
              Reason::kInvalidArgument);
  }
  EXPECT_EQ(dir.Files(), 0);
}

TEST(NpyWriter, ReportsWhatTheFileSystemRefuses) {
  TempDir dir;
  const absl::Status missing =
      NpyWriter::Create(dir.path() + "/none/a.npy", NpyWriter::Type::kUint8, {}).status();
  EXPECT_EQ(ReasonOf(missing), Reason::kStorageFailed);
  EXPECT_NE(std::string(missing.message()).find("none/a.npy"), std::string::npos);
  // A directory of the file's name stands in the way.
  std::filesystem::create_directories(dir.path() + "/b.npy/sub");
  auto writer = NpyWriter::Create(dir.At("b.npy"), NpyWriter::Type::kUint8, {});
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(ReasonOf((*writer)->Finish()), Reason::kStorageFailed);
  EXPECT_EQ(dir.Files(), 0);
}

TEST(NpyWriter, ReportsAFullDisk) {
  TempDir dir;
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  std::filesystem::create_symlink("/dev/full", dir.path() + "/a.npy.partial");
  auto writer = NpyWriter::Create(dir.At("a.npy"), NpyWriter::Type::kUint8, {});
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(ReasonOf((*writer)->Append(std::string(1 << 20, 'x'))), Reason::kStorageFull);
  EXPECT_EQ(ReasonOf((*writer)->Finish()), Reason::kWrongState);
}

}  // namespace
}  // namespace assay::client
