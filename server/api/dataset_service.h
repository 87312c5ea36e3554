// DatasetService.
#ifndef ASSAY_SERVER_API_DATASET_SERVICE_H_
#define ASSAY_SERVER_API_DATASET_SERVICE_H_

#include "assay/v1/datasets.grpc.pb.h"
#include "server/api/context.h"

namespace assay::api {

class DatasetServiceImpl final : public v1::DatasetService::CallbackService {
 public:
  explicit DatasetServiceImpl(Context& context) : context_(context) {}
  grpc::ServerUnaryReactor* CreateDataset(grpc::CallbackServerContext* call,
                                          const v1::CreateDatasetRequest* request,
                                          v1::Dataset* response) override;
  grpc::ServerUnaryReactor* GetDataset(grpc::CallbackServerContext* call,
                                       const v1::GetDatasetRequest* request,
                                       v1::Dataset* response) override;
  grpc::ServerUnaryReactor* ListDatasets(grpc::CallbackServerContext* call,
                                         const v1::ListDatasetsRequest* request,
                                         v1::ListDatasetsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteDataset(grpc::CallbackServerContext* call,
                                          const v1::DeleteDatasetRequest* request,
                                          google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::StreamSamplesResponse>* StreamSamples(
      grpc::CallbackServerContext* call, const v1::StreamSamplesRequest* request) override;

 private:
  Context& context_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_DATASET_SERVICE_H_
