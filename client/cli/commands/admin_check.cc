// `assay admin check`.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/base/command.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/base/json.h"

namespace assay::cli {
namespace {

using Response = v1::CheckStorageResponse;

// More findings than that are counted, but not listed.
constexpr size_t kMostListed = 10'000;

// "corrupt blob"
std::string KindText(Response::Finding::Kind kind) {
  std::string text = absl::AsciiStrToLower(Response::Finding::Kind_Name(kind));
  for (char& c : text) c = c == '_' ? ' ' : c;
  return text;
}

ProgressPoint PointOf(const Response::Progress& progress) {
  ProgressPoint point;
  point.label = progress.phase();
  // Blobs come and go meanwhile.
  point.fraction = progress.bytes() > 0 ? static_cast<double>(progress.checked_bytes()) /
                                              static_cast<double>(progress.bytes())
                                        : 0;
  point.done = static_cast<double>(progress.checked_bytes());
  point.amount = absl::StrCat(render::Count(progress.checked_blobs()), " of ",
                              render::Count(progress.blobs()), " blobs");
  return point;
}

absl::Status Verdict(const Response::Summary& summary, bool repair) {
  const int64_t problems =
      summary.corrupt_blobs() + summary.missing_blobs() + summary.database_problems();
  if (problems == 0) return absl::OkStatus();
  std::string text = absl::StrCat(problems, problems == 1 ? " problem" : " problems",
                                  " in what the server stores");
  if (summary.corrupt_blobs() > 0 && !repair) {
    absl::StrAppend(&text, "; --repair moves corrupt blobs aside");
  }
  if (summary.missing_blobs() > 0 || (repair && summary.corrupt_blobs() > 0)) {
    // Under its own name the client finds it there, and sends nothing.
    absl::StrAppend(&text,
                    "; uploading the same files with --id of another name brings their blobs back");
  }
  return absl::FailedPreconditionError(text);
}

}  // namespace

CommandRun AdminCheck(Leaf& leaf) {
  const auto repair = std::make_shared<bool>(false);
  leaf.Add("--repair", repair.get(),
           "Move corrupt blobs aside, so that an upload brings them again, and remove orphans");
  leaf.Footer(
      "Everything that is stored is read, at low priority, while the server works. Exit code 5 "
      "when "
      "something is corrupt or missing.");
  return [repair](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    render::Table table;
    table.columns = {{"finding", false}, {"blob", false}, {"text", false}, {"named by", false}};
    nlohmann::ordered_json findings = nlohmann::ordered_json::array();
    Response::Summary summary;
    session.progress().Begin();
    ASSAY_RETURN_IF_ERROR(client->CheckStorage(*repair, [&](const Response& message) {
      if (message.has_progress()) session.progress().Update(PointOf(message.progress()));
      if (message.has_summary()) summary = message.summary();
      if (!message.has_finding() || table.rows.size() >= kMostListed) return absl::OkStatus();
      const Response::Finding& finding = message.finding();
      const auto tone = finding.kind() == Response::Finding::ORPHANED_BLOB ||
                                finding.kind() == Response::Finding::UNKNOWN_FILE
                            ? render::Tone::kNotice
                            : render::Tone::kBad;
      table.rows.push_back({{KindText(finding.kind()), tone},
                            finding.digest(),
                            finding.text(),
                            absl::StrJoin(finding.users(), " ")});
      findings.push_back(ToJson(finding));
      return absl::OkStatus();
    }));
    session.progress().Clear();
    nlohmann::ordered_json json;
    json["findings"] = std::move(findings);
    json["summary"] = ToJson(summary);
    if (!table.rows.empty() || session.format() != render::Format::kTable) {
      ASSAY_RETURN_IF_ERROR(session.PrintTable(table, json));
    }
    session.Say(absl::StrCat(
        "checked ", render::Count(summary.checked_blobs()), " blobs with ",
        render::Bytes(summary.checked_bytes()), " and the database in ",
        render::Duration(summary.seconds()), ": ", render::Count(summary.corrupt_blobs()),
        " corrupt, ", render::Count(summary.missing_blobs()), " missing, ",
        render::Count(summary.orphaned_blobs()), " orphaned (",
        render::Bytes(summary.orphaned_bytes()), "), ", render::Count(summary.database_problems()),
        " problems of the database; ", render::Count(summary.repaired()), " repaired"));
    return Verdict(summary, *repair);
  };
}

}  // namespace assay::cli
