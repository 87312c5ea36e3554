#include "client/cli/base/session.h"

#include <sys/stat.h>

#include <chrono>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/base/output_file.h"
#include "client/render/text.h"
#include "core/base/errors.h"

namespace assay::cli {

Session::Session(SessionOptions options, client::Interrupt& interrupt)
    : options_(std::move(options)),
      interrupt_(interrupt),
      terminal_(DetectTerminal()),
      progress_(terminal_, options_.quiet, clock_, std::cerr),
      address_(options_.server) {}

void Session::UseLocalServer(LocalServerOptions options) { local_options_ = std::move(options); }

absl::StatusOr<client::Client*> Session::Client() {
  if (client_) return client_.get();
  client::ClientOptions options;
  options.interrupt = &interrupt_;
  if (local_options_.has_value()) {
    {
      // It notices the interrupt, and stops what it has started then.
      const client::Interrupt::Ending ending(interrupt_);
      ASSAY_ASSIGN_OR_RETURN(local_, LocalServer::Start(*local_options_, interrupt_));
    }
    address_ = local_->address();
    // A private server that has died does not come back: waiting for it ends at once.
    options.retry.sleep = [this](double seconds) {
      return local_->Running() &&
             interrupt_.SleepFor(std::chrono::milliseconds(int64_t(seconds * 1000)));
    };
  }
  options.address = address_;
  if (!local_options_.has_value()) {
    options.tls = options_.tls;
    options.token_file = options_.token_file;
    struct stat facts {};
    if (stat(options.token_file.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        (facts.st_mode & (S_IRGRP | S_IROTH)) != 0) {
      Warn(absl::StrCat("others can read the token in ", options.token_file, ": chmod 600 ",
                        options.token_file));
    }
  }
  ASSAY_ASSIGN_OR_RETURN(client_, client::Client::Connect(options));
  return client_.get();
}

absl::Status Session::Print(absl::string_view text) {
  progress_.Clear();
  return WriteOutput("-", text);
}

absl::Status Session::PrintReport(const v1::Report& report,
                                  const std::vector<report::GateResult>& gates,
                                  render::ReportExtras extras) {
  extras.colour = terminal_.colour;
  return Print(render::RenderReport(report, options_.format, gates, extras));
}

absl::Status Session::PrintComparison(const v1::Comparison& comparison) {
  return Print(render::RenderComparison(comparison, options_.format, terminal_.colour));
}

absl::Status Session::PrintTable(const render::Table& table, const nlohmann::ordered_json& json) {
  return Print(render::RenderTable(table, json, options_.format, terminal_.colour));
}

void Session::Say(const std::string& line) { progress_.Note(line); }

void Session::Warn(const std::string& line) {
  progress_.Clear();
  std::cerr << "warning: " << render::Printable(line) << std::endl;
}

absl::Status Session::Explain(const absl::Status& status) {
  if (status.ok() || local_ == nullptr || local_->Running()) return status;
  return Error(Reason::kInternal,
               absl::StrCat("the local server died; its log ends:\n", local_->LogTail()));
}

}  // namespace assay::cli
