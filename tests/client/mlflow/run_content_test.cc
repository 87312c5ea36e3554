// What of a report becomes params, metrics and tags, and MLflow's limits.
#include "client/mlflow/run_content.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/render/made_up_report.h"

namespace assay::mlflow {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(KeyOfTest, OnlyWhatMlflowTakes) {
  EXPECT_EQ(KeyOf("attack/pgd/linf/8-255/accuracy"), "attack/pgd/linf/8-255/accuracy");
  EXPECT_EQ(KeyOf("robust_accuracy@0.03"), "robust_accuracy_0.03");
  EXPECT_EQ(KeyOf("ca\xc3\xb1on <b>"), "ca__on _b_");
  EXPECT_EQ(KeyOf("/a//../b/./"), "a/__/b/_");
  EXPECT_EQ(KeyOf(""), "_");
  EXPECT_EQ(KeyOf("//"), "_");
}

TEST(KeyOfTest, LongKeysStayApart) {
  const std::string one = KeyOf(std::string(400, 'a') + "1"),
                    two = KeyOf(std::string(400, 'a') + "2");
  EXPECT_EQ(one.size(), 250u);
  EXPECT_NE(one, two);
}

TEST(RunContentTest, NumbersOfEveryConditionAndClassAreMetrics) {
  const v1::Report report = render::MadeUpReport(render::Cifar());
  const RunContent content = ContentOf(report, {});
  const std::map<std::string, double> metrics(content.metrics.begin(), content.metrics.end());
  EXPECT_EQ(metrics.size(), content.metrics.size());
  for (const auto& condition : report.conditions()) {
    const auto metric = [&](const std::string& name) {
      const auto found = metrics.find(KeyOf(absl::StrCat(condition.id(), "/", name)));
      return found == metrics.end() ? std::nullopt : std::optional<double>(found->second);
    };
    EXPECT_EQ(metric("accuracy"), condition.accuracy().value()) << condition.id();
    EXPECT_EQ(metric("accuracy.lower"), condition.accuracy().lower());
    EXPECT_EQ(metric("accuracy.upper"), condition.accuracy().upper());
    for (const auto& own : condition.classes()) {
      // Where there are no mistakes, no share of them is anywhere.
      const std::optional<double> cfps = metric(absl::StrCat("class/", own.name(), "/cfps"));
      EXPECT_EQ(cfps.has_value(), own.cfps().has_value());
      EXPECT_EQ(cfps.value_or(0), own.cfps().value());
    }
  }
  EXPECT_EQ(metrics.at("passes/forward"), 723114);
  EXPECT_THAT(content.left_out, IsEmpty());
}

TEST(RunContentTest, SettingsAreParamsAndLabelsTags) {
  v1::Report report = render::MadeUpReport(render::Cifar());
  report.mutable_provenance()->set_model_digest(std::string(64, 'b'));
  (*report.mutable_provenance()->mutable_labels())["commit"] = "1a2b3c";
  (*report.mutable_provenance()->mutable_labels())["mlflow.user"] = "me";
  report::GateResult gate;
  gate.expression = "accuracy(clean) >= 0.5";
  gate.verdict = report::GateVerdict::kFailed;
  const RunContent content = ContentOf(report, {gate});
  const std::map<std::string, std::string> params(content.params.begin(), content.params.end());
  EXPECT_EQ(params.at("assay.model"), report.model());
  EXPECT_EQ(params.at("assay.model_digest"), std::string(64, 'b'));
  EXPECT_EQ(params.at("assay.device"), "cpu AVX2");
  EXPECT_THAT(params.at("condition/attack/pgd/linf/8-255"), HasSubstr("attack/pgd:eps=8/255"));
  const std::map<std::string, std::string> tags(content.tags.begin(), content.tags.end());
  EXPECT_EQ(tags.at("commit"), "1a2b3c");
  EXPECT_EQ(tags.at("label.mlflow.user"), "me");
  EXPECT_EQ(tags.at("assay.gates"), "failed");
  EXPECT_THAT(tags.at("assay.gate.1"), HasSubstr("accuracy(clean) >= 0.5"));
  EXPECT_THAT(tags.at("assay.repeat_command"), HasSubstr("assay evaluate -m"));
}

TEST(RunContentTest, NamesThatWouldBecomeOneKeyStayTwo) {
  render::MadeUp made_up = render::Cifar();
  made_up.conditions = {"clean"};
  made_up.class_names = {"a:b", "a?b", "a_b"};
  std::set<std::string> keys;
  const RunContent content = ContentOf(render::MadeUpReport(made_up), {});
  for (const auto& [key, value] : content.metrics) EXPECT_TRUE(keys.insert(key).second) << key;
  EXPECT_EQ(keys.count("clean/class/a_b/accuracy"), 1u);
  EXPECT_EQ(keys.count("clean/class/a_b/accuracy_2"), 1u);
  EXPECT_EQ(keys.count("clean/class/a_b/accuracy_3"), 1u);
}

TEST(RunContentTest, TooManyMetricsAreThoseOfConditionsAlone) {
  const RunContent content = ContentOf(render::MadeUpReport(render::Cifar()), {}, 1000);
  EXPECT_LE(content.metrics.size(), 1000u);
  for (const auto& metric : content.metrics) EXPECT_THAT(metric.first, Not(HasSubstr("/class/")));
  EXPECT_THAT(content.left_out, HasSubstr("metrics of single classes, which are in report.json"));
}

TEST(BatchesTest, StayWithinTheLimitsOfACall) {
  RunContent content;
  for (int i = 0; i < 2500; ++i) content.metrics.emplace_back(absl::StrCat("m", i), i);
  for (int i = 0; i < 250; ++i) content.params.emplace_back(absl::StrCat("p", i), "v");
  // Whose JSON is six times as long as they are.
  for (int i = 0; i < 90; ++i)
    content.tags.emplace_back(absl::StrCat("t", i), std::string(5000, '\1'));
  size_t metrics = 0, params = 0, tags = 0;
  for (const nlohmann::json& batch : Batches(content, "run", 1700000000000)) {
    EXPECT_EQ(batch["run_id"], "run");
    EXPECT_LE(batch.dump().size(), 1'000'000u);
    if (batch.contains("metrics")) {
      EXPECT_LE(batch["metrics"].size(), 1000u);
      EXPECT_EQ(batch["metrics"][0]["timestamp"], 1700000000000);
      metrics += batch["metrics"].size();
    }
    if (batch.contains("params")) {
      EXPECT_LE(batch["params"].size(), 100u);
      params += batch["params"].size();
    }
    if (batch.contains("tags")) {
      EXPECT_LE(batch["tags"].size(), 100u);
      tags += batch["tags"].size();
    }
  }
  EXPECT_EQ(metrics, 2500u);
  EXPECT_EQ(params, 250u);
  EXPECT_EQ(tags, 90u);
}

}  // namespace
}  // namespace assay::mlflow
