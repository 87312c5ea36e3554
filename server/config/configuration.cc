#include "server/config/configuration.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/uri.h"
#include "core/options/man_page.h"
#include "core/options/option_file.h"
#include "core/options/value_type.h"

namespace assay {
namespace {

using options::Key;

constexpr absl::string_view kPrefix = "ASSAYD_";
constexpr const char* kConfigVariable = "ASSAYD_CONFIG";
constexpr int64_t kMaxFileBytes = 1 << 20;

// For the man page; docs/operations.md has more.
constexpr char kConfigurationText[] =
    "Every flag but those about the configuration itself is also a key of the configuration file, "
    "without its dashes (listen: 127.0.0.1:8001), and a variable of the environment, in capitals "
    "behind ASSAYD_ (ASSAYD_LISTEN). Flags go before the environment, that before the file, and "
    "that before the defaults. Keys and variables that are not known are refused.\n\n"
    "The file is YAML: switches are true or false, and flags that take several values take a list. "
    "An empty variable is one that is not set. ASSAYD_CONFIG names the file where --config does "
    "not.";
constexpr char kSignalsText[] =
    "SIGTERM and SIGINT stop it: running tasks go back into the queue. After --exit-timeout, or "
    "on a second signal, it ends at once. Nothing that was acknowledged is lost.";
constexpr char kExitText[] =
    "0 after an orderly stop, 1 when it did not start or had to end at once. With --check-config: "
    "0 when nothing is wrong, else 1.";
constexpr char kFilesText[] =
    "/etc/assay/assayd.yaml is the configuration. Where --data-dir names are models, images, "
    "outcomes, and in engines/ what engines and models print.";

// The whole command line: the flags, and what is about the configuration itself.
struct CommandLine {
  explicit CommandLine(Flags& flags)
      : app("assayd: evaluates how robust image classifiers are, class by class.\n"
            "Serves gRPC (assay.v1, health, reflection) and Prometheus metrics.",
            "assayd") {
    app.set_version_flag("--version", ASSAY_VERSION);
    DeclareFlags(app, flags);
    own.push_back(app.add_option("--config", file,
                                 absl::StrCat("Configuration file instead of ", kDefaultConfigFile))
                      ->type_name("FILE"));
    own.push_back(app.add_flag("--no-config", none,
                               "Read no configuration, neither a file nor the environment")
                      ->excludes("--config"));
    own.push_back(app.add_flag("--check-config", check,
                               "Check what can be checked without starting, print what is in force "
                               "and where it comes from, and exit"));
    own.push_back(app.add_flag("--example-config", example,
                               "Print a configuration file with every key, and exit"));
    options::AddManPage(app, {8,
                              "evaluates how robust image classifiers are",
                              ASSAY_VERSION,
                              {{"CONFIGURATION", kConfigurationText},
                               {"SIGNALS", kSignalsText},
                               {"EXIT STATUS", kExitText},
                               {"FILES", kFilesText},
                               {"SEE ALSO", "assay(1), assay-engine(8)"}}});
    app.footer(
        "Every flag is also a key of the configuration file (listen: 127.0.0.1:8001) and a "
        "variable of\nthe environment (ASSAYD_LISTEN). Flags go before the environment, and that "
        "before the file.");
  }

  // What files and the environment may have: what is shown, but for its own.
  std::vector<Key> Keys() const {
    std::vector<Key> keys;
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_lnames().empty() || option->get_group().empty()) continue;
      const std::string& name = option->get_lnames().front();
      if (name == "help" || name == "version") continue;
      if (std::find(own.begin(), own.end(), option) != own.end()) continue;
      keys.push_back({name, option});
    }
    return keys;
  }

  void Parse(std::vector<std::string> words) {
    // From its end, as CLI11 wants it.
    std::reverse(words.begin(), words.end());
    app.parse(std::move(words));
  }

  CLI::App app;
  std::vector<const CLI::Option*> own;
  std::string file;
  bool none = false;
  bool check = false;
  bool example = false;
};

std::string VariableOf(const std::string& name) {
  std::string variable = absl::StrCat(kPrefix, name);
  for (char& c : variable) c = c == '-' ? '_' : absl::ascii_toupper(static_cast<unsigned char>(c));
  return variable;
}

// What is wrong with the values of one option, if something is.
std::optional<std::string> CheckValues(const Key& key, const std::vector<std::string>& values) {
  Flags flags;
  CommandLine alone(flags);
  std::vector<std::string> words;
  for (const std::string& value : values) words.push_back(absl::StrCat("--", key.name, "=", value));
  const auto text = [&](const CLI::Error& error) -> std::string {
    const std::string wanted = options::ValueTypeOf(*key.option).Wanted();
    if (wanted.empty()) {
      return std::string(absl::StripPrefix(error.what(), absl::StrCat("--", key.name, ": ")));
    }
    return absl::StrCat("must be ", wanted, "; got '", WithoutUser(absl::StrJoin(values, " ")),
                        "'");
  };
  try {
    alone.Parse(std::move(words));
  } catch (const CLI::ConversionError& error) {
    return text(error);
  } catch (const CLI::ValidationError& error) {
    return text(error);
  } catch (const CLI::Error&) {
    // What it needs beside it is looked at when everything is there.
  }
  return std::nullopt;
}

// The text of a configuration file; what is wrong with it otherwise.
std::variant<std::string, FieldViolation> ReadFile(const std::string& path,
                                                   const std::string& field) {
  struct stat status {};
  std::ifstream file(path, std::ios::binary);
  if (stat(path.c_str(), &status) != 0 || !file) {
    return FieldViolation{field, absl::StrCat("cannot read ", path, ": ", std::strerror(errno))};
  }
  if (S_ISDIR(status.st_mode)) {
    return FieldViolation{field, absl::StrCat(path, " is a directory; name a YAML file")};
  }
  std::string text(static_cast<size_t>(kMaxFileBytes) + 1, '\0');
  file.read(text.data(), kMaxFileBytes + 1);
  text.resize(static_cast<size_t>(file.gcount()));
  if (static_cast<int64_t>(text.size()) > kMaxFileBytes) {
    return FieldViolation{field, absl::StrCat(path, " is no configuration: it is over 1 MiB")};
  }
  return text;
}

bool Exists(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

// What one source says of one option.
struct Said {
  std::vector<std::string> values;
  std::string origin;
};

class Reading {
 public:
  Reading(const std::vector<std::string>& words, const Environment& environment,
          const std::string& default_file)
      : words_(words), environment_(environment), default_file_(default_file), line_(ignored_) {}

  std::variant<Configuration, Exit> Read() {
    line_.app.allow_extras();
    try {
      line_.Parse(words_);
    } catch (const CLI::Success& request) {
      std::ostringstream out;
      const int code = line_.app.exit(request, out, out);
      return Exit{code, out.str(), {}};
    } catch (const CLI::ConversionError&) {  // With what is wrong with the values, below.
    } catch (const CLI::ValidationError&) {
    } catch (const CLI::RequiresError&) {  // Others may say the rest.
    } catch (const CLI::RequiredError&) {
    } catch (const CLI::ExcludesError&) {
    } catch (const CLI::ParseError& error) {
      mistakes_.push_back({"command line", error.what()});
    }
    if (line_.example) return Exit{0, ExampleFile(), {}};
    keys_ = line_.Keys();
    CheckExtras();
    ReadWords();
    // As words: the switch may stand behind a mistake.
    const auto has = [&](absl::string_view word) {
      return std::find(words_.begin(), words_.end(), word) != words_.end();
    };
    if (!has("--no-config")) {
      ReadEnvironment();
      ReadConfigFile();
    }
    Configuration configuration;
    if (mistakes_.empty()) Parse(&configuration);
    if (!mistakes_.empty()) return Exit{1, "", std::move(mistakes_)};
    configuration.check_only = line_.check;
    return configuration;
  }

 private:
  void CheckExtras() {
    std::vector<std::string> known = {"--help", "--version"};
    for (const CLI::Option* option : line_.app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    const std::vector<std::string> extras = line_.app.remaining();
    bool flags = false;
    for (const std::string& word : extras) {
      if (word.empty() || word[0] != '-') continue;
      flags = true;
      const std::string name = word.substr(0, word.find('='));
      const std::string nearest = Nearest(name, known);
      mistakes_.push_back(
          {name, nearest.empty()
                     ? "there is no such flag; see assayd --help"
                     : absl::StrCat("there is no such flag; did you mean ", nearest, "?")});
    }
    // Behind an unknown flag, what is left is most likely its value.
    if (extras.empty() || flags) return;
    mistakes_.push_back({"command line", absl::StrCat("assayd takes flags only; got '",
                                                      absl::StrJoin(extras, " "), "'")});
  }

  // Keeps what the first source says, and checks what each says.
  void Take(const Key& key, std::vector<std::string> values, const std::string& origin,
            const std::string& where) {
    if (const auto wrong = CheckValues(key, values)) {
      mistakes_.push_back({where, *wrong});
      return;
    }
    said_.emplace(key.name, Said{std::move(values), origin});
  }

  // What was typed for an option; CLI11 only keeps what a transformation ("30d") made of it.
  std::vector<std::string> Typed(const Key& key) const {
    const std::string flag = absl::StrCat("--", key.name);
    std::vector<std::string> values;
    for (size_t i = 0; i < words_.size(); ++i) {
      if (absl::StartsWith(words_[i], flag + "=")) {
        values.push_back(words_[i].substr(flag.size() + 1));
      } else if (words_[i] == flag && key.is_switch()) {
        values.emplace_back("true");
      } else if (words_[i] == flag) {
        const auto follows = [&] {
          return i + 1 < words_.size() && !absl::StartsWith(words_[i + 1], "--");
        };
        if (follows()) values.push_back(words_[++i]);
        while (key.is_list() && follows()) values.push_back(words_[++i]);
      }
    }
    return values;
  }

  void ReadWords() {
    for (const Key& key : keys_) {
      if (key.option->count() == 0) continue;
      Take(key, Typed(key), "flag", absl::StrCat("--", key.name));
    }
  }

  void ReadEnvironment() {
    std::vector<std::string> variables = {kConfigVariable};
    for (const Key& key : keys_) variables.push_back(VariableOf(key.name));
    for (const auto& [variable, value] : environment_) {
      if (!absl::StartsWith(variable, kPrefix)) continue;
      const auto found = std::find(variables.begin(), variables.end(), variable);
      if (found == variables.end()) {
        const std::string nearest = Nearest(variable, variables);
        mistakes_.push_back(
            {variable, nearest.empty()
                           ? "is no setting of assayd; variables are flags, as ASSAYD_LISTEN for "
                             "--listen"
                           : absl::StrCat("is no setting of assayd; did you mean ", nearest, "?")});
        continue;
      }
      // As pipelines and containers leave out a variable.
      if (value.empty()) continue;
      if (found == variables.begin()) {
        config_variable_ = value;
        continue;
      }
      const Key& key = keys_[static_cast<size_t>(found - variables.begin()) - 1];
      std::vector<std::string> values = {value};
      if (key.is_list()) values = absl::StrSplit(value, ',', absl::SkipEmpty());
      if (key.is_switch()) {
        auto on = options::ReadSwitch(value);
        if (value == "1" || value == "0") on = value == "1";
        if (!on) {
          mistakes_.push_back({variable, absl::StrCat("must be true or false; got '", value, "'")});
          continue;
        }
        values = {*on ? "true" : "false"};
      }
      Take(key, std::move(values), "environment", variable);
    }
  }

  void ReadConfigFile() {
    std::string field = "--config";
    // As it was typed: the parser may have stopped at a mistake before it.
    const CLI::Option& config = *line_.own.front();
    file_ = config.count() > 0 ? config.results().front() : "";
    if (file_.empty()) {
      file_ = config_variable_;
      field = kConfigVariable;
    }
    if (file_.empty()) {
      if (default_file_.empty() || !Exists(default_file_)) return;
      file_ = default_file_;
      field = "configuration";
    }
    const auto text = ReadFile(file_, field);
    if (const auto* violation = std::get_if<FieldViolation>(&text)) {
      mistakes_.push_back(*violation);
      return;
    }
    options::OptionFile file = options::ReadOptionFile(std::get<std::string>(text), file_, keys_);
    for (FieldViolation& mistake : file.mistakes) mistakes_.push_back(std::move(mistake));
    for (options::Entry& entry : file.entries) {
      const std::string origin = absl::StrCat(file_, ":", entry.line);
      Take(entry.key, std::move(entry.values), origin, absl::StrCat(origin, ": ", entry.key.name));
    }
  }

  // All together into the flags.
  void Parse(Configuration* configuration) {
    std::vector<std::string> words = words_;
    for (const auto& [name, said] : said_) {
      if (said.origin == "flag") continue;
      for (const std::string& value : said.values) {
        // Like an option that is not given, for what needs or excludes it.
        if (IsDefault(name, value)) continue;
        words.push_back(absl::StrCat("--", name, "=", value));
      }
    }
    CommandLine whole(configuration->flags);
    try {
      whole.Parse(std::move(words));
    } catch (const CLI::ParseError& error) {
      mistakes_.push_back({"configuration", error.what()});
      return;
    }
    configuration->file = file_;
    for (const Key& key : keys_) {
      Setting setting{key.name, key.option->get_default_str(), "default"};
      if (key.is_switch()) setting.value = "false";
      if (const auto said = said_.find(key.name); said != said_.end()) {
        std::vector<std::string> shown;
        for (const std::string& value : said->second.values) shown.push_back(WithoutUser(value));
        setting.value = absl::StrJoin(shown, ",");
        setting.origin = said->second.origin;
      }
      configuration->settings.push_back(std::move(setting));
    }
  }

  bool IsDefault(const std::string& name, const std::string& value) const {
    const auto key =
        std::find_if(keys_.begin(), keys_.end(), [&](const Key& one) { return one.name == name; });
    if (key == keys_.end() || key->is_list()) return false;
    return value == (key->is_switch() ? "false" : key->option->get_default_str());
  }

  const std::vector<std::string>& words_;
  const Environment& environment_;
  const std::string& default_file_;
  Flags ignored_;
  CommandLine line_;
  std::vector<Key> keys_;
  std::string config_variable_;
  std::string file_;
  std::map<std::string, Said> said_;
  std::vector<FieldViolation> mistakes_;
};

}  // namespace

std::variant<Configuration, Exit> ReadConfiguration(const std::vector<std::string>& words,
                                                    const Environment& environment,
                                                    const std::string& default_file) {
  return Reading(words, environment, default_file).Read();
}

Environment ProcessEnvironment() {
  Environment environment;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::vector<std::string> parts = absl::StrSplit(*variable, absl::MaxSplits('=', 1));
    if (parts.size() == 2) environment.emplace_back(parts[0], parts[1]);
  }
  return environment;
}

std::string Configuration::WhereIs(const std::string& flag) const {
  const std::string name(absl::StripPrefix(flag, "--"));
  for (const Setting& setting : settings) {
    if (setting.name != name || !absl::StartsWith(flag, "--")) continue;
    if (setting.origin == "environment") return VariableOf(name);
    if (setting.origin != "flag" && setting.origin != "default") {
      return absl::StrCat(setting.origin, ": ", name);
    }
  }
  return flag;
}

std::string Describe(const Configuration& configuration) {
  size_t names = 0;
  size_t values = 0;
  const auto shown = [](const Setting& setting) {
    return setting.value.empty() ? "(none)" : absl::Utf8SafeCEscape(setting.value);
  };
  for (const Setting& setting : configuration.settings) {
    names = std::max(names, setting.name.size());
    values = std::max(values, shown(setting).size());
  }
  std::string text = absl::StrCat(
      "configuration file: ", configuration.file.empty() ? "(none)" : configuration.file, "\n");
  for (const Setting& setting : configuration.settings) {
    absl::StrAppendFormat(
        &text, "%-*s  %-*s  %s\n", static_cast<int>(names), setting.name, static_cast<int>(values),
        shown(setting),
        setting.origin == "environment" ? VariableOf(setting.name) : setting.origin);
  }
  return text;
}

std::string ExampleFile() {
  Flags flags;
  const CommandLine line(flags);
  std::string text =
      "# Configuration of assayd: YAML, a key for each flag (assayd --help). Flags and variables\n"
      "# of the environment (ASSAYD_LISTEN) go before what stands here. Passwords and tokens do "
      "not\n"
      "# belong here: settings name the files that hold them. Check it: assayd --check-config\n";
  for (const Key& key : line.Keys()) {
    absl::StrAppend(&text, "\n# ", key.option->get_description(), "\n#", key.name, ":");
    const std::string value = key.is_switch() ? "false" : key.option->get_default_str();
    absl::StrAppend(&text, value.empty() ? "" : " ", value, "\n");
  }
  return text;
}

}  // namespace assay
