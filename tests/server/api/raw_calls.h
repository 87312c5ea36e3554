// Calls whose messages are written by hand: of health and reflection.
#ifndef ASSAY_TESTS_SERVER_API_RAW_CALLS_H_
#define ASSAY_TESTS_SERVER_API_RAW_CALLS_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/errors.h"
#include "net/grpc_status.h"

namespace assay::api {

// The health and reflection protos are not packaged, so their few bytes are written by hand: a
// field is its tag, its length and its content.
inline std::string StringField(int field, const std::string& content) {
  return std::string(1, static_cast<char>(field << 3 | 2)) +
         std::string(1, static_cast<char>(content.size())) + content;
}

inline std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices);
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

inline grpc::ByteBuffer Buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// 1 SERVING, 2 NOT_SERVING; an error otherwise.
inline absl::StatusOr<int> HealthOf(const std::shared_ptr<grpc::Channel>& channel,
                                    const std::string& name) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext call;
  const grpc::ByteBuffer request = Buffer(name.empty() ? "" : StringField(1, name));
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&call, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&](const grpc::Status& status) { done.set_value(status); });
  ASSAY_RETURN_IF_ERROR(FromGrpcStatus(done.get_future().get()));
  const std::string bytes = Bytes(response);
  if (bytes.size() != 2 || bytes[0] != '\x08') return absl::InternalError("not a health answer");
  return static_cast<int>(bytes[1]);
}

}  // namespace assay::api

#endif  // ASSAY_TESTS_SERVER_API_RAW_CALLS_H_
