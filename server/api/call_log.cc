#include "server/api/call_log.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace assay::api {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

constexpr char kTraceKey[] = "traceparent";

// As gRPC's documents write them.
std::string CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : absl::StrCat(static_cast<int>(code));
}

// Whether there is such a model or dataset, as every upload asks first.
bool AsksWhetherThere(const std::string& method) {
  return method == "/assay.v1.ModelService/GetModel" ||
         method == "/assay.v1.DatasetService/GetDataset";
}

LogLevel LevelOf(const std::string& method, grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return LogLevel::kDebug;
    case grpc::StatusCode::NOT_FOUND:
      return AsksWhetherThere(method) ? LogLevel::kDebug : LogLevel::kInfo;
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::DATA_LOSS:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

std::string NewId() {
  std::random_device device;
  const auto bits = [&device] { return (uint64_t{device()} << 32) | device(); };
  return absl::StrFormat("%016x%016x", bits(), bits());
}

absl::string_view Find(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return {};
  return {found->second.data(), found->second.size()};
}

bool IsHex(absl::string_view text, size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

class CallLog final : public Interceptor {
 public:
  explicit CallLog(ServerRpcInfo& info) : call_(info.server_context()), method_(info.method()) {}

  // A call that was cut off never sends a status.
  ~CallLog() override { Ended(grpc::StatusCode::CANCELLED, ""); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      Begin(methods->GetRecvInitialMetadata());
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace(kRequestIdKey, id_);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const grpc::Status status = methods->GetSendStatus();
      Ended(status.error_code(), status.error_message());
    }
    methods->Proceed();
  }

 private:
  void Begin(Metadata* metadata) {
    const absl::string_view id = Find(*metadata, kRequestIdKey);
    if (IsRequestId(id)) {
      id_ = std::string(id);
    } else {
      // Whoever handles the call sees this one. The map refers to what is kept here as long as the
      // call lives.
      metadata->erase(kRequestIdKey);
      metadata->emplace(kRequestIdKey, id_);
    }
    trace_ = TraceOf(Find(*metadata, kTraceKey));
    peer_ = call_->peer();
  }

  void Ended(grpc::StatusCode code, const std::string& message) {
    if (ended_) return;
    ended_ = true;
    const auto elapsed = std::chrono::steady_clock::now() - start_;
    Log(LevelOf(method_, code), code == grpc::StatusCode::OK ? "call" : "call failed",
        {{"method", method_},
         {"code", CodeName(code)},
         {"error", message},
         {"peer", peer_},
         {"milliseconds",
          int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count()}},
         {"request_id", id_},
         {"trace_id", trace_}});
  }

  grpc::ServerContextBase* const call_;
  const std::string method_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::string id_ = NewId();
  std::string trace_;
  std::string peer_;
  bool ended_ = false;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override { return new CallLog(*info); }
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallLogInterceptor() {
  return std::make_unique<Factory>();
}

LogFields CallFields(const grpc::ServerContextBase& call) {
  const Metadata& metadata = call.client_metadata();
  return {{"request_id", Find(metadata, kRequestIdKey)},
          {"trace_id", TraceOf(Find(metadata, kTraceKey))}};
}

std::string TraceOf(absl::string_view traceparent) {
  const std::vector<absl::string_view> parts = absl::StrSplit(traceparent, '-');
  // Later versions may have more parts; 255 is none.
  const bool valid = parts.size() >= 4 && IsHex(parts[0], 2) && parts[0] != "ff" &&
                     (parts[0] != "00" || parts.size() == 4) && IsHex(parts[1], 32) &&
                     IsHex(parts[2], 16) && IsHex(parts[3], 2) &&
                     parts[1].find_first_not_of('0') != absl::string_view::npos &&
                     parts[2].find_first_not_of('0') != absl::string_view::npos;
  return valid ? std::string(parts[1]) : "";
}

bool IsRequestId(absl::string_view id) {
  constexpr size_t kMostBytes = 128;
  return !id.empty() && id.size() <= kMostBytes &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return absl::ascii_isgraph(c) && c != '"' && c != '\\';
         });
}

}  // namespace assay::api
