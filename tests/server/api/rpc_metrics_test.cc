#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/rpc_method.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RpcMetricsTest : public ApiFixture {
 protected:
  grpc::Status CallByName(const std::string& path) {
    const grpc::internal::RpcMethod method(path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC,
                                           channel());
    grpc::ClientContext client;
    client.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    const google::protobuf::Empty request;
    google::protobuf::Empty response;
    return grpc::internal::BlockingUnaryCall(channel().get(), method, &client, request, &response);
  }
};

TEST_F(RpcMetricsTest, WhatCanBeCalledIsZeroBeforeItIs) {
  const std::string page = metrics_.Render();
  for (const char* labels :
       {"grpc_method=\"UploadChunks\",grpc_service=\"assay.v1.ChunkService\",grpc_type=\"client_"
        "stream\"} 0\n",
        "grpc_method=\"WatchEvaluation\",grpc_service=\"assay.v1.EvaluationService\",grpc_type="
        "\"server_stream\"} 0\n",
        "grpc_method=\"Evaluate\",grpc_service=\"assay.v1.EvaluationService\",grpc_type=\"bidi_"
        "stream\"} 0\n",
        "grpc_method=\"GetModel\",grpc_service=\"assay.v1.ModelService\",grpc_type=\"unary\"} "
        "0\n"}) {
    for (const char* metric : {"assay_active_calls{", "grpc_server_started_total{",
                               "grpc_server_handled_total{grpc_code=\"Internal\","}) {
      EXPECT_THAT(page, HasSubstr(absl::StrCat(metric, labels)));
    }
  }
}

TEST_F(RpcMetricsTest, MethodsThatDoNotExistShareOneSeries) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(CallByName(absl::StrCat("/evil.Service", i, "/Method")).ok());
    EXPECT_FALSE(CallByName(absl::StrCat("/assay.v1.ModelService/Evil", i)).ok());
  }
  EXPECT_TRUE(CallByName("/grpc.health.v1.Health/Check").ok());
  EXPECT_FALSE(CallByName("/assay.v1.ModelService/GetModel").ok());
  EXPECT_TRUE(Eventually([&] {
    return metrics_.Render().find("grpc_method=\"Check\",grpc_service=\"grpc.health.v1.Health\"") !=
           std::string::npos;
  }));
  const std::string page = metrics_.Render();
  EXPECT_THAT(page, HasSubstr("grpc_method=\"GetModel\",grpc_service=\"assay.v1.ModelService\""));
  EXPECT_THAT(page, Not(HasSubstr("vil")));
  EXPECT_THAT(page, ::testing::ContainsRegex(
                        "grpc_server_started_total.grpc_method=\"unknown\",grpc_service="
                        "\"unknown\",grpc_type=\"[a-z_]+\". 10\n"));
}

}  // namespace
}  // namespace assay::api
