#include "client/cli/base/repository.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/render/numbers.h"
#include "core/base/json.h"

namespace assay::cli {
namespace {

using Item = v1::SyncModelRepositoryResponse::Item;
using render::Tone;

Tone ToneOfVerdict(const std::string& verdict) {
  if (verdict == "passed") return Tone::kGood;
  return verdict.empty() || verdict == "undecided" ? Tone::kPlain : Tone::kBad;
}

std::string OrUndefined(const std::string& text) {
  return text.empty() ? render::kUndefined : text;
}

render::Cell StateOf(const v1::RepositoryVersion& version) {
  const std::string state = v1::Model::State_Name(version.state());
  if (version.removed()) return {absl::StrCat(state, ", removed"), Tone::kPlain};
  return {state, version.state() == v1::Model::UNAVAILABLE ? Tone::kBad : Tone::kPlain};
}

render::Cell EvaluationOf(const v1::RepositoryVersion& version) {
  if (version.evaluation().empty()) return std::string(render::kUndefined);
  if (version.evaluation_state() == v1::Evaluation::SUCCEEDED) return version.evaluation();
  return {absl::StrCat(version.evaluation(), " ",
                       v1::Evaluation::State_Name(version.evaluation_state())),
          version.evaluation_state() == v1::Evaluation::FAILED ? Tone::kBad : Tone::kPlain};
}

// What there is to say beside the numbers.
std::string NotesOn(const v1::RepositoryVersion& version) {
  std::string notes;
  const auto add = [&notes](const std::string& text) {
    if (!text.empty()) absl::StrAppend(&notes, notes.empty() ? "" : "; ", text);
  };
  add(version.state_reason());
  add(version.evaluation_reason());
  for (const v1::RepositoryGate& gate : version.gates()) {
    if (gate.verdict() != "passed") add(gate.text());
  }
  return notes;
}

}  // namespace

absl::Status PrintSync(Session& session, const v1::SyncModelRepositoryResponse& found) {
  session.Say(absl::StrCat(found.found(),
                           found.found() == 1 ? " version: " : " versions: ", found.created(),
                           " new, ", found.changed(), " changed, ", found.removed(), " removed, ",
                           found.copying(), " being copied, ", found.failed(), " not taken"));
  render::Table table;
  table.columns = {{"path", false}, {"outcome", false}, {"model", false}, {"reason", false}};
  for (const Item& item : found.items()) {
    const bool bad = item.outcome() == Item::FAILED || item.outcome() == Item::CHANGED;
    table.rows.push_back({item.path(),
                          {absl::AsciiStrToLower(Item::Outcome_Name(item.outcome())),
                           bad ? Tone::kBad : Tone::kPlain},
                          OrUndefined(item.model()),
                          OrUndefined(item.reason())});
  }
  return session.PrintTable(table, ToJson(found));
}

absl::Status PrintVersions(Session& session, const std::vector<v1::RepositoryVersion>& versions) {
  // In the order in which they are first there.
  std::vector<std::string> conditions;
  for (const v1::RepositoryVersion& version : versions) {
    for (const auto& accuracy : version.accuracies()) {
      if (std::find(conditions.begin(), conditions.end(), accuracy.condition()) ==
          conditions.end()) {
        conditions.push_back(accuracy.condition());
      }
    }
  }
  render::Table table;
  table.columns = {{"model", false}, {"version"}, {"state", false}, {"evaluation", false}};
  for (const std::string& condition : conditions) {
    table.columns.push_back({absl::StrCat(condition, " %")});
  }
  table.columns.push_back({"gates", false});
  table.columns.push_back({"notes", false});
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const v1::RepositoryVersion& version : versions) {
    auto& row = table.rows.emplace_back();
    row.push_back(version.name().empty() ? version.model() : version.name());
    row.push_back(absl::StrCat(version.version()));
    row.push_back(StateOf(version));
    row.push_back(EvaluationOf(version));
    for (const std::string& condition : conditions) {
      const auto found =
          std::find_if(version.accuracies().begin(), version.accuracies().end(),
                       [&](const auto& accuracy) { return accuracy.condition() == condition; });
      row.push_back(found == version.accuracies().end()
                        ? std::string(render::kUndefined)
                        : render::PercentWithInterval(found->accuracy()));
    }
    row.push_back({OrUndefined(version.verdict()), ToneOfVerdict(version.verdict())});
    row.push_back(NotesOn(version));
    json.push_back(ToJson(version));
  }
  return session.PrintTable(table, json);
}

}  // namespace assay::cli
