#include "client/cli/base/evaluation_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cli/base/resources.h"
#include "client/data/text_file.h"
#include "client/mlflow/tracking.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"
#include "core/options/option_file.h"
#include "nlohmann/json.hpp"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

// Of `assay` itself, those that belong to an evaluation.
constexpr const char* kCommonKeys[] = {"server", "output", "quiet"};
// Of `assay evaluate`, those that do not.
constexpr const char* kOwnOptions[] = {"help", "file", "save"};

struct Key {
  std::string name;
  const CLI::Option* option;

  bool is_switch() const { return option->get_items_expected_max() == 0; }
  bool is_list() const { return option->get_items_expected_max() > 1; }
};

std::vector<Key> Keys(const CLI::App& command) {
  std::vector<Key> keys;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (std::find(std::begin(kOwnOptions), std::end(kOwnOptions), name) ==
          std::end(kOwnOptions)) {
        keys.push_back({name, option});
      }
    }
  }
  for (const char* name : kCommonKeys) {
    keys.push_back({name, command.get_parent()->get_option(absl::StrCat("--", name))});
  }
  return keys;
}

// --- paths

bool IsResource(absl::string_view text) {
  return IsFullName(kModels, text) || IsFullName(kDatasets, text) || IsFullName(kEvaluations, text);
}

// Whether the value of an option that takes a file or a name is a name: `stands` is where the file
// would be.
bool IsName(const std::string& type, const std::string& value, const std::string& stands) {
  if (absl::StrContains(type, "|NAME")) return value.find_first_of("./") == std::string::npos;
  std::error_code error;
  return absl::StrContains(type, "|") && IsResource(value) && !fs::exists(stands, error);
}

enum class Direction { kRead, kSave };

// `value` of an option whose help says that it takes a path, with the path as `move` gives it:
// seen from the working directory instead of the file's folder (kRead), or the other way round.
template <typename Move>
std::string WithPathMoved(const Key& key, const std::string& value, Direction direction,
                          const Move& move) {
  const std::string type = key.option->get_type_name();
  if (!absl::StrContains(type, "FILE") && !absl::StrContains(type, "DIR")) return value;
  const size_t equals = absl::StartsWith(type, "ID=") ? value.find('=') : std::string::npos;
  const size_t start = equals == std::string::npos ? 0 : equals + 1;
  const std::string path = value.substr(start);
  if (path.empty() || path == "-" || fs::path(path).is_absolute()) return value;
  const std::string moved = move(path);
  if (IsName(type, path, direction == Direction::kRead ? moved : path)) return value;
  return absl::StrCat(value.substr(0, start), moved);
}

// --- reading

// What a command line gives, in the forms that CLI11 takes: --name value, --name=value, -n value,
// -nvalue, and switches in front of it (-qn value).
struct Given {
  std::set<const CLI::Option*> options;
  // The value of -f, --file; empty without.
  std::string file;
  // Whether the command is the one that was looked for.
  bool command = false;
};

class Words {
 public:
  Words(const CLI::App& command, const std::vector<std::string>& words)
      : command_(command), words_(words) {}

  Given Read() {
    for (; next_ < words_.size(); ++next_) {
      const std::string& word = words_[next_];
      if (word.size() > 1 && word[0] == '-') {
        absl::StartsWith(word, "--") ? ReadLong(word) : ReadShort(word);
      } else if (!given_.command) {
        if (word != command_.get_name()) break;
        given_.command = true;
      }
    }
    return given_;
  }

 private:
  const CLI::Option* Find(const std::string& name) const {
    const CLI::Option* own = command_.get_option_no_throw(name);
    return own != nullptr ? own : command_.get_parent()->get_option_no_throw(name);
  }

  void ReadLong(const std::string& word) {
    const size_t equals = word.find('=');
    const CLI::Option* const option = Find(word.substr(0, equals));
    if (option == nullptr) return;
    if (equals != std::string::npos) {
      Take(*option, word.substr(equals + 1));
    } else {
      TakeNext(*option);
    }
  }

  void ReadShort(const std::string& word) {
    for (size_t i = 1; i < word.size(); ++i) {
      const CLI::Option* const option = Find(std::string("-") + word[i]);
      if (option == nullptr) return;
      if (option->get_items_expected_max() == 0) {
        given_.options.insert(option);
      } else if (i + 1 < word.size()) {
        return Take(*option, word.substr(i + 1));
      } else {
        return TakeNext(*option);
      }
    }
  }

  void TakeNext(const CLI::Option& option) {
    const bool has_value = option.get_items_expected_max() > 0 && next_ + 1 < words_.size();
    Take(option, has_value ? words_[++next_] : "");
  }

  void Take(const CLI::Option& option, const std::string& value) {
    given_.options.insert(&option);
    if (option.check_lname("file")) given_.file = value;
  }

  const CLI::App& command_;
  const std::vector<std::string>& words_;
  size_t next_ = 0;
  Given given_;
};

absl::Status AddWords(const std::string& path, const std::vector<Key>& keys,
                      const std::set<const CLI::Option*>& given, std::vector<std::string>* words) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, client::ReadTextFile(path));
  std::vector<OptionKey> names;
  for (const Key& key : keys) names.push_back({key.name, key.is_switch(), key.is_list()});
  ASSAY_ASSIGN_OR_RETURN(const std::vector<GivenOption> options, ReadOptionFile(text, path, names));
  const fs::path folder = fs::path(path).parent_path();
  for (const GivenOption& option : options) {
    const Key& key = *std::find_if(keys.begin(), keys.end(),
                                   [&](const Key& one) { return one.name == option.name; });
    if (given.count(key.option) > 0) continue;
    for (const std::string& value : option.values) {
      words->push_back(absl::StrCat(
          "--", key.name, "=",
          WithPathMoved(key, value, Direction::kRead, [&](const std::string& relative) {
            return (folder / relative).string();
          })));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WithEvaluationFile(const CLI::App& command,
                                                            std::vector<std::string> words) {
  const Given given = Words(command, words).Read();
  if (!given.command || given.file.empty()) return words;
  ASSAY_RETURN_IF_ERROR(AddWords(given.file, Keys(command), given.options, &words));
  return words;
}

std::string EvaluationFileText(const CLI::App& command, const std::string& folder) {
  const fs::path base = fs::absolute(folder.empty() ? "." : folder).lexically_normal();
  const auto from_base = [&base](const std::string& path) {
    return fs::absolute(path).lexically_normal().lexically_proximate(base).string();
  };
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const Key& key : Keys(command)) {
    if (key.option->count() == 0 || (key.is_switch() && !key.option->as<bool>())) continue;
    out << YAML::Key << key.name << YAML::Value;
    if (key.is_switch()) {
      out << true;
      continue;
    }
    std::vector<std::string> values;
    for (const std::string& value : key.option->results()) {
      // A file that is kept is no place for a password.
      values.push_back(key.name == "mlflow"
                           ? mlflow::ShownUri(value)
                           : WithPathMoved(key, value, Direction::kSave, from_base));
    }
    if (key.is_list()) {
      out << values;
    } else {
      out << values.back();
    }
  }
  out << YAML::EndMap;
  return absl::StrCat("# assay evaluate -f THIS FILE\n", out.c_str(), "\n");
}

std::string EvaluationFileSchema(const CLI::App& command) {
  nlohmann::ordered_json properties;
  for (const Key& key : Keys(command)) {
    const nlohmann::ordered_json scalar = {{"type", {"string", "number"}}};
    nlohmann::ordered_json& property = properties[key.name];
    property["description"] = key.option->get_description();
    if (key.is_switch()) {
      property["type"] = "boolean";
    } else if (key.is_list()) {
      property["anyOf"] = {scalar, {{"type", "array"}, {"items", scalar}}};
    } else {
      property.update(scalar);
    }
  }
  const nlohmann::ordered_json schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "assay evaluate -f"},
      {"type", "object"},
      {"properties", properties},
      {"additionalProperties", false},
  };
  return schema.dump(2) + "\n";
}

}  // namespace assay::cli
