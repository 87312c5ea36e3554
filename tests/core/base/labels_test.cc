// Which labels are accepted.
#include "core/base/labels.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(LabelsTest, KeysAreShortNamesWithoutSpaces) {
  for (const char* key : {"a", "commit", "git.branch", "ci/run-id", "A_1", "example.com/stage"}) {
    EXPECT_TRUE(IsLabelKey(key)) << key;
  }
  EXPECT_TRUE(IsLabelKey(std::string(63, 'k')));
  EXPECT_FALSE(IsLabelKey(std::string(64, 'k')));
  for (const char* key : {"", "-a", "a-", "/a", "a b", "a=b", "a:b", "\xc3\xa4", "a\n"}) {
    EXPECT_FALSE(IsLabelKey(key)) << key;
  }
}

TEST(LabelsTest, ValuesAreAnyShortLine) {
  for (const char* value :
       {"1a2b3c", "feature/x", "https://example.com/?a=b", "gr\xc3\xbcn", "a b"}) {
    EXPECT_TRUE(IsLabelValue(value)) << value;
  }
  EXPECT_TRUE(IsLabelValue(std::string(256, 'v')));
  EXPECT_FALSE(IsLabelValue(std::string(257, 'v')));
  for (const char* value : {"", " a", "a ", "a\nb", "a\tb", "\x1b[2J"}) {
    EXPECT_FALSE(IsLabelValue(value)) << value;
  }
}

TEST(LabelsTest, EveryLabelThatIsWrongIsNamed) {
  const auto violations = CheckLabels({{"good", "1"}, {"bad key", "1"}, {"empty", ""}},
                                      LabelUse::kStored, "spec.labels");
  ASSERT_THAT(violations, SizeIs(2));
  EXPECT_EQ(violations[0].field, "spec.labels");
  EXPECT_THAT(violations[0].description, HasSubstr("'bad key' must be 1 to 63"));
  EXPECT_EQ(violations[1].field, "spec.labels[empty]");
  EXPECT_THAT(violations[1].description, HasSubstr("1 to 256 bytes"));
}

TEST(LabelsTest, AFilterTakesKeysWithoutValues) {
  EXPECT_THAT(CheckLabels({{"any", ""}}, LabelUse::kFilter, "labels"), SizeIs(0));
  EXPECT_THAT(CheckLabels({{"any", "\n"}}, LabelUse::kFilter, "labels"), SizeIs(1));
}

TEST(LabelsTest, TheirNumberIsLimited) {
  Labels labels;
  for (size_t i = 0; i <= kMostLabels; ++i) labels[absl::StrCat("k", i)] = "v";
  const auto violations = CheckLabels(labels, LabelUse::kStored, "labels");
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_THAT(violations[0].description, HasSubstr("65 labels; at most 64"));
}

TEST(LabelsTest, TextIsInTheOrderOfKeys) {
  EXPECT_EQ(LabelsText({{"stage", "prod"}, {"commit", "1a"}}), "commit=1a stage=prod");
  EXPECT_EQ(LabelsText({}), "");
}

}  // namespace
}  // namespace assay
