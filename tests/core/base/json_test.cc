#include "core/base/json.h"

#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

TEST(Json, CountsAreNumbersAndRowsAreBareLists) {
  v1::ConditionReport report;
  report.set_id("clean");
  report.set_samples(int64_t{1} << 53);
  auto* row = report.add_confusion_matrix();
  row->add_counts(3);
  row->add_counts(4);
  const auto json = ToJson(report);
  EXPECT_EQ(json["id"], "clean");
  EXPECT_EQ(json["samples"].dump(), "9007199254740992");
  EXPECT_EQ(json["confusion_matrix"].dump(), "[[3,4]]");
}

TEST(Json, AbsentIsLeftOutAndZeroIsNot) {
  v1::Rate rate;
  rate.set_undefined_reason("no misclassified sample");
  const auto json = ToJson(rate);
  EXPECT_FALSE(json.contains("value"));
  EXPECT_EQ(json["numerator"], 0);
  EXPECT_EQ(json["undefined_reason"], "no misclassified sample");
}

TEST(Json, TimesEnumsAndMapsAreReadable) {
  v1::Evaluation evaluation;
  evaluation.set_state(v1::Evaluation::SUCCEEDED);
  evaluation.mutable_create_time()->set_seconds(1700000000);
  auto* condition = evaluation.add_conditions();
  (*condition->mutable_parameters())["eps"] = "8/255";
  const auto json = ToJson(evaluation);
  EXPECT_EQ(json["state"], "SUCCEEDED");
  EXPECT_EQ(json["create_time"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json["conditions"][0]["parameters"]["eps"], "8/255");
}

TEST(Json, WhatWasWrittenIsReadAgain) {
  v1::Report report;
  report.set_evaluation("evaluations/e");
  report.set_confidence_level(0.95);
  report.add_class_names("caf\u00e9 \"x\"");
  auto* condition = report.add_conditions();
  condition->set_id("attack/pgd/linf/8-255");
  condition->set_samples((int64_t{1} << 53) + 1);
  (*condition->mutable_parameters())["eps"] = "8/255";
  condition->mutable_accuracy()->set_value(0.1 + 0.2);
  condition->mutable_accuracy()->set_numerator(3);
  for (int i = 0; i < 2; ++i) condition->add_confusion_matrix()->add_counts(i);
  condition->add_confusion_matrix();
  condition->mutable_attack()->mutable_targeted()->add_success()->add_targets()->set_value(1);
  condition->add_checks()->set_verdict(v1::Check::WARNING);
  auto json = ToJson(report);
  json["gates"] = "not of the message";
  v1::Report read;
  const absl::Status status = FromJson(json.dump(2), &read);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read.SerializeAsString(), report.SerializeAsString());
}

TEST(Json, WhatIsOfAnotherFormIsRefused) {
  v1::Report report;
  for (const char* text : {"", "{", "[1]", "7", "{\"seed\": \"x\"}", "{\"conditions\": 3}"}) {
    EXPECT_EQ(FromJson(text, &report).code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace assay
