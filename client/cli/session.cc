#include "client/cli/session.h"

#include <chrono>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/output_file.h"
#include "core/base/errors.h"

namespace assay::cli {

Session::Session(Arguments arguments, client::Interrupt& interrupt)
    : arguments_(std::move(arguments)),
      interrupt_(interrupt),
      terminal_(DetectTerminal()),
      progress_(terminal_, arguments_.quiet, clock_, std::cerr),
      address_(arguments_.server) {}

absl::StatusOr<client::Client*> Session::Client() {
  if (client_) return client_.get();
  client::ClientOptions options;
  options.interrupt = &interrupt_;
  if (arguments_.local) {
    LocalServerOptions local;
    local.data_dir = arguments_.data_dir;
    local.frost_directory = arguments_.frost_directory;
    local.batch_size = arguments_.batch_size;
    local.threads = arguments_.threads;
    {
      // It notices the interrupt, and stops what it has started then.
      const client::Interrupt::Ending ending(interrupt_);
      ASSAY_ASSIGN_OR_RETURN(local_, LocalServer::Start(local, interrupt_));
    }
    address_ = local_->address();
    // A private server that has died does not come back: waiting for it ends at once.
    options.retry.sleep = [this](double seconds) {
      return local_->Running() &&
             interrupt_.SleepFor(std::chrono::milliseconds(int64_t(seconds * 1000)));
    };
  }
  options.address = address_;
  ASSAY_ASSIGN_OR_RETURN(client_, client::Client::Connect(options));
  return client_.get();
}

absl::Status Session::Print(absl::string_view text) {
  progress_.Clear();
  return WriteOutput("-", text);
}

absl::Status Session::PrintReport(const v1::Report& report) {
  return Print(render::RenderReport(report, arguments_.format, terminal_.colour));
}

absl::Status Session::PrintTable(const render::Table& table, const nlohmann::ordered_json& json) {
  switch (arguments_.format) {
    case render::Format::kJson:
      return Print(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    case render::Format::kCsv:
      return Print(render::PrintCsv(table));
    case render::Format::kMarkdown:
      return Print(render::PrintMarkdown({table}));
    case render::Format::kTable:
      break;
  }
  return Print(render::PrintText({table}, terminal_.colour));
}

void Session::Say(const std::string& line) { progress_.Note(line); }

absl::Status Session::Explain(const absl::Status& status) {
  if (status.ok() || local_ == nullptr || local_->Running()) return status;
  return Error(Reason::kInternal,
               absl::StrCat("the local server died; its log ends:\n", local_->LogTail()));
}

}  // namespace assay::cli
