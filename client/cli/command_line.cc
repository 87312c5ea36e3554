#include "client/cli/command_line.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/base/evaluation_file.h"
#include "client/cli/base/exit_codes.h"
#include "client/cli/commands/commands.h"
#include "client/cli/config.h"
#include "client/lib/client.h"
#include "client/render/render.h"
#include "core/base/errors.h"
#include "core/options/man_page.h"

namespace assay::cli {
namespace {

class CommandLine {
 public:
  CommandLine()
      : app_("Assay measures how robust image classifiers are, class by class.", "assay") {
    app_.set_version_flag("--version", "assay " ASSAY_VERSION);
    app_.require_subcommand(1);
    // Options of `assay` itself may stand after a subcommand too.
    app_.fallthrough();
    app_.footer(
        "Options of assay itself may stand anywhere. Exit codes: 0 fine, 1 a gate does not hold, "
        "2 usage, 3 evaluation failed,\n"
        "4 cancelled, 5 not found or precondition, 6 authentication, 7 unavailable or timeout.");
    app_.add_option("--server", options_.server,
                    absl::StrCat("Server as host:port, with TLS grpcs://host:port (ASSAY_SERVER; "
                                 "default ",
                                 client::kDefaultAddress, ")"))
        ->type_name("HOST:PORT");
    app_.add_option("--token-file", options_.token_file,
                    "File with the token that the server wants (ASSAY_TOKEN_FILE)")
        ->type_name("FILE");
    const auto add_tls = [this](const char* name, std::string* value, const char* type,
                                const char* text) {
      app_.add_option(name, *value, text)->type_name(type);
    };
    add_tls("--ca", &options_.tls.ca_file, "FILE",
            "Who signs the certificates of servers (PEM; default: whom the system trusts)");
    add_tls("--cert", &options_.tls.cert_file, "FILE",
            "Certificate for servers that ask for one (PEM)");
    add_tls("--key", &options_.tls.key_file, "FILE", "The key of --cert (PEM)");
    add_tls("--tls-name", &options_.tls.server_name, "NAME",
            "Name in the server's certificate, if not the host of --server");
    std::vector<std::string> formats = render::FormatNames();
    std::sort(formats.begin(), formats.end());
    app_.add_option("-o,--output", format_, "Format of the result on stdout (default table)")
        ->check(CLI::IsMember(formats));
    app_.add_flag("-q,--quiet", options_.quiet, "Only errors on stderr");
    app_.add_option("--config", config_path_, "Config file (default ~/.config/assay/config.toml)")
        ->type_name("FILE");
    options::AddManPage(
        app_,
        {1,
         "measures how robust image classifiers are, class by class",
         ASSAY_VERSION,
         {{"EXIT STATUS",
           "0 fine, 1 a gate does not hold, 2 usage, 3 evaluation failed, 4 cancelled, 5 not found "
           "or precondition, 6 authentication, 7 unavailable or timeout."},
          {"ENVIRONMENT",
           "ASSAY_SERVER is the server where --server is not given. MLFLOW_TRACKING_URI and its "
           "like are those of MLflow. NO_COLOR turns colours off."},
          {"FILES", "~/.config/assay/config.toml has lines such as server = \"host:8001\"."},
          {"SEE ALSO", "assayd(8)"}}});
    for (const CommandEntry& entry : AllCommands()) Add(entry);
  }

  // nullopt: there is something to run.
  std::optional<Exit> Parse(int argc, const char* const* argv,
                            const std::string& environment_server,
                            const std::string& environment_token_file) {
    const absl::Status known = CheckCommandWords(argc, argv);
    if (!known.ok()) return Exit{kExitUsage, "", ErrorText(known)};
    auto words = WithEvaluationFile(*app_.get_subcommand("evaluate"), {argv + 1, argv + argc});
    if (!words.ok()) return Exit{ExitCodeOf(words.status()), "", ErrorText(words.status())};
    try {
      // From its end, as CLI11 wants it.
      std::reverse(words->begin(), words->end());
      app_.parse(*std::move(words));
    } catch (const CLI::ParseError& error) {
      std::ostringstream out;
      std::ostringstream err;
      const int code = app_.exit(error, out, err);
      return Exit{code == 0 ? kExitOk : kExitUsage, out.str(), err.str()};
    }
    const absl::Status status = Complete(environment_server, environment_token_file);
    if (!status.ok()) return Exit{ExitCodeOf(status), "", ErrorText(status)};
    return std::nullopt;
  }

  const SessionOptions& options() const { return options_; }
  absl::Status Run(Session& session) const { return run_(session); }

 private:
  void Add(const CommandEntry& entry) {
    const std::vector<std::string> words = absl::StrSplit(entry.words, ' ');
    CLI::App* parent = &app_;
    for (size_t i = 0; i + 1 < words.size(); ++i) parent = parent->get_subcommand(words[i]);
    CLI::App* const app = parent->add_subcommand(words.back(), entry.summary);
    if (entry.declare == nullptr) {
      app->require_subcommand(1);
      return;
    }
    Leaf leaf(*app);
    app->callback([this, run = entry.declare(leaf)] { run_ = run; });
  }

  // A mistyped command, with the one that was meant: CLI11 would only ask for "a subcommand".
  absl::Status CheckCommandWords(int argc, const char* const* argv) const {
    const CLI::App* level = &app_;
    for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
      std::vector<std::string> names;
      const CLI::App* next = nullptr;
      for (const CLI::App* sub : level->get_subcommands(nullptr)) {
        names.push_back(sub->get_name());
        if (sub->get_name() == argv[i]) next = sub;
      }
      if (names.empty()) break;
      if (next == nullptr) {
        const std::string nearest = Nearest(argv[i], names);
        return InvalidFields(
            {{"command",
              absl::StrCat("there is no '", argv[i], "'; ",
                           nearest.empty() ? absl::StrCat("known are ", absl::StrJoin(names, ", "))
                                           : absl::StrCat("did you mean ", nearest, "?"))}});
      }
      level = next;
    }
    return absl::OkStatus();
  }

  // Environment and config file.
  absl::Status Complete(const std::string& environment_server,
                        const std::string& environment_token_file) {
    ASSAY_ASSIGN_OR_RETURN(const Config config, LoadConfig(config_path_));
    if (options_.token_file.empty()) options_.token_file = environment_token_file;
    if (options_.token_file.empty()) options_.token_file = config.token_file;
    if (options_.server.empty()) options_.server = environment_server;
    if (options_.server.empty()) options_.server = config.server;
    if (options_.server.empty()) options_.server = client::kDefaultAddress;
    ASSAY_RETURN_IF_ERROR(CompleteTls(config));
    if (format_.empty()) format_ = config.output;
    if (format_.empty()) return absl::OkStatus();
    const auto format = render::FormatNamed(format_);
    if (!format.has_value()) {
      return InvalidFields(
          {{"output", absl::StrCat("must be one of ", absl::StrJoin(render::FormatNames(), ", "),
                                   "; got '", format_, "'")}});
    }
    options_.format = *format;
    if (*format == render::Format::kJunit && !HasGates()) {
      return InvalidFields({{"output",
                             "junit has a test case for each gate: add --require "
                             "EXPRESSION to evaluate, evaluation watch or evaluation "
                             "report"}});
    }
    return absl::OkStatus();
  }

  // What the config file says of TLS is for servers that have it; what is typed must be of use.
  absl::Status CompleteTls(const Config& config) {
    client::TlsOptions& tls = options_.tls;
    const bool local = HasOption("--local");
    if (!local && !absl::StartsWith(options_.server, "grpcs://")) {
      for (const char* flag : {"--ca", "--cert", "--key", "--tls-name"}) {
        if (app_.get_option(flag)->count() == 0) continue;
        return InvalidFields(
            {{flag, absl::StrCat("is for servers with TLS: write --server grpcs://",
                                 absl::StripPrefix(options_.server, "grpc://"))}});
      }
      return absl::OkStatus();
    }
    if (tls.ca_file.empty()) tls.ca_file = config.ca;
    if (tls.cert_file.empty() && tls.key_file.empty()) {
      tls.cert_file = config.cert;
      tls.key_file = config.key;
    }
    return absl::OkStatus();
  }

  // Whether the command that was named has been given any.
  bool HasGates() const { return HasOption("--require"); }

  bool HasOption(const std::string& name) const {
    const CLI::App* named = &app_;
    while (!named->get_subcommands().empty()) named = named->get_subcommands()[0];
    const CLI::Option* const option = named->get_option_no_throw(name);
    return option != nullptr && option->count() > 0;
  }

  CLI::App app_;
  SessionOptions options_;
  std::string format_;
  std::string config_path_;
  // Of the command that was named.
  CommandRun run_;
};

}  // namespace

std::variant<Call, Exit> ParseCommandLine(int argc, const char* const* argv,
                                          const std::string& environment_server,
                                          const std::string& environment_token_file) {
  const auto line = std::make_shared<CommandLine>();
  if (auto exit = line->Parse(argc, argv, environment_server, environment_token_file))
    return *std::move(exit);
  // The command may look at the whole command line.
  return Call{line->options(), [line](Session& session) { return line->Run(session); }};
}

}  // namespace assay::cli
