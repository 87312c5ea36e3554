// `assay completion`: a script for the shell, made from the definition of the command line.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "client/cli/base/command.h"
#include "core/options/value_type.h"

namespace assay::cli {
namespace {

struct Word {
  std::string text;
  std::string description;
};

// What may follow a path of subcommands ("", " model", " model upload").
struct Level {
  std::vector<Word> commands;
  std::vector<const CLI::Option*> options;
  // Of an argument without a dash; empty: files.
  std::vector<std::string> choices;
};
using Levels = std::map<std::string, Level>;

void Collect(const CLI::App& app, const std::string& path,
             const std::vector<const CLI::Option*>& inherited, Levels* levels) {
  Level level;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if (option->get_positional() && level.choices.empty()) {
      level.choices = options::ValueTypeOf(*option).choices;
    }
    if (!option->get_lnames().empty()) level.options.push_back(option);
  }
  // --version and --help of the root are repeated by the subcommands themselves, the rest falls
  // through to it.
  std::vector<const CLI::Option*> passed = inherited;
  for (const CLI::Option* option : level.options) {
    if (!option->check_lname("help") && !option->check_lname("version")) passed.push_back(option);
  }
  level.options.insert(level.options.begin(), inherited.begin(), inherited.end());
  for (const CLI::App* sub : app.get_subcommands(nullptr)) {
    if (sub->get_group().empty()) continue;
    level.commands.push_back({sub->get_name(), sub->get_description()});
    Collect(*sub, absl::StrCat(path, " ", sub->get_name()), passed, levels);
  }
  (*levels)[path] = std::move(level);
}

std::string FirstLine(absl::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

std::vector<Word> OptionWords(const Level& level) {
  std::vector<Word> words;
  for (const CLI::Option* option : level.options) {
    for (const std::string& name : option->get_lnames()) {
      words.push_back({absl::StrCat("--", name), FirstLine(option->get_description())});
    }
  }
  return words;
}

// Of the options whose values are a few words: their names as a pattern of `case`, and the words.
std::map<std::string, std::vector<std::string>> Choices(const Levels& levels) {
  std::map<std::string, std::vector<std::string>> choices;
  for (const auto& [path, level] : levels) {
    for (const CLI::Option* option : level.options) {
      const auto words = options::ValueTypeOf(*option).choices;
      if (words.empty()) continue;
      std::vector<std::string> names;
      for (const std::string& name : option->get_snames()) names.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      choices[absl::StrJoin(names, "|")] = words;
    }
  }
  return choices;
}

// Every path but the root's, as a pattern of `case`.
std::string PathPattern(const Levels& levels) {
  std::vector<std::string> paths;
  for (const auto& [path, level] : levels) {
    if (!path.empty()) paths.push_back(absl::StrCat("\"", path, "\""));
  }
  return absl::StrJoin(paths, "|");
}

std::string BashCompletion(const Levels& levels) {
  std::string values;
  for (const auto& [names, words] : Choices(levels)) {
    absl::StrAppend(&values, "    ", names, ") COMPREPLY=($(compgen -W \"",
                    absl::StrJoin(words, " "), "\" -- \"$current\")); return ;;\n");
  }
  std::string cases;
  for (const auto& [path, level] : levels) {
    std::vector<std::string> words;
    for (const Word& command : level.commands) words.push_back(command.text);
    words.insert(words.end(), level.choices.begin(), level.choices.end());
    for (const Word& option : OptionWords(level)) words.push_back(option.text);
    absl::StrAppend(&cases, "    \"", path, "\") words=\"", absl::StrJoin(words, " "), "\" ;;\n");
  }
  return absl::StrCat(R"(# bash completion for assay; load it with: source <(assay completion bash)
_assay() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" path="" word words=""
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      )",
                      PathPattern(levels), R"() path="$path $word" ;;
    esac
  done
  case "$previous" in
)",
                      values, R"(  esac
  case "$path" in
)",
                      cases, R"(  esac
  # Where no subcommand can follow, a word that is no option is most likely a file: bash's own completion finds those.
  if [[ "$current" != -* && "$words" == -* ]]; then COMPREPLY=(); return; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _assay assay
)");
}

// In single quotes, as zsh takes it.
std::string ZshQuoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string ZshDescribed(const std::vector<Word>& words) {
  std::vector<std::string> described;
  for (const Word& word : words) {
    described.push_back(ZshQuoted(absl::StrCat(word.text, ":", word.description)));
  }
  return absl::StrJoin(described, " ");
}

std::string ZshCompletion(const Levels& levels) {
  std::string values;
  for (const auto& [names, words] : Choices(levels)) {
    absl::StrAppend(&values, "    ", names, ") compadd -- ", absl::StrJoin(words, " "),
                    "; return ;;\n");
  }
  std::string cases;
  for (const auto& [path, level] : levels) {
    absl::StrAppend(&cases, "    \"", path, "\")\n      commands=(", ZshDescribed(level.commands),
                    ")\n      choices=(", absl::StrJoin(level.choices, " "), ")\n      options=(",
                    ZshDescribed(OptionWords(level)), ") ;;\n");
  }
  return absl::StrCat(R"(#compdef assay
# zsh completion for assay; load it with: source <(assay completion zsh)
_assay() {
  local at="" word
  local -a commands choices options
  for word in "${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      )",
                      PathPattern(levels), R"() at="$at $word" ;;
    esac
  done
  case "${words[CURRENT-1]}" in
)",
                      values, R"(  esac
  case "$at" in
)",
                      cases, R"(  esac
  if [[ "$PREFIX" == -* ]]; then
    _describe -o option options
  elif (( $#commands )); then
    _describe command commands
  elif (( $#choices )); then
    compadd -- $choices
  else
    _files
  fi
}
if [[ "${funcstack[1]}" == _assay ]]; then _assay "$@"; else compdef _assay assay; fi
)");
}

// In single quotes, as fish takes it.
std::string FishQuoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string FishCompletion(const Levels& levels) {
  std::string lines;
  for (const auto& [path, level] : levels) {
    const std::string when =
        absl::StrCat("complete -c assay -n ", FishQuoted(absl::StrCat("__assay_at '", path, "'")));
    for (const Word& command : level.commands) {
      absl::StrAppend(&lines, when, " -f -a ", command.text, " -d ",
                      FishQuoted(command.description), "\n");
    }
    if (!level.choices.empty()) {
      absl::StrAppend(&lines, when, " -f -a ", FishQuoted(absl::StrJoin(level.choices, " ")), "\n");
    }
    for (const CLI::Option* option : level.options) {
      std::string line = when;
      for (const std::string& name : option->get_snames()) absl::StrAppend(&line, " -s ", name);
      for (const std::string& name : option->get_lnames()) absl::StrAppend(&line, " -l ", name);
      const options::ValueType type = options::ValueTypeOf(*option);
      if (!type.choices.empty()) {
        absl::StrAppend(&line, " -x -a ", FishQuoted(absl::StrJoin(type.choices, " ")));
      } else if (!type.name.empty()) {
        absl::StrAppend(&line, " -r");
      }
      absl::StrAppend(&lines, line, " -d ", FishQuoted(FirstLine(option->get_description())), "\n");
    }
  }
  return absl::StrCat(R"(# fish completion for assay; load it with: assay completion fish | source
function __assay_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case )",
                      absl::StrReplaceAll(PathPattern(levels), {{"|", " "}}), R"(
        set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
)",
                      lines);
}

}  // namespace

CommandRun Completion(Leaf& leaf) {
  const auto shell = std::make_shared<std::string>();
  leaf.Add("shell", shell.get(), "The shell").Required().OneOf({"bash", "zsh", "fish"});
  leaf.Footer(
      "Use: source <(assay completion bash), the same with zsh, or assay completion fish | source");
  return [shell, &root = leaf.root()](Session& session) {
    Levels levels;
    Collect(root, "", {}, &levels);
    return session.Print(*shell == "bash"  ? BashCompletion(levels)
                         : *shell == "zsh" ? ZshCompletion(levels)
                                           : FishCompletion(levels));
  };
}

}  // namespace assay::cli
