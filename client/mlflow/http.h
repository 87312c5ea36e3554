// HTTP requests over libcurl, as a client of REST needs them.
#ifndef ASSAY_CLIENT_MLFLOW_HTTP_H_
#define ASSAY_CLIENT_MLFLOW_HTTP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::mlflow {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  // "Name: value"
  std::vector<std::string> headers;
  std::string body;
  // Not empty: this file is the body, which is not held in memory.
  std::string file;
};

struct HttpResponse {
  int status = 0;
  std::string content_type;
  std::string body;
};

struct HttpOptions {
  double connect_seconds = 10;
  // Of a request whose body is in memory. One that sends a file may take longer, as long as bytes
  // move.
  double request_seconds = 120;
  // "user:password" for basic authentication; empty: none.
  std::string credentials;
  // File of certificates to trust; empty: the system's.
  std::string certificates;
  bool insecure_tls = false;
};

// Proxies are taken from the environment, redirections are not followed. An answer of any status is
// a response; kUnavailable without one, kUnreadableInput for a file that cannot be read.
absl::StatusOr<HttpResponse> Send(const HttpRequest& request, const HttpOptions& options);

// As part of the path of a URL: all but letters, digits, '-', '.', '_' and '~' as %XX. Slashes stay
// where `keep_slashes`.
std::string UrlEscaped(const std::string& text, bool keep_slashes);

}  // namespace assay::mlflow

#endif  // ASSAY_CLIENT_MLFLOW_HTTP_H_
