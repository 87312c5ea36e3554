#include "client/render/repeat_command.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "client/render/numbers.h"
#include "client/render/text.h"
#include "core/conditions/condition.h"
#include "core/conditions/table.h"

namespace assay::render {
namespace {

using Parameters = std::map<std::string, std::string>;

std::string Expression(const v1::ConditionReport& condition, const Parameters& parameters) {
  std::string text = condition.family();
  if (!condition.method().empty()) absl::StrAppend(&text, "/", condition.method());
  const std::string values =
      absl::StrJoin(parameters, ",", [](std::string* out, const Parameters::value_type& parameter) {
        absl::StrAppend(out, parameter.first, "=", parameter.second);
      });
  if (!values.empty()) absl::StrAppend(&text, ":", values);
  return text;
}

bool Gives(const std::string& expression, const std::string& id) {
  // No expression has other characters, and errors would quote them.
  if (!std::all_of(expression.begin(), expression.end(), absl::ascii_isgraph)) return false;
  const auto conditions = ParseConditions({expression});
  return conditions.ok() && conditions->size() == 1 && conditions->front().id() == id;
}

// The parameters that the id of the condition names in any case.
std::set<std::string> Headline(const v1::ConditionReport& condition) {
  v1::Condition known;
  known.set_family(condition.family());
  known.set_method(condition.method());
  std::set<std::string> names;
  const conditions::Method* method = conditions::MethodOf(known);
  if (method == nullptr) return names;
  for (const conditions::Parameter& parameter : method->parameters) {
    if (parameter.headline) names.insert(parameter.name);
  }
  return names;
}

int64_t Samples(const v1::Report& report) {
  int64_t samples = 0;
  for (const auto& condition : report.conditions()) {
    samples = std::max(samples, condition.samples() + condition.missing());
  }
  return samples;
}

}  // namespace

std::string ShellWord(absl::string_view given) {
  const std::string text = Printable(given);
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("-_./:=,+").find(c) != absl::string_view::npos;
  });
  return plain ? text : absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string ConditionExpression(const v1::ConditionReport& condition) {
  Parameters parameters(condition.parameters().begin(), condition.parameters().end());
  if (!Gives(Expression(condition, parameters), condition.id())) return "";
  const std::set<std::string> headline = Headline(condition);
  for (const auto& [name, value] : Parameters(parameters)) {
    if (headline.count(name) > 0) continue;
    Parameters fewer = parameters;
    fewer.erase(name);
    if (Gives(Expression(condition, fewer), condition.id())) parameters = fewer;
  }
  return Expression(condition, parameters);
}

std::string RepeatCommand(const v1::Report& report) {
  // A report does not have the gates that decided when to stop.
  if (report.samples_allowed() > 0) return "";
  std::vector<std::string> expressions;
  for (const auto& condition : report.conditions()) {
    const std::string expression = ConditionExpression(condition);
    if (expression.empty()) return "";
    expressions.push_back(ShellWord(expression));
  }
  if (expressions.empty()) return "";
  std::vector<std::string> lines = {absl::StrCat("assay evaluate -m ", ShellWord(report.model()),
                                                 " -d ", ShellWord(report.dataset())),
                                    absl::StrCat("-c ", absl::StrJoin(expressions, " \\\n     "))};
  std::string rest = absl::StrCat("--seed ", report.seed());
  if (const int64_t samples = Samples(report); samples > 0) {
    absl::StrAppend(&rest, " --limit ", samples);
  }
  if (report.confidence_level() != 0.95) {
    absl::StrAppend(&rest, " --confidence-level ", Exact(report.confidence_level()));
  }
  lines.push_back(rest);
  return absl::StrJoin(lines, " \\\n  ");
}

}  // namespace assay::render
