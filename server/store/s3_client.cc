#include "server/store/s3_client.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/store/file_error.h"

namespace assay::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr char kScheme[] = "s3://";
constexpr int64_t kMostParts = 10'000;
// Answers that are no objects: lists, errors.
constexpr size_t kMostAnswer = 16 << 20;
constexpr double kLongestWaitSeconds = 5;
constexpr auto kPollInterval = std::chrono::milliseconds(50);
// Completing an upload in parts may take a while.
constexpr int kCompleteSeconds = 300;
constexpr long kContinueMilliseconds = 250;  // NOLINT(google-runtime-int): libcurl's type
// Each keeps a connection.
constexpr size_t kMostIdleHandles = 32;

std::string Escaped(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-._~", c)) {
      out.push_back(c);
    } else {
      absl::StrAppendFormat(&out, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// The text of the first element of that name in what storages answer, which is XML without
// attributes, comments or anything else that is difficult.
std::string Element(absl::string_view xml, absl::string_view name) {
  const std::string open = absl::StrCat("<", name, ">"), close = absl::StrCat("</", name, ">");
  const size_t begin = xml.find(open);
  if (begin == absl::string_view::npos) return "";
  const size_t end = xml.find(close, begin);
  if (end == absl::string_view::npos) return "";
  const absl::string_view text = xml.substr(begin + open.size(), end - begin - open.size());
  return absl::StrReplaceAll(text, {{"&lt;", "<"},
                                    {"&gt;", ">"},
                                    {"&quot;", "\""},
                                    {"&#34;", "\""},
                                    {"&apos;", "'"},
                                    {"&#39;", "'"},
                                    {"&amp;", "&"}});
}

// The elements of that name, each as it stands.
std::vector<absl::string_view> Elements(absl::string_view xml, absl::string_view name) {
  const std::string open = absl::StrCat("<", name, ">"), close = absl::StrCat("</", name, ">");
  std::vector<absl::string_view> elements;
  size_t at = 0;
  while ((at = xml.find(open, at)) != absl::string_view::npos) {
    const size_t end = xml.find(close, at);
    if (end == absl::string_view::npos) break;
    elements.push_back(xml.substr(at, end - at));
    at = end + close.size();
  }
  return elements;
}

// Seconds since the epoch of "2026-11-30T20:00:00.000Z"; 0: it is no time.
int64_t TimeOf(const std::string& text) {
  absl::Time time;
  std::string error;
  return absl::ParseTime(absl::RFC3339_full, text, &time, &error) ? absl::ToUnixSeconds(time) : 0;
}

// Up to so many seconds; kCancelled as soon as that is so.
absl::Status WaitFor(double seconds, const S3Client::Cancelled& cancelled) {
  thread_local std::minstd_rand random{std::random_device{}()};
  // Not all clients at the same moment.
  const double share = std::uniform_real_distribution<double>(0.5, 1)(random);
  const auto until = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(
                                              std::chrono::duration<double>(seconds * share));
  while (SteadyClock::now() < until) {
    if (cancelled != nullptr && cancelled()) {
      return Error(Reason::kCancelled, "the transfer was cancelled");
    }
    std::this_thread::sleep_for(
        std::min<SteadyClock::duration>(kPollInterval, until - SteadyClock::now()));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsS3Uri(absl::string_view uri) { return absl::StartsWith(uri, kScheme); }

absl::StatusOr<S3Location> ParseS3Uri(absl::string_view uri) {
  const auto wrong = [&](absl::string_view why) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("must be s3://BUCKET or s3://BUCKET/PREFIX; got '", uri, "', ", why))
        .ToStatus();
  };
  absl::string_view rest = uri;
  if (!absl::ConsumePrefix(&rest, kScheme)) return wrong("which is no s3://");
  const size_t slash = std::min(rest.find('/'), rest.size());
  S3Location location;
  location.bucket = std::string(rest.substr(0, slash));
  absl::string_view prefix = rest.substr(slash);
  while (absl::ConsumePrefix(&prefix, "/")) {
  }
  while (absl::ConsumeSuffix(&prefix, "/")) {
  }
  location.prefix = std::string(prefix);
  const auto is_of = [](absl::string_view text, absl::string_view more) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(more, c);
    });
  };
  if (location.bucket.size() < 3 || location.bucket.size() > 63 || !is_of(location.bucket, ".-")) {
    return wrong("whose bucket is not 3 to 63 letters, digits, '.' and '-'");
  }
  if (!is_of(prefix, "._-/") || absl::StrContains(prefix, "//") ||
      absl::StrContains(absl::StrCat("/", prefix, "/"), "/./") ||
      absl::StrContains(absl::StrCat("/", prefix, "/"), "/../") || prefix.size() > 512) {
    return wrong("whose prefix is not letters, digits, '.', '_' and '-' between slashes");
  }
  return location;
}

std::string AwsEndpoint(const std::string& region) {
  return absl::StrCat("https://s3.", region, ".amazonaws.com",
                      absl::StartsWith(region, "cn-") ? ".cn" : "");
}

absl::Status CheckS3Endpoint(absl::string_view endpoint) {
  absl::string_view rest = endpoint;
  const bool web = absl::ConsumePrefix(&rest, "https://") || absl::ConsumePrefix(&rest, "http://");
  if (endpoint.empty() || (web && !rest.empty() && rest.find_first_of("/?#@ ") == rest.npos)) {
    return absl::OkStatus();
  }
  return Error(Reason::kInvalidArgument, "must be https://HOST, http://HOST or either with :PORT");
}

struct S3Client::Request {
  Operation operation = kGet;
  const char* verb = "get";  // for people
  const char* method = "GET";
  std::string key;    // empty: the bucket
  std::string query;  // escaped, parameters in the order of their names
  std::vector<std::string> headers;
  // What is sent: `bytes`, or `size` bytes of `fd` from `offset` on.
  absl::string_view bytes;
  int fd = -1;
  int64_t offset = 0;
  int64_t size = 0;
  std::string sha256;  // of what is sent; empty: of `bytes`
  std::string range;
  // Of a success, who takes its bytes; null: they go into the body.
  std::function<absl::Status(absl::string_view)> take;
  S3Client::Cancelled cancelled;
  int answer_seconds = 0;  // 0: as long as bytes move
  bool repeat = true;
  // Answers of success may be errors, after storage has begun to answer.
  bool look_for_error = false;
  bool not_found_is_fine = false;
};

struct S3Client::Response {
  int status = 0;
  std::string body;
  std::string etag;
  std::string last_modified;
  std::string date;
  int64_t length = -1;
  // Of `take`.
  absl::Status taken;
  int64_t received = 0;

  int64_t Now() const {
    const time_t now = date.empty() ? -1 : curl_getdate(date.c_str(), nullptr);
    return now >= 0 ? int64_t{now} : int64_t{std::time(nullptr)};
  }
  int64_t AgeSeconds(int64_t modified) const { return std::max<int64_t>(0, Now() - modified); }
};

// A handle of libcurl for one request, with the connections of earlier ones.
class S3Client::Handle {
 public:
  explicit Handle(S3Client& client) : client_(client) {
    MutexLock lock(client.mutex_);
    if (!client.idle_.empty()) {
      curl_ = client.idle_.back();
      client.idle_.pop_back();
    } else {
      curl_ = curl_easy_init();
    }
  }
  ~Handle() {
    if (curl_ == nullptr) return;
    curl_easy_reset(curl_);
    MutexLock lock(client_.mutex_);
    if (client_.idle_.size() < kMostIdleHandles) {
      client_.idle_.push_back(curl_);
    } else {
      curl_easy_cleanup(curl_);
    }
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  CURL* get() const { return curl_; }

  // What libcurl calls.
  struct Calls {
    const Request& request;
    Response& response;
    int64_t sent = 0;

    static size_t Supply(char* data, size_t size, size_t count, void* self) {
      auto& calls = *static_cast<Calls*>(self);
      const Request& request = calls.request;
      const auto most =
          std::min<int64_t>(static_cast<int64_t>(size * count), request.size - calls.sent);
      if (request.fd < 0) {
        std::memcpy(data, request.bytes.data() + calls.sent, static_cast<size_t>(most));
        calls.sent += most;
        return static_cast<size_t>(most);
      }
      while (true) {
        const ssize_t got =
            ::pread(request.fd, data, static_cast<size_t>(most), request.offset + calls.sent);
        if (got < 0 && errno == EINTR) continue;
        // A file that has become shorter would end the request early.
        if (got < 0 || (got == 0 && most > 0)) return CURL_READFUNC_ABORT;
        calls.sent += got;
        return static_cast<size_t>(got);
      }
    }
    // Before a body is sent again, on another connection.
    static int Rewind(void* self, curl_off_t offset, int origin) {
      if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
      static_cast<Calls*>(self)->sent = offset;
      return CURL_SEEKFUNC_OK;
    }
    static size_t Receive(char* data, size_t size, size_t count, void* self) {
      auto& calls = *static_cast<Calls*>(self);
      Response& response = calls.response;
      const absl::string_view bytes(data, size * count);
      const bool success = response.status / 100 == 2;
      if (success && calls.request.take != nullptr) {
        // A storage that does not know ranges begins anew.
        if (!calls.request.range.empty() && response.status != 206) {
          response.taken = Error(Reason::kUnavailable, "object storage: it does not know ranges");
          return 0;
        }
        response.taken = calls.request.take(bytes);
        if (!response.taken.ok()) return 0;
        response.received += static_cast<int64_t>(bytes.size());
        return bytes.size();
      }
      if (response.body.size() + bytes.size() > kMostAnswer) return 0;
      response.body.append(bytes.data(), bytes.size());
      return bytes.size();
    }
    static size_t Header(char* data, size_t size, size_t count, void* self) {
      Response& response = static_cast<Calls*>(self)->response;
      const absl::string_view line(data, size * count);
      if (absl::StartsWith(line, "HTTP/")) {
        // Of one after another: "100 Continue" is the first of two.
        const size_t space = line.find(' ');
        int status = 0;
        if (space != line.npos && absl::SimpleAtoi(line.substr(space + 1, 3), &status)) {
          response.status = status;
        }
        return line.size();
      }
      const size_t colon = line.find(':');
      if (colon == line.npos) return line.size();
      const std::string name = absl::AsciiStrToLower(line.substr(0, colon));
      const std::string value(absl::StripAsciiWhitespace(line.substr(colon + 1)));
      if (name == "etag") response.etag = value;
      if (name == "last-modified") response.last_modified = value;
      if (name == "date") response.date = value;
      if (name == "content-length" && !absl::SimpleAtoi(value, &response.length)) {
        response.length = -1;
      }
      return line.size();
    }
    static int Progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
      const auto& cancelled = static_cast<Calls*>(self)->request.cancelled;
      return cancelled != nullptr && cancelled() ? 1 : 0;
    }
  };

 private:
  S3Client& client_;
  CURL* curl_ = nullptr;
};

S3Client::S3Client(S3Options options, std::shared_ptr<AwsCredentials> credentials)
    : options_(std::move(options)), credentials_(std::move(credentials)) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(global);  // without it, no handle is made
}

S3Client::~S3Client() {
  MutexLock lock(mutex_);
  for (void* curl : idle_) curl_easy_cleanup(curl);
}

absl::Status S3Client::SendOnce(const Request& request, const AwsKeys& keys, Response* response,
                                bool* passing) {
  *response = Response();
  *passing = true;
  const Handle handle(*this);
  CURL* const curl = handle.get();
  if (curl == nullptr) return Error(Reason::kUnavailable, "libcurl does not start");
  Handle::Calls calls{request, *response};
  char message[CURL_ERROR_SIZE] = "";
  const std::string url =
      absl::StrCat(options_.endpoint, "/", options_.bucket, request.key.empty() ? "" : "/",
                   request.key, request.query.empty() ? "" : "?", request.query);
  const std::string signature = absl::StrCat("aws:amz:", options_.region, ":s3");
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "assayd");
  curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, signature.c_str());
  curl_easy_setopt(curl, CURLOPT_USERNAME, keys.id.c_str());
  curl_easy_setopt(curl, CURLOPT_PASSWORD, keys.secret.c_str());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options_.connect_seconds * 1000));  // NOLINT: libcurl's type
  if (request.answer_seconds > 0) {
    curl_easy_setopt(curl, CURLOPT_TIMEOUT,
                     static_cast<long>(request.answer_seconds));  // NOLINT: libcurl's type
  } else {
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>(options_.stall_seconds));  // NOLINT: libcurl's type
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Handle::Calls::Receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &calls);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, Handle::Calls::Header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &calls);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, Handle::Calls::Progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &calls);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (!request.range.empty()) curl_easy_setopt(curl, CURLOPT_RANGE, request.range.c_str());
  if (request.operation == kHead) {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (absl::string_view(request.method) == "PUT" ||
             absl::string_view(request.method) == "POST") {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.size));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, Handle::Calls::Supply);
    curl_easy_setopt(curl, CURLOPT_READDATA, &calls);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, Handle::Calls::Rewind);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, &calls);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method);
  } else if (absl::string_view(request.method) != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method);
  }
  // "Expect: 100-continue" cannot be switched off: libcurl 7.88 would sign the header that it
  // leaves out. Storages that do not know it cost that much for each large request.
  curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, kContinueMilliseconds);
  curl_slist* headers = nullptr;
  const auto add = [&headers](const std::string& header) {
    headers = curl_slist_append(headers, header.c_str());
  };
  add(absl::StrCat("x-amz-content-sha256: ",
                   request.sha256.empty() ? Sha256Hex(request.bytes) : request.sha256));
  if (!keys.session_token.empty()) {
    add(absl::StrCat("x-amz-security-token: ", keys.session_token));
  }
  for (const std::string& header : request.headers) add(header);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  const CURLcode sent = curl_easy_perform(curl);
  curl_slist_free_all(headers);
  received_ += response->received;
  if (!response->taken.ok()) {
    *passing = false;
    return response->taken;
  }
  if (sent == CURLE_ABORTED_BY_CALLBACK && request.cancelled != nullptr && request.cancelled()) {
    *passing = false;
    return Error(Reason::kCancelled, "the transfer was cancelled");
  }
  if (sent != CURLE_OK) {
    return Error(Reason::kUnavailable,
                 absl::StrCat("object storage: cannot ", request.verb, " ", request.key, ": ",
                              message[0] == '\0' ? curl_easy_strerror(sent) : message));
  }
  if (request.operation == kPut) sent_ += request.size;
  return Judge(request, *response, passing);
}

absl::Status S3Client::Judge(const Request& request, const Response& response,
                             bool* passing) const {
  const int status = response.status;
  const std::string code = Element(response.body, "Code");
  const bool failed_late =
      request.look_for_error && status / 100 == 2 && absl::StrContains(response.body, "<Error>");
  *passing = failed_late || status >= 500 || status == 429 || status == 408 || status == 409 ||
             code == "RequestTimeout";
  if (status / 100 == 2 && !failed_late) return absl::OkStatus();
  const std::string said = Element(response.body, "Message");
  const std::string text =
      absl::StrCat("object storage: cannot ", request.verb, " ",
                   request.key.empty() ? "what is there" : request.key, ": HTTP ", status,
                   code.empty() ? "" : " ", code, said.empty() ? "" : ": ", said);
  if (status == 404 && code != "NoSuchBucket") return Error(Reason::kNotFound, text);
  if (status == 507 || absl::StrContains(code, "StorageFull") ||
      absl::StrContains(code, "QuotaExceeded")) {
    *passing = false;
    return Error(Reason::kStorageFull, "no space is left in the object storage");
  }
  return Error(Reason::kUnavailable, text);
}

absl::Status S3Client::Send(const Request& request, Response* response) {
  double wait = options_.first_wait_seconds;
  for (int attempt = 1;; ++attempt) {
    ASSAY_ASSIGN_OR_RETURN(const AwsKeys keys, credentials_->Get());
    bool passing = false;
    const absl::Status status = SendOnce(request, keys, response, &passing);
    if (status.ok() || !passing || !request.repeat || attempt >= options_.attempts) {
      Count(request.operation, status);
      return status;
    }
    ++repeated_;
    LogDebug("object storage is asked again", {{"attempt", attempt}, {"error", status.message()}});
    ASSAY_RETURN_IF_ERROR(WaitFor(wait, request.cancelled));
    wait = std::min(kLongestWaitSeconds, wait * 2);
  }
}

void S3Client::Count(Operation operation, const absl::Status& status) {
  const auto reason = ReasonOf(status);
  // An object that is not there is an answer.
  const bool answered = status.ok() || reason == Reason::kNotFound;
  ++(answered ? counters_[operation].succeeded : counters_[operation].failed);
  if (!answered && reason != Reason::kUnavailable) return;
  MutexLock lock(mutex_);
  if (answered == answers_) return;
  answers_ = answered;
  if (answered) {
    const std::chrono::duration<double> away = SteadyClock::now() - away_since_;
    LogInfo("object storage answers again",
            {{"endpoint", options_.endpoint}, {"seconds", absl::StrFormat("%.1f", away.count())}});
  } else {
    away_since_ = SteadyClock::now();
    LogWarning("object storage cannot be used; what needs it waits or fails until it can",
               {{"endpoint", options_.endpoint},
                {"bucket", options_.bucket},
                {"error", status.message()}});
  }
}

absl::Status S3Client::Put(const std::string& key, absl::string_view bytes) {
  Request request;
  request.operation = kPut;
  request.verb = "put";
  request.method = "PUT";
  request.key = key;
  request.bytes = bytes;
  request.size = static_cast<int64_t>(bytes.size());
  Response response;
  return Send(request, &response);
}

absl::Status S3Client::PutFile(const std::string& key, int fd, int64_t size,
                               const std::string& sha256) {
  if (size > options_.part_bytes) return PutInParts(key, fd, size);
  Request request;
  request.operation = kPut;
  request.verb = "put";
  request.method = "PUT";
  request.key = key;
  request.fd = fd;
  request.size = size;
  request.sha256 = sha256;
  Response response;
  return Send(request, &response);
}

absl::Status S3Client::PutInParts(const std::string& key, int fd, int64_t size) {
  const int64_t part_bytes = std::max(options_.part_bytes, (size + kMostParts - 1) / kMostParts);
  Request begin;
  begin.operation = kPut;
  begin.verb = "begin to put";
  begin.method = "POST";
  begin.key = key;
  begin.query = "uploads=";
  Response begun;
  ASSAY_RETURN_IF_ERROR(Send(begin, &begun));
  const std::string upload = Escaped(Element(begun.body, "UploadId"));
  if (upload.empty()) {
    return Error(Reason::kUnavailable, "object storage: an upload in parts was begun without an id")
        .ToStatus();
  }
  const auto put = [&]() -> absl::Status {
    std::string complete = "<CompleteMultipartUpload>";
    std::string buffer;
    int number = 0;
    for (int64_t offset = 0; offset < size; offset += part_bytes) {
      const int64_t count = std::min(part_bytes, size - offset);
      Sha256 hash;
      buffer.resize(1 << 20);
      for (int64_t done = 0; done < count;) {
        const auto most = static_cast<size_t>(
            std::min<int64_t>(count - done, static_cast<int64_t>(buffer.size())));
        const ssize_t got = ::pread(fd, buffer.data(), most, offset + done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return FileError("read", "what is to be stored", got < 0 ? errno : EIO);
        hash.Update(absl::string_view(buffer).substr(0, static_cast<size_t>(got)));
        done += got;
      }
      Request part;
      part.operation = kPut;
      part.verb = "put a part of";
      part.method = "PUT";
      part.key = key;
      part.query = absl::StrCat("partNumber=", ++number, "&uploadId=", upload);
      part.fd = fd;
      part.offset = offset;
      part.size = count;
      part.sha256 = hash.HexDigest();
      Response response;
      ASSAY_RETURN_IF_ERROR(Send(part, &response));
      absl::StrAppend(&complete, "<Part><PartNumber>", number, "</PartNumber><ETag>",
                      absl::StrReplaceAll(response.etag, {{"\"", "&quot;"}}), "</ETag></Part>");
    }
    absl::StrAppend(&complete, "</CompleteMultipartUpload>");
    Request end;
    end.operation = kPut;
    end.verb = "complete";
    end.method = "POST";
    end.key = key;
    end.query = absl::StrCat("uploadId=", upload);
    end.bytes = complete;
    end.size = static_cast<int64_t>(complete.size());
    end.answer_seconds = kCompleteSeconds;
    end.look_for_error = true;
    Response response;
    const absl::Status completed = Send(end, &response);
    // Repeated after an answer that was lost: the upload is no more, the object is.
    if (ReasonOf(completed) != Reason::kNotFound) return completed;
    const auto there = Head(key);
    return there.ok() && there->bytes == size ? absl::OkStatus() : completed;
  };
  absl::Status status = put();
  if (!status.ok()) {
    Request drop;
    drop.operation = kDelete;
    drop.verb = "drop the parts of";
    drop.method = "DELETE";
    drop.key = key;
    drop.query = absl::StrCat("uploadId=", upload);
    drop.repeat = false;
    Response response;
    Send(drop, &response).IgnoreError();  // a sweep finds it
    // No object is missing; the upload is, which somebody has dropped.
    if (ReasonOf(status) == Reason::kNotFound) {
      status = Error(Reason::kUnavailable, status.message());
    }
  }
  return status;
}

absl::StatusOr<S3Object> S3Client::Head(const std::string& key) {
  Request request;
  request.operation = kHead;
  request.verb = "look at";
  request.method = "HEAD";
  request.key = key;
  request.answer_seconds = options_.stall_seconds;
  Response response;
  ASSAY_RETURN_IF_ERROR(Send(request, &response));
  const time_t modified = curl_getdate(response.last_modified.c_str(), nullptr);
  if (response.length < 0 || modified < 0) {
    return Error(Reason::kUnavailable,
                 "object storage: it does not say how large or old an object "
                 "is")
        .ToStatus();
  }
  return S3Object{key, response.length, response.etag, response.AgeSeconds(modified)};
}

absl::Status S3Client::Get(const std::string& key, int64_t offset, std::optional<int64_t> length,
                           const std::function<absl::Status(absl::string_view)>& take,
                           const Cancelled& cancelled) {
  Request request;
  request.operation = kGet;
  request.key = key;
  request.cancelled = cancelled;
  int64_t at = offset;
  request.take = [&](absl::string_view bytes) {
    at += static_cast<int64_t>(bytes.size());
    return take(bytes);
  };
  // Attempts are repeated here, because each goes on where the last one broke.
  request.repeat = false;
  double wait = options_.first_wait_seconds;
  for (int attempt = 1;; ++attempt) {
    if (length.has_value()) {
      if (at >= offset + *length) return absl::OkStatus();
      request.range = absl::StrCat(at, "-", offset + *length - 1);
    } else if (at > 0) {
      request.range = absl::StrCat(at, "-");
    }
    const int64_t before = at;
    ASSAY_ASSIGN_OR_RETURN(const AwsKeys keys, credentials_->Get());
    Response response;
    bool passing = false;
    absl::Status status = SendOnce(request, keys, &response, &passing);
    // Nothing is there from the object's end on.
    if (response.status == 416) status = absl::OkStatus();
    if (at > before) attempt = 1, wait = options_.first_wait_seconds;
    if (status.ok() || !passing || attempt >= options_.attempts) {
      Count(kGet, status);
      return status;
    }
    ++repeated_;
    ASSAY_RETURN_IF_ERROR(WaitFor(wait, cancelled));
    wait = std::min(kLongestWaitSeconds, wait * 2);
  }
}

absl::StatusOr<S3Page> S3Client::List(const std::string& prefix, const std::string& after,
                                      int most) {
  Request request;
  request.operation = kList;
  request.verb = "list";
  request.answer_seconds = 2 * options_.stall_seconds;
  request.query = absl::StrCat("list-type=2&max-keys=", most, "&prefix=", Escaped(prefix),
                               after.empty() ? "" : "&start-after=", Escaped(after));
  Response response;
  ASSAY_RETURN_IF_ERROR(Send(request, &response));
  S3Page page;
  page.more = Element(response.body, "IsTruncated") == "true";
  for (const absl::string_view found : Elements(response.body, "Contents")) {
    S3Object& object = page.objects.emplace_back();
    object.key = Element(found, "Key");
    object.etag = Element(found, "ETag");
    object.age_seconds = response.AgeSeconds(TimeOf(Element(found, "LastModified")));
    if (!absl::SimpleAtoi(Element(found, "Size"), &object.bytes)) object.bytes = 0;
  }
  return page;
}

absl::Status S3Client::Delete(const std::string& key, bool repeat) {
  Request request;
  request.operation = kDelete;
  request.verb = "delete";
  request.method = "DELETE";
  request.key = key;
  request.answer_seconds = options_.stall_seconds;
  request.repeat = repeat;
  Response response;
  const absl::Status status = Send(request, &response);
  return ReasonOf(status) == Reason::kNotFound ? absl::OkStatus() : status;
}

absl::Status S3Client::Copy(const std::string& from, const std::string& to) {
  Request request;
  request.operation = kCopy;
  request.verb = "copy";
  request.method = "PUT";
  request.key = to;
  request.headers = {absl::StrCat("x-amz-copy-source: /", options_.bucket, "/", from)};
  request.answer_seconds = kCompleteSeconds;
  request.look_for_error = true;
  Response response;
  return Send(request, &response);
}

absl::Status S3Client::DropUploads(const std::string& prefix, int64_t older_than_seconds) {
  Request request;
  request.operation = kList;
  request.verb = "list uploads of";
  request.query = absl::StrCat("prefix=", Escaped(prefix), "&uploads=");
  request.answer_seconds = 2 * options_.stall_seconds;
  Response response;
  ASSAY_RETURN_IF_ERROR(Send(request, &response));
  for (const absl::string_view upload : Elements(response.body, "Upload")) {
    const int64_t begun = TimeOf(Element(upload, "Initiated"));
    if (begun == 0 || response.AgeSeconds(begun) < older_than_seconds) continue;
    Request drop;
    drop.operation = kDelete;
    drop.verb = "drop the parts of";
    drop.method = "DELETE";
    drop.key = Element(upload, "Key");
    drop.query = absl::StrCat("uploadId=", Escaped(Element(upload, "UploadId")));
    Response dropped;
    const absl::Status status = Send(drop, &dropped);
    if (!status.ok() && ReasonOf(status) != Reason::kNotFound) return status;
  }
  return absl::OkStatus();
}

S3Traffic S3Client::Traffic() const {
  static constexpr const char* kNames[kOperations] = {"put",  "get",    "head",
                                                      "list", "delete", "copy"};
  S3Traffic traffic;
  for (size_t i = 0; i < kOperations; ++i) {
    traffic.operations.push_back({kNames[i], counters_[i].succeeded, counters_[i].failed});
  }
  traffic.repeated = repeated_;
  traffic.sent_bytes = sent_;
  traffic.received_bytes = received_;
  MutexLock lock(mutex_);
  traffic.answers = answers_;
  return traffic;
}

}  // namespace assay::store
