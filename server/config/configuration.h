// What assayd is told, and by whom: flags go before the environment (ASSAYD_LISTEN for --listen),
// that before the configuration file (listen: ...), and that before the defaults. Every flag that
// flags.h declares is read from all three. Decision 0021.
#ifndef ASSAY_SERVER_CONFIG_CONFIGURATION_H_
#define ASSAY_SERVER_CONFIG_CONFIGURATION_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/errors.h"
#include "server/config/flags.h"

namespace assay {

// Read where neither --config nor ASSAYD_CONFIG says otherwise, and it exists.
inline constexpr char kDefaultConfigFile[] = "/etc/assay/assayd.yaml";

// A value that is in force, without passwords of URIs.
struct Setting {
  std::string name;   // of the flag, without dashes
  std::string value;  // empty: none
  // "flag", "environment", "FILE:LINE", "default".
  std::string origin;
};

struct Configuration {
  Flags flags;
  // One for each flag, in the order of the help.
  std::vector<Setting> settings;
  // The file that was read; empty: none.
  std::string file;
  // --check-config.
  bool check_only = false;

  // How its user wrote the setting that `flag` ("--listen") means: "--listen", "ASSAYD_LISTEN",
  // "FILE:3: listen".
  std::string WhereIs(const std::string& flag) const;
};

// There is nothing to run: --help and the like, or mistakes.
struct Exit {
  int code = 0;
  std::string out;
  std::vector<FieldViolation> mistakes;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

// `words` is the command line without the name of the program; of `environment`, what begins with
// ASSAYD_ counts.
std::variant<Configuration, Exit> ReadConfiguration(
    const std::vector<std::string>& words, const Environment& environment,
    const std::string& default_file = kDefaultConfigFile);

// The variables of this process.
Environment ProcessEnvironment();

// What --check-config prints: a line for each setting, and where it comes from.
std::string Describe(const Configuration& configuration);

// A file in which every key stands with its help and default, as a comment.
std::string ExampleFile();

}  // namespace assay

#endif  // ASSAY_SERVER_CONFIG_CONFIGURATION_H_
