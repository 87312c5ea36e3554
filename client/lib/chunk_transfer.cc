// Brings chunks to the server: asks which are missing, streams those, and asks again until none is.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/call.h"
#include "core/base/digest.h"

namespace assay::client {
namespace {

constexpr size_t kDigestsPerQuestion = 10'000;
constexpr size_t kMessageBytes = 1 << 20;
// A server that keeps calling chunks missing which it took without complaint has a fault that more
// sending does not cure.
constexpr int kMaxFutileRounds = 3;

}  // namespace

absl::StatusOr<std::vector<std::string>> Client::FindMissing(
    const std::vector<std::string>& digests, const std::string& upload_id) {
  std::vector<std::string> missing;
  for (size_t first = 0; first < digests.size(); first += kDigestsPerQuestion) {
    v1::FindMissingChunksRequest request;
    request.set_upload_id(upload_id);
    for (size_t i = first; i < std::min(digests.size(), first + kDigestsPerQuestion); ++i) {
      request.add_digests(digests[i]);
    }
    ASSAY_ASSIGN_OR_RETURN(
        const auto response,
        Call<v1::FindMissingChunksResponse>(
            *stubs_->chunks, &v1::ChunkService::Stub::FindMissingChunks, request, kQuickSeconds));
    missing.insert(missing.end(), response.missing().begin(), response.missing().end());
  }
  return missing;
}

absl::StatusOr<bool> Client::HasAll(const std::vector<std::string>& digests) {
  const auto missing = FindMissing(digests, "");
  if (absl::IsPermissionDenied(missing.status())) return true;
  ASSAY_RETURN_IF_ERROR(missing.status());
  return missing->empty();
}

absl::Status Client::SendChunks(const ChunkSet& chunks, const std::vector<size_t>& wanted,
                                const std::function<void(int64_t)>& on_sent) {
  InterruptibleContext context(*options_.interrupt, target_->token);
  v1::UploadChunksResponse response;
  const auto writer = stubs_->chunks->UploadChunks(context.get(), &response);
  absl::Status local;
  bool open = true;
  std::string bytes;
  v1::UploadChunksRequest message;
  for (size_t i = 0; i < wanted.size() && open && local.ok(); ++i) {
    const ChunkSet::Chunk& chunk = chunks.chunks[wanted[i]];
    local = chunks.read(wanted[i], &bytes);
    if (!local.ok()) break;
    if (static_cast<int64_t>(bytes.size()) != chunk.bytes || Sha256Hex(bytes) != chunk.digest) {
      local = Error(Reason::kUnreadableInput, "the file changed while it was being uploaded");
      break;
    }
    message.mutable_header()->set_digest(chunk.digest);
    message.mutable_header()->set_size_bytes(chunk.bytes);
    message.mutable_header()->set_upload_id(chunks.upload_id);
    open = writer->Write(message);
    for (size_t offset = 0; offset < bytes.size() && open; offset += kMessageBytes) {
      message.set_data(bytes.data() + offset, std::min(kMessageBytes, bytes.size() - offset));
      open = writer->Write(message);
    }
    if (open) on_sent(chunk.bytes);
  }
  if (!local.ok()) context.get()->TryCancel();
  if (open && local.ok()) writer->WritesDone();
  // A stream that the server closed early says why in its status, which may be OK.
  const absl::Status remote = context.Status(writer->Finish());
  return local.ok() ? remote : local;
}

absl::StatusOr<TransferStats> Client::Transfer(const ChunkSet& chunks,
                                               const TransferListener& listener) {
  TransferStats stats;
  std::map<std::string, size_t> index_of;
  std::vector<std::string> digests;
  for (size_t i = 0; i < chunks.chunks.size(); ++i) {
    if (!index_of.emplace(chunks.chunks[i].digest, i).second) continue;
    digests.push_back(chunks.chunks[i].digest);
    stats.bytes += chunks.chunks[i].bytes;
  }
  stats.chunks = static_cast<int64_t>(digests.size());

  Backoff backoff(options_.retry);
  size_t fewest_missing = digests.size() + 1;
  int futile_rounds = 0;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> missing,
                           FindMissing(digests, chunks.upload_id));
    std::vector<size_t> wanted;
    int64_t missing_bytes = 0;
    for (const std::string& digest : missing) {
      const auto found = index_of.find(digest);
      if (found == index_of.end()) {
        return Error(Reason::kInternal, "the server misses a chunk that was never mentioned");
      }
      wanted.push_back(found->second);
      missing_bytes += chunks.chunks[found->second].bytes;
    }
    int64_t done = stats.bytes - missing_bytes;
    if (listener) listener(TransferPhase::kSending, done, stats.bytes);
    if (wanted.empty()) return stats;
    if (wanted.size() < fewest_missing) {
      fewest_missing = wanted.size();
      futile_rounds = 0;
      backoff.Progress();
    }
    const absl::Status sent = SendChunks(chunks, wanted, [&](int64_t bytes) {
      ++stats.sent_chunks;
      stats.sent_bytes += bytes;
      done += bytes;
      if (listener) listener(TransferPhase::kSending, done, stats.bytes);
    });
    if (sent.ok()) {
      if (++futile_rounds > kMaxFutileRounds) {
        return Error(Reason::kChunkMissing,
                     absl::StrCat("the server still misses ", wanted.size(),
                                  " chunks that it received without an error"));
      }
      continue;
    }
    ASSAY_RETURN_IF_ERROR(backoff.Wait(sent));
  }
}

}  // namespace assay::client
