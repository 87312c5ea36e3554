// The config file: `key = value` lines (a subset of TOML) for what one does not want to type each
// time.
#ifndef ASSAY_CLIENT_CLI_CONFIG_H_
#define ASSAY_CLIENT_CLI_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"

namespace assay::cli {

// Empty: not set.
struct Config {
  std::string server;
  std::string output;
  std::string token_file;
  // Of TLS.
  std::string ca;
  std::string cert;
  std::string key;
};

// kInvalidArgument with the line for anything that is not understood.
absl::StatusOr<Config> ParseConfig(const std::string& text, const std::string& path);

// Reads `path`; with an empty one, $XDG_CONFIG_HOME/assay/config.toml or
// ~/.config/assay/config.toml, which need not exist.
absl::StatusOr<Config> LoadConfig(const std::string& path);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_CONFIG_H_
