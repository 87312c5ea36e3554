#include "core/options/option_file.h"

#include <set>
#include <string>
#include <vector>

#include "core/options/evaluation_keys.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<OptionKey>& Keys() {
  static const auto* const keys = new std::vector<OptionKey>{
      {"seed", false, false}, {"condition", false, true}, {"local", true, false}};
  return *keys;
}

std::string Refusal(const std::string& text) {
  const auto read = ReadOptionFile(text, "file.yaml", Keys());
  return read.ok() ? "it is taken" : std::string(read.status().message());
}

TEST(OptionFileTest, ValuesAreThoseOfTheirKeysWithTheirLines) {
  const auto read = ReadOptionFile("# why\nseed: 7\ncondition:\n  - clean\n  - attack/pgd\n",
                                   "file.yaml", Keys());
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].name, "seed");
  EXPECT_EQ((*read)[0].line, 2);
  EXPECT_THAT((*read)[0].values, ElementsAre("7"));
  EXPECT_EQ((*read)[1].line, 3);
  EXPECT_THAT((*read)[1].values, ElementsAre("clean", "attack/pgd"));
}

TEST(OptionFileTest, ASwitchThatIsFalseHasNoValue) {
  EXPECT_THAT(ReadOptionFile("local: false\n", "f", Keys()).value()[0].values, IsEmpty());
  EXPECT_THAT(ReadOptionFile("local: true\n", "f", Keys()).value()[0].values, ElementsAre("true"));
}

TEST(OptionFileTest, MistakesAreToldWithTheirLine) {
  EXPECT_THAT(Refusal("\nsede: 7\n"), HasSubstr("file.yaml:2: unknown key 'sede'; did you mean "
                                                "seed?"));
  EXPECT_THAT(Refusal("seed: [1, 2]\n"), HasSubstr("'seed' takes one value, not a list"));
  EXPECT_THAT(Refusal("local: yes\n"), HasSubstr("'local' must be true or false; got 'yes'"));
  EXPECT_THAT(Refusal("seed: 1\nseed: 2\n"), HasSubstr("file.yaml:2: key 'seed' is there twice"));
  EXPECT_THAT(Refusal("seed: ''\n"), HasSubstr("'seed' is empty"));
  EXPECT_THAT(Refusal("seed: [\n"), HasSubstr("is no YAML"));
  EXPECT_THAT(Refusal("- seed\n"), HasSubstr("must be one YAML document"));
}

TEST(EvaluationKeysTest, EachKeyIsThereOnce) {
  std::set<std::string> names;
  for (const EvaluationKey& entry : EvaluationKeys()) {
    EXPECT_TRUE(names.insert(entry.key.name).second) << entry.key.name;
  }
  EXPECT_EQ(EvaluationKeysOf(EvaluationKeyUse::kModel).size(), 7u);
}

}  // namespace
}  // namespace assay
