#include "client/render/gate_document.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

using report::GateResult;
using report::GateVerdict;

std::string WithInterval(const std::optional<double>& value,
                         const std::optional<Interval>& interval) {
  if (!value.has_value()) return kUndefined;
  return absl::StrCat(Significant(*value),
                      interval.has_value() ? absl::StrCat(" [", Significant(interval->lower), ", ",
                                                          Significant(interval->upper), "]")
                                           : "");
}

Tone ToneOf(const GateResult& gate) {
  if (gate.verdict == GateVerdict::kPassed) return Tone::kGood;
  return gate.holds ? Tone::kNotice : Tone::kBad;
}

std::string Why(const GateResult& gate) {
  if (!gate.difference.has_value()) return gate.why;
  return absl::StrCat("difference ", WithInterval(gate.difference, gate.difference_interval),
                      " from the baseline's ", WithInterval(gate.baseline, gate.baseline_interval),
                      ", ", gate.why);
}

nlohmann::ordered_json RateJson(const std::optional<double>& value,
                                const std::optional<Interval>& interval) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (value.has_value()) json["value"] = *value;
  if (interval.has_value()) {
    json["lower"] = interval->lower;
    json["upper"] = interval->upper;
  }
  return json;
}

// XML has no way to write control characters, nor the last two of a plane.
std::string Xml(const std::string& text) {
  return absl::StrReplaceAll(Printable(text), {{"&", "&amp;"},
                                               {"<", "&lt;"},
                                               {">", "&gt;"},
                                               {"\"", "&quot;"},
                                               {"'", "&apos;"},
                                               {"\xef\xbf\xbe", "?"},
                                               {"\xef\xbf\xbf", "?"}});
}

std::string Attribute(const char* name, const std::string& text) {
  return absl::StrCat(" ", name, "=\"", Xml(text), "\"");
}

std::string Property(const char* name, const std::string& value) {
  return absl::StrCat("      <property", Attribute("name", name), Attribute("value", value),
                      "/>\n");
}

std::string TestCase(const v1::Report& report, const GateResult& gate) {
  const std::string line = GateLine(gate);
  std::string inside;
  if (gate.holds) {
    inside = absl::StrCat("      <system-out>", Xml(line), "</system-out>\n");
  } else {
    const char* const element = gate.verdict == GateVerdict::kError ? "error" : "failure";
    inside = absl::StrCat("      <", element, Attribute("message", gate.why),
                          Attribute("type", absl::AsciiStrToLower(Name(gate.verdict))), ">",
                          Xml(line), "</", element, ">\n");
  }
  return absl::StrCat("    <testcase", Attribute("name", gate.expression),
                      Attribute("classname", report.evaluation()), Attribute("time", "0"), ">\n",
                      inside, "    </testcase>\n");
}

}  // namespace

void AddGates(const std::vector<GateResult>& gates, Document& document) {
  if (gates.empty()) return;
  const auto held =
      std::count_if(gates.begin(), gates.end(), [](const GateResult& gate) { return gate.holds; });
  document.push_back(Heading{"gates", absl::StrCat(held, " of ", gates.size(), " hold")});
  Table table;
  table.columns = {
      {"verdict", false}, {"gate", false}, {"value", false}, {"threshold"}, {"why", false}};
  for (const GateResult& gate : gates) {
    table.rows.push_back({{Name(gate.verdict), ToneOf(gate)},
                          gate.expression,
                          WithInterval(gate.value, gate.interval),
                          WithInterval(gate.threshold, std::nullopt),
                          Why(gate)});
  }
  document.push_back(std::move(table));
}

nlohmann::ordered_json GatesJson(const std::vector<GateResult>& gates) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const GateResult& gate : gates) {
    nlohmann::ordered_json json = {
        {"expression", gate.expression}, {"verdict", Name(gate.verdict)}, {"holds", gate.holds}};
    json.update(RateJson(gate.value, gate.interval));
    if (gate.threshold.has_value()) json["threshold"] = *gate.threshold;
    if (gate.baseline.has_value()) {
      json["baseline"] = RateJson(gate.baseline, gate.baseline_interval);
    }
    if (gate.difference.has_value()) {
      json["difference"] = RateJson(gate.difference, gate.difference_interval);
      if (!gate.method.empty()) json["difference"]["method"] = gate.method;
    }
    json["why"] = gate.why;
    if (gate.more_samples.has_value()) json["more_samples"] = *gate.more_samples;
    all.push_back(std::move(json));
  }
  return all;
}

std::string GatesJunit(const v1::Report& report, const std::vector<GateResult>& gates) {
  const auto errors = std::count_if(gates.begin(), gates.end(), [](const GateResult& gate) {
    return gate.verdict == GateVerdict::kError;
  });
  const auto held =
      std::count_if(gates.begin(), gates.end(), [](const GateResult& gate) { return gate.holds; });
  const std::string counts = absl::StrCat(
      Attribute("tests", absl::StrCat(gates.size())),
      Attribute("failures",
                absl::StrCat(static_cast<std::ptrdiff_t>(gates.size()) - held - errors)),
      Attribute("errors", absl::StrCat(errors)), Attribute("time", "0"));
  std::string out = absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", counts, ">\n  <testsuite",
      Attribute("name", report.evaluation()), counts, Attribute("skipped", "0"),
      ">\n    <properties>\n", Property("model", report.model()),
      Property("dataset", report.dataset()), Property("seed", absl::StrCat(report.seed())),
      Property("confidence_level", Exact(report.confidence_level())), "    </properties>\n");
  for (const GateResult& gate : gates) absl::StrAppend(&out, TestCase(report, gate));
  return out + "  </testsuite>\n</testsuites>\n";
}

}  // namespace assay::render
