#include "server/api/model_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/labels.h"
#include "core/base/resource_names.h"
#include "core/models/model_file.h"
#include "server/api/quota.h"
#include "server/api/timestamps.h"

namespace assay::api {
namespace {

constexpr int kMaxModelChunks = 100'000;

std::vector<FieldViolation> CheckCreate(const v1::CreateModelRequest& request) {
  std::vector<FieldViolation> violations;
  if (!request.model_id().empty() && !IsValidId(request.model_id())) {
    violations.push_back({"model_id", absl::StrCat("must be ", kIdRule)});
  }
  if (!IsDigest(request.digest())) {
    violations.push_back({"digest", "must be 64 lower-case hexadecimal digits"});
  }
  if (request.chunks().empty() || request.chunks_size() > kMaxModelChunks) {
    violations.push_back({"chunks", absl::StrCat("must name 1 to ", kMaxModelChunks, " chunks")});
  }
  for (FieldViolation& violation :
       CheckLabels(LabelsOf(request.labels()), LabelUse::kStored, "labels")) {
    violations.push_back(std::move(violation));
  }
  for (int i = 0; i < request.chunks_size() && violations.size() < 20; ++i) {
    if (!IsDigest(request.chunks(i))) {
      violations.push_back(
          {absl::StrCat("chunks[", i, "]"), "must be 64 lower-case hexadecimal digits"});
    }
  }
  return violations;
}

}  // namespace

absl::Status ModelServiceImpl::Create(const v1::CreateModelRequest& request,
                                      const std::string& holder, const access::Caller& caller,
                                      v1::Model* response) {
  ASSAY_RETURN_IF_ERROR(context_.CheckTakesWork());
  if (auto violations = CheckCreate(request); !violations.empty()) {
    return InvalidFields(std::move(violations));
  }
  std::vector<std::string> blobs = {request.chunks().begin(), request.chunks().end()};
  ASSAY_ASSIGN_OR_RETURN(const bool there, context_.blobs.Has(request.digest(), holder));
  if (!there) {
    // A single chunk is the file itself, so only longer files need joining.
    ASSAY_RETURN_IF_ERROR(context_.blobs.Join(blobs, request.digest(), holder));
  }
  ASSAY_ASSIGN_OR_RETURN(const store::LocalBlob file,
                         context_.blobs.Fetch(request.digest(), nullptr));
  ASSAY_RETURN_IF_ERROR(CheckModelFile(file.path()));
  ASSAY_ASSIGN_OR_RETURN(const int64_t size, context_.blobs.Size(request.digest()));
  v1::Model model;
  model.set_name(ResourceName(
      kModels, request.model_id().empty() ? request.digest().substr(0, 12) : request.model_id()));
  model.set_digest(request.digest());
  model.set_size_bytes(size);
  *model.mutable_labels() = request.labels();
  *model.mutable_create_time() = ToTimestamp(context_.clock.NowMicros());
  if (request.validate_only()) {
    const auto existing = context_.catalog.GetModel(model.name());
    if (existing.ok() && existing->digest() != request.digest()) {
      return NameTaken(kModels, model.name());
    }
    if (!existing.ok()) {
      ASSAY_ASSIGN_OR_RETURN(const int64_t stored, context_.catalog.BytesOf(caller.name));
      ASSAY_RETURN_IF_ERROR(store::CheckStoredBytes(OwnerOf(caller), stored, size));
    }
    *response = model;
    return absl::OkStatus();
  }
  ASSAY_ASSIGN_OR_RETURN(
      *response, context_.catalog.CreateModel(model, request.request_id(), OwnerOf(caller)));
  context_.uploaded.Settle(caller.name, holder);
  blobs.push_back(request.digest());
  context_.blobs.Settle(blobs, holder);
  // The parts of a longer file have no use any more.
  if (request.chunks_size() > 1) context_.FreeSpaceSoon();
  context_.registry.DescribeState(response);
  return absl::OkStatus();
}

absl::Status ModelServiceImpl::Describe(const std::string& name, v1::Model* response) {
  ASSAY_RETURN_IF_ERROR(ParseResourceName(kModels, name, "name").status());
  ASSAY_ASSIGN_OR_RETURN(*response, context_.catalog.GetModel(name));
  context_.registry.DescribeState(response);
  return absl::OkStatus();
}

absl::Status ModelServiceImpl::Load(const v1::LoadModelRequest& request, v1::Model* response) {
  ASSAY_RETURN_IF_ERROR(context_.CheckTakesWork());
  ASSAY_RETURN_IF_ERROR(Describe(request.name(), response));
  v1::ImageShape shape = request.input_shape();
  if (!request.has_input_shape()) shape = response->validation().input_shape();
  if (shape.channels() < 1 || shape.height() < 1 || shape.width() < 1) {
    return InvalidFields({{"input_shape",
                           "the shape of the images is needed until the model has been validated "
                           "once; for example 3x32x32 (channels, height, width)"}});
  }
  ASSAY_RETURN_IF_ERROR(context_.registry.Load(*response, shape));
  return Describe(request.name(), response);
}

grpc::ServerUnaryReactor* ModelServiceImpl::CreateModel(grpc::CallbackServerContext* call,
                                                        const v1::CreateModelRequest* request,
                                                        v1::Model* response) {
  const auto caller = context_.CallerOf(*call);
  return AnswerUnary(context_, call, [this, caller, call, request, response] {
    return Create(*request, UploadHolder(request->request_id(), *call), *caller, response);
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::GetModel(grpc::CallbackServerContext* call,
                                                     const v1::GetModelRequest* request,
                                                     v1::Model* response) {
  return AnswerUnary(context_, call,
                     [this, request, response] { return Describe(request->name(), response); });
}

grpc::ServerUnaryReactor* ModelServiceImpl::ListModels(grpc::CallbackServerContext* call,
                                                       const v1::ListModelsRequest* request,
                                                       v1::ListModelsResponse* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    const Labels labels = LabelsOf(request->labels());
    if (auto violations = CheckLabels(labels, LabelUse::kFilter, "labels"); !violations.empty()) {
      return InvalidFields(std::move(violations));
    }
    ASSAY_ASSIGN_OR_RETURN(
        const auto listing,
        context_.catalog.ListModels({request->page_size(), request->page_token()}, labels));
    for (const v1::Model& model : listing.records) {
      *response->add_models() = model;
      context_.registry.DescribeState(response->mutable_models(response->models_size() - 1));
    }
    response->set_next_page_token(listing.next_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::DeleteModel(grpc::CallbackServerContext* call,
                                                        const v1::DeleteModelRequest* request,
                                                        google::protobuf::Empty* /*response*/) {
  return AnswerUnary(context_, call, [this, request]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(ParseResourceName(kModels, request->name(), "name").status());
    ASSAY_RETURN_IF_ERROR(
        context_.WithReserve([&] { return context_.catalog.DeleteModel(request->name()); }));
    context_.registry.Forget(request->name());
    context_.FreeSpaceSoon();
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::LoadModel(grpc::CallbackServerContext* call,
                                                      const v1::LoadModelRequest* request,
                                                      v1::Model* response) {
  return AnswerUnary(context_, call,
                     [this, request, response] { return Load(*request, response); });
}

grpc::ServerUnaryReactor* ModelServiceImpl::UnloadModel(grpc::CallbackServerContext* call,
                                                        const v1::UnloadModelRequest* request,
                                                        v1::Model* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(Describe(request->name(), response));
    ASSAY_RETURN_IF_ERROR(context_.registry.Unload(request->name()));
    return Describe(request->name(), response);
  });
}

}  // namespace assay::api
