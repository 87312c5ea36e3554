// `assay conditions`: what can be written after -c, and what it means.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/base/command.h"
#include "core/base/errors.h"
#include "core/base/json.h"
#include "core/conditions/condition.h"

namespace assay::cli {
namespace {

// In the rows after the first, people see at a glance what belongs together; programs want every
// row complete.
std::string Repeated(const Session& session, const std::string& text) {
  return session.format() == render::Format::kCsv ? text : "";
}

// Every method that can be written, from the table that the server parses with.
absl::Status ListMethods(Session& session) {
  render::Table table;
  table.columns = {
      {"expression", false}, {"parameter", false}, {"default", false}, {"meaning", false}};
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const MethodHelp& method : AllMethods()) {
    nlohmann::ordered_json parameters = nlohmann::ordered_json::array();
    table.rows.push_back({method.expression, "", "", method.summary});
    for (const ParameterHelp& parameter : method.parameters) {
      table.rows.push_back({Repeated(session, method.expression), parameter.name,
                            parameter.default_value, parameter.summary});
      parameters.push_back({{"name", parameter.name},
                            {"default", parameter.default_value},
                            {"summary", parameter.summary}});
    }
    json.push_back({{"expression", method.expression},
                    {"summary", method.summary},
                    {"parameters", parameters}});
  }
  for (const SuiteHelp& suite : AllSuites()) {
    const std::string expression = absl::StrCat("suite/", suite.name);
    table.rows.push_back({expression, "", "", suite.summary});
    for (const std::string& part : suite.expressions) {
      table.rows.push_back({Repeated(session, expression), "", "", part});
    }
    json.push_back({{"expression", expression},
                    {"summary", suite.summary},
                    {"conditions", suite.expressions}});
  }
  return session.PrintTable(table, json);
}

// What the server makes of them.
absl::Status Resolve(Session& session, const std::vector<std::string>& expressions) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(const auto conditions, client->ResolveConditions(expressions));
  render::Table table;
  table.columns = {{"id", false}, {"parameter", false}, {"value", false}};
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const v1::Condition& condition : conditions) {
    json.push_back(ToJson(condition));
    const std::map<std::string, std::string> parameters(condition.parameters().begin(),
                                                        condition.parameters().end());
    if (parameters.empty()) table.rows.push_back({condition.id(), "", ""});
    bool first = true;
    for (const auto& [name, value] : parameters) {
      table.rows.push_back(
          {first ? condition.id() : Repeated(session, condition.id()), name, value});
      first = false;
    }
  }
  return session.PrintTable(table, json);
}

}  // namespace

CommandRun Conditions(Leaf& leaf) {
  const auto expressions = std::make_shared<std::vector<std::string>>();
  leaf.Add("expressions", expressions.get(),
           "Conditions; without any, everything that can be written is listed");
  leaf.Footer("Example: assay conditions 'attack/pgd:norm=linf,eps=8/255'");
  return [expressions](Session& session) {
    return expressions->empty() ? ListMethods(session) : Resolve(session, *expressions);
  };
}

}  // namespace assay::cli
