#include "server/engine/import/model_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/models/model_file.h"

namespace assay::engine {
namespace {

// All of the first `count` bytes.
bool Copy(int from, int to, int64_t count) {
  while (count > 0) {
    const ssize_t sent = sendfile(to, from, nullptr, static_cast<size_t>(count));
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    count -= sent;
  }
  return true;
}

}  // namespace

absl::StatusOr<ModelView> ModelView::Open(const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(ModelFile file, ReadModelFile(path));
  ModelView view;
  view.path_ = path;
  view.interface_ = std::move(file.interface);
  if (view.interface_.ByteSizeLong() == 0) return view;
  // Readers of archives look for their table at the end of the file, and no two find it behind
  // something else in the same way. A copy is held only while the model is read.
  const int whole = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  view.descriptor_ = memfd_create("model", MFD_CLOEXEC);
  const bool copied =
      whole >= 0 && view.descriptor_ >= 0 && Copy(whole, view.descriptor_, file.model_bytes);
  const int failure = errno;
  if (whole >= 0) close(whole);
  if (!copied) {
    return Error(failure == ENOMEM || failure == ENOSPC ? Reason::kOutOfMemory
                                                        : Reason::kStorageFailed,
                 absl::StrCat("cannot read the model's file: ", std::strerror(failure)))
        .ToStatus();
  }
  view.path_ = absl::StrCat("/proc/self/fd/", view.descriptor_);
  return view;
}

ModelView& ModelView::operator=(ModelView&& other) noexcept {
  path_ = std::move(other.path_);
  interface_ = std::move(other.interface_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

ModelView::~ModelView() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace assay::engine
