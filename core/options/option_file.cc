#include "core/options/option_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace assay::options {
namespace {

// Of what YAML does not take, the one thing that looks right on the screen.
bool IsIndentedByTab(const std::string& text, int line) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (line < 0 || line >= static_cast<int>(lines.size())) return false;
  const absl::string_view one = lines[static_cast<size_t>(line)];
  return one.substr(0, one.find_first_not_of(" \t")).find('\t') != absl::string_view::npos;
}

class Reader {
 public:
  Reader(const std::string& text, const std::string& path, const std::vector<Key>& keys)
      : text_(text), path_(path), keys_(keys) {}

  OptionFile Read() {
    std::vector<YAML::Node> documents;
    try {
      documents = YAML::LoadAll(text_);
    } catch (const YAML::Exception& error) {
      Wrong(error.mark, absl::StrCat("is no YAML: ", IsIndentedByTab(text_, error.mark.line)
                                                         ? "a tab indents the line; use spaces"
                                                         : error.msg));
      return std::move(file_);
    }
    if (documents.empty() || (documents.size() == 1 && documents[0].IsNull())) {
      return std::move(file_);
    }
    if (documents.size() != 1 || !documents[0].IsMap()) {
      file_.mistakes.push_back(
          {path_, absl::StrCat("must be one YAML document of keys and values, as ",
                               keys_.empty() ? "key" : keys_.front().name, ": value")});
      return std::move(file_);
    }
    for (const auto& entry : documents[0]) ReadEntry(entry.first, entry.second);
    return std::move(file_);
  }

 private:
  void Wrong(const YAML::Mark& mark, std::string text) {
    file_.mistakes.push_back({absl::StrCat(path_, ":", mark.line + 1), std::move(text)});
  }

  void ReadEntry(const YAML::Node& name_node, const YAML::Node& value) {
    if (!name_node.IsScalar()) return Wrong(name_node.Mark(), "a key must be a word");
    const std::string& name = name_node.Scalar();
    const auto key =
        std::find_if(keys_.begin(), keys_.end(), [&](const Key& one) { return one.name == name; });
    if (key == keys_.end()) {
      return Wrong(name_node.Mark(),
                   absl::StrCat("unknown key '", name, "'; ", UnknownKey(name, keys_)));
    }
    if (!seen_.insert(name).second) {
      return Wrong(name_node.Mark(), absl::StrCat("key '", name, "' is there twice"));
    }
    Entry entry{*key, {}, name_node.Mark().line + 1};
    if (ReadValues(*key, value, name_node.Mark(), &entry.values)) {
      file_.entries.push_back(std::move(entry));
    }
  }

  bool ReadValues(const Key& key, const YAML::Node& node, const YAML::Mark& where,
                  std::vector<std::string>* values) {
    if (node.IsScalar()) return ReadValue(key, node, values);
    const bool takes_list = key.is_list() || key.is_joined();
    if (!node.IsSequence() || (takes_list && node.size() == 0)) {
      Wrong(where, absl::StrCat("'", key.name, "' needs a value",
                                takes_list ? " or a list of values" : ""));
      return false;
    }
    if (!takes_list) {
      Wrong(node.Mark(), absl::StrCat("'", key.name, "' takes one value, not a list"));
      return false;
    }
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) {
        Wrong(item.Mark(), absl::StrCat("each value of '", key.name, "' must be a text"));
        return false;
      }
      if (!ReadValue(key, item, values)) return false;
    }
    if (key.is_joined()) *values = {absl::StrJoin(*values, ",")};
    return true;
  }

  bool ReadValue(const Key& key, const YAML::Node& node, std::vector<std::string>* values) {
    std::string value = node.Scalar();
    if (value.empty()) {
      Wrong(node.Mark(), absl::StrCat("'", key.name, "' is empty"));
      return false;
    }
    if (key.is_switch()) {
      const std::optional<bool> on = ReadSwitch(value);
      if (!on) {
        Wrong(node.Mark(),
              absl::StrCat("'", key.name, "' must be true or false; got '", value, "'"));
        return false;
      }
      value = *on ? "true" : "false";
    }
    values->push_back(std::move(value));
    return true;
  }

  const std::string& text_;
  const std::string& path_;
  const std::vector<Key>& keys_;
  OptionFile file_;
  std::set<std::string> seen_;
};

}  // namespace

bool Key::is_switch() const {
  return option != nullptr ? option->get_items_expected_max() == 0 : takes == Takes::kNothing;
}
bool Key::is_list() const {
  return option != nullptr ? option->get_items_expected_max() > 1 : takes == Takes::kValues;
}
bool Key::is_joined() const {
  return option != nullptr && !is_list() && option->get_type_name() == "LIST";
}

OptionFile ReadOptionFile(const std::string& text, const std::string& path,
                          const std::vector<Key>& keys) {
  return Reader(text, path, keys).Read();
}

std::optional<bool> ReadSwitch(const std::string& text) {
  bool on = false;
  if (!YAML::convert<bool>::decode(YAML::Node(text), on)) return std::nullopt;
  return on;
}

std::string UnknownKey(const std::string& name, const std::vector<Key>& keys) {
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(key.name);
  const std::string nearest = Nearest(name, names);
  return nearest.empty() ? absl::StrCat("keys are ", absl::StrJoin(names, ", "))
                         : absl::StrCat("did you mean ", nearest, "?");
}

}  // namespace assay::options
