#include "client/data/open_dataset.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"

namespace assay::client {
namespace {

using testing::ElementsAre;

std::string Record(int label) {
  return std::string(1, static_cast<char>(label)) + Pattern(3072, static_cast<unsigned>(label));
}

TEST(OpenDataset, JoinsFilesInTheOrderGiven) {
  TempDir dir;
  OpenOptions options;
  options.paths = {dir.Write("data_batch_2.bin", Record(2) + Record(3)),
                   dir.Write("data_batch_1.bin", Record(0)),
                   dir.Write("data_batch_3.bin", Record(5) + Record(6) + Record(7))};
  const auto reader = OpenDataset(options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size(), 6);
  EXPECT_EQ((*reader)->class_names().size(), 10u);
  std::vector<int32_t> labels;
  std::string pixels;
  ASSERT_TRUE((*reader)->Read(0, 6, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(2, 3, 0, 5, 6, 7));
  labels.clear();
  pixels.clear();
  ASSERT_TRUE((*reader)->Read(1, 3, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(3, 0, 5));
  EXPECT_EQ(pixels, Pattern(3072, 3) + Pattern(3072, 0) + Pattern(3072, 5));
  labels.clear();
  ASSERT_TRUE((*reader)->Read(5, 1, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(7));
}

TEST(OpenDataset, RefusesToJoinWhatDiffers) {
  TempDir dir;
  const std::string cifar10 = dir.Write("a.bin", Record(1));
  const std::string cifar100 = dir.Write("b.bin", "x" + Record(1));
  const std::string gray = dir.Write("g.npy", Npy("|u1", "(1, 32, 32)", Pattern(1024)));
  const std::string small = dir.Write("s.npy", Npy("|u1", "(1, 2, 2)", Pattern(4)));
  dir.Write("labels.npy", Npy("|u1", "(1,)", "\1"));
  OpenOptions options;
  options.paths = {cifar10, cifar100};
  ExpectUnreadable(OpenDataset(options).status(), {cifar100, "cifar100", cifar10});
  options.paths = {gray, small};
  ExpectUnreadable(OpenDataset(options).status(), {small, "1x2x2", "1x32x32"});
  WritePng(dir.At("one/cat/1.png"), 2, 2, 1, "abcd");
  WritePng(dir.At("two/dog/1.png"), 2, 2, 1, "abcd");
  options.paths = {dir.At("one"), dir.At("two")};
  ExpectUnreadable(OpenDataset(options).status(), {"two", "other classes", "one"});
}

TEST(OpenDataset, RecognisesFormatsByContentWhenNamesDoNotTell) {
  TempDir dir;
  const std::string images = Npy("|u1", "(1, 2, 2)", "abcd"), labels = Npy("|u1", "(1,)", "\5");
  const std::string labels_path = dir.Write("answers", labels);
  for (const std::string& file : {images, Zip({{"images.npy", images}}), Idx({1, 2, 2}, "abcd"),
                                  Gzip(Idx({1, 2, 2}, "abcd"))}) {
    const auto samples = ReadPath(dir.Write("pictures", file), "auto", labels_path);
    ASSERT_TRUE(samples.ok()) << samples.status();
    EXPECT_THAT(samples->labels, ElementsAre(5));
    EXPECT_EQ(samples->pixels, "abcd");
  }
}

TEST(OpenDataset, TakesTheNameOfACifarFileOverItsFirstBytes) {
  TempDir dir;
  // Label 0 and dark pixels: the magic number of an IDX file.
  std::string record = Record(0);
  record.replace(0, 4, std::string("\0\0\x08\x03", 4));
  const auto reader = OpenPath(dir.Write("a.bin", record));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->shape().channels(), 3);
}

TEST(OpenDataset, ExplainsWhatItDoesNotRecognise) {
  TempDir dir;
  const std::string text = dir.Write("data.csv", "1,2,3\n");
  ExpectUnreadable(OpenPath(text).status(), {text, "--format"});
  const std::string pickle = dir.Write("data_batch_1", "\x80\x02}q\x01");
  ExpectUnreadable(OpenPath(pickle).status(), {pickle, "pickle", "binary version"});
  ExpectUnreadable(OpenPath(dir.At("none.npy")).status(), {"none.npy", "No such file"});
  ExpectUnreadable(OpenPath(dir.path(), "npy").status(), {dir.path(), "is a directory"});
  const std::string empty = dir.Write("empty", "");
  ExpectUnreadable(OpenPath(empty).status(), {empty, "--format"});
}

TEST(OpenDataset, DoesNotHangOnPipes) {
  TempDir dir;
  const std::string pipe = dir.At("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ExpectUnreadable(OpenPath(pipe).status(), {pipe, "not a regular file"});
}

TEST(OpenDataset, NamesFilesWithoutPermission) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  TempDir dir;
  const std::string path = dir.Write("a.bin", Record(1));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  ExpectUnreadable(OpenPath(path).status(), {path, "permissions"});
}

TEST(OpenDataset, ChecksItsOptions) {
  TempDir dir;
  const std::string path = dir.Write("a.bin", Record(1));
  OpenOptions options;
  EXPECT_EQ(ReasonOf(OpenDataset(options).status()), Reason::kInvalidArgument);
  const absl::Status format = OpenPath(path, "cifar-10").status();
  EXPECT_EQ(ReasonOf(format), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(format.message()), testing::HasSubstr("did you mean cifar10?"));
  const absl::Status labels = OpenPath(path, "auto", "labels.npy").status();
  EXPECT_EQ(ReasonOf(labels), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(labels.message()), testing::HasSubstr("--labels"));
  options.paths = {path, path};
  options.format = "npy";
  options.labels_path = "labels.npy";
  EXPECT_EQ(ReasonOf(OpenDataset(options).status()), Reason::kInvalidArgument);
}

}  // namespace
}  // namespace assay::client
