#include "server/engine/import/select_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <string>

namespace assay::engine {
namespace {

namespace jit = torch::jit;
using testing::HasSubstr;

jit::Module Make(const std::string& body) {
  jit::Module module("Model");
  module.define("def forward(self, x):\n" + body);
  module.eval();
  return module;
}

// The entry that is chosen, of a model of which entry n is x + n; also after freezing.
void ExpectEntry(jit::Module module, const OutputChoice& choice, float entry) {
  const absl::Status status = SelectOutput(module, choice);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(DescribeOutput(module), "");
  const at::Tensor x = at::rand({2, 3});
  EXPECT_TRUE(module.forward({x}).toTensor().equal(x + entry));
  EXPECT_TRUE(jit::freeze(module).forward({x}).toTensor().equal(x + entry));
}

std::string MessageOf(jit::Module module, const OutputChoice& choice) {
  return std::string(SelectOutput(module, choice).message());
}

constexpr char kDict[] = "  return {'logits': x + 1, 'probabilities': x + 2}\n";
constexpr char kTuple[] = "  return x + 0, x + 1\n";
constexpr char kList[] = "  return [x + 0, x + 1]\n";
constexpr char kBuilt[] =
    "  d: Dict[str, Tensor] = {}\n"
    "  d['logits'] = x + 1\n"
    "  return d\n";
constexpr char kGrown[] =
    "  entries = [x + 0]\n"
    "  entries.append(x + 1)\n"
    "  return entries\n";

TEST(SelectOutputTest, EntriesOfADictByKey) {
  ExpectEntry(Make(kDict), std::string("logits"), 1);
  ExpectEntry(Make(kDict), std::string("probabilities"), 2);
  ExpectEntry(Make(kBuilt), std::string("logits"), 1);
}

TEST(SelectOutputTest, EntriesOfTuplesAndListsByIndex) {
  for (const char* body : {kTuple, kList}) {
    ExpectEntry(Make(body), int64_t{0}, 0);
    ExpectEntry(Make(body), int64_t{1}, 1);
  }
  ExpectEntry(Make(kGrown), int64_t{1}, 1);
}

TEST(SelectOutputTest, ADictThatIsChangedAfterItWasMadeGivesWhatItHoldsAtTheEnd) {
  ExpectEntry(Make("  d = {'logits': x + 7}\n  d['logits'] = x + 1\n  return d\n"),
              std::string("logits"), 1);
  ExpectEntry(Make("  d = {'other': x}\n  d['logits'] = x + 1\n  return d\n"),
              std::string("logits"), 1);
  ExpectEntry(Make("  d = [x + 7]\n  d[0] = x + 1\n  return d\n"), int64_t{0}, 1);
}

TEST(SelectOutputTest, OutputsAreDescribed) {
  EXPECT_EQ(DescribeOutput(Make("  return x\n")), "");
  EXPECT_EQ(DescribeOutput(Make(kDict)), "a dict of 'logits', 'probabilities'");
  EXPECT_EQ(DescribeOutput(Make(kTuple)), "a tuple of 2 entries");
  EXPECT_EQ(DescribeOutput(Make(kList)), "a list of 2 entries");
}

TEST(SelectOutputTest, WhatIsNotThereIsRefusedWithWhatIs) {
  EXPECT_THAT(MessageOf(Make(kDict), std::string("logit")), HasSubstr("'logits', 'probabilities'"));
  EXPECT_THAT(MessageOf(Make(kDict), int64_t{0}), HasSubstr("has no entry number 0"));
  EXPECT_THAT(MessageOf(Make(kTuple), int64_t{2}), HasSubstr("a tuple of 2 entries"));
  EXPECT_THAT(MessageOf(Make(kTuple), int64_t{-1}), HasSubstr("has no entry number -1"));
  EXPECT_THAT(MessageOf(Make(kTuple), std::string("logits")), HasSubstr("has no entry 'logits'"));
  EXPECT_THAT(MessageOf(Make(kList), int64_t{2}), HasSubstr("a list of 2 entries"));
  EXPECT_THAT(MessageOf(Make("  return x\n"), int64_t{0}), HasSubstr("returns one tensor"));
  EXPECT_THAT(MessageOf(Make("  return x, 5\n"), int64_t{1}), HasSubstr("int, not a tensor"));
  EXPECT_THAT(MessageOf(Make("  return 5\n"), int64_t{1}), HasSubstr("the model returns int"));
}

}  // namespace
}  // namespace assay::engine
