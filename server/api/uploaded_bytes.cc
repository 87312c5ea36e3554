#include "server/api/uploaded_bytes.h"

#include "server/store/blob_store.h"

namespace assay::api {

void UploadedBytes::Add(const std::string& caller, const std::string& holder, int64_t bytes,
                        int64_t now_micros) {
  MutexLock lock(mutex_);
  Upload& upload = uploads_[caller][holder];
  upload.bytes += bytes;
  upload.last_micros = now_micros;
}

void UploadedBytes::Settle(const std::string& caller, const std::string& holder) {
  MutexLock lock(mutex_);
  const auto found = uploads_.find(caller);
  if (found == uploads_.end()) return;
  found->second.erase(holder);
  if (found->second.empty()) uploads_.erase(found);
}

int64_t UploadedBytes::Of(const std::string& caller, int64_t now_micros) {
  constexpr int64_t kHoldMicros = store::BlobStore::kHoldSeconds * 1'000'000;
  MutexLock lock(mutex_);
  const auto found = uploads_.find(caller);
  if (found == uploads_.end()) return 0;
  int64_t bytes = 0;
  for (auto upload = found->second.begin(); upload != found->second.end();) {
    if (upload->second.last_micros + kHoldMicros <= now_micros) {
      upload = found->second.erase(upload);
    } else {
      bytes += upload->second.bytes;
      ++upload;
    }
  }
  if (found->second.empty()) uploads_.erase(found);
  return bytes;
}

}  // namespace assay::api
