// What the commands of one call share: the connection (to a private server if asked for), stdout
// and stderr.
#ifndef ASSAY_CLIENT_CLI_BASE_SESSION_H_
#define ASSAY_CLIENT_CLI_BASE_SESSION_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/base/local_server.h"
#include "client/cli/base/progress.h"
#include "client/cli/base/terminal.h"
#include "client/lib/client.h"
#include "client/render/render.h"
#include "core/base/clock.h"
#include "nlohmann/json.hpp"

namespace assay::cli {

// Options of `assay` itself.
struct SessionOptions {
  // host:port, or grpcs://host:port
  std::string server;
  client::TlsOptions tls;
  std::string token_file;
  render::Format format = render::Format::kTable;
  bool quiet = false;
};

class Session {
 public:
  // `interrupt` must outlive it.
  Session(SessionOptions options, client::Interrupt& interrupt);

  render::Format format() const { return options_.format; }
  client::Interrupt& interrupt() { return interrupt_; }
  Progress& progress() { return progress_; }
  const std::string& address() const { return address_; }
  // Whether the server is a private one.
  bool local() const { return local_options_.has_value(); }

  // From now on the server is a private one. Before the first Client().
  void UseLocalServer(LocalServerOptions options);
  // Connects at the first call, which starts a private server.
  absl::StatusOr<client::Client*> Client();

  // Data on stdout; errors when it cannot take it.
  absl::Status Print(absl::string_view text);
  absl::Status PrintReport(const v1::Report& report,
                           const std::vector<report::GateResult>& gates = {},
                           render::ReportExtras extras = {});
  absl::Status PrintComparison(const v1::Comparison& comparison);
  // A table, or `json` when that was asked for.
  absl::Status PrintTable(const render::Table& table, const nlohmann::ordered_json& json);
  // Talk on stderr, unless quiet.
  void Say(const std::string& line);
  // What went wrong without being an error, on stderr in any case: "warning: ...".
  void Warn(const std::string& line);

  // `status`, or what lies behind it when the private server has died.
  absl::Status Explain(const absl::Status& status);

 private:
  const SessionOptions options_;
  client::Interrupt& interrupt_;
  const Terminal terminal_;
  SystemClock clock_;
  Progress progress_;
  std::string address_;
  std::optional<LocalServerOptions> local_options_;
  std::unique_ptr<LocalServer> local_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_SESSION_H_
