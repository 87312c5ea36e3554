#include "client/data/folder_reader.h"

#include <sys/stat.h>

#include <cmath>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"
#include "tests/test_data.h"

namespace assay::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

// Interleaved RGB to planes.
std::string Planes(const std::string& pixels) {
  std::string planes;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = c; i < pixels.size(); i += 3) planes += pixels[i];
  }
  return planes;
}

TEST(FolderReader, SortsClassesAndFiles) {
  TempDir dir;
  WritePng(dir.At("dog/b.png"), 2, 3, 3, Pattern(18, 1));
  WritePng(dir.At("dog/a.PNG"), 2, 3, 3, Pattern(18, 2));
  WritePng(dir.At("cat/deep/er/z.png"), 2, 3, 3, Pattern(18, 3));
  dir.Write("README.txt", "about");
  dir.Write("cat/notes.txt", "about");
  dir.Write("cat/.hidden.png", "no image");
  dir.Write(".git/x/a.png", "no image");
  const auto reader = OpenPath(dir.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT((*reader)->class_names(), ElementsAre("cat", "dog"));
  EXPECT_EQ((*reader)->size(), 3);
  EXPECT_EQ((*reader)->shape().channels(), 3);
  EXPECT_EQ((*reader)->shape().height(), 3);
  EXPECT_EQ((*reader)->shape().width(), 2);
  EXPECT_EQ((*reader)->pixel_type(), v1::UINT8);
  Samples samples;
  ASSERT_TRUE((*reader)->Read(0, 3, &samples.labels, &samples.pixels).ok());
  EXPECT_THAT(samples.labels, ElementsAre(0, 1, 1));
  EXPECT_EQ(samples.pixels,
            Planes(Pattern(18, 3)) + Planes(Pattern(18, 2)) + Planes(Pattern(18, 1)));
}

// Class folders with one image each.
void WriteClasses(const TempDir& dir, const std::vector<std::string>& names) {
  for (const std::string& name : names) WritePng(dir.At(name + "/1.png"), 2, 2, 1, Pattern(4));
}

absl::StatusOr<std::unique_ptr<DatasetReader>> OpenClasses(const TempDir& dir, bool allow_missing) {
  OpenOptions options;
  options.paths = {dir.path()};
  options.allow_missing_classes = allow_missing;
  return OpenDataset(options);
}

TEST(FolderReader, OrdersNumbersAsNumbersAndSaysSo) {
  TempDir dir;
  WriteClasses(dir, {"0", "1", "2", "9", "10", "11"});
  const auto reader = OpenPath(dir.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT((*reader)->class_names(), ElementsAre("0", "1", "2", "9", "10", "11"));
  ASSERT_THAT((*reader)->Notes(), SizeIs(1));
  EXPECT_THAT((*reader)->Notes()[0], HasSubstr("0, 1, 10, 11, 2, 9"));
  // One name that is no number, and all are text.
  WriteClasses(dir, {"x"});
  EXPECT_THAT((*OpenPath(dir.path()))->class_names(),
              ElementsAre("0", "1", "10", "11", "2", "9", "x"));
  EXPECT_THAT((*OpenPath(dir.path()))->Notes(), IsEmpty());
}

TEST(FolderReader, OrdersNumbersOfAnyLengthAndPadding) {
  TempDir dir;
  WriteClasses(dir, {"007", "1", "08", "100000000000000000000000", "99999999999999999999999"});
  EXPECT_THAT((*OpenPath(dir.path()))->class_names(),
              ElementsAre("1", "007", "08", "99999999999999999999999", "100000000000000000000000"));
}

TEST(FolderReader, TakesTheOrderOfClassesTxt) {
  TempDir dir;
  WriteClasses(dir, {"cat", "dog", "emu"});
  dir.Write("classes.txt", "emu\r\ncat\r\ndog\r\n");
  const auto reader = OpenPath(dir.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT((*reader)->class_names(), ElementsAre("emu", "cat", "dog"));
  EXPECT_THAT(ReadPath(dir.path())->labels, ElementsAre(0, 1, 2));
}

TEST(FolderReader, RefusesFoldersThatClassesTxtDoesNotHave) {
  TempDir dir;
  WriteClasses(dir, {"cat", "Dog"});
  dir.Write("classes.txt", "cat\ndog\n");
  ExpectUnreadable(OpenClasses(dir, true).status(), {"/Dog", "not in", "classes.txt", "has dog"});
  dir.Write("classes.txt", "cat\nDog\ncat\n");
  ExpectUnreadable(OpenPath(dir.path()).status(), {"classes.txt", "cat in line 1 and in line 3"});
}

TEST(FolderReader, AcceptsMissingClassesOnlyWhenAllowed) {
  TempDir dir;
  WriteClasses(dir, {"ant", "dog"});
  fs::create_directories(dir.path() + "/cat");
  ExpectUnreadable(OpenPath(dir.path()).status(),
                   {"without images (cat)", "--allow-missing-classes"});
  const auto empty = OpenClasses(dir, true);
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_THAT((*empty)->class_names(), ElementsAre("ant", "cat", "dog"));

  dir.Write("classes.txt", "ant\nbee\ncat\ndog\n");
  ExpectUnreadable(OpenPath(dir.path()).status(),
                   {"no images of classes", "(bee, cat)", "--allow-missing-classes"});
  const auto listed = OpenClasses(dir, true);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_THAT((*listed)->class_names(), ElementsAre("ant", "bee", "cat", "dog"));
  std::vector<int32_t> labels;
  std::string pixels;
  ASSERT_TRUE((*listed)->Read(0, 2, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(0, 3));
}

// Label 3 would silently be logit 2.
TEST(FolderReader, WantsAListWhereNumbersLeaveSomeOut) {
  TempDir dir;
  WriteClasses(dir, {"0", "1", "3"});
  ExpectUnreadable(OpenClasses(dir, true).status(), {"0, 1, 3", "classes.txt"});
  dir.Write("classes.txt", "0\n1\n2\n3\n");
  EXPECT_THAT((*OpenClasses(dir, true))->class_names(), ElementsAre("0", "1", "2", "3"));
}

TEST(FolderReader, PassesOverWhatProgramsLeaveBehind) {
  TempDir dir;
  WriteClasses(dir, {"cat", "dog"});
  for (const char* dropping :
       {"__MACOSX/cat/._1.png", "@eaDir/1.png", "lost+found/x", ".ipynb_checkpoints/1.png",
        "$RECYCLE.BIN/1.png", "System Volume Information/x", "dog~/1.png", "cat/Thumbs.db",
        "cat/__MACOSX/1.png", "cat/._1.png", "cat/1.png~", "desktop.ini", ".DS_Store"}) {
    dir.Write(dropping, "no image");
  }
  const auto reader = OpenPath(dir.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT((*reader)->class_names(), ElementsAre("cat", "dog"));
  EXPECT_EQ((*reader)->size(), 2);
}

TEST(FolderReader, RefusesFoldersOfSplitsAndNamesOne) {
  TempDir dir;
  WriteClasses(dir, {"train/cat", "train/dog", "val/cat", "val/dog"});
  fs::create_directories(dir.path() + "/meta");
  ExpectUnreadable(OpenClasses(dir, true).status(),
                   {"splits", "val/cat/1.png", "such as " + dir.path() + "/val"});
  EXPECT_THAT((*OpenPath(dir.path() + "/val"))->class_names(), ElementsAre("cat", "dog"));
  TempDir flat;
  WriteClasses(flat, {"Train", "Test"});
  ExpectUnreadable(OpenPath(flat.path()).status(), {"splits"});
  // Somebody who says that these are the classes is believed.
  flat.Write("classes.txt", "Test\nTrain\n");
  EXPECT_TRUE(OpenPath(flat.path()).ok());
}

TEST(FolderReader, RefusesGroupsOfClassesButNotOneFolderInEachClass) {
  TempDir groups;
  WriteClasses(groups, {"animals/cat", "animals/dog", "vehicles/car"});
  ExpectUnreadable(OpenPath(groups.path()).status(),
                   {"only in folders", "animals/cat/1.png", "such as"});
  // As Tiny ImageNet is published.
  TempDir tiny;
  WriteClasses(tiny, {"n01/images", "n02/images"});
  EXPECT_THAT((*OpenPath(tiny.path()))->class_names(), ElementsAre("n01", "n02"));
  // Images beside the folders: these are classes, sorted by somebody.
  WriteClasses(groups, {"animals", "vehicles"});
  EXPECT_THAT((*OpenPath(groups.path()))->class_names(), ElementsAre("animals", "vehicles"));
}

TEST(FolderReader, FollowsLinksAtEveryLevel) {
  TempDir elsewhere, dir;
  WriteClasses(elsewhere, {"some", "more"});
  WriteClasses(dir, {"cat"});
  fs::create_symlink(elsewhere.path() + "/some", dir.path() + "/dog");
  fs::create_symlink(elsewhere.path() + "/more", dir.path() + "/cat/linked");
  fs::create_symlink(elsewhere.path() + "/more/1.png", dir.path() + "/cat/2.png");
  const auto samples = ReadPath(dir.path());
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_THAT(samples->labels, ElementsAre(0, 0, 0, 1));
}

TEST(FolderReader, RefusesLinksThatLoopOrLeadNowhere) {
  const auto status = [](const std::string& target, const std::string& link) {
    TempDir dir;
    WriteClasses(dir, {"cat", "dog"});
    fs::create_directory_symlink(target, dir.At(link));
    return OpenPath(dir.path()).status();
  };
  ExpectUnreadable(status("..", "cat/up"), {"/cat/up", "once more", "remove the link"});
  ExpectUnreadable(status(".", "cat/self"), {"/cat/self", "once more"});
  ExpectUnreadable(status("../dog", "cat/other"), {"/dog", "once more"});
  ExpectUnreadable(status(".", "emu"), {"/emu", "once more"});
  ExpectUnreadable(status("gone", "emu"), {"/emu", "leads nowhere", "No such file"});
  ExpectUnreadable(status("gone", "cat/inner"), {"/cat/inner", "leads nowhere"});
  ExpectUnreadable(status("round", "cat/round"), {"/cat/round", "Too many levels"});
}

TEST(FolderReader, SaysWhatItLeavesOut) {
  TempDir dir;
  WriteClasses(dir, {"cat", "dog"});
  WritePng(dir.At("stray.png"), 2, 2, 1, Pattern(4));
  const auto reader = OpenPath(dir.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT((*reader)->Notes(), ElementsAre(HasSubstr("1 image lies outside")));
}

TEST(FolderReader, RefusesPipesAtOnce) {
  TempDir dir;
  WriteClasses(dir, {"cat"});
  ASSERT_EQ(mkfifo(dir.At("cat/2.png").c_str(), 0600), 0);
  ExpectUnreadable(OpenPath(dir.path()).status(), {"cat/2.png", "pipe", "regular file"});
  fs::remove(dir.At("cat/2.png"));
  ASSERT_EQ(mkfifo(dir.At("classes.txt").c_str(), 0600), 0);
  ExpectUnreadable(OpenPath(dir.path()).status(), {"classes.txt", "pipe"});
}

TEST(FolderReader, EndsWhenItIsToldTo) {
  TempDir dir;
  WriteClasses(dir, {"cat", "dog"});
  OpenOptions options;
  options.paths = {dir.path()};
  int looks = 0;
  options.check = [&looks]() -> absl::Status {
    return ++looks < 3 ? absl::OkStatus() : absl::CancelledError("enough");
  };
  EXPECT_EQ(OpenDataset(options).status(), absl::CancelledError("enough"));
}

TEST(FolderReader, KeepsGrayOnlyWhenAllImagesAreGray) {
  TempDir dir;
  WritePng(dir.At("a/1.png"), 3, 2, 1, "123456");
  WritePng(dir.At("b/1.png"), 3, 2, 1, "abcdef");
  const auto gray = OpenPath(dir.path());
  ASSERT_TRUE(gray.ok()) << gray.status();
  EXPECT_EQ((*gray)->shape().channels(), 1);
  EXPECT_EQ(ReadPath(dir.path())->pixels, "123456abcdef");
  WritePng(dir.At("b/2.png"), 3, 2, 3, Pattern(18));
  const auto mixed = ReadPath(dir.path());
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_EQ(mixed->pixels, "123456123456123456abcdefabcdefabcdef" + Planes(Pattern(18)));
}

TEST(FolderReader, ReadsJpegOfEitherKind) {
  TempDir dir;
  // Smooth images of even colour survive JPEG at quality 100 almost unharmed.
  std::string colour, gray;
  for (int i = 0; i < 256; ++i) {
    const int level = 40 + 4 * (i / 16) + 2 * (i % 16);
    colour +=
        {static_cast<char>(level + 60), static_cast<char>(level + 30), static_cast<char>(level)};
    gray += static_cast<char>(level);
  }
  WriteJpeg(dir.At("a/1.jpg"), 16, 16, 3, colour);
  WriteJpeg(dir.At("a/2.JPEG"), 16, 16, 1, gray);
  const auto samples = ReadPath(dir.path());
  ASSERT_TRUE(samples.ok()) << samples.status();
  const std::string expected = Planes(colour) + gray + gray + gray;
  ASSERT_EQ(samples->pixels.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(static_cast<unsigned char>(samples->pixels[i]),
                static_cast<unsigned char>(expected[i]), 4);
  }
}

TEST(FolderReader, GoesByTheContentOfAFile) {
  TempDir dir;
  WritePng(dir.At("a/really_png.jpg"), 2, 2, 3, Pattern(12));
  const auto samples = ReadPath(dir.path());
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->pixels, Planes(Pattern(12)));
}

TEST(FolderReader, IgnoresGammaAsPillowDoes) {
  TempDir dir;
  WritePng(dir.At("a/1.png"), 2, 2, 1, "\x10\x40\x80\xc0");
  std::string png = ReadAll(dir.At("a/1.png"));
  // A gAMA chunk that says the values are linear, after the 33 bytes of signature and IHDR.
  std::string chunk("gAMA\x00\x01\x86\xa0", 8);
  const size_t old = png.find("gAMA");
  if (old != std::string::npos) png.erase(old - 4, 16);
  png.insert(33, std::string("\0\0\0\4", 4) + chunk + "\x31\xe8\x96\x5f");
  dir.Write("a/1.png", png);
  const auto samples = ReadPath(dir.path());
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->pixels, "\x10\x40\x80\xc0");
}

TEST(FolderReader, NamesTheFirstFileOfAnotherSize) {
  TempDir dir;
  WritePng(dir.At("a/1.png"), 2, 3, 3, Pattern(18));
  WritePng(dir.At("a/2.png"), 2, 3, 1, Pattern(6));
  WritePng(dir.At("b/3.png"), 3, 2, 3, Pattern(18));
  WritePng(dir.At("b/4.png"), 5, 5, 3, Pattern(75));
  ExpectUnreadable(OpenPath(dir.path()).status(),
                   {dir.At("b/3.png"), "3x2", dir.At("a/1.png"), "2x3", "one size"});
}

TEST(FolderReader, RefusesTransparentPixelsButNotAnOpaqueAlphaChannel) {
  TempDir dir;
  WritePng(dir.At("a/1.png"), 2, 1, 4,
           "abc\xff"
           "def\xff");
  const auto opaque = ReadPath(dir.path());
  ASSERT_TRUE(opaque.ok()) << opaque.status();
  EXPECT_EQ(opaque->pixels, "adbecf");
  WritePng(dir.At("a/1.png"), 2, 1, 4,
           "abc\xff"
           "def\xfe");
  ExpectUnreadable(ReadPath(dir.path()).status(), {"a/1.png", "transparent"});
}

TEST(FolderReader, RefusesFoldersWithoutImages) {
  TempDir dir;
  ExpectUnreadable(OpenPath(dir.path()).status(), {dir.path(), "no class folders"});
  dir.Write("test_batch.bin", "x");
  ExpectUnreadable(OpenPath(dir.path()).status(), {"no class folders", "test_batch.bin"});
  fs::create_directories(dir.path() + "/cat");
  ExpectUnreadable(OpenPath(dir.path()).status(), {dir.path(), "no PNG or JPEG"});
  ExpectUnreadable(OpenPath(dir.path() + "/none", "folder").status(), {"/none", "No such file"});
}

TEST(FolderReader, RefusesWhatItCannotRead) {
  TempDir dir;
  WritePng(dir.At("a/0.png"), 2, 2, 3, Pattern(12));
  const auto status = [&](const std::string& name) {
    absl::Status result = ReadPath(dir.path()).status();
    fs::remove(dir.At(name));
    return result;
  };
  dir.Write("a/1.bmp", "BM");
  ExpectUnreadable(status("a/1.bmp"), {"a/1.bmp", "convert"});
  dir.Write("a/1.png", "not an image");
  ExpectUnreadable(status("a/1.png"), {"a/1.png", "neither"});
  dir.Write("a/1.png", "");
  ExpectUnreadable(status("a/1.png"), {"a/1.png", "neither"});
  WriteJpeg(dir.At("a/1.jpg"), 2, 2, 4, Pattern(16));
  ExpectUnreadable(status("a/1.jpg"), {"a/1.jpg", "CMYK"});
  fs::create_symlink(dir.path() + "/gone.png", dir.At("a/1.png"));
  ExpectUnreadable(status("a/1.png"), {"a/1.png", "No such file"});
  fs::create_directories(dir.path() + "/caf\xe9");
  ExpectUnreadable(ReadPath(dir.path()).status(), {"caf\\xe9", "UTF-8"});
}

TEST(FolderReader, NoticesFilesThatChangeMeanwhile) {
  TempDir dir;
  WritePng(dir.At("a/1.png"), 2, 2, 1, Pattern(4));
  const auto reader = OpenPath(dir.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  Samples samples;
  WritePng(dir.At("a/1.png"), 3, 2, 1, Pattern(6));
  ExpectUnreadable((*reader)->Read(0, 1, &samples.labels, &samples.pixels), {"1.png", "changed"});
  WritePng(dir.At("a/1.png"), 2, 2, 3, Pattern(12));
  ExpectUnreadable((*reader)->Read(0, 1, &samples.labels, &samples.pixels), {"1.png", "changed"});
}

TEST(FolderReader, ReadsPhotographs) {
  ASSAY_TEST_DATA_OR_SKIP(png, "frost/frost2.png");
  ASSAY_TEST_DATA_OR_SKIP(jpeg, "frost/frost4.jpg");
  for (const std::string& file : {png, jpeg}) {
    TempDir dir;
    fs::create_symlink(file, dir.At("frost/" + fs::path(file).filename().string()));
    const auto samples = ReadPath(dir.path());
    ASSERT_TRUE(samples.ok()) << samples.status();
    EXPECT_FALSE(samples->pixels.empty());
  }
}

}  // namespace
}  // namespace assay::client
