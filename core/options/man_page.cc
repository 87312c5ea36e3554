#include "core/options/man_page.h"

#include <cstdlib>
#include <memory>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/options/value_type.h"

namespace assay::options {
namespace {

// Text that roff prints as it is: no escapes, no dashes that become others.
std::string Plain(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}});
}

// Lines that begin with sentences and are no longer than editors like.
std::string Paragraph(absl::string_view text) {
  constexpr size_t kWidth = 78;
  std::string lines, line;
  const auto end_line = [&] {
    // A dot or a quote there would begin a request.
    if (!line.empty() && (line[0] == '.' || line[0] == '\'')) line.insert(0, "\\&");
    absl::StrAppend(&lines, line, line.empty() ? "" : "\n");
    line.clear();
  };
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    const std::string plain = Plain(word);
    if (line.size() + 1 + plain.size() > kWidth) end_line();
    absl::StrAppend(&line, line.empty() ? "" : " ", plain);
    if (word.back() == '.') end_line();
  }
  end_line();
  return lines;
}

std::string Date() {
  int64_t seconds = 0;
  const char* const given = std::getenv("SOURCE_DATE_EPOCH");
  const absl::Time time = given != nullptr && absl::SimpleAtoi(given, &seconds)
                              ? absl::FromUnixSeconds(seconds)
                              : absl::Now();
  return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone());
}

std::string ValueOf(const CLI::Option& option) {
  const ValueType type = ValueTypeOf(option);
  if (type.name.empty()) return "";
  const std::string text = type.choices.empty() ? type.name : absl::StrJoin(type.choices, "|");
  return absl::StrCat(" \\fI", Plain(text), "\\fR",
                      option.get_items_expected_max() > 1 ? " ..." : "");
}

void AddOption(const CLI::Option& option, std::string* page) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  for (std::string& name : names) name = absl::StrCat("\\fB", Plain(name), "\\fR");
  if (names.empty()) {
    absl::StrAppend(page, ".TP\n\\fI", Plain(option.get_name(/*positional=*/true)), "\\fR\n");
  } else {
    absl::StrAppend(page, ".TP\n", absl::StrJoin(names, ", "), ValueOf(option), "\n");
  }
  std::string text = option.get_description();
  const ValueType type = ValueTypeOf(option);
  if (!type.least.empty()) absl::StrAppend(&text, " (", type.least, " to ", type.most, ")");
  if (!option.get_default_str().empty()) {
    absl::StrAppend(&text, "; default: ", option.get_default_str());
  }
  page->append(Paragraph(text));
}

// Positional arguments first, as they are typed.
void AddOptions(const CLI::App& app, std::string* page) {
  for (const bool positional : {true, false}) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group().empty() || option->get_positional() != positional) continue;
      // Every command has it.
      if (app.get_parent() != nullptr && option == app.get_help_ptr()) continue;
      AddOption(*option, page);
    }
  }
}

void AddCommands(const CLI::App& app, const std::string& path, std::string* page) {
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_group().empty()) continue;
    const std::string name = absl::StrCat(path, " ", command->get_name());
    const bool group = !command->get_subcommands(nullptr).empty();
    if (!group) {
      std::string synopsis = absl::StrCat("\\fB", Plain(name), "\\fR");
      for (const CLI::Option* option : command->get_options()) {
        if (!option->get_positional()) continue;
        const std::string argument =
            absl::StrCat("\\fI", Plain(option->get_name(/*positional=*/true)), "\\fR",
                         option->get_items_expected_max() > 1 ? " ..." : "");
        absl::StrAppend(&synopsis, " ",
                        option->get_required() ? argument : absl::StrCat("[", argument, "]"));
      }
      absl::StrAppend(page, ".SS ", Plain(name), "\n", Paragraph(command->get_description()),
                      ".PP\n", synopsis, "\n");
      AddOptions(*command, page);
      if (!command->get_footer().empty()) {
        absl::StrAppend(page, ".PP\n", Paragraph(command->get_footer()));
      }
    }
    AddCommands(*command, name, page);
  }
}

}  // namespace

std::string ManPage(const CLI::App& app, const ManPageHead& head) {
  const std::string name = app.get_name();
  std::string page =
      absl::StrCat(".TH ", absl::AsciiStrToUpper(Plain(name)), " ", head.section, " ", Date(),
                   " \"", name, " ", head.version, "\"\n.SH NAME\n", Plain(name), " \\- ",
                   Plain(head.summary), "\n.SH SYNOPSIS\n.B ", Plain(name), "\n[\\fIOPTIONS\\fR]");
  const bool has_commands = !app.get_subcommands(nullptr).empty();
  absl::StrAppend(&page, has_commands ? " \\fICOMMAND\\fR ...\n" : "\n", ".SH DESCRIPTION\n",
                  Paragraph(app.get_description()), ".SH OPTIONS\n");
  AddOptions(app, &page);
  if (has_commands) {
    absl::StrAppend(&page, ".SH COMMANDS\n");
    AddCommands(app, name, &page);
  }
  for (const auto& [title, text] : head.more) {
    absl::StrAppend(&page, ".SH ", title, "\n");
    bool first = true;
    for (const absl::string_view paragraph : absl::StrSplit(text, "\n\n")) {
      absl::StrAppend(&page, first ? "" : ".PP\n", Paragraph(paragraph));
      first = false;
    }
  }
  return page;
}

void AddManPage(CLI::App& app, ManPageHead head) {
  const auto shared = std::make_shared<const ManPageHead>(std::move(head));
  app.add_flag_callback("--man-page",
                        [&app, shared] {
                          // CLI11 ends it with a line feed of its own.
                          std::string page = ManPage(app, *shared);
                          page.pop_back();
                          throw CLI::CallForVersion(page, 0);
                        })
      ->group("");
}

}  // namespace assay::options
