#include "server/engine/chunk_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"

namespace assay::engine {
namespace {

// A file mapped for reading.
class Mapping {
 public:
  static absl::StatusOr<std::unique_ptr<Mapping>> Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (fd < 0 || fstat(fd, &info) != 0) {
      const int error = errno;
      if (fd >= 0) close(fd);
      return Error(Reason::kStorageFailed,
                   absl::StrCat("cannot read ", path, ": ", strerror(error)));
    }
    auto mapping = std::unique_ptr<Mapping>(new Mapping);
    mapping->size_ = static_cast<size_t>(info.st_size);
    if (mapping->size_ > 0) {
      void* data = mmap(nullptr, mapping->size_, PROT_READ, MAP_SHARED, fd, 0);
      mapping->data_ = data == MAP_FAILED ? nullptr : static_cast<const char*>(data);
    }
    close(fd);
    if (mapping->data_ == nullptr) {
      return Error(Reason::kStorageFailed, absl::StrCat("cannot map ", path));
    }
    return mapping;
  }
  ~Mapping() {
    if (data_ != nullptr) munmap(const_cast<char*>(data_), size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  const char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  Mapping() = default;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

class ChunkSource final : public SampleSource {
 public:
  absl::Status Init(const engine_rpc::v1::RunRequest& request, const Shape& shape) {
    size_ = shape.size();
    bytes_ = request.pixel_type() == v1::UINT8;
    const size_t pixel_bytes = bytes_ ? 1 : sizeof(float);
    std::vector<int64_t> wanted(request.positions().begin(), request.positions().end());
    if (wanted.empty()) {
      wanted.resize(static_cast<size_t>(request.samples()));
      std::iota(wanted.begin(), wanted.end(), request.first_sample());
    }
    auto next = wanted.begin();
    for (const auto& chunk : request.chunks()) {
      ASSAY_ASSIGN_OR_RETURN(auto mapping, Mapping::Open(chunk.path()));
      const auto samples = static_cast<size_t>(chunk.samples());
      if (mapping->size() != samples * (sizeof(int32_t) + size_ * pixel_bytes)) {
        return Error(Reason::kStorageFailed, absl::StrCat(chunk.path(), " has a wrong size"));
      }
      const char* pixels = mapping->data() + samples * sizeof(int32_t);
      const int64_t end = chunk.first_sample() + chunk.samples();
      next = std::lower_bound(next, wanted.end(), chunk.first_sample());
      for (; next != wanted.end() && *next < end; ++next) {
        const auto i = static_cast<size_t>(*next - chunk.first_sample());
        int32_t label = 0;
        std::memcpy(&label, mapping->data() + i * sizeof(int32_t), sizeof(label));
        indices_.push_back(*next);
        labels_.push_back(label);
        pixels_.push_back(pixels + i * size_ * pixel_bytes);
      }
      mappings_.push_back(std::move(mapping));
    }
    if (labels_.size() != static_cast<size_t>(request.samples())) {
      return Error(Reason::kInternal, absl::StrCat("the chunks hold ", labels_.size(), " of ",
                                                   request.samples(), " samples"));
    }
    return absl::OkStatus();
  }

  size_t size() const override { return labels_.size(); }
  int64_t index(size_t i) const override { return indices_[i]; }
  int label(size_t i) const override { return labels_[i]; }

  void ReadImage(size_t i, float* pixels) const override {
    if (!bytes_) {
      std::memcpy(pixels, pixels_[i], size_ * sizeof(float));
      return;
    }
    const auto* source = reinterpret_cast<const uint8_t*>(pixels_[i]);
    for (size_t j = 0; j < size_; ++j) pixels[j] = static_cast<float>(source[j]) / 255.0F;
  }

 private:
  size_t size_ = 0;
  bool bytes_ = true;
  std::vector<std::unique_ptr<Mapping>> mappings_;
  std::vector<int64_t> indices_;
  std::vector<int> labels_;
  std::vector<const char*> pixels_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SampleSource>> OpenChunks(const engine_rpc::v1::RunRequest& request,
                                                         const Shape& shape) {
  auto source = std::make_unique<ChunkSource>();
  ASSAY_RETURN_IF_ERROR(source->Init(request, shape));
  return std::unique_ptr<SampleSource>(std::move(source));
}

}  // namespace assay::engine
