// The binary version of CIFAR-10 and CIFAR-100: records of 1 or 2 label bytes and 3,072 bytes of
// 32x32 RGB planes. Format: https://www.cs.toronto.edu/~kriz/cifar.html
#ifndef ASSAY_CLIENT_DATA_CIFAR_READER_H_
#define ASSAY_CLIENT_DATA_CIFAR_READER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/data/open_options.h"
#include "client/data/reader_base.h"

namespace assay::client {

enum class CifarKind { kCifar10, kCifar100 };

// Of CIFAR-100 the fine labels are used.
absl::StatusOr<std::unique_ptr<ReaderBase>> OpenCifar(const std::string& path, CifarKind kind,
                                                      const OpenOptions& options);

// Which of the two a file of `size` bytes is. kUnreadableInput when it can be neither or either.
absl::StatusOr<CifarKind> CifarKindOfSize(const std::string& path, int64_t size);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_CIFAR_READER_H_
