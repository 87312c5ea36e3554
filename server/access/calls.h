// The rules of access.h for gRPC's calls: an interceptor looks at each call as it comes in and
// writes it to the audit log as it ends; where the call is served, Admit says what was found.
//
// gRPC (1.51) lets no interceptor end a call, so services ask by Admit before they do anything:
// AnswerUnary and Stream do that for all of them.
#ifndef ASSAY_SERVER_ACCESS_CALLS_H_
#define ASSAY_SERVER_ACCESS_CALLS_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "net/server_credentials.h"
#include "server/access/access.h"
#include "server/access/audit_log.h"

namespace assay::access {

struct CallOptions {
  // Calls that only look go into the audit log, too.
  bool audit_reads = false;
  // Nobody but this machine can connect.
  bool loopback_only = true;
};

// Thread-safe. Must outlive the server.
class Calls {
 public:
  // `audit` may be null. All must outlive it.
  Calls(CallOptions options, Access& access, AuditLog* audit, const Clock& clock)
      : options_(options), access_(access), audit_(audit), clock_(clock) {}

  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewInterceptor();
  // Refuses calls of gRPC's own services (reflection), which ask nobody.
  CallGate Gate();

  // Whether the call may be served: kUnauthenticated, kPermissionDenied, kQuotaExceeded. kInternal
  // for one that no interceptor has seen.
  absl::Status Admit(const grpc::ServerContextBase& call) const;
  // Who makes a call that was admitted.
  std::shared_ptr<const Caller> CallerOf(const grpc::ServerContextBase& call) const;
  // Of the audit log; empty: there is none.
  std::string audit_path() const { return audit_ == nullptr ? "" : audit_->path(); }

 private:
  friend class CallInterceptor;
  struct Verdict {
    absl::Status status;
    std::shared_ptr<const Caller> caller;
  };

  // Who calls and whether they may; remembered until Forget.
  Verdict Judge(const grpc::ServerContextBase& call, const CallFacts& facts);
  absl::Status Check(const CallFacts& facts, Verdict& verdict) const;
  void Forget(const grpc::ServerContextBase& call);
  // A place among the uploads of the caller, to be given back; kQuotaExceeded.
  absl::Status BeginUpload(const Caller& caller);
  void EndUpload(const Caller& caller);

  const CallOptions options_;
  Access& access_;
  AuditLog* const audit_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<const grpc::ServerContextBase*, Verdict> open_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int64_t> uploads_ ABSL_GUARDED_BY(mutex_);  // by name of the caller
};

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_CALLS_H_
