#include "core/options/evaluation_keys.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace assay {
namespace {

TEST(EvaluationKeysTest, EachKeyIsThereOnce) {
  std::set<std::string> names;
  for (const EvaluationKey& entry : EvaluationKeys()) {
    EXPECT_TRUE(names.insert(entry.key.name).second) << entry.key.name;
  }
  EXPECT_EQ(EvaluationKeysOf(EvaluationKeyUse::kModel).size(), 7u);
}

}  // namespace
}  // namespace assay
