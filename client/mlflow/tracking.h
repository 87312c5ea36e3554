// The part of MLflow's REST API that logging a run takes. Tested against MLflow 2 and 3; the calls
// have been the same since MLflow 2.0, artifacts over the server's proxy included.
#ifndef ASSAY_CLIENT_MLFLOW_TRACKING_H_
#define ASSAY_CLIENT_MLFLOW_TRACKING_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/mlflow/http.h"
#include "nlohmann/json.hpp"

namespace assay::mlflow {

// Where to log, and as whom. The variables are those of MLflow's own client.
struct TrackingOptions {
  // http:// or https://, without a slash at its end.
  std::string uri;
  // MLFLOW_TRACKING_TOKEN; empty: none. User and password go before it.
  std::string token;
  // MLFLOW_EXPERIMENT_NAME, MLFLOW_EXPERIMENT_ID; empty: the experiment "Default".
  std::string experiment_name;
  std::string experiment_id;
  // MLFLOW_RUN_ID: a run that somebody else has begun and will end; empty: one of its own.
  std::string run_id;
  // MLFLOW_TRACKING_USERNAME and _PASSWORD, _INSECURE_TLS, _SERVER_CERT_PATH,
  // MLFLOW_HTTP_REQUEST_TIMEOUT.
  HttpOptions http;
  // Before the second and third attempt of what can be tried again.
  double retry_seconds = 1;
};

// Reads the variables by `variable`, which is getenv or a stand-in that may return null. `uri` is
// what --mlflow was given: a URI, or "auto" for MLFLOW_TRACKING_URI. kInvalidArgument for a URI of
// another kind, none, or a timeout that is no number.
absl::StatusOr<TrackingOptions> ReadTrackingOptions(
    const std::string& uri, const std::function<const char*(const char*)>& variable);

// Without user and password, for messages.
std::string ShownUri(const std::string& uri);

struct Run {
  std::string id;
  std::string experiment_id;
  std::string experiment_name;
  std::string artifact_uri;
};

// Errors are kUnavailable, with a text that says what the server was asked for and what it
// answered; no text has a password in it. Not thread-safe.
class Tracking {
 public:
  explicit Tracking(TrackingOptions options) : options_(std::move(options)) {}

  // Whether the server is there, takes us, and has the run if one was named. Changes nothing.
  absl::Status Check();
  // Begins a run of that name, or finds the one that the options name.
  absl::StatusOr<Run> Begin(const std::string& name, int64_t now_millis);
  // One body of Batches().
  absl::Status LogBatch(const nlohmann::json& batch);
  // As PATH of the run's artifacts: `text`, or the file if that is not empty.
  absl::Status LogArtifact(const Run& run, const std::string& path, const std::string& text,
                           const std::string& file, const std::string& content_type);
  // FINISHED, or FAILED.
  absl::Status End(const Run& run, bool good, int64_t now_millis);

  // Where people find the run.
  std::string PageOf(const Run& run) const;

 private:
  enum class Repeat { kWhenUnavailable, kNever };
  absl::StatusOr<HttpResponse> Exchange(HttpRequest request, const std::string& what,
                                        Repeat repeat);
  // The JSON of the answer. A status that is not 2xx is an error; `code` (may be null) gets the
  // server's error_code.
  absl::StatusOr<nlohmann::json> Call(const std::string& method, const std::string& path,
                                      const nlohmann::json& body, Repeat repeat,
                                      std::string* code = nullptr);
  // Makes the experiment where `create`; otherwise an empty id stands for one that is not there.
  absl::StatusOr<Run> FindExperiment(bool create);
  absl::StatusOr<Run> FindRun();

  const TrackingOptions options_;
};

}  // namespace assay::mlflow

#endif  // ASSAY_CLIENT_MLFLOW_TRACKING_H_
