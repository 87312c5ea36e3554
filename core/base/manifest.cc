#include "core/base/manifest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/sample_metadata.h"
#include "nlohmann/json.hpp"

namespace assay {
namespace {

constexpr int32_t kMaxSide = 16384;
constexpr int32_t kMaxChannels = 64;
constexpr int kMaxClasses = 100000;

std::string JsonText(const nlohmann::json& json) {
  return json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string SamplesText(const v1::DatasetManifest& manifest) {
  const auto& shape = manifest.shape();
  std::string text = absl::StrCat("assay-dataset-v1\nshape ", shape.channels(), " ", shape.height(),
                                  " ", shape.width(), "\ntype ",
                                  v1::PixelType_Name(manifest.pixel_type()), "\nclasses ");
  nlohmann::json names = nlohmann::json::array();
  for (const std::string& name : manifest.class_names()) names.push_back(name);
  absl::StrAppend(&text, JsonText(names), "\n");
  for (const auto& chunk : manifest.chunks()) {
    absl::StrAppend(&text, "chunk ", chunk.digest(), " ", chunk.samples(), "\n");
  }
  return text;
}

std::string MetadataText(const v1::SampleMetadata& metadata) {
  std::string text = absl::StrCat("metadata ", metadata.digest(), "\n");
  for (const auto& column : metadata.columns()) {
    absl::StrAppend(&text, "column ", JsonText(column.name()),
                    column.numeric() ? " numbers" : " texts");
    for (const double edge : column.edges()) absl::StrAppend(&text, " ", NumberText(edge));
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace

int64_t PixelBytes(v1::PixelType type) {
  switch (type) {
    case v1::UINT8:
      return 1;
    case v1::FLOAT32:
      return 4;
    default:
      return 0;
  }
}

int64_t SampleBytes(const v1::ImageShape& shape, v1::PixelType type) {
  return 4 + int64_t{shape.channels()} * shape.height() * shape.width() * PixelBytes(type);
}

int32_t SamplesPerChunk(const v1::ImageShape& shape, v1::PixelType type) {
  return static_cast<int32_t>(
      std::max<int64_t>(1, kTargetChunkBytes / std::max<int64_t>(1, SampleBytes(shape, type))));
}

int64_t TotalSamples(const v1::DatasetManifest& manifest) {
  int64_t total = 0;
  for (const auto& chunk : manifest.chunks()) total += chunk.samples();
  return total;
}

int64_t LimitedSamples(const v1::DatasetManifest& manifest, int64_t limit) {
  const int64_t total = TotalSamples(manifest);
  return limit > 0 ? std::min(total, limit) : total;
}

std::string ManifestDigest(const v1::DatasetManifest& manifest) {
  if (!manifest.has_metadata()) return SamplesDigest(manifest);
  return Sha256Hex(absl::StrCat(SamplesText(manifest), MetadataText(manifest.metadata())));
}

std::string SamplesDigest(const v1::DatasetManifest& manifest) {
  return Sha256Hex(SamplesText(manifest));
}

std::vector<FieldViolation> CheckManifest(const v1::DatasetManifest& manifest,
                                          const std::string& prefix) {
  std::vector<FieldViolation> violations;
  const auto bad = [&](const std::string& field, const std::string& text) {
    violations.push_back({absl::StrCat(prefix, ".", field), text});
  };
  const auto& shape = manifest.shape();
  if (shape.channels() < 1 || shape.channels() > kMaxChannels || shape.height() < 1 ||
      shape.height() > kMaxSide || shape.width() < 1 || shape.width() > kMaxSide) {
    bad("shape",
        absl::StrCat("must be 1 to ", kMaxChannels, " channels and sides of 1 to ", kMaxSide,
                     " pixels; got ", shape.channels(), "x", shape.height(), "x", shape.width()));
    return violations;
  }
  if (PixelBytes(manifest.pixel_type()) == 0) bad("pixel_type", "must be UINT8 or FLOAT32");
  if (manifest.class_names_size() > kMaxClasses) {
    bad("class_names", absl::StrCat("at most ", kMaxClasses, " classes"));
  }
  if (manifest.chunks().empty()) bad("chunks", "a dataset needs at least one sample");
  const int64_t sample_bytes = SampleBytes(shape, manifest.pixel_type());
  for (int i = 0; i < manifest.chunks_size() && violations.size() < 20; ++i) {
    const auto& chunk = manifest.chunks(i);
    if (!IsDigest(chunk.digest())) {
      bad(absl::StrCat("chunks[", i, "].digest"), "must be 64 lower-case hexadecimal digits");
    }
    if (chunk.samples() < 1 || chunk.samples() * sample_bytes > kMaxChunkBytes) {
      bad(absl::StrCat("chunks[", i, "].samples"),
          absl::StrCat("must be at least 1 and keep the chunk within ", kMaxChunkBytes >> 20,
                       " MiB; got ", chunk.samples(), " of ", sample_bytes, " bytes"));
    }
  }
  if (manifest.has_metadata()) {
    for (FieldViolation& violation : CheckMetadata(manifest.metadata(), prefix + ".metadata")) {
      violations.push_back(std::move(violation));
    }
  }
  return violations;
}

}  // namespace assay
