#include "server/api/chunk_service.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/manifest.h"
#include "server/api/quota.h"
#include "server/api/stream.h"

namespace assay::api {
namespace {

constexpr int kMaxDigests = 10'000;

// One upload stream. Messages are handled as they come, so a slow disk slows the client down and
// nothing piles up.
class UploadStream final : public Stream<grpc::ServerReadReactor<v1::UploadChunksRequest>> {
 public:
  UploadStream(Context& context, grpc::CallbackServerContext& call,
               v1::UploadChunksResponse* response)
      : Stream(context, call), call_(call), response_(response) {}

  void OnReadDone(bool ok) override {
    Then([this, ok] { ok ? Take() : HalfClose(); });
  }

 private:
  void Begin() override { StartRead(&request_); }

  void Take() {
    const absl::Status status = Handle();
    if (status.ok()) {
      StartRead(&request_);
    } else {
      End(status);
    }
  }

  // The client is done, or gone; an unfinished chunk is dropped either way.
  void HalfClose() {
    End(writer_ == nullptr && skip_bytes_ == 0
            ? absl::OkStatus()
            : absl::Status(Error(Reason::kUploadIncomplete,
                                 absl::StrCat("the stream ended in the middle of chunk ", digest_,
                                              "; upload it again"))));
  }

  absl::Status Handle() {
    switch (request_.payload_case()) {
      case v1::UploadChunksRequest::kHeader:
        return BeginChunk(request_.header());
      case v1::UploadChunksRequest::kData:
        return Append(request_.data());
      default:
        return InvalidFields({{"payload", "each message needs a header or data"}});
    }
  }

  absl::Status BeginChunk(const v1::UploadChunksRequest::Header& header) {
    if (writer_ != nullptr || skip_bytes_ > 0) {
      return Error(Reason::kUploadIncomplete,
                   absl::StrCat("a new header arrived in the middle of chunk ", digest_));
    }
    ASSAY_RETURN_IF_ERROR(context_.CheckTakesWork());
    if (!IsDigest(header.digest())) {
      return InvalidFields({{"header.digest", "must be 64 lower-case hexadecimal digits"}});
    }
    if (header.size_bytes() < 1 || header.size_bytes() > kMaxChunkBytes) {
      return Error(Reason::kTooLarge, absl::StrCat("a chunk must have 1 to ", kMaxChunkBytes,
                                                   " bytes; got ", header.size_bytes()));
    }
    digest_ = header.digest();
    size_ = header.size_bytes();
    const std::string holder = UploadHolder(header.upload_id(), call_);
    ASSAY_ASSIGN_OR_RETURN(const bool there, context_.blobs.Has(digest_, holder));
    if (there) {
      // Another client was faster: let these bytes pass and end well.
      skip_bytes_ = size_;
      response_->set_deduplicated_chunks(response_->deduplicated_chunks() + 1);
      response_->set_deduplicated_bytes(response_->deduplicated_bytes() + size_);
      context_.metrics.CountUpload(0, size_);
      return absl::OkStatus();
    }
    ASSAY_RETURN_IF_ERROR(CheckDiskQuota(context_, size_));
    ASSAY_RETURN_IF_ERROR(CheckStoredQuota(context_, *caller_, size_));
    ASSAY_ASSIGN_OR_RETURN(writer_, context_.blobs.Create(digest_, size_, holder));
    holder_ = holder;
    return absl::OkStatus();
  }

  absl::Status Append(const std::string& data) {
    if (skip_bytes_ > 0) {
      if (static_cast<int64_t>(data.size()) > skip_bytes_) return TooMuch();
      skip_bytes_ -= static_cast<int64_t>(data.size());
      return absl::OkStatus();
    }
    if (writer_ == nullptr) {
      return InvalidFields({{"data", "data must follow the header of its chunk"}});
    }
    if (static_cast<int64_t>(data.size()) > writer_->remaining_bytes()) return TooMuch();
    ASSAY_RETURN_IF_ERROR(writer_->Append(data));
    if (writer_->remaining_bytes() > 0) return absl::OkStatus();
    const absl::Status committed = writer_->Commit();
    writer_.reset();
    ASSAY_RETURN_IF_ERROR(committed);
    response_->set_stored_chunks(response_->stored_chunks() + 1);
    response_->set_stored_bytes(response_->stored_bytes() + size_);
    context_.metrics.CountUpload(size_, 0);
    if (caller_->max_stored_bytes.has_value()) {
      context_.uploaded.Add(caller_->name, holder_, size_, context_.clock.NowMicros());
    }
    return absl::OkStatus();
  }

  absl::Status TooMuch() const {
    return Error(Reason::kTooLarge,
                 absl::StrCat("more bytes than the ", size_, " that the header of chunk ", digest_,
                              " announced"));
  }

  void End(const absl::Status& status) override {
    writer_.reset();
    LogIfInternal(status);
    Finish(ToGrpcStatus(status));
  }

  const grpc::CallbackServerContext& call_;
  v1::UploadChunksResponse* const response_;
  v1::UploadChunksRequest request_;
  std::unique_ptr<store::BlobStore::Writer> writer_;
  std::string digest_;
  std::string holder_;
  int64_t size_ = 0;
  int64_t skip_bytes_ = 0;  // of a chunk that is there already
};

}  // namespace

grpc::ServerUnaryReactor* ChunkServiceImpl::FindMissingChunks(
    grpc::CallbackServerContext* call, const v1::FindMissingChunksRequest* request,
    v1::FindMissingChunksResponse* response) {
  return AnswerUnary(context_, call, [this, call, request, response]() -> absl::Status {
    if (request->digests_size() > kMaxDigests) {
      return InvalidFields({{"digests", absl::StrCat("at most ", kMaxDigests, " a call")}});
    }
    const std::string holder = UploadHolder(request->upload_id(), *call);
    std::set<std::string> seen;
    std::vector<std::string> digests;
    for (int i = 0; i < request->digests_size(); ++i) {
      const std::string& digest = request->digests(i);
      if (!IsDigest(digest)) {
        return InvalidFields(
            {{absl::StrCat("digests[", i, "]"), "must be 64 lower-case hexadecimal digits"}});
      }
      if (seen.insert(digest).second) digests.push_back(digest);
    }
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> missing,
                           context_.blobs.MissingOf(digests, holder));
    for (const std::string& digest : missing) response->add_missing(digest);
    return absl::OkStatus();
  });
}

grpc::ServerReadReactor<v1::UploadChunksRequest>* ChunkServiceImpl::UploadChunks(
    grpc::CallbackServerContext* call, v1::UploadChunksResponse* response) {
  return OpenStream<UploadStream>(context_, *call, response);
}

}  // namespace assay::api
