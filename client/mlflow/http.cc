#include "client/mlflow/http.h"

#include <curl/curl.h>

#include <cstdio>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"

namespace assay::mlflow {
namespace {

// An answer of REST is small; what is longer is none.
constexpr size_t kMostAnswer = 16 << 20;
// A file that moves more slowly than this for as long as a request may take has come to a stop.
constexpr long kLeastBytesPerSecond = 100;  // NOLINT(google-runtime-int): libcurl's type

struct CurlDeleter {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};

size_t Receive(char* data, size_t size, size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size * count > kMostAnswer) return 0;
  body.append(data, size * count);
  return size * count;
}

size_t Supply(char* data, size_t size, size_t count, void* from) {
  return std::fread(data, size, count, static_cast<std::FILE*>(from));
}

long Milliseconds(double seconds) {  // NOLINT(google-runtime-int): libcurl's type
  return static_cast<long>(seconds * 1000);
}

}  // namespace

absl::StatusOr<HttpResponse> Send(const HttpRequest& request, const HttpOptions& options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, CurlDeleter> owned(global == CURLE_OK ? curl_easy_init() : nullptr);
  CURL* const curl = owned.get();
  if (curl == nullptr) return Error(Reason::kUnavailable, "libcurl does not start").ToStatus();
  HttpResponse response;
  char message[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "assay");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(options.connect_seconds));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &response.body);
  if (!options.credentials.empty()) {
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(curl, CURLOPT_USERPWD, options.credentials.c_str());
  }
  if (!options.certificates.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, options.certificates.c_str());
  }
  if (options.insecure_tls) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  // "Expect: 100-continue" would make servers that do not know it wait for a second.
  std::unique_ptr<curl_slist, CurlDeleter> headers(curl_slist_append(nullptr, "Expect:"));
  for (const std::string& header : request.headers) {
    headers.reset(curl_slist_append(headers.release(), header.c_str()));
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  std::unique_ptr<std::FILE, CurlDeleter> file;
  if (!request.file.empty()) {
    file.reset(std::fopen(request.file.c_str(), "rb"));
    if (file == nullptr || std::fseek(file.get(), 0, SEEK_END) != 0) {
      return Error(Reason::kUnreadableInput, absl::StrCat("cannot read ", request.file)).ToStatus();
    }
    const auto size = static_cast<curl_off_t>(std::ftell(file.get()));
    std::rewind(file.get());
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, size);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, Supply);
    curl_easy_setopt(curl, CURLOPT_READDATA, file.get());
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kLeastBytesPerSecond);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     1 + static_cast<long>(options.request_seconds));  // NOLINT
  } else {
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, Milliseconds(options.request_seconds));
    if (request.method != "GET") {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    }
  }
  const CURLcode sent = curl_easy_perform(curl);
  if (sent != CURLE_OK) {
    return Error(Reason::kUnavailable, message[0] == '\0' ? curl_easy_strerror(sent) : message)
        .ToStatus();
  }
  long status = 0;  // NOLINT(google-runtime-int): libcurl's type
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  const char* type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
  if (type != nullptr) response.content_type = type;
  return response;
}

std::string UrlEscaped(const std::string& text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = absl::ascii_isalnum(byte) ||
                       absl::string_view("-._~").find(c) != absl::string_view::npos ||
                       (keep_slashes && c == '/');
    if (plain) {
      out.push_back(c);
    } else {
      absl::StrAppendFormat(&out, "%%%02X", byte);
    }
  }
  return out;
}

}  // namespace assay::mlflow
