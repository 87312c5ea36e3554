// --label, and lists that are filtered.
#include <string>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class LabelTest : public ProgramTest {
 protected:
  v1::EvaluationSpec Spec() { return state()->evaluations["evaluations/chosen"].spec(); }
};

TEST_F(LabelTest, EvaluationsAreLabelled) {
  const Result result =
      Run(Evaluate({"--label", "commit=1a2b3c", "--label", "link=https://example.com/?a=b"}));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(Spec().labels(), UnorderedElementsAre(Pair("commit", "1a2b3c"),
                                                    Pair("link", "https://example.com/?a=b")));
}

TEST_F(LabelTest, AFileOfAnEvaluationHasThem) {
  const std::string file = directory_ + "/evaluation.yaml";
  ASSERT_EQ(Run(Evaluate({"--label", "a=1", "--label", "b=2", "--save", file})).code, 0);
  EXPECT_THAT(Read(file), HasSubstr("label:\n  - a=1\n  - b=2\n"));
  ASSERT_EQ(Run({"evaluate", "-f", file}).code, 0);
  EXPECT_THAT(Spec().labels(), UnorderedElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST_F(LabelTest, WhatIsNoLabelIsRefusedBeforeAnyWork) {
  const auto refused = [&](const std::string& label, const std::string& text) {
    const Result result = Run(Evaluate({"--label", label}));
    EXPECT_EQ(result.code, 2) << label;
    EXPECT_THAT(result.err, HasSubstr(text)) << label;
  };
  refused("commit", "--label: must be KEY=VALUE");
  refused("commit=", "--label: must be KEY=VALUE");
  refused("=1", "must be 1 to 63");
  refused("my key=1", "key 'my key' must be 1 to 63");
  refused("a=1\n2", "must be 1 to 256 bytes");
  refused("a=\xff", "must be UTF-8");
  const Result twice = Run(Evaluate({"--label", "a=1", "--label", "a=2"}));
  EXPECT_EQ(twice.code, 2);
  EXPECT_THAT(twice.err, HasSubstr("key 'a' is there twice"));
  EXPECT_EQ(state()->calls.count("CreateModel"), 0u);
}

TEST_F(LabelTest, ModelsAreLabelledAndUploadedAgainForOtherLabels) {
  ASSERT_EQ(Run({"model", "upload", model_, "--id", "m"}).code, 0);
  const size_t chunks = state()->received_chunks.size();
  const Result result = Run({"model", "upload", model_, "--id", "m", "--label", "stage=prod"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(state()->models["models/m"].labels(), ElementsAre(Pair("stage", "prod")));
  EXPECT_THAT(result.out, HasSubstr("stage=prod"));
  EXPECT_EQ(state()->received_chunks.size(), chunks) << "nothing is sent again";
  EXPECT_THAT(Run({"model", "list"}).out, HasSubstr("stage=prod"));
  EXPECT_THAT(Run({"model", "list", "-o", "csv"}).out,
              AllOf(HasSubstr(",labels\n"), HasSubstr(",stage=prod\n")));
}

TEST_F(LabelTest, ListsAskTheServerToFilter) {
  ASSERT_EQ(Run({"evaluation", "list", "--label", "stage=prod", "--label", "commit", "--model", "m",
                 "--dataset", "datasets/d", "--state", "FAILED", "CANCELLED"})
                .code,
            0);
  ASSERT_THAT(state()->evaluation_lists, SizeIs(1));
  const auto request = state()->evaluation_lists[0];
  EXPECT_THAT(request.labels(), UnorderedElementsAre(Pair("stage", "prod"), Pair("commit", "")));
  EXPECT_EQ(request.model(), "models/m");
  EXPECT_EQ(request.dataset(), "datasets/d");
  EXPECT_THAT(request.states(), ElementsAre(v1::Evaluation::FAILED, v1::Evaluation::CANCELLED));
  ASSERT_EQ(Run({"model", "list", "--label", "stage"}).code, 0);
  EXPECT_THAT(state()->model_lists.at(0).labels(), ElementsAre(Pair("stage", "")));
  EXPECT_EQ(Run({"evaluation", "list", "--state", "DONE"}).code, 2);
  EXPECT_EQ(Run({"evaluation", "list", "--label", "a="}).code, 2);
}

TEST_F(LabelTest, EvaluationsAreShownWithThem) {
  v1::Evaluation& evaluation = state()->evaluations["evaluations/e"];
  evaluation.set_name("evaluations/e");
  (*evaluation.mutable_spec()->mutable_labels())["stage"] = "prod";
  (*evaluation.mutable_spec()->mutable_labels())["commit"] = "1a";
  EXPECT_THAT(Run({"evaluation", "list"}).out, HasSubstr("commit=1a stage=prod"));
  EXPECT_THAT(Run({"evaluation", "show", "e"}).out,
              AllOf(HasSubstr("commit=1a"), HasSubstr("stage=prod")));
  const auto json = nlohmann::json::parse(Run({"evaluation", "list", "-o", "json"}).out);
  EXPECT_EQ(json[0]["spec"]["labels"]["stage"], "prod");
}

}  // namespace
}  // namespace assay::cli
