#include "core/options/option_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"

namespace assay {
namespace {

class Reader {
 public:
  Reader(const std::string& path, const std::vector<OptionKey>& keys) : path_(path), keys_(keys) {}

  absl::StatusOr<std::vector<GivenOption>> Read(const std::string& text) const {
    std::vector<YAML::Node> documents;
    try {
      documents = YAML::LoadAll(text);
    } catch (const YAML::Exception& error) {
      return Wrong(error.mark, absl::StrCat("is no YAML: ", error.msg));
    }
    if (documents.size() != 1 || !documents[0].IsMap()) {
      return InvalidFields(
          {{path_, absl::StrCat("must be one YAML document of keys and values, as ",
                                keys_.empty() ? "" : keys_[0].name, ": VALUE")}});
    }
    std::vector<GivenOption> given;
    for (const auto& entry : documents[0]) {
      if (!entry.first.IsScalar()) return Wrong(entry.first.Mark(), "a key must be a word");
      const std::string name = entry.first.Scalar();
      const auto key = std::find_if(keys_.begin(), keys_.end(),
                                    [&](const OptionKey& one) { return one.name == name; });
      if (key == keys_.end()) return Wrong(entry.first.Mark(), UnknownKey(name));
      if (std::any_of(given.begin(), given.end(),
                      [&](const GivenOption& one) { return one.name == name; })) {
        return Wrong(entry.first.Mark(), absl::StrCat("key '", name, "' is there twice"));
      }
      GivenOption option{name, entry.first.Mark().line + 1, {}};
      ASSAY_RETURN_IF_ERROR(Values(*key, entry.second, entry.first.Mark(), &option.values));
      given.push_back(std::move(option));
    }
    return given;
  }

 private:
  absl::Status Wrong(const YAML::Mark& mark, const std::string& text) const {
    return OptionFileError(path_, mark.line + 1, text);
  }

  std::string UnknownKey(const std::string& name) const {
    std::vector<std::string> names;
    for (const OptionKey& key : keys_) names.push_back(key.name);
    const std::string nearest = Nearest(name, names);
    return absl::StrCat("unknown key '", name, "'; ",
                        nearest.empty() ? absl::StrCat("keys are ", absl::StrJoin(names, ", "))
                                        : absl::StrCat("did you mean ", nearest, "?"));
  }

  absl::Status Values(const OptionKey& key, const YAML::Node& node, const YAML::Mark& where,
                      std::vector<std::string>* values) const {
    if (node.IsScalar()) return AddValue(key, node, values);
    if (!node.IsSequence()) {
      return Wrong(where, absl::StrCat("'", key.name, "' needs a value",
                                       key.is_list ? " or a list of values" : ""));
    }
    if (!key.is_list) {
      return Wrong(node.Mark(), absl::StrCat("'", key.name, "' takes one value, not a list"));
    }
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) {
        return Wrong(item.Mark(), absl::StrCat("each value of '", key.name, "' must be a text"));
      }
      ASSAY_RETURN_IF_ERROR(AddValue(key, item, values));
    }
    return absl::OkStatus();
  }

  absl::Status AddValue(const OptionKey& key, const YAML::Node& node,
                        std::vector<std::string>* values) const {
    const std::string& value = node.Scalar();
    if (key.is_switch && value != "true" && value != "false") {
      return Wrong(node.Mark(),
                   absl::StrCat("'", key.name, "' must be true or false; got '", value, "'"));
    }
    // A command line would take the next word for it.
    if (value.empty()) return Wrong(node.Mark(), absl::StrCat("'", key.name, "' is empty"));
    // Not given, and so not in the way of options that exclude it.
    if (key.is_switch && value == "false") return absl::OkStatus();
    values->push_back(value);
    return absl::OkStatus();
  }

  const std::string& path_;
  const std::vector<OptionKey>& keys_;
};

}  // namespace

absl::StatusOr<std::vector<GivenOption>> ReadOptionFile(const std::string& text,
                                                        const std::string& path,
                                                        const std::vector<OptionKey>& keys) {
  return Reader(path, keys).Read(text);
}

absl::Status OptionFileError(const std::string& path, int line, const std::string& text) {
  return InvalidFields({{absl::StrCat(path, ":", line), text}});
}

}  // namespace assay
