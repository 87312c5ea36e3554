#include "server/api/dataset_commit.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "server/api/image_statistics.h"
#include "server/api/stored_metadata.h"
#include "server/api/timestamps.h"

namespace assay::api {

absl::StatusOr<int> CheckChunk(const v1::DatasetManifest& manifest, absl::string_view bytes,
                               int32_t samples, const std::string& what, int64_t first_sample) {
  const auto bad = [&](const std::string& text) {
    return absl::Status(Error(Reason::kInvalidDataset, absl::StrCat(what, ": ", text)));
  };
  const int64_t expected = samples * SampleBytes(manifest.shape(), manifest.pixel_type());
  if (static_cast<int64_t>(bytes.size()) != expected) {
    return bad(absl::StrCat("has ", bytes.size(), " bytes; ", samples,
                            " samples of this shape are ", expected));
  }
  int max_label = 0;
  for (int32_t i = 0; i < samples; ++i) {
    int32_t label = 0;
    std::memcpy(&label, bytes.data() + static_cast<size_t>(i) * sizeof(label), sizeof(label));
    if (label < 0) {
      return bad(
          absl::StrCat("sample ", first_sample + i, " has label ", label, "; labels start at 0"));
    }
    if (!manifest.class_names().empty() && label >= manifest.class_names_size()) {
      return bad(absl::StrCat("sample ", first_sample + i, " has label ", label, ", but there are ",
                              manifest.class_names_size(), " class names"));
    }
    max_label = std::max(max_label, label);
  }
  if (manifest.pixel_type() != v1::FLOAT32) return max_label;
  const char* pixels = bytes.data() + static_cast<size_t>(samples) * sizeof(int32_t);
  const size_t count =
      (bytes.size() - static_cast<size_t>(samples) * sizeof(int32_t)) / sizeof(float);
  for (size_t i = 0; i < count; ++i) {
    float value = 0;
    std::memcpy(&value, pixels + i * sizeof(value), sizeof(value));
    if (!(value >= 0.0F && value <= 1.0F)) {
      const int64_t sample =
          first_sample + static_cast<int64_t>(i / (count / static_cast<size_t>(samples)));
      return bad(absl::StrCat("sample ", sample, " has a pixel value of ",
                              absl::StrFormat("%.9g", value), "; float images must lie in [0, 1]"));
    }
  }
  return max_label;
}

std::vector<std::string> BlobsOf(const v1::DatasetManifest& manifest) {
  std::vector<std::string> digests;
  for (const auto& chunk : manifest.chunks()) digests.push_back(chunk.digest());
  if (manifest.has_metadata()) digests.push_back(manifest.metadata().digest());
  return digests;
}

absl::StatusOr<v1::Dataset> PrepareDataset(Context& context, const std::string& id,
                                           const v1::DatasetManifest& manifest,
                                           const std::string& holder) {
  std::vector<FieldViolation> violations = CheckManifest(manifest, "manifest");
  if (!id.empty() && !IsValidId(id)) {
    violations.push_back({"dataset_id", absl::StrCat("must be ", kIdRule)});
  }
  if (!violations.empty()) return InvalidFields(std::move(violations), Reason::kInvalidDataset);
  // One that is missing is told of below.
  ASSAY_RETURN_IF_ERROR(context.blobs.MissingOf(BlobsOf(manifest), holder).status());
  if (manifest.has_metadata()) {
    ASSAY_RETURN_IF_ERROR(
        ReadStoredMetadata(context.blobs, manifest.metadata(), TotalSamples(manifest)).status());
  }
  v1::Dataset dataset;
  int64_t first = 0, bytes = 0;
  int max_label = 0;
  StatisticsKeeper statistics(context.catalog, manifest);
  for (int i = 0; i < manifest.chunks_size(); ++i) {
    const auto& chunk = manifest.chunks(i);
    ASSAY_ASSIGN_OR_RETURN(const std::string content, context.blobs.Read(chunk.digest()));
    ASSAY_ASSIGN_OR_RETURN(const int label,
                           CheckChunk(manifest, content, chunk.samples(),
                                      absl::StrCat("manifest.chunks[", i, "]"), first));
    ASSAY_RETURN_IF_ERROR(statistics.Add(chunk, content));
    max_label = std::max(max_label, label);
    first += chunk.samples();
    bytes += static_cast<int64_t>(content.size());
  }
  ASSAY_RETURN_IF_ERROR(statistics.Keep());
  bytes += manifest.metadata().size_bytes();
  const std::string digest = ManifestDigest(manifest);
  dataset.set_name(ResourceName(kDatasets, id.empty() ? digest.substr(0, 12) : id));
  dataset.set_digest(digest);
  *dataset.mutable_manifest() = manifest;
  dataset.set_samples(first);
  dataset.set_size_bytes(bytes);
  dataset.set_max_label(max_label);
  *dataset.mutable_create_time() = ToTimestamp(context.clock.NowMicros());
  return dataset;
}

}  // namespace assay::api
