#include "server/repository/scanner.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/manual_clock.h"
#include "tests/server/repository/fake_tree.h"

namespace assay::repository {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = FoundVersion::State;

class ScannerTest : public ::testing::Test {
 protected:
  Scan Look() {
    auto scan = scanner_.Look();
    EXPECT_TRUE(scan.ok()) << scan.status();
    return scan.ok() ? *std::move(scan) : Scan();
  }
  FoundVersion Only() {
    Scan scan = Look();
    EXPECT_THAT(scan.versions, SizeIs(1));
    return scan.versions.empty() ? FoundVersion() : scan.versions[0];
  }
  // Why a path is refused; empty: it is not.
  std::string ProblemOf(const std::string& path) {
    for (const Problem& problem : Look().problems) {
      if (problem.path == path) return problem.reason;
    }
    return "";
  }

  ManualClock clock_;
  FakeTree tree_{clock_};
  Scanner scanner_{tree_, clock_};
};

TEST_F(ScannerTest, AFileIsCompleteWhenNobodyHasWrittenToItForTwoSeconds) {
  tree_.Write("resnet/3/model.pt", "half");
  EXPECT_EQ(Only().state, State::kCopying);
  clock_.AdvanceSeconds(1.5);
  EXPECT_EQ(Only().state, State::kCopying);
  tree_.Write("resnet/3/model.pt", "half and");
  clock_.AdvanceSeconds(1.5);
  EXPECT_EQ(Only().state, State::kCopying);
  clock_.AdvanceSeconds(0.6);
  const FoundVersion found = Only();
  EXPECT_EQ(found.state, State::kComplete);
  EXPECT_EQ(found.model, "resnet");
  EXPECT_EQ(found.version, 3);
  EXPECT_EQ(found.file, "resnet/3/model.pt");
}

TEST_F(ScannerTest, AFileThatWasRenamedIntoItsPlaceIsCompleteAtOnce) {
  tree_.RenameInto("resnet/3/model.pt2", "all");
  EXPECT_EQ(Only().state, State::kComplete);
}

TEST_F(ScannerTest, AFileOfAClockThatIsAheadIsCompleteOnceItLooksTheSame) {
  tree_.Write("resnet/3/model.onnx", "all");
  tree_.stamp("resnet/3/model.onnx").modified_nanos += 3'600'000'000'000;
  tree_.stamp("resnet/3/model.onnx").changed_nanos += 3'600'000'000'000;
  EXPECT_EQ(Only().state, State::kCopying);
  clock_.AdvanceSeconds(2);
  EXPECT_EQ(Only().state, State::kComplete);
}

TEST_F(ScannerTest, OptionsThatAreStillBeingCopiedAreWaitedFor) {
  tree_.RenameInto("resnet/3/model.pt", "all");
  tree_.Write("resnet/assay.yaml", "normalize: im");
  EXPECT_EQ(Only().state, State::kCopying);
  clock_.AdvanceSeconds(3);
  EXPECT_EQ(Only().state, State::kComplete);
  EXPECT_EQ(Only().options_file, "resnet/assay.yaml");
  tree_.RenameInto("resnet/3/assay.yaml", "normalize: imagenet");
  EXPECT_EQ(Only().options_file, "resnet/3/assay.yaml");
}

TEST_F(ScannerTest, VersionsComeByTheirNumbers) {
  for (const char* version : {"10", "9", "20261130123000"}) {
    tree_.RenameInto(absl::StrCat("resnet/", version, "/model.pt"), "m");
  }
  const Scan scan = Look();
  ASSERT_THAT(scan.versions, SizeIs(3));
  EXPECT_EQ(scan.versions[0].version, 9);
  EXPECT_EQ(scan.versions[2].version, 20'261'130'123'000);
  EXPECT_THAT(scan.problems, IsEmpty());
}

TEST_F(ScannerTest, NamesThatAreNoIdsAreRefusedWithWhatWouldBeRight) {
  tree_.RenameInto("My ResNet/1/model.pt", "m");
  EXPECT_THAT(ProblemOf("My ResNet"), HasSubstr("rename it to my-resnet"));
  for (const char* version : {"v1", "01", "0", "latest", "1234567890123456789"}) {
    tree_.RenameInto(absl::StrCat("resnet/", version, "/model.pt"), "m");
    EXPECT_THAT(ProblemOf(absl::StrCat("resnet/", version)), HasSubstr("such as resnet/1"));
  }
  EXPECT_THAT(Look().versions, IsEmpty());
}

TEST_F(ScannerTest, MisplacedFilesAreToldOf) {
  tree_.RenameInto("resnet/model.pt", "m");
  EXPECT_THAT(ProblemOf("resnet/model.pt"), HasSubstr("move it to resnet/1/model.pt"));
  tree_.RenameInto("resnet/2", "m");
  EXPECT_THAT(ProblemOf("resnet/2"), HasSubstr("resnet/2/model.pt"));
}

TEST_F(ScannerTest, WhatIsNoVersionIsPassedOver) {
  tree_.RenameInto("README.md", "text");
  tree_.RenameInto("resnet/config.pbtxt", "");
  tree_.RenameInto("resnet/labels.txt", "cat");
  tree_.RenameInto("resnet/3/.model.pt.Xy12", "part of it");
  const Scan scan = Look();
  EXPECT_THAT(scan.problems, IsEmpty());
  // The file under a hidden name will be renamed.
  ASSERT_THAT(scan.versions, SizeIs(1));
  EXPECT_EQ(scan.versions[0].state, State::kCopying);
}

TEST_F(ScannerTest, AVersionNeedsOneModelFile) {
  tree_.RenameInto("resnet/3/weights.pth", "m");
  EXPECT_THAT(Only().reason, HasSubstr("no file model.pt, model.pt2 or model.onnx; it has "
                                       "weights.pth"));
  EXPECT_EQ(Only().state, State::kRefused);
  tree_.RenameInto("resnet/3/model.pt", "m");
  tree_.RenameInto("resnet/3/model.onnx", "m");
  EXPECT_THAT(Only().reason, HasSubstr("model.pt and model.onnx; leave one of them"));
}

TEST_F(ScannerTest, AnEmptyDirectoryIsAVersionToCome) {
  tree_.MakeDirectory("resnet/3");
  EXPECT_EQ(Only().state, State::kCopying);
}

TEST_F(ScannerTest, LinksThatLeadOutStopNothingElse) {
  tree_.Refuse("evil", "is a link that leads out of the repository");
  tree_.Refuse("resnet/2/model.pt", "is a link that leads out of the repository");
  tree_.RenameInto("resnet/3/model.pt", "m");
  const Scan scan = Look();
  EXPECT_THAT(scan.problems, SizeIs(1));
  EXPECT_THAT(scan.unread, Contains("evil"));
  ASSERT_THAT(scan.versions, SizeIs(2));
  EXPECT_EQ(scan.versions[0].state, State::kRefused);
  EXPECT_EQ(scan.versions[0].path(), "resnet/2/model.pt");
  EXPECT_EQ(scan.versions[1].state, State::kComplete);
}

TEST_F(ScannerTest, ThereIsALimitOfModels) {
  for (size_t i = 0; i < kMostModels + 2; ++i) {
    tree_.RenameInto(absl::StrCat("m", i, "/1/model.pt"), "m");
  }
  const Scan scan = Look();
  EXPECT_THAT(scan.versions, SizeIs(kMostModels));
  EXPECT_THAT(scan.problems, SizeIs(1));
  EXPECT_TRUE(scan.truncated);
}

TEST_F(ScannerTest, ADirectoryThatCannotBeReadIsAnError) {
  tree_.failure = absl::UnavailableError("gone");
  EXPECT_FALSE(scanner_.Look().ok());
}

}  // namespace
}  // namespace assay::repository
