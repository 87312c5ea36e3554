// `assay admin audit`.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/base/command.h"
#include "client/render/document.h"
#include "core/base/clock.h"
#include "core/base/errors.h"
#include "core/base/json.h"
#include "google/protobuf/util/time_util.h"
#include "net/tokens.h"

namespace assay::cli {
namespace {

using google::protobuf::util::TimeUtil;

struct AuditOptions {
  std::string since;
  std::string until;
  std::string who;
  std::string method;
  std::string resource;
  bool denied = false;
  int32_t limit = 100;
};

constexpr int kMostEntries = 100'000;

// "30m", "12h" or "7d" ago, or a time.
absl::StatusOr<int64_t> MomentMicros(const std::string& text, const std::string& option) {
  constexpr int64_t kMinute = 60'000'000;
  constexpr int64_t kMost = 1'000'000;
  int64_t count = 0;
  if (text.size() > 1 && absl::ascii_isdigit(static_cast<unsigned char>(text[0])) &&
      absl::SimpleAtoi(text.substr(0, text.size() - 1), &count) && count <= kMost) {
    const int64_t now = SystemClock().NowMicros();
    if (text.back() == 'm') return now - count * kMinute;
    if (text.back() == 'h') return now - count * 60 * kMinute;
    if (text.back() == 'd') return now - count * 24 * 60 * kMinute;
  }
  const auto time = ParseTimeMicros(text, option);
  if (time.ok()) return time;
  return InvalidFields({{option, absl::StrCat("must be like 30m, 12h, 7d or 2027-03-01T00:00:00Z; "
                                              "got '",
                                              text, "'")}});
}

absl::Status Show(const AuditOptions& options, Session& session) {
  v1::ListAuditEntriesRequest filter;
  if (!options.since.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t since, MomentMicros(options.since, "--since"));
    *filter.mutable_since() = TimeUtil::MicrosecondsToTimestamp(since);
  }
  if (!options.until.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t until, MomentMicros(options.until, "--until"));
    *filter.mutable_until() = TimeUtil::MicrosecondsToTimestamp(until);
  }
  filter.set_who(options.who);
  filter.set_method(options.method);
  filter.set_resource(options.resource);
  filter.set_denied_only(options.denied);
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(
      std::vector<v1::AuditEntry> entries,
      client->ListAuditEntries(std::move(filter), static_cast<size_t>(options.limit)));
  // As a log is read.
  std::reverse(entries.begin(), entries.end());
  render::Table table;
  table.columns = {{"time", false},     {"who", false}, {"call", false},
                   {"resource", false}, {"end", false}, {"from", false}};
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const v1::AuditEntry& entry : entries) {
    table.rows.push_back(
        {TimeUtil::ToString(entry.time()), entry.who(),
         std::string(absl::StripPrefix(entry.method(), "/assay.v1.")), entry.resource(),
         absl::StrCat(entry.allowed() ? "" : "refused: ", entry.code()), entry.peer()});
    all.push_back(ToJson(entry));
  }
  return session.PrintTable(table, all);
}

}  // namespace

CommandRun AdminAudit(Leaf& leaf) {
  const auto options = std::make_shared<AuditOptions>();
  leaf.Add("--since", &options->since, "Calls of the last 30m, 12h, 7d, or since a time (RFC 3339)")
      .TypeName("WHEN");
  leaf.Add("--until", &options->until, "Calls before then, likewise").TypeName("WHEN");
  leaf.Add("--who", &options->who, "Calls of this token or certificate").TypeName("NAME");
  leaf.Add("--method", &options->method, "Calls that have this in their name: Delete")
      .TypeName("PART");
  leaf.Add("--resource", &options->resource, "Calls about what has this in its name: models/resnet")
      .TypeName("PART");
  leaf.Add("--denied", &options->denied, "Calls that were refused to who made them");
  leaf.Add("--limit", &options->limit, "So many at most, the latest")
      .From(1, kMostEntries)
      .TypeName("N");
  leaf.Footer("Needs a server with --audit-log, and a token with the scope admin.");
  return [options](Session& session) { return Show(*options, session); };
}

}  // namespace assay::cli
