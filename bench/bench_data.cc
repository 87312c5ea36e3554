#include "bench/bench_data.h"

#include <algorithm>

#include "client/data/open_dataset.h"
#include "core/base/errors.h"

namespace assay::bench {

absl::StatusOr<std::unique_ptr<MemorySamples>> ReadSamples(const std::string& path, int64_t limit) {
  client::OpenOptions options;
  options.paths = {path};
  ASSAY_ASSIGN_OR_RETURN(const auto reader, client::OpenDataset(options));
  auto samples = std::make_unique<MemorySamples>();
  samples->shape = {reader->shape().channels(), reader->shape().height(), reader->shape().width()};
  std::vector<int32_t> labels;
  std::string pixels;
  while (static_cast<int64_t>(labels.size()) < limit) {
    const int64_t missing = limit - static_cast<int64_t>(labels.size());
    ASSAY_RETURN_IF_ERROR(reader->Read(0, std::min(missing, reader->size()), &labels, &pixels));
  }
  samples->labels.assign(labels.begin(), labels.end());
  samples->images.resize(labels.size() * samples->shape.size());
  if (reader->pixel_type() == v1::UINT8) {
    std::transform(pixels.begin(), pixels.end(), samples->images.begin(), [](char byte) {
      return static_cast<float>(static_cast<uint8_t>(byte)) / 255.0F;
    });
  } else {
    std::memcpy(samples->images.data(), pixels.data(), pixels.size());
  }
  return samples;
}

}  // namespace assay::bench
