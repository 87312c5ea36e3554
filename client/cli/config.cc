#include "client/cli/config.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/data/text_file.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

std::string DefaultPath() {
  const char* const config_home = std::getenv("XDG_CONFIG_HOME");
  if (config_home != nullptr && *config_home != '\0') {
    return absl::StrCat(config_home, "/assay/config.toml");
  }
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? absl::StrCat(home, "/.config/assay/config.toml") : "";
}

// `"text"` or `'text'` or text, before a comment.
std::string Value(absl::string_view raw) {
  raw = absl::StripAsciiWhitespace(raw);
  if (!raw.empty() && (raw[0] == '"' || raw[0] == '\'')) {
    const size_t end = raw.find(raw[0], 1);
    if (end != absl::string_view::npos) return std::string(raw.substr(1, end - 1));
  }
  return std::string(absl::StripAsciiWhitespace(raw.substr(0, raw.find('#'))));
}

}  // namespace

absl::StatusOr<Config> ParseConfig(const std::string& text, const std::string& path) {
  Config config;
  int number = 0;
  for (const absl::string_view full : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(full);
    if (line.empty() || line[0] == '#') continue;
    const std::string where = absl::StrCat(path, ":", number);
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) {
      return InvalidFields({{where, absl::StrCat("must be key = value; got '", line, "'")}});
    }
    const std::string key(absl::StripAsciiWhitespace(line.substr(0, equals)));
    const std::string value = Value(line.substr(equals + 1));
    static const auto* const keys = new std::vector<std::pair<std::string, std::string Config::*>>{
        {"server", &Config::server},
        {"output", &Config::output},
        {"token_file", &Config::token_file},
        {"ca", &Config::ca},
        {"cert", &Config::cert},
        {"key", &Config::key}};
    const auto known = std::find_if(keys->begin(), keys->end(),
                                    [&](const auto& entry) { return entry.first == key; });
    if (known != keys->end()) {
      config.*known->second = value;
      continue;
    }
    std::vector<std::string> names;
    for (const auto& [name, member] : *keys) names.push_back(name);
    const std::string nearest = Nearest(key, names);
    return InvalidFields(
        {{where,
          absl::StrCat("unknown key '", key, "'; ",
                       nearest.empty() ? absl::StrCat("keys are ", absl::StrJoin(names, ", "))
                                       : absl::StrCat("did you mean ", nearest, "?"))}});
  }
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  const std::string file_path = path.empty() ? DefaultPath() : path;
  std::error_code error;
  if (path.empty() && (file_path.empty() || !std::filesystem::exists(file_path, error))) {
    return Config();
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string text, client::ReadTextFile(file_path));
  return ParseConfig(text, file_path);
}

}  // namespace assay::cli
