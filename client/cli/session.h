// What the commands of one call share: arguments, the connection (to a private server if asked
// for), stdout and stderr.
#ifndef ASSAY_CLIENT_CLI_SESSION_H_
#define ASSAY_CLIENT_CLI_SESSION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/arguments.h"
#include "client/cli/local_server.h"
#include "client/cli/progress.h"
#include "client/cli/terminal.h"
#include "client/lib/client.h"
#include "core/base/clock.h"
#include "nlohmann/json.hpp"

namespace assay::cli {

class Session {
 public:
  // `interrupt` must outlive it.
  Session(Arguments arguments, client::Interrupt& interrupt);

  const Arguments& arguments() const { return arguments_; }
  client::Interrupt& interrupt() { return interrupt_; }
  Progress& progress() { return progress_; }
  const std::string& address() const { return address_; }

  // Connects at the first call, which with --local starts the server.
  absl::StatusOr<client::Client*> Client();

  // Data on stdout; errors when it cannot take it.
  absl::Status Print(absl::string_view text);
  absl::Status PrintReport(const v1::Report& report);
  // A table, or `json` when that was asked for.
  absl::Status PrintTable(const render::Table& table, const nlohmann::ordered_json& json);
  // Talk on stderr, unless quiet.
  void Say(const std::string& line);

  // `status`, or what lies behind it when the private server has died.
  absl::Status Explain(const absl::Status& status);

 private:
  const Arguments arguments_;
  client::Interrupt& interrupt_;
  const Terminal terminal_;
  SystemClock clock_;
  Progress progress_;
  std::string address_;
  std::unique_ptr<LocalServer> local_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_SESSION_H_
