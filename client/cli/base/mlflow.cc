#include "client/cli/base/mlflow.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/base/outcomes.h"
#include "client/mlflow/log_report.h"
#include "client/mlflow/tracking.h"
#include "client/render/render.h"
#include "core/base/clock.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

absl::StatusOr<mlflow::TrackingOptions> OptionsOf(const std::string& uri) {
  return mlflow::ReadTrackingOptions(uri, [](const char* name) { return std::getenv(name); });
}

// A file that goes away with its object.
class TemporaryFile {
 public:
  TemporaryFile() {
    std::error_code error;
    path_ = (std::filesystem::temp_directory_path(error) / "assay-outcomes-XXXXXX").string();
    const int fd = mkstemp(path_.data());
    if (fd < 0) {
      path_.clear();
    } else {
      close(fd);
    }
  }
  ~TemporaryFile() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  // Empty: it could not be made.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

void MlflowOptions::AddTo(Leaf& leaf) {
  leaf.Add("--mlflow", &uri,
           "Log the report as a run of this MLflow server, too; auto: of MLFLOW_TRACKING_URI")
      .TypeName("URI|auto");
}

absl::Status MlflowOptions::Check() const {
  return uri.empty() ? absl::OkStatus() : OptionsOf(uri).status();
}

void WarnOfMlflow(Session& session, const MlflowOptions& options) {
  if (options.uri.empty()) return;
  const auto tracking = OptionsOf(options.uri);
  if (!tracking.ok()) return;
  const absl::Status there = mlflow::Tracking(*tracking).Check();
  if (there.ok()) return;
  session.Warn(absl::StrCat("MLflow at ", mlflow::ShownUri(tracking->uri), ": ", there.message(),
                            "; going on, and trying again at the end"));
}

void LogToMlflow(Session& session, const MlflowOptions& options, const v1::Evaluation* evaluation,
                 const v1::Report& report, const std::vector<report::GateResult>& gates) {
  if (options.uri.empty()) return;
  const auto tracking = OptionsOf(options.uri);
  if (!tracking.ok()) return session.Warn(std::string(tracking.status().message()));
  const std::string where = absl::StrCat("MLflow at ", mlflow::ShownUri(tracking->uri));
  std::vector<mlflow::Artifact> artifacts = {
      {"report.json", "application/json",
       render::RenderReport(report, render::Format::kJson, gates), ""},
      {"report.html", "text/html", render::RenderReport(report, render::Format::kHtml, gates), ""}};
  const TemporaryFile outcomes;
  std::vector<std::string> left_out;
  if (evaluation != nullptr) {
    const absl::Status written = outcomes.path().empty()
                                     ? absl::Status(Error(Reason::kUnreadableInput,
                                                          "there is no place for a temporary file"))
                                     : WriteOutcomes(session, *evaluation, outcomes.path());
    if (written.ok()) {
      artifacts.push_back({"outcomes.csv", "text/csv", "", outcomes.path()});
    } else {
      left_out.push_back(absl::StrCat("outcomes.csv: ", written.message()));
    }
  }
  const auto logged = mlflow::LogReport(*tracking, report, gates, artifacts, SystemClock());
  if (!logged.ok()) {
    return session.Warn(absl::StrCat(where, ": not logged: ", logged.status().message()));
  }
  left_out.insert(left_out.end(), logged->left_out.begin(), logged->left_out.end());
  if (!left_out.empty()) {
    session.Warn(absl::StrCat(where, ": not logged: ", absl::StrJoin(left_out, "; ")));
  }
  session.Say(absl::StrCat("MLflow: ", logged->page));
}

}  // namespace assay::cli
