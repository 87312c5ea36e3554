// SHA-256, the name of everything that Assay stores.
#ifndef ASSAY_CORE_BASE_DIGEST_H_
#define ASSAY_CORE_BASE_DIGEST_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace assay {

// Incremental SHA-256. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();

  void Update(absl::string_view bytes);
  // 64 lower-case hexadecimal digits. The object must not be used afterwards.
  std::string HexDigest();
  // The same as 32 bytes. The object must not be used afterwards.
  std::string RawDigest();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string Sha256Hex(absl::string_view bytes);
// The 32 bytes in base 64, as browsers and object stores write it.
std::string Sha256Base64(absl::string_view bytes);

// Whether `text` has the form of a digest: 64 lower-case hexadecimal digits.
bool IsDigest(absl::string_view text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_DIGEST_H_
