// `assay report recompute`.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/base/evaluation_facts.h"
#include "client/cli/base/resources.h"
#include "client/cli/base/results.h"
#include "client/data/text_file.h"
#include "client/render/outcome_csv_reader.h"
#include "client/render/render.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"
#include "core/report/recomputation.h"

namespace assay::cli {
namespace {

struct RecomputeOptions {
  // A file, or an evaluation.
  std::string from;
  // A file of a report to compare with; empty: none.
  std::string against;
  ReportOptions report;
};

std::string JsonOf(const v1::Report& report) {
  return render::RenderReport(report, render::Format::kJson);
}

// Of a file, without the judgement of gates, which is no part of a report.
absl::StatusOr<std::string> JsonIn(const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, client::ReadTextFile(path));
  auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return Error(Reason::kUnreadableInput,
                 absl::StrCat(path, " is no report; expected one as -o json or --report writes it"))
        .ToStatus();
  }
  if (json.erase("gates") == 0) return text;
  return json.dump(2) + "\n";
}

absl::StatusOr<v1::Report> OfFile(const std::string& path, const v1::GetReportRequest& request) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(Reason::kUnreadableInput, absl::StrCat("cannot open ", path)).ToStatus();
  std::optional<report::Recomputation> again;
  absl::Status of_request;
  const absl::Status read = render::ReadOutcomeCsv(
      file,
      [&](report::EvaluationFacts facts) -> absl::Status {
        auto begun = report::Recomputation::Create(std::move(facts), request);
        of_request = begun.status();
        ASSAY_RETURN_IF_ERROR(begun.status());
        again = *std::move(begun);
        return absl::OkStatus();
      },
      [&](const std::string& condition, v1::Outcome outcome) {
        return again->Add(condition, std::move(outcome));
      });
  ASSAY_RETURN_IF_ERROR(of_request);
  if (!read.ok()) return WithMessage(read, absl::StrCat(path, ": ", read.message()));
  return std::move(*again).Finish();
}

absl::StatusOr<v1::Report> OfEvaluation(client::Client& client, const std::string& name,
                                        const v1::GetReportRequest& request) {
  ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation evaluation, client.GetEvaluation(name));
  ASSAY_ASSIGN_OR_RETURN(report::EvaluationFacts facts, FactsOf(client, evaluation, request));
  ASSAY_ASSIGN_OR_RETURN(auto again, report::Recomputation::Create(std::move(facts), request));
  const absl::Status read =
      client.StreamOutcomes(name, {}, [&](const v1::StreamOutcomesResponse& batch) {
        for (const v1::Outcome& outcome : batch.outcomes()) {
          ASSAY_RETURN_IF_ERROR(again.Add(batch.condition(), outcome));
        }
        return absl::OkStatus();
      });
  ASSAY_RETURN_IF_ERROR(read);
  return std::move(again).Finish();
}

// Says whether the two are the same; kGateFailed where they are not.
absl::Status Compare(Session& session, const std::string& here, const std::string& there,
                     const std::string& whose) {
  if (here == there) {
    session.Say(absl::StrCat("byte for byte ", whose, ": ", here.size(), " bytes of JSON"));
    return absl::OkStatus();
  }
  size_t line = 1;
  for (size_t i = 0; i < std::min(here.size(), there.size()) && here[i] == there[i]; ++i) {
    line += here[i] == '\n' ? 1 : 0;
  }
  return Error(Reason::kGateFailed, absl::StrCat("the report is not ", whose,
                                                 ": their JSON differs from line ", line, " on"));
}

absl::Status Recompute(Session& session, const RecomputeOptions& options) {
  std::error_code error;
  const bool is_file = std::filesystem::exists(options.from, error);
  const std::string name = FullName(kEvaluations, options.from);
  if (!is_file && !IsFullName(kEvaluations, name)) {
    return Error(Reason::kUnreadableInput,
                 absl::StrCat("there is no file ", options.from,
                              ", and it is no name of the form evaluations/ID"));
  }
  ASSAY_ASSIGN_OR_RETURN(const v1::GetReportRequest request, options.report.ReportRequest(name));
  std::string against;
  if (!options.against.empty()) {
    ASSAY_ASSIGN_OR_RETURN(against, JsonIn(options.against));
  }
  if (is_file) {
    ASSAY_ASSIGN_OR_RETURN(const v1::Report report, OfFile(options.from, request));
    ASSAY_RETURN_IF_ERROR(session.PrintReport(report));
    if (options.against.empty()) return absl::OkStatus();
    return Compare(session, JsonOf(report), against, absl::StrCat("that of ", options.against));
  }
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(const v1::Report report, OfEvaluation(*client, name, request));
  ASSAY_RETURN_IF_ERROR(session.PrintReport(report));
  if (!options.against.empty()) {
    return Compare(session, JsonOf(report), against, absl::StrCat("that of ", options.against));
  }
  ASSAY_ASSIGN_OR_RETURN(const v1::Report served, client->GetReport(request));
  return Compare(session, JsonOf(report), JsonOf(served), "the server's");
}

}  // namespace

CommandRun ReportRecompute(Leaf& leaf) {
  const auto options = std::make_shared<RecomputeOptions>();
  leaf.Add("outcomes", &options->from,
           "evaluations/ID, the ID alone, or a file of outcomes as --outcomes writes it")
      .Required()
      .TypeName("evaluations/ID|FILE");
  leaf.Add("--against", &options->against,
           "Compare with this report, a file of JSON as --report writes it (default: the server's, "
           "of an evaluation)")
      .TypeName("FILE");
  options->report.AddTo(leaf);
  options->report.AddCertificatesTo(leaf);
  return [options](Session& session) { return Recompute(session, *options); };
}

}  // namespace assay::cli
