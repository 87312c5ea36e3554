#include "client/mlflow/run_content.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/render/numbers.h"
#include "client/render/repeat_command.h"
#include "client/render/report_csv.h"
#include "client/render/text.h"
#include "core/base/digest.h"
#include "core/base/labels.h"

namespace assay::mlflow {
namespace {

// Limits of MLflow: https://mlflow.org/docs/latest/rest-api.html, "Request Limits". Those on values
// are of the oldest 2.x that knows run names in tags; later ones take longer values.
constexpr size_t kMostKey = 250;
constexpr size_t kMostParam = 500;
constexpr size_t kMostTag = 5000;
constexpr size_t kBatchMetrics = 1000;
constexpr size_t kBatchPairs = 100;
constexpr size_t kBatchBytes = 1'000'000;
// What a number takes in a body beside its key, at most.
constexpr size_t kMetricBytes = 120;

// At most `most` bytes of UTF-8, whole characters.
std::string Cut(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "...");
}

class Keys {
 public:
  // Another key where this one is taken: names that differ in refused characters alone.
  std::string Unique(const std::string& text) {
    std::string key = KeyOf(text);
    for (int i = 2; !taken_.insert(key).second; ++i) key = KeyOf(absl::StrCat(text, "_", i));
    return key;
  }

 private:
  std::set<std::string> taken_;
};

void AddMetrics(const v1::Report& report, size_t most, RunContent* content) {
  Keys keys;
  size_t of_classes = 0;
  const auto visit = [&](bool classes) {
    render::VisitReport(report, [&](const render::ReportNumber& number) {
      if (!number.value || !std::isfinite(*number.value)) return;
      if (!number.class_name.empty() || !number.slice.empty()) {
        if (!classes) return void(++of_classes);
        const std::string part = number.slice.empty() ? absl::StrCat("class/", number.class_name)
                                                      : absl::StrCat("slice/", number.slice);
        const std::string prefix = absl::StrCat(number.condition, "/", part, "/", number.metric);
        content->metrics.emplace_back(keys.Unique(prefix), *number.value);
        return;
      }
      if (classes) return;
      const std::string name = absl::StrCat(number.condition, "/", number.metric);
      content->metrics.emplace_back(keys.Unique(name), *number.value);
      if (number.lower) content->metrics.emplace_back(keys.Unique(name + ".lower"), *number.lower);
      if (number.upper) content->metrics.emplace_back(keys.Unique(name + ".upper"), *number.upper);
    });
  };
  visit(/*classes=*/false);
  if (report.has_passes()) {
    content->metrics.emplace_back(keys.Unique("passes/forward"),
                                  static_cast<double>(report.passes().forwards()));
    content->metrics.emplace_back(keys.Unique("passes/backward"),
                                  static_cast<double>(report.passes().backwards()));
  }
  if (report.provenance().model_seconds() > 0) {
    content->metrics.emplace_back(keys.Unique("model_seconds"),
                                  report.provenance().model_seconds());
  }
  if (content->metrics.size() + of_classes <= most) {
    visit(/*classes=*/true);
    return;
  }
  content->left_out = absl::StrCat(render::Count(static_cast<int64_t>(of_classes)),
                                   " metrics of single classes, which are in report.json");
}

void AddParams(const v1::Report& report, RunContent* content) {
  Keys keys;
  const auto add = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) {
      content->params.emplace_back(keys.Unique(key), Cut(render::Printable(value), kMostParam));
    }
  };
  add("assay.model", report.model());
  add("assay.dataset", report.dataset());
  add("assay.seed", absl::StrCat(report.seed()));
  add("assay.confidence_level", render::Exact(report.confidence_level()));
  add("assay.model_digest", report.provenance().model_digest());
  add("assay.model_format", report.provenance().model_format());
  add("assay.dataset_digest", report.provenance().dataset_digest());
  add("assay.version", report.provenance().assay_version());
  std::vector<std::string> devices;
  for (const auto& numerics : report.numerics()) {
    devices.push_back(absl::StrCat(numerics.device(), " ", numerics.capability()));
  }
  add("assay.device", absl::StrJoin(devices, ", "));
  for (const auto& condition : report.conditions()) {
    add(absl::StrCat("condition/", condition.id()), render::ConditionExpression(condition));
  }
}

void AddTags(const v1::Report& report, const std::vector<report::GateResult>& gates,
             RunContent* content) {
  Keys keys;
  const auto add = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) content->tags.emplace_back(keys.Unique(key), Cut(value, kMostTag));
  };
  add("assay.evaluation", report.evaluation());
  for (size_t i = 0; i < gates.size(); ++i) {
    add(absl::StrCat("assay.gate.", i + 1), render::Printable(report::GateLine(gates[i])));
  }
  if (!gates.empty()) {
    const bool hold = std::all_of(gates.begin(), gates.end(),
                                  [](const report::GateResult& gate) { return gate.holds; });
    add("assay.gates", hold ? "passed" : "failed");
  }
  add("assay.repeat_command", render::RepeatCommand(report));
  // MLflow's own tags have this prefix and mean something; a label does not.
  for (const auto& [key, value] : LabelsOf(report.provenance().labels())) {
    add(absl::StartsWith(key, "mlflow.") ? absl::StrCat("label.", key) : key, value);
  }
}

size_t BytesOf(const std::string& text) { return nlohmann::json(text).dump().size(); }

}  // namespace

std::string KeyOf(absl::string_view text) {
  std::string key;
  for (const char c : text) {
    const bool allowed = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                         absl::string_view("_-. /").find(c) != absl::string_view::npos;
    key.push_back(allowed ? c : '_');
  }
  // Keys are paths to MLflow, which refuses those that a file system would read otherwise.
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(key, '/')) {
    if (part.empty()) continue;
    parts.push_back(part == "." || part == ".." ? std::string(part.size(), '_')
                                                : std::string(part));
  }
  key = absl::StrJoin(parts, "/");
  if (key.empty()) key = "_";
  if (key.size() <= kMostKey) return key;
  constexpr size_t kDigits = 12;
  return absl::StrCat(key.substr(0, kMostKey - kDigits - 1), "-",
                      Sha256Hex(std::string(text)).substr(0, kDigits));
}

RunContent ContentOf(const v1::Report& report, const std::vector<report::GateResult>& gates,
                     size_t most_metrics) {
  RunContent content;
  AddMetrics(report, most_metrics, &content);
  AddParams(report, &content);
  AddTags(report, gates, &content);
  return content;
}

std::vector<nlohmann::json> Batches(const RunContent& content, const std::string& run_id,
                                    int64_t now_millis) {
  std::vector<nlohmann::json> batches;
  size_t bytes = 0;
  // Each kind in batches of its own, of so many entries.
  const auto add = [&](const char* kind, size_t most, size_t size, nlohmann::json entry) {
    if (batches.empty() || !batches.back().contains(kind) || batches.back()[kind].size() >= most ||
        bytes + size > kBatchBytes) {
      batches.push_back({{"run_id", run_id}, {kind, nlohmann::json::array()}});
      bytes = BytesOf(run_id) + kMetricBytes;
    }
    bytes += size;
    batches.back()[kind].push_back(std::move(entry));
  };
  for (const auto& [key, value] : content.metrics) {
    add("metrics", kBatchMetrics, key.size() + kMetricBytes,
        {{"key", key}, {"value", value}, {"timestamp", now_millis}, {"step", 0}});
  }
  const auto add_pairs = [&](const char* kind, const auto& pairs) {
    for (const auto& [key, value] : pairs) {
      add(kind, kBatchPairs, key.size() + BytesOf(value) + kMetricBytes,
          {{"key", key}, {"value", value}});
    }
  };
  add_pairs("tags", content.tags);
  add_pairs("params", content.params);
  return batches;
}

}  // namespace assay::mlflow
