#include "server/access/calls.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "net/grpc_status.h"
#include "server/access/resource_of.h"

namespace assay::access {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

namespace {

std::string Text(const grpc::string_ref& text) { return std::string(text.data(), text.size()); }

CallFacts FactsOf(const std::string& method, const grpc::ServerContextBase& call) {
  CallFacts facts;
  facts.method = method;
  facts.peer = call.peer();
  const auto [begin, end] = call.client_metadata().equal_range("authorization");
  for (auto it = begin; it != end; ++it) facts.authorization.push_back(Text(it->second));
  if (const auto context = call.auth_context()) {
    for (const char* name : {GRPC_X509_CN_PROPERTY_NAME, GRPC_X509_SAN_PROPERTY_NAME}) {
      for (const grpc::string_ref& value : context->FindPropertyValues(name)) {
        facts.certificate_names.push_back(Text(value));
      }
    }
  }
  return facts;
}

// Messages of services that are generated here are what they seem to be; gRPC's own have others.
bool HasMessages(const std::string& method) { return absl::StartsWith(method, "/assay."); }

}  // namespace

class CallInterceptor final : public Interceptor {
 public:
  CallInterceptor(Calls& calls, ServerRpcInfo& info)
      : calls_(calls),
        call_(*info.server_context()),
        method_(info.method()),
        rule_(RuleOf(method_)),
        begin_micros_(calls.clock_.NowMicros()) {}

  // A call that was cut off never sends a status.
  ~CallInterceptor() override {
    Handled(absl::CancelledError(""));
    if (uploading_) calls_.EndUpload(*verdict_.caller);
    calls_.Forget(call_);
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      Begin();
    }
    if (audited()) {
      if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE)) {
        LookAt(static_cast<const google::protobuf::Message*>(methods->GetRecvMessage()));
      }
      if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
        LookAt(static_cast<const google::protobuf::Message*>(methods->GetSendMessage()));
      }
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      Handled(FromGrpcStatus(methods->GetSendStatus()));
    }
    methods->Proceed();
  }

 private:
  void Begin() {
    const CallFacts facts = FactsOf(method_, call_);
    peer_ = facts.peer;
    verdict_ = calls_.Judge(call_, facts);
    begun_ = true;
    uploading_ = verdict_.status.ok() && rule_ != nullptr && rule_->uploads;
  }

  bool audited() const {
    return calls_.audit_ != nullptr && HasMessages(method_) && resource_.name.empty();
  }

  // Of a call that creates something without saying how it is called, the answer does.
  void LookAt(const google::protobuf::Message* message) {
    if (message == nullptr) return;
    NamedResource found = ResourceOf(*message);
    if (resource_.name.empty()) resource_.name = std::move(found.name);
    if (resource_.request_id.empty()) resource_.request_id = std::move(found.request_id);
  }

  void Handled(const absl::Status& status) {
    if (handled_ || !begun_) return;
    handled_ = true;
    if (calls_.audit_ == nullptr) return;
    const bool allowed = verdict_.status.ok();
    const Scopes scopes = rule_ == nullptr ? Scopes{kScopeAdmin} : rule_->scopes;
    const bool looks = scopes == kScopeNone || scopes == kScopeRead;
    if (allowed && (scopes == kScopeNone || (looks && !calls_.options_.audit_reads))) return;
    // A flood of refusals must not fill the disk; the metric counts them.
    if (!allowed && ReasonOf(verdict_.status) == Reason::kQuotaExceeded &&
        verdict_.caller == nullptr) {
      return;
    }
    AuditEntry entry;
    entry.time_micros = begin_micros_;
    entry.seconds = static_cast<double>(calls_.clock_.NowMicros() - begin_micros_) * 1e-6;
    const Caller who = verdict_.caller == nullptr ? Caller() : *verdict_.caller;
    entry.who = who.name;
    entry.by = who.by;
    entry.peer = peer_;
    entry.method = method_;
    entry.resource = resource_.name;
    entry.request_id = resource_.request_id;
    entry.allowed = allowed;
    entry.code = absl::StatusCodeToString(status.code());
    if (const auto reason = ReasonOf(status)) entry.reason = std::string(ReasonName(*reason));
    calls_.audit_->Write(entry);
  }

  Calls& calls_;
  const grpc::ServerContextBase& call_;
  const std::string method_;
  const RpcRule* const rule_;
  const int64_t begin_micros_;
  std::string peer_;
  Calls::Verdict verdict_;
  NamedResource resource_;
  bool begun_ = false;
  bool uploading_ = false;
  bool handled_ = false;
};

namespace {

class Factory final : public ServerInterceptorFactoryInterface {
 public:
  explicit Factory(Calls& calls) : calls_(calls) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallInterceptor(calls_, *info);
  }

 private:
  Calls& calls_;
};

}  // namespace

std::unique_ptr<ServerInterceptorFactoryInterface> Calls::NewInterceptor() {
  return std::make_unique<Factory>(*this);
}

CallGate Calls::Gate() {
  return [this](const IncomingCall& call) -> absl::Status {
    const RpcRule* const rule = RuleOf(call.path);
    // Ours are admitted where they are served, with details; health is open, and what is not there
    // is told so by gRPC.
    if (rule == nullptr || rule->scopes == kScopeNone || HasMessages(call.path)) {
      return absl::OkStatus();
    }
    CallFacts facts;
    facts.method = call.path;
    // gRPC does not tell it here.
    facts.peer = options_.loopback_only ? "unix:" : "unknown";
    facts.authorization = call.authorization;
    facts.certificate_names = call.certificate_names;
    Verdict verdict;
    return Check(facts, verdict);
  };
}

absl::Status Calls::Check(const CallFacts& facts, Verdict& verdict) const {
  ASSAY_ASSIGN_OR_RETURN(verdict.caller, access_.Authenticate(facts));
  return access_.Authorize(*verdict.caller, facts.method);
}

Calls::Verdict Calls::Judge(const grpc::ServerContextBase& call, const CallFacts& facts) {
  Verdict verdict;
  const RpcRule* const rule = RuleOf(facts.method);
  verdict.status = Check(facts, verdict);
  const bool changes = rule != nullptr && rule->scopes != kScopeNone && rule->scopes != kScopeRead;
  if (verdict.status.ok() && changes && audit_ != nullptr && !audit_->Works()) {
    verdict.status =
        Error(Reason::kUnavailable,
              "the server cannot write its audit log, and changes nothing until it can")
            .RetryAfterSeconds(10);
  }
  if (verdict.status.ok() && rule != nullptr && rule->uploads) {
    verdict.status = BeginUpload(*verdict.caller);
  }
  MutexLock lock(mutex_);
  open_[&call] = verdict;
  return verdict;
}

void Calls::Forget(const grpc::ServerContextBase& call) {
  MutexLock lock(mutex_);
  open_.erase(&call);
}

absl::Status Calls::Admit(const grpc::ServerContextBase& call) const {
  MutexLock lock(mutex_);
  const auto found = open_.find(&call);
  if (found != open_.end()) return found->second.status;
  return Error(Reason::kInternal, "a call was not looked at by the interceptor of access");
}

std::shared_ptr<const Caller> Calls::CallerOf(const grpc::ServerContextBase& call) const {
  MutexLock lock(mutex_);
  const auto found = open_.find(&call);
  return found == open_.end() ? nullptr : found->second.caller;
}

absl::Status Calls::BeginUpload(const Caller& caller) {
  MutexLock lock(mutex_);
  int64_t& uploads = uploads_[caller.name];
  if (!caller.max_uploads.has_value() || uploads < *caller.max_uploads) {
    ++uploads;
    return absl::OkStatus();
  }
  return Error(Reason::kQuotaExceeded,
               absl::StrCat("the ", caller.by, " ", caller.name, " has ", uploads,
                            " uploads open, and may have ", *caller.max_uploads))
      .Quota(absl::StrCat(caller.by, ":", caller.name),
             absl::StrCat("max_uploads = ", *caller.max_uploads))
      .RetryAfterSeconds(5);
}

void Calls::EndUpload(const Caller& caller) {
  MutexLock lock(mutex_);
  const auto found = uploads_.find(caller.name);
  if (found != uploads_.end() && --found->second <= 0) uploads_.erase(found);
}

}  // namespace assay::access
