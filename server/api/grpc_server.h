// The public gRPC server: every service, health, reflection, metrics.
#ifndef ASSAY_SERVER_API_GRPC_SERVER_H_
#define ASSAY_SERVER_API_GRPC_SERVER_H_

#include <grpcpp/impl/service_type.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/manifest.h"
#include "net/address.h"
#include "net/server_credentials.h"
#include "server/api/context.h"

namespace assay::api {

// A batch of Evaluate is one chunk in one message.
inline constexpr int kMaxMessageBytes = static_cast<int>(kMaxChunkBytes) + (4 << 20);

// What one client, or all of them, can take. docs/operations.md has them as flags.
struct GrpcLimits {
  int message_bytes = kMaxMessageBytes;
  int streams_per_connection = 1000;
  // For the buffers of all calls; 0: no limit.
  int64_t buffer_bytes = 0;
  // From accepting a connection to its first frames, TLS included.
  double handshake_seconds = 10;
  // A connection without calls is closed after so long, one whose client does not answer pings
  // after `ping_seconds` and `ping_timeout_seconds`.
  double idle_seconds = 3600;
  double ping_seconds = 60;
  double ping_timeout_seconds = 20;
};

struct GrpcServerOptions {
  // Null: no transport security.
  CertificateSource certificate;
  GrpcLimits limits;
  // Services of other folders, by the names that health knows them by; must outlive the server.
  std::map<std::string, grpc::Service*> more = {};
};

class GrpcServer {
 public:
  // Listens on the address (port 0: any free one). kUnavailable when the address cannot be bound.
  // `context` must outlive the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Address& address, Context& context,
                                                           GrpcServerOptions options = {});
  virtual ~GrpcServer() = default;
  virtual int port() const = 0;
  // Health says NOT_SERVING from now on.
  virtual void SetNotServing() = 0;
  // Health says so, too, while what the server depends on is not there. Thread-safe.
  virtual void SetDependencies(bool there) = 0;
  // Refuses new calls; cancels those that are still open after `seconds`.
  virtual void Shutdown(double seconds) = 0;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_GRPC_SERVER_H_
