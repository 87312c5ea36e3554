#include "client/mlflow/tracking.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/render/text.h"
#include "core/base/errors.h"
#include "core/base/uri.h"

namespace assay::mlflow {
namespace {

constexpr char kApi[] = "/api/2.0/mlflow/";
constexpr char kProxy[] = "/api/2.0/mlflow-artifacts/artifacts/";
constexpr absl::string_view kProxyScheme = "mlflow-artifacts:";
constexpr char kDefaultExperiment[] = "Default";
constexpr int kAttempts = 3;

// Of an answer, in a message.
constexpr size_t kMostQuoted = 200;

absl::Status Away(const std::string& text) { return Error(Reason::kUnavailable, text); }

// A server that is there, but not for now.
bool IsTransient(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

bool IsHtml(const HttpResponse& response) {
  const std::string type = absl::AsciiStrToLower(response.content_type);
  return absl::StartsWith(type, "text/html") ||
         absl::StartsWith(absl::StripLeadingAsciiWhitespace(response.body), "<");
}

std::string Quoted(const std::string& text) {
  const std::string printable = render::Printable(text);
  return printable.size() <= kMostQuoted ? printable
                                         : absl::StrCat(printable.substr(0, kMostQuoted), "...");
}

// What an answer that is no success says.
std::string Told(const HttpResponse& response, std::string* code) {
  const auto json = nlohmann::json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  std::string message;
  if (json.is_object()) {
    if (json.contains("error_code") && json["error_code"].is_string() && code != nullptr) {
      *code = json["error_code"].get<std::string>();
    }
    if (json.contains("message") && json["message"].is_string()) {
      message = json["message"].get<std::string>();
    }
  } else if (!IsHtml(response)) {
    message = response.body;
  }
  std::string text = absl::StrCat("answered ", response.status);
  if (response.status == 401) {
    absl::StrAppend(&text,
                    " (it wants to know who you are: MLFLOW_TRACKING_USERNAME and "
                    "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN)");
  } else if (response.status == 403) {
    absl::StrAppend(&text, " (this user may not do that)");
  } else if (response.status >= 300 && response.status < 400) {
    absl::StrAppend(&text,
                    " (it sends to another place, perhaps a login; give the URI of the "
                    "tracking server itself)");
  }
  if (!message.empty()) absl::StrAppend(&text, ": ", Quoted(message));
  return text;
}

std::string TextOf(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The object at object[key], or an empty one.
nlohmann::json ObjectOf(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : nlohmann::json::object();
}

}  // namespace

absl::StatusOr<TrackingOptions> ReadTrackingOptions(
    const std::string& uri, const std::function<const char*(const char*)>& variable) {
  const auto read = [&](const char* name) {
    const char* value = variable(name);
    return std::string(value == nullptr ? "" : value);
  };
  TrackingOptions options;
  const bool automatic = uri == "auto";
  options.uri = automatic ? read("MLFLOW_TRACKING_URI") : uri;
  const std::string lower = absl::AsciiStrToLower(options.uri);
  if (!absl::StartsWith(lower, "http://") && !absl::StartsWith(lower, "https://")) {
    const std::string wanted = "the URI of a tracking server, for example http://127.0.0.1:5000";
    return InvalidFields(
        {{"--mlflow",
          automatic && options.uri.empty()
              ? absl::StrCat("MLFLOW_TRACKING_URI is not set; it must be ", wanted)
              : absl::StrCat("must be ", wanted, "; got '", ShownUri(options.uri), "'")}});
  }
  while (absl::EndsWith(options.uri, "/")) options.uri.pop_back();
  // As files of secrets end.
  options.token = std::string(absl::StripTrailingAsciiWhitespace(read("MLFLOW_TRACKING_TOKEN")));
  options.experiment_name = read("MLFLOW_EXPERIMENT_NAME");
  options.experiment_id = read("MLFLOW_EXPERIMENT_ID");
  options.run_id = read("MLFLOW_RUN_ID");
  if (const std::string user = read("MLFLOW_TRACKING_USERNAME"); !user.empty()) {
    options.http.credentials = absl::StrCat(user, ":", read("MLFLOW_TRACKING_PASSWORD"));
  }
  options.http.certificates = read("MLFLOW_TRACKING_SERVER_CERT_PATH");
  options.http.insecure_tls = absl::EqualsIgnoreCase(read("MLFLOW_TRACKING_INSECURE_TLS"), "true");
  if (const std::string seconds = read("MLFLOW_HTTP_REQUEST_TIMEOUT"); !seconds.empty()) {
    double& timeout = options.http.request_seconds;
    if (!absl::SimpleAtod(seconds, &timeout) || !(timeout > 0) || timeout > 86400) {
      return InvalidFields({{"MLFLOW_HTTP_REQUEST_TIMEOUT",
                             absl::StrCat("must be seconds, above 0; got '", seconds, "'")}});
    }
    options.http.connect_seconds = std::min(options.http.connect_seconds, timeout);
  }
  return options;
}

std::string ShownUri(const std::string& uri) { return render::Printable(WithoutUser(uri)); }

absl::StatusOr<HttpResponse> Tracking::Exchange(HttpRequest request, const std::string& what,
                                                Repeat repeat) {
  // A line feed in it would be a header of its own.
  if (!options_.token.empty() && options_.http.credentials.empty() &&
      options_.token.find_first_of("\r\n") == std::string::npos) {
    request.headers.push_back(absl::StrCat("Authorization: Bearer ", options_.token));
  }
  for (int attempt = 1;; ++attempt) {
    const auto response = Send(request, options_.http);
    if (!response.ok()) {
      if (ReasonOf(response.status()) != Reason::kUnavailable) return response.status();
      return Away(absl::StrCat(what, ": ", response.status().message()));
    }
    if (!IsTransient(response->status) || repeat == Repeat::kNever || attempt == kAttempts) {
      return *response;
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(options_.retry_seconds * attempt));
  }
}

absl::StatusOr<nlohmann::json> Tracking::Call(const std::string& method, const std::string& path,
                                              const nlohmann::json& body, Repeat repeat,
                                              std::string* code) {
  HttpRequest request;
  request.method = method;
  request.url = absl::StrCat(options_.uri, kApi, path);
  if (method != "GET") {
    request.headers.push_back("Content-Type: application/json");
    request.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  const std::string what = path.substr(0, path.find('?'));
  ASSAY_ASSIGN_OR_RETURN(const HttpResponse response, Exchange(std::move(request), what, repeat));
  if (response.status < 200 || response.status >= 300) {
    return Away(absl::StrCat(what, " ", Told(response, code)));
  }
  auto json = nlohmann::json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return Away(absl::StrCat(what, " answered ", IsHtml(response) ? "HTML" : "no JSON",
                             ": is that the URI of an MLflow tracking server?"));
  }
  return json;
}

absl::StatusOr<Run> Tracking::FindExperiment(bool create) {
  Run run;
  if (!options_.experiment_id.empty() && options_.experiment_name.empty()) {
    ASSAY_ASSIGN_OR_RETURN(const auto found,
                           Call("GET",
                                absl::StrCat("experiments/get?experiment_id=",
                                             UrlEscaped(options_.experiment_id, false)),
                                {}, Repeat::kWhenUnavailable));
    run.experiment_id = options_.experiment_id;
    run.experiment_name = TextOf(ObjectOf(found, "experiment"), "name");
    return run;
  }
  run.experiment_name =
      options_.experiment_name.empty() ? kDefaultExperiment : options_.experiment_name;
  const std::string by_name = absl::StrCat("experiments/get-by-name?experiment_name=",
                                           UrlEscaped(run.experiment_name, false));
  std::string code;
  const auto found = Call("GET", by_name, {}, Repeat::kWhenUnavailable, &code);
  if (found.ok()) {
    run.experiment_id = TextOf(ObjectOf(*found, "experiment"), "experiment_id");
    if (run.experiment_id.empty()) {
      return Away("experiments/get-by-name answered without an experiment_id");
    }
    return run;
  }
  if (code != "RESOURCE_DOES_NOT_EXIST") return found.status();
  if (!create) return run;
  const auto created =
      Call("POST", "experiments/create", {{"name", run.experiment_name}}, Repeat::kNever, &code);
  if (!created.ok() && code == "RESOURCE_ALREADY_EXISTS") {
    // Somebody else was faster.
    ASSAY_ASSIGN_OR_RETURN(const auto again, Call("GET", by_name, {}, Repeat::kWhenUnavailable));
    run.experiment_id = TextOf(ObjectOf(again, "experiment"), "experiment_id");
    return run;
  }
  if (!created.ok()) return created.status();
  run.experiment_id = TextOf(*created, "experiment_id");
  return run;
}

absl::StatusOr<Run> Tracking::FindRun() {
  ASSAY_ASSIGN_OR_RETURN(
      const auto found,
      Call("GET", absl::StrCat("runs/get?run_id=", UrlEscaped(options_.run_id, false)), {},
           Repeat::kWhenUnavailable));
  const auto info = ObjectOf(ObjectOf(found, "run"), "info");
  Run run;
  run.id = options_.run_id;
  run.experiment_id = TextOf(info, "experiment_id");
  run.artifact_uri = TextOf(info, "artifact_uri");
  if (TextOf(info, "lifecycle_stage") == "deleted") {
    return Away(absl::StrCat("run ", run.id, ", which MLFLOW_RUN_ID names, has been deleted"));
  }
  return run;
}

absl::Status Tracking::Check() {
  if (!options_.run_id.empty()) return FindRun().status();
  return FindExperiment(/*create=*/false).status();
}

absl::StatusOr<Run> Tracking::Begin(const std::string& name, int64_t now_millis) {
  if (!options_.run_id.empty()) return FindRun();
  ASSAY_ASSIGN_OR_RETURN(Run run, FindExperiment(/*create=*/true));
  const nlohmann::json body = {
      {"experiment_id", run.experiment_id},
      {"run_name", name},
      {"start_time", now_millis},
      // What MLflow before 2.0 reads the name of a run from, and where a run comes from.
      {"tags", nlohmann::json::array({{{"key", "mlflow.runName"}, {"value", name}},
                                      {{"key", "mlflow.source.name"}, {"value", "assay"}},
                                      {{"key", "mlflow.source.type"}, {"value", "JOB"}}})}};
  // Tried once: a run too many would be worse than none.
  ASSAY_ASSIGN_OR_RETURN(const auto created, Call("POST", "runs/create", body, Repeat::kNever));
  const auto info = ObjectOf(ObjectOf(created, "run"), "info");
  run.id = TextOf(info, "run_id");
  run.artifact_uri = TextOf(info, "artifact_uri");
  if (run.id.empty()) return Away("runs/create answered without a run_id");
  return run;
}

absl::Status Tracking::LogBatch(const nlohmann::json& batch) {
  return Call("POST", "runs/log-batch", batch, Repeat::kWhenUnavailable).status();
}

absl::Status Tracking::LogArtifact(const Run& run, const std::string& path, const std::string& text,
                                   const std::string& file, const std::string& content_type) {
  absl::string_view place = run.artifact_uri;
  if (!absl::ConsumePrefix(&place, kProxyScheme)) {
    return Away(absl::StrCat("the run keeps its artifacts at ", ShownUri(run.artifact_uri),
                             ", which the server does not write for others (`mlflow server "
                             "--serve-artifacts` does)"));
  }
  // mlflow-artifacts:/ROOT or mlflow-artifacts://HOST/ROOT, of which the server knows the host.
  if (absl::ConsumePrefix(&place, "//")) {
    const size_t slash = place.find('/');
    place = slash == absl::string_view::npos ? "" : place.substr(slash);
  }
  while (absl::ConsumePrefix(&place, "/")) {
  }
  HttpRequest request;
  request.method = "PUT";
  request.url = absl::StrCat(options_.uri, kProxy,
                             UrlEscaped(absl::StrCat(place, "/", path), /*keep_slashes=*/true));
  request.headers.push_back(absl::StrCat("Content-Type: ", content_type));
  request.body = text;
  request.file = file;
  const std::string what = absl::StrCat("artifact ", path);
  ASSAY_ASSIGN_OR_RETURN(const HttpResponse response,
                         Exchange(std::move(request), what, Repeat::kWhenUnavailable));
  if (response.status >= 200 && response.status < 300) return absl::OkStatus();
  return Away(absl::StrCat(what, " ", Told(response, nullptr)));
}

absl::Status Tracking::End(const Run& run, bool good, int64_t now_millis) {
  if (!options_.run_id.empty()) return absl::OkStatus();
  return Call("POST", "runs/update",
              {{"run_id", run.id},
               {"status", good ? "FINISHED" : "FAILED"},
               {"end_time", now_millis}},
              Repeat::kWhenUnavailable)
      .status();
}

std::string Tracking::PageOf(const Run& run) const {
  return absl::StrCat(ShownUri(options_.uri), "/#/experiments/", run.experiment_id, "/runs/",
                      run.id);
}

}  // namespace assay::mlflow
