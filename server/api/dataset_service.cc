#include "server/api/dataset_service.h"

#include <string>
#include <vector>

#include "core/base/resource_names.h"
#include "server/api/dataset_commit.h"
#include "server/api/quota.h"
#include "server/api/sample_stream.h"

namespace assay::api {

grpc::ServerUnaryReactor* DatasetServiceImpl::CreateDataset(grpc::CallbackServerContext* call,
                                                            const v1::CreateDatasetRequest* request,
                                                            v1::Dataset* response) {
  const auto caller = context_.CallerOf(*call);
  return AnswerUnary(context_, call, [this, caller, call, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(context_.CheckTakesWork());
    const std::string holder = UploadHolder(request->request_id(), *call);
    ASSAY_ASSIGN_OR_RETURN(
        auto dataset, PrepareDataset(context_, request->dataset_id(), request->manifest(), holder));
    if (request->validate_only()) {
      const auto existing = context_.catalog.GetDataset(dataset.name());
      if (existing.ok() && existing->digest() != dataset.digest()) {
        return NameTaken(kDatasets, dataset.name());
      }
      if (!existing.ok()) {
        ASSAY_ASSIGN_OR_RETURN(const int64_t stored, context_.catalog.BytesOf(caller->name));
        ASSAY_RETURN_IF_ERROR(
            store::CheckStoredBytes(OwnerOf(*caller), stored, dataset.size_bytes()));
      }
    } else {
      ASSAY_ASSIGN_OR_RETURN(dataset, context_.catalog.CreateDataset(dataset, request->request_id(),
                                                                     OwnerOf(*caller)));
      context_.uploaded.Settle(caller->name, holder);
      context_.blobs.Settle(BlobsOf(request->manifest()), holder);
    }
    response->Swap(&dataset);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::GetDataset(grpc::CallbackServerContext* call,
                                                         const v1::GetDatasetRequest* request,
                                                         v1::Dataset* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(ParseResourceName(kDatasets, request->name(), "name").status());
    ASSAY_ASSIGN_OR_RETURN(auto dataset, context_.catalog.GetDataset(request->name()));
    response->Swap(&dataset);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::ListDatasets(grpc::CallbackServerContext* call,
                                                           const v1::ListDatasetsRequest* request,
                                                           v1::ListDatasetsResponse* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(
        auto listing, context_.catalog.ListDatasets({request->page_size(), request->page_token()}));
    for (auto& dataset : listing.records) response->add_datasets()->Swap(&dataset);
    response->set_next_page_token(listing.next_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::DeleteDataset(grpc::CallbackServerContext* call,
                                                            const v1::DeleteDatasetRequest* request,
                                                            google::protobuf::Empty* /*response*/) {
  return AnswerUnary(context_, call, [this, request]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(ParseResourceName(kDatasets, request->name(), "name").status());
    ASSAY_RETURN_IF_ERROR(
        context_.WithReserve([&] { return context_.catalog.DeleteDataset(request->name()); }));
    context_.FreeSpaceSoon();
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::StreamSamplesResponse>* DatasetServiceImpl::StreamSamples(
    grpc::CallbackServerContext* call, const v1::StreamSamplesRequest* request) {
  return NewSampleStream(context_, *call, *request);
}

}  // namespace assay::api
