// `assay completion`: a script for the shell, made from the definition of the command line.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/base/command.h"
#include "client/cli/base/uploads.h"
#include "client/render/render.h"

namespace assay::cli {
namespace {

// Words that may follow each path of subcommands ("", " model", " model upload").
void Collect(const CLI::App& app, const std::string& path,
             const std::vector<std::string>& inherited,
             std::map<std::string, std::vector<std::string>>* words) {
  std::vector<std::string> own = inherited;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) own.push_back(absl::StrCat("--", name));
  }
  std::vector<std::string> all;
  for (const CLI::App* sub : app.get_subcommands(nullptr)) {
    all.push_back(sub->get_name());
    // --version and --help of the root are repeated by the subcommands themselves, the rest falls
    // through to it.
    std::vector<std::string> passed;
    for (const std::string& word : own) {
      if (word != "--help" && word != "--version") passed.push_back(word);
    }
    Collect(*sub, absl::StrCat(path, " ", sub->get_name()), passed, words);
  }
  all.insert(all.end(), own.begin(), own.end());
  (*words)[path] = all;
}

std::string BashCompletion(const CLI::App& app) {
  std::map<std::string, std::vector<std::string>> words;
  Collect(app, "", {}, &words);
  std::string paths;
  std::string cases;
  for (const auto& [path, candidates] : words) {
    if (!path.empty()) absl::StrAppend(&paths, paths.empty() ? "" : "|", "\"", path, "\"");
    absl::StrAppend(&cases, "    \"", path, "\") words=\"", absl::StrJoin(candidates, " "),
                    "\" ;;\n");
  }
  return absl::StrCat(R"(# bash completion for assay; load it with: source <(assay completion bash)
_assay() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" path="" word words=""
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      )",
                      paths, R"() path="$path $word" ;;
    esac
  done
  case "$previous" in
    -o|--output) COMPREPLY=($(compgen -W ")",
                      absl::StrJoin(render::FormatNames(), " "), R"(" -- "$current")); return ;;
    --format) COMPREPLY=($(compgen -W ")",
                      absl::StrJoin(DataFormats(), " "), R"(" -- "$current")); return ;;
  esac
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

}  // namespace

CommandRun Completion(Leaf& leaf) {
  const auto shell = std::make_shared<std::string>();
  leaf.Add("shell", shell.get(), "The shell").Required().OneOf({"bash"});
  leaf.Footer("Use: source <(assay completion bash)");
  return [shell, &root = leaf.root()](Session& session) {
    return session.Print(BashCompletion(root));
  };
}

}  // namespace assay::cli
