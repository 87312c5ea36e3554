// What callers have uploaded and nothing that is stored names yet, so that a quota of stored bytes
// cannot be passed by uploads alone.
#ifndef ASSAY_SERVER_API_UPLOADED_BYTES_H_
#define ASSAY_SERVER_API_UPLOADED_BYTES_H_

#include <cstdint>
#include <map>
#include <string>

#include "core/base/mutex.h"

namespace assay::api {

// Thread-safe. Forgets with the process, and what an upload brought once its holds have ended
// (BlobStore).
class UploadedBytes {
 public:
  // An upload, by its holder, of this caller has brought so many bytes.
  void Add(const std::string& caller, const std::string& holder, int64_t bytes, int64_t now_micros);
  // Something names them now, or nothing ever will.
  void Settle(const std::string& caller, const std::string& holder);
  int64_t Of(const std::string& caller, int64_t now_micros);

 private:
  struct Upload {
    int64_t bytes = 0;
    int64_t last_micros = 0;
  };

  Mutex mutex_;
  // By caller and holder.
  std::map<std::string, std::map<std::string, Upload>> uploads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_UPLOADED_BYTES_H_
