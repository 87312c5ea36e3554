// The canonical form of a dataset manifest, whose SHA-256 is the dataset's digest, and the layout
// of a chunk.
#ifndef ASSAY_CORE_BASE_MANIFEST_H_
#define ASSAY_CORE_BASE_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "assay/v1/datasets.pb.h"
#include "core/base/errors.h"

namespace assay {

// Largest chunk that is accepted, and the size that clients aim for.
inline constexpr int64_t kMaxChunkBytes = 64 << 20;
inline constexpr int64_t kTargetChunkBytes = 4 << 20;

// Bytes of one pixel value; 0 for an unspecified type.
int64_t PixelBytes(v1::PixelType type);
// Bytes of one sample: label and image.
int64_t SampleBytes(const v1::ImageShape& shape, v1::PixelType type);
// Samples per chunk that bring a chunk close to kTargetChunkBytes (at least 1). A function of shape
// and type alone, so that a subset shares its chunks with the whole.
int32_t SamplesPerChunk(const v1::ImageShape& shape, v1::PixelType type);

int64_t TotalSamples(const v1::DatasetManifest& manifest);
// Samples that an evaluation with this limit takes; 0: no limit.
int64_t LimitedSamples(const v1::DatasetManifest& manifest, int64_t limit);

// SHA-256 of the canonical text: a line each for version, shape, pixel type, class names (as JSON),
// and chunks; with metadata, a line for its digest and one for each of its columns.
std::string ManifestDigest(const v1::DatasetManifest& manifest);
// The same without metadata: manifests of the same samples have it in common.
std::string SamplesDigest(const v1::DatasetManifest& manifest);

// Everything that can be wrong with a manifest by itself; paths start with `prefix` ("manifest").
std::vector<FieldViolation> CheckManifest(const v1::DatasetManifest& manifest,
                                          const std::string& prefix);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_MANIFEST_H_
