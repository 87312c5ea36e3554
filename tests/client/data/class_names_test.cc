#include "client/data/class_names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"

namespace assay::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

absl::StatusOr<std::vector<std::string>> NamesOf(const std::string& text,
                                                 const std::vector<int32_t>& labels = {0}) {
  TempDir dir;
  dir.Write("classes.txt", text);
  return FindClassNames(dir.At("images.npy"), "", labels);
}

TEST(ClassNames, AreTheLinesOfClassesTxtBesideTheImages) {
  EXPECT_THAT(*NamesOf("cat\nwild dog\n", {1, 0, 1}), ElementsAre("cat", "wild dog"));
  EXPECT_THAT(*NamesOf("cat\r\n dog \r\n\r\n"), ElementsAre("cat", "dog"));
  EXPECT_THAT(*NamesOf("Z\xc3\xbcrich"), ElementsAre("Z\xc3\xbcrich"));
}

TEST(ClassNames, AreNoneWithoutTheFile) {
  TempDir dir;
  EXPECT_THAT(*FindClassNames(dir.At("images.npy"), "", {0}), IsEmpty());
}

TEST(ClassNames, MustNameEveryLabel) {
  ExpectUnreadable(NamesOf("cat\ndog\n", {0, 1, 5}).status(),
                   {"classes.txt", "2 class names", "sample 2", "label 5", "move the file away"});
}

TEST(ClassNames, MustBeTextOfOneNameALine) {
  ExpectUnreadable(NamesOf("cat\n\ndog\n").status(), {"classes.txt", "line 2 is empty"});
  ExpectUnreadable(NamesOf("").status(), {"line 1 is empty"});
  ExpectUnreadable(NamesOf("c\xfft\n").status(), {"UTF-8"});
  ExpectUnreadable(NamesOf(std::string((16 << 20) + 1, 'x')).status(), {"too large"});
}

TEST(ClassNames, HaveNoByteOrderMark) {
  EXPECT_THAT(*NamesOf("\xef\xbb\xbf"
                       "cat\ndog\n"),
              ElementsAre("cat", "dog"));
  ExpectUnreadable(NamesOf(std::string("\xff\xfe"
                                       "c\0a\0t\0",
                                       8))
                       .status(),
                   {"classes.txt", "UTF-16", "save it as UTF-8"});
  ExpectUnreadable(NamesOf(std::string("\xfe\xff\0c\0a\0t", 8)).status(), {"UTF-16"});
}

TEST(ClassNames, ComeFromTheFileThatIsNamedWhateverTheFormat) {
  TempDir dir;
  dir.Write("classes.txt", "not these\n");
  const std::string images = Npy("|u1", "(2, 2, 2)", Pattern(8));
  const std::string labels = Npy("|i1", "(2,)", std::string("\0\1", 2));
  dir.Write("a_labels.npy", labels);
  dir.Write("a-labels-idx1-ubyte", Idx({2}, std::string("\0\1", 2)));
  WritePng(dir.At("folder/dog/1.png"), 2, 2, 1, Pattern(4));
  WritePng(dir.At("folder/cat/1.png"), 2, 2, 1, Pattern(4));
  OpenOptions options;
  options.classes_path = dir.Write("named.txt", "dog\ncat\n");
  for (const std::string& path :
       {dir.Write("a.npy", images),
        dir.Write("a.npz", Zip({{"images.npy", images, false}, {"labels.npy", labels, false}})),
        dir.Write("a-images-idx3-ubyte", Idx({2, 2, 2}, Pattern(8))), dir.path() + "/folder"}) {
    options.paths = {path};
    const auto reader = OpenDataset(options);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_THAT((*reader)->class_names(), ElementsAre("dog", "cat")) << path;
  }
  // CIFAR's classes are known; another name for each is fine, fewer are not.
  options.paths = {dir.Write("batch.bin", std::string("\1", 1) + Pattern(3072))};
  ExpectUnreadable(OpenDataset(options).status(), {"named.txt", "2 class names", "10 classes"});
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += "c" + std::to_string(i) + "\n";
  options.classes_path = dir.Write("ten.txt", ten);
  const auto renamed = OpenDataset(options);
  ASSERT_TRUE(renamed.ok()) << renamed.status();
  EXPECT_EQ((*renamed)->class_names()[9], "c9");
}

TEST(ClassNames, AreFoundByTheReadersOfFormatsWithoutNames) {
  TempDir dir;
  dir.Write("classes.txt", "cat\ndog\n");
  const std::string images = Npy("|u1", "(2, 2, 2)", Pattern(8));
  const std::string labels = Npy("|i1", "(2,)", std::string("\0\1", 2));
  dir.Write("a_labels.npy", labels);
  dir.Write("a-labels-idx1-ubyte", Idx({2}, std::string("\0\1", 2)));
  for (const std::string& path :
       {dir.Write("a.npy", images),
        dir.Write("a.npz", Zip({{"images.npy", images, false}, {"labels.npy", labels, false}})),
        dir.Write("a-images-idx3-ubyte", Idx({2, 2, 2}, Pattern(8)))}) {
    const auto reader = OpenPath(path);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_THAT((*reader)->class_names(), ElementsAre("cat", "dog")) << path;
  }
}

}  // namespace
}  // namespace assay::client
