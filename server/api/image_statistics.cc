#include "server/api/image_statistics.h"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"

namespace assay::api {
namespace {

// Thousandths of the weights of red, green and blue.
constexpr int kLumaWeights[] = {299, 587, 114};
constexpr int kLumaScale = 1000;

struct Moments {
  double brightness = 0;
  double contrast = 0;
};

// Sums of whole numbers are exact, so the order of pixels and the machine do not matter. The sum of
// squares of the largest image that is accepted fits: (1000 * 255)^2 * 16384^2 < 2^64.
Moments MeasureBytes(const uint8_t* image, int channels, size_t pixels) {
  uint64_t sum = 0, squares = 0;
  const bool colour = channels == 3;
  // Of other images the sum of the channels; 64 channels at most keep it smaller than luma.
  const double scale = 255.0 * (colour ? kLumaScale : channels);
  for (size_t i = 0; i < pixels; ++i) {
    uint64_t value = 0;
    for (int c = 0; c < channels; ++c) {
      value += image[static_cast<size_t>(c) * pixels + i] *
               static_cast<uint64_t>(colour ? kLumaWeights[c] : 1);
    }
    sum += value;
    squares += value * value;
  }
  const auto n = static_cast<double>(pixels);
  const double mean = static_cast<double>(sum) / n;
  // n * squares - sum^2 is exact in 128 bits: equal pixels have no contrast at all.
  using Wide = unsigned __int128;
  const Wide spread = Wide{squares} * pixels - Wide{sum} * sum;
  return {mean / scale, std::sqrt(static_cast<double>(spread)) / n / scale};
}

Moments MeasureFloats(const char* image, int channels, size_t pixels) {
  std::vector<double> luma(pixels, 0.0);
  for (int c = 0; c < channels; ++c) {
    const double weight = channels == 3 ? static_cast<double>(kLumaWeights[c]) / kLumaScale
                                        : 1.0 / static_cast<double>(channels);
    for (size_t i = 0; i < pixels; ++i) {
      float value = 0;
      std::memcpy(&value, image + (static_cast<size_t>(c) * pixels + i) * sizeof(value),
                  sizeof(value));
      luma[i] += weight * static_cast<double>(value);
    }
  }
  const auto n = static_cast<double>(pixels);
  double sum = 0, squares = 0;
  for (const double value : luma) sum += value;
  const double mean = sum / n;
  for (const double value : luma) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / n)};
}

void Append(double value, std::string* values) {
  const auto rounded = static_cast<float>(value);
  char bytes[sizeof(rounded)];
  std::memcpy(bytes, &rounded, sizeof(rounded));
  values->append(bytes, sizeof(bytes));
}

double At(const std::string& values, size_t index) {
  float value = 0;
  std::memcpy(&value, values.data() + index * sizeof(value), sizeof(value));
  return static_cast<double>(value);
}

// Brightness and contrast of each sample, one after the other, as float32 (little-endian).
std::string MeasureChunk(const v1::DatasetManifest& manifest, absl::string_view bytes,
                         int32_t samples) {
  const int channels = manifest.shape().channels();
  const size_t pixels = static_cast<size_t>(manifest.shape().height()) *
                        static_cast<size_t>(manifest.shape().width());
  const size_t image_bytes = static_cast<size_t>(channels) * pixels *
                             static_cast<size_t>(PixelBytes(manifest.pixel_type()));
  const char* image = bytes.data() + static_cast<size_t>(samples) * sizeof(int32_t);
  std::string values;
  for (int32_t i = 0; i < samples; ++i, image += image_bytes) {
    const Moments moments =
        manifest.pixel_type() == v1::UINT8
            ? MeasureBytes(reinterpret_cast<const uint8_t*>(image), channels, pixels)
            : MeasureFloats(image, channels, pixels);
    Append(moments.brightness, &values);
    Append(moments.contrast, &values);
  }
  return values;
}

std::string LayoutOf(const v1::DatasetManifest& manifest) {
  const v1::ImageShape& shape = manifest.shape();
  return absl::StrCat(shape.channels(), "x", shape.height(), "x", shape.width(), " ",
                      v1::PixelType_Name(manifest.pixel_type()));
}

}  // namespace

StatisticsKeeper::StatisticsKeeper(store::Catalog& catalog, const v1::DatasetManifest& manifest)
    : catalog_(catalog), manifest_(manifest), layout_(LayoutOf(manifest)) {}

absl::Status StatisticsKeeper::Add(const v1::DatasetManifest::Chunk& chunk,
                                   absl::string_view bytes) {
  if (!known_.insert(chunk.digest()).second) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const auto kept, catalog_.GetStatistics(chunk.digest(), layout_));
  if (kept.has_value()) return absl::OkStatus();
  measured_.push_back({chunk.digest(), layout_, MeasureChunk(manifest_, bytes, chunk.samples())});
  return absl::OkStatus();
}

absl::Status StatisticsKeeper::Keep() {
  return measured_.empty() ? absl::OkStatus() : catalog_.KeepStatistics(measured_);
}

absl::StatusOr<ImageStatistics> StatisticsOf(store::Catalog& catalog, const store::BlobStore& blobs,
                                             const v1::DatasetManifest& manifest) {
  const std::string layout = LayoutOf(manifest);
  ImageStatistics all;
  std::vector<store::ChunkStatistics> measured;
  for (const v1::DatasetManifest::Chunk& chunk : manifest.chunks()) {
    ASSAY_ASSIGN_OR_RETURN(auto values, catalog.GetStatistics(chunk.digest(), layout));
    if (!values.has_value()) {
      ASSAY_ASSIGN_OR_RETURN(const std::string bytes, blobs.Read(chunk.digest()));
      values = MeasureChunk(manifest, bytes, chunk.samples());
      measured.push_back({chunk.digest(), layout, *values});
    }
    const size_t samples = static_cast<size_t>(chunk.samples());
    if (values->size() != 2 * samples * sizeof(float)) {
      return Error(Reason::kStorageFailed,
                   absl::StrCat("stored statistics of chunk ", chunk.digest(), " have ",
                                values->size(), " bytes"))
          .ToStatus();
    }
    for (size_t i = 0; i < samples; ++i) {
      all.brightness.push_back(At(*values, 2 * i));
      all.contrast.push_back(At(*values, 2 * i + 1));
    }
  }
  if (!measured.empty()) ASSAY_RETURN_IF_ERROR(catalog.KeepStatistics(measured));
  return all;
}

}  // namespace assay::api
