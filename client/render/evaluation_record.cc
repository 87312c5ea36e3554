#include "client/render/evaluation_record.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace assay::render {
namespace {

constexpr absl::string_view kEvaluation = "evaluation:";
constexpr absl::string_view kDataset = "dataset:";
constexpr absl::string_view kModel = "model:";
constexpr absl::string_view kReport = "report:";
constexpr absl::string_view kReportRequest = "asked:";

// Maps in the order of their keys, so that the same message is the same text.
std::string Base64Of(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return absl::Base64Escape(bytes);
}

absl::Status Parse(absl::string_view text, google::protobuf::MessageLite* message) {
  std::string bytes;
  if (absl::Base64Unescape(text, &bytes) && message->ParseFromString(bytes)) {
    return absl::OkStatus();
  }
  return Error(Reason::kUnreadableInput, "its record is damaged");
}

}  // namespace

int64_t OutcomesOf(const v1::Evaluation& evaluation) {
  return evaluation.decision().stopped_early()
             ? evaluation.decision().samples() * evaluation.conditions_size()
             : evaluation.progress().samples_done();
}

std::string OutcomeRecord(const v1::Outcome& outcome) { return Base64Of(outcome); }

absl::StatusOr<v1::Outcome> ParseOutcomeRecord(absl::string_view text) {
  v1::Outcome outcome;
  ASSAY_RETURN_IF_ERROR(Parse(text, &outcome));
  return outcome;
}

std::string EvaluationRecord(const report::EvaluationFacts& facts) {
  v1::Dataset dataset;
  *dataset.mutable_manifest() = facts.manifest;
  dataset.mutable_manifest()->clear_chunks();
  dataset.set_samples(facts.samples);
  std::string text =
      absl::StrCat(kEvaluation, Base64Of(facts.evaluation), " ", kDataset, Base64Of(dataset), " ",
                   kReport, Base64Of(facts.kept), " ", kReportRequest, Base64Of(facts.kept_for));
  if (facts.validation) absl::StrAppend(&text, " ", kModel, Base64Of(*facts.validation));
  return text;
}

absl::StatusOr<report::EvaluationFacts> ParseEvaluationRecord(absl::string_view text) {
  report::EvaluationFacts facts;
  v1::Dataset dataset;
  for (absl::string_view part : absl::StrSplit(text, ' ')) {
    if (absl::ConsumePrefix(&part, kEvaluation)) {
      ASSAY_RETURN_IF_ERROR(Parse(part, &facts.evaluation));
    } else if (absl::ConsumePrefix(&part, kDataset)) {
      ASSAY_RETURN_IF_ERROR(Parse(part, &dataset));
    } else if (absl::ConsumePrefix(&part, kModel)) {
      ASSAY_RETURN_IF_ERROR(Parse(part, &facts.validation.emplace()));
    } else if (absl::ConsumePrefix(&part, kReport)) {
      ASSAY_RETURN_IF_ERROR(Parse(part, &facts.kept));
    } else if (absl::ConsumePrefix(&part, kReportRequest)) {
      ASSAY_RETURN_IF_ERROR(Parse(part, &facts.kept_for));
    } else {
      return Error(Reason::kUnreadableInput, "its record of the evaluation is damaged").ToStatus();
    }
  }
  facts.manifest = std::move(*dataset.mutable_manifest());
  facts.samples = dataset.samples();
  if (facts.evaluation.name().empty() || facts.samples <= 0) {
    return Error(Reason::kUnreadableInput, "its record of the evaluation is not complete")
        .ToStatus();
  }
  return facts;
}

}  // namespace assay::render
