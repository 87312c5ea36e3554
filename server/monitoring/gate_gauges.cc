#include "server/monitoring/gate_gauges.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assay::monitoring {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

// An expression may be long, and every scrape carries it.
constexpr size_t kMostBytes = 200;

std::string Id(const std::string& name) { return name.substr(name.rfind('/') + 1); }

// In which no two gates of an evaluation are equal: equal series would spoil the scrape.
std::string LabelOf(const std::string& expression, std::set<std::string>* taken) {
  size_t end = std::min(expression.size(), kMostBytes);
  while (end < expression.size() && end > 0 &&
         (static_cast<unsigned char>(expression[end]) & 0xC0) == 0x80) {
    --end;  // UTF-8
  }
  const std::string text =
      end < expression.size() ? absl::StrCat(expression.substr(0, end), "...") : expression;
  std::string label = text;
  for (int i = 2; !taken->insert(label).second; ++i) label = absl::StrCat(text, " (", i, ")");
  return label;
}

}  // namespace

void GateGauges::Publish(const JudgedGates& gates) {
  MutexLock lock(mutex_);
  JudgedGates& entry = entries_[{gates.series, gates.dataset}];
  if (std::tie(gates.version, gates.end_time_micros) <
      std::tie(entry.version, entry.end_time_micros)) {
    return;
  }
  entry = gates;
  if (entries_.size() <= most_) return;
  entries_.erase(
      std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second.end_time_micros < b.second.end_time_micros;
      }));
}

void GateGauges::Withdraw(const std::string& evaluation) {
  MutexLock lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    it = it->second.evaluation == evaluation ? entries_.erase(it) : std::next(it);
  }
}

std::vector<MetricFamily> GateGauges::Collect() const {
  constexpr auto kGauge = prometheus::MetricType::Gauge;
  MetricFamily passed{"assay_gate_passed",
                      "Whether a gate of the model repository's evaluation holds: 1 or 0.",
                      kGauge,
                      {}};
  MetricFamily undecided{
      "assay_gate_undecided", "Whether the samples could not decide the gate: 1 or 0.", kGauge, {}};
  MutexLock lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    std::set<std::string> taken;
    for (const JudgedGates::Gate& gate : entry.gates) {
      const std::string label = LabelOf(gate.expression, &taken);
      const auto add = [&](MetricFamily& family, bool value) {
        ClientMetric metric;
        metric.label = {
            {"model", Id(entry.model)}, {"dataset", Id(entry.dataset)}, {"gate", label}};
        metric.gauge.value = value ? 1 : 0;
        family.metric.push_back(std::move(metric));
      };
      add(passed, gate.holds);
      add(undecided, gate.undecided);
    }
  }
  return {passed, undecided};
}

}  // namespace assay::monitoring
