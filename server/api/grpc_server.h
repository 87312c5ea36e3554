// The public gRPC server: every service, health, reflection, metrics.
#ifndef ASSAY_SERVER_API_GRPC_SERVER_H_
#define ASSAY_SERVER_API_GRPC_SERVER_H_

#include <grpcpp/impl/service_type.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "net/address.h"
#include "server/api/context.h"

namespace assay::api {

class GrpcServer {
 public:
  // Listens on the address (port 0: any free one). kUnavailable when the address cannot be bound.
  // `context` and `more` must outlive the server; `more` are services of other folders, by the
  // names that health knows them by.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const Address& address, Context& context,
      const std::map<std::string, grpc::Service*>& more = {});
  virtual ~GrpcServer() = default;
  virtual int port() const = 0;
  // Health says NOT_SERVING from now on.
  virtual void SetNotServing() = 0;
  // Refuses new calls; cancels those that are still open after `seconds`.
  virtual void Shutdown(double seconds) = 0;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_GRPC_SERVER_H_
