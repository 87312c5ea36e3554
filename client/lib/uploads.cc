// Uploads of models and datasets: a pass for the digests, a look at what the server has, and the
// chunks that it lacks.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/call.h"
#include "client/lib/request_id.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "core/models/model_file.h"

namespace assay::client {
namespace {

constexpr size_t kDigestDigits = 12;
constexpr size_t kMaxSlug = 60;

std::string DefaultId(const std::string& stem, const char* fallback, const std::string& digest) {
  std::string slug = Slug(stem).substr(0, kMaxSlug);
  if (slug.empty()) slug = fallback;
  return absl::StrCat(slug, "-", digest.substr(0, kDigestDigits));
}

// Before gigabytes are read in vain.
absl::Status CheckId(const std::string& id) {
  if (id.empty() || IsValidId(id)) return absl::OkStatus();
  return InvalidFields({{"id", absl::StrCat("must be ", kIdRule, "; got '", id, "'")}});
}

// A resource of that name with that content makes an upload unnecessary; one with other content
// makes it impossible.
template <typename Resource>
absl::StatusOr<bool> IsThere(const absl::StatusOr<Resource>& found, const std::string& digest) {
  if (found.ok()) {
    if (found->digest() == digest) return true;
    return Error(Reason::kAlreadyExists,
                 absl::StrCat(found->name(), " exists already, with other content"))
        .ToStatus();
  }
  if (found.status().code() == absl::StatusCode::kNotFound) return false;
  return found.status();
}

absl::Status Unreadable(const std::string& path, absl::string_view what) {
  return Error(Reason::kUnreadableInput, absl::StrCat("cannot read ", path, ": ", what));
}

absl::StatusOr<std::ifstream> OpenFile(const std::string& path, int64_t* size) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Unreadable(path, std::filesystem::exists(path, error)
                                ? "it is not a regular file; save the model to a "
                                  "file first"
                                : "there is no such file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unreadable(path, std::strerror(errno));
  *size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) return Unreadable(path, error.message());
  if (*size == 0) return Unreadable(path, "the file is empty");
  return file;
}

// Of the file of `file_size` bytes and what is to follow it.
absl::Status ReadPiece(std::ifstream& file, const std::string& path, int64_t file_size,
                       const std::string& trailer, int64_t offset, int64_t size,
                       std::string* bytes) {
  const int64_t of_file = std::clamp<int64_t>(file_size - offset, 0, size);
  bytes->resize(static_cast<size_t>(of_file));
  file.clear();
  file.seekg(offset);
  file.read(bytes->data(), of_file);
  if (file.gcount() != of_file) {
    return Unreadable(path, "it became shorter while it was being read");
  }
  if (of_file < size) {
    bytes->append(trailer, static_cast<size_t>(offset + of_file - file_size),
                  static_cast<size_t>(size - of_file));
  }
  return absl::OkStatus();
}

// A chunk's bytes: labels (int32, little-endian), then images.
absl::Status ReadSamples(DatasetReader& reader, int64_t first, int64_t count, std::string* bytes) {
  std::vector<int32_t> labels;
  std::string pixels;
  ASSAY_RETURN_IF_ERROR(reader.Read(first, count, &labels, &pixels));
  bytes->clear();
  bytes->reserve(labels.size() * 4 + pixels.size());
  for (const int32_t label : labels) {
    const auto bits = static_cast<uint32_t>(label);
    for (int shift = 0; shift < 32; shift += 8) {
      bytes->push_back(static_cast<char>((bits >> shift) & 0xff));
    }
  }
  bytes->append(pixels);
  return absl::OkStatus();
}

absl::Status CheckRows(const MetadataTable& table, int64_t samples) {
  if (table.samples == samples) return absl::OkStatus();
  return InvalidFields(
      {{"metadata", absl::StrCat("has ", table.samples, " rows for ", samples, " samples")}});
}

}  // namespace

absl::StatusOr<Uploaded<v1::Model>> Client::UploadModel(const std::string& path,
                                                        const std::string& id,
                                                        const TransferListener& listener,
                                                        const v1::ModelInterface& interface,
                                                        const Labels& labels) {
  ASSAY_RETURN_IF_ERROR(CheckId(id));
  int64_t file_size = 0;
  ASSAY_ASSIGN_OR_RETURN(std::ifstream file, OpenFile(path, &file_size));
  const absl::Status checked = CheckModelFile(path);
  if (!checked.ok()) return WithMessage(checked, absl::StrCat(path, ": ", checked.message()));
  const std::string trailer = InterfaceTrailer(interface);
  const int64_t size = file_size + static_cast<int64_t>(trailer.size());

  ChunkSet chunks;
  Sha256 whole;
  std::string bytes;
  const auto piece_size = [size](int64_t offset) {
    return std::min(kTargetChunkBytes, size - offset);
  };
  for (int64_t offset = 0; offset < size; offset += kTargetChunkBytes) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    ASSAY_RETURN_IF_ERROR(
        ReadPiece(file, path, file_size, trailer, offset, piece_size(offset), &bytes));
    whole.Update(bytes);
    chunks.chunks.push_back({Sha256Hex(bytes), static_cast<int64_t>(bytes.size())});
    if (listener) listener(TransferPhase::kReading, offset + piece_size(offset), size);
  }
  chunks.read = [&](size_t index, std::string* out) {
    const int64_t offset = static_cast<int64_t>(index) * kTargetChunkBytes;
    return ReadPiece(file, path, file_size, trailer, offset, piece_size(offset), out);
  };

  v1::CreateModelRequest request;
  for (const auto& [key, value] : labels) (*request.mutable_labels())[key] = value;
  for (const auto& chunk : chunks.chunks) request.add_chunks(chunk.digest);
  request.set_digest(whole.HexDigest());
  request.set_model_id(
      id.empty() ? DefaultId(std::filesystem::path(path).stem().string(), "model", request.digest())
                 : id);
  const absl::StatusOr<v1::Model> found = GetModel(ResourceName(kModels, request.model_id()));
  ASSAY_ASSIGN_OR_RETURN(bool there, IsThere(found, request.digest()));
  if (there) {
    ASSAY_ASSIGN_OR_RETURN(there, HasAll({request.digest()}));
  }
  const auto create = [&] {
    return Call<v1::Model>(*stubs_->models, &v1::ModelService::Stub::CreateModel, request,
                           kSlowSeconds);
  };
  if (there) {
    TransferStats stats;
    stats.chunks = static_cast<int64_t>(chunks.chunks.size());
    stats.bytes = size;
    if (labels.empty()) return Uploaded<v1::Model>{*found, stats};
    request.set_request_id(NewRequestId());
    ASSAY_ASSIGN_OR_RETURN(v1::Model model, create());
    return Uploaded<v1::Model>{std::move(model), stats};
  }
  chunks.upload_id = NewRequestId();
  ASSAY_ASSIGN_OR_RETURN(const TransferStats stats, Transfer(chunks, listener));
  request.set_request_id(chunks.upload_id);
  ASSAY_ASSIGN_OR_RETURN(v1::Model model, create());
  return Uploaded<v1::Model>{std::move(model), stats};
}

absl::StatusOr<v1::SampleMetadata> Client::SendMetadata(const MetadataTable& table,
                                                        int64_t samples) {
  ASSAY_RETURN_IF_ERROR(CheckRows(table, samples));
  const std::string csv = MetadataCsv(table);
  const v1::SampleMetadata declared = DeclareMetadata(table, csv);
  ChunkSet chunks;
  chunks.chunks.push_back({declared.digest(), declared.size_bytes()});
  chunks.upload_id = NewRequestId();
  chunks.read = [&csv](size_t, std::string* bytes) {
    *bytes = csv;
    return absl::OkStatus();
  };
  ASSAY_RETURN_IF_ERROR(Transfer(chunks, nullptr).status());
  return declared;
}

absl::StatusOr<Uploaded<v1::Dataset>> Client::UploadDataset(DatasetReader& reader,
                                                            const DatasetUpload& upload,
                                                            const TransferListener& listener) {
  ASSAY_RETURN_IF_ERROR(CheckId(upload.id));
  const int64_t samples = upload.limit > 0 ? std::min(upload.limit, reader.size()) : reader.size();
  v1::CreateDatasetRequest request;
  v1::DatasetManifest& manifest = *request.mutable_manifest();
  *manifest.mutable_shape() = reader.shape();
  manifest.set_pixel_type(reader.pixel_type());
  for (const std::string& name : reader.class_names()) manifest.add_class_names(name);
  const int64_t per_chunk = SamplesPerChunk(reader.shape(), reader.pixel_type());
  const int64_t total_bytes = samples * SampleBytes(reader.shape(), reader.pixel_type());

  ChunkSet chunks;
  std::string metadata;
  chunks.read = [&](size_t index, std::string* out) {
    const int64_t first = static_cast<int64_t>(index) * per_chunk;
    if (first >= samples) {
      *out = metadata;
      return absl::OkStatus();
    }
    return ReadSamples(reader, first, std::min(per_chunk, samples - first), out);
  };
  std::string bytes;
  int64_t done = 0;
  for (int64_t first = 0; first < samples; first += per_chunk) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    ASSAY_RETURN_IF_ERROR(chunks.read(chunks.chunks.size(), &bytes));
    chunks.chunks.push_back({Sha256Hex(bytes), static_cast<int64_t>(bytes.size())});
    auto* chunk = manifest.add_chunks();
    chunk->set_digest(chunks.chunks.back().digest);
    chunk->set_samples(static_cast<int32_t>(std::min(per_chunk, samples - first)));
    done += chunks.chunks.back().bytes;
    if (listener) listener(TransferPhase::kReading, done, total_bytes);
  }
  if (upload.metadata != nullptr) {
    ASSAY_RETURN_IF_ERROR(CheckRows(*upload.metadata, samples));
    metadata = MetadataCsv(*upload.metadata);
    *manifest.mutable_metadata() = DeclareMetadata(*upload.metadata, metadata);
    chunks.chunks.push_back({manifest.metadata().digest(), manifest.metadata().size_bytes()});
  }
  const auto violations = CheckManifest(manifest, "manifest");
  if (!violations.empty()) return InvalidFields(violations, Reason::kInvalidDataset);

  const std::string digest = ManifestDigest(manifest);
  request.set_dataset_id(upload.id.empty() ? DefaultId(upload.stem, "dataset", digest) : upload.id);
  const absl::StatusOr<v1::Dataset> found =
      GetDataset(ResourceName(kDatasets, request.dataset_id()));
  ASSAY_ASSIGN_OR_RETURN(bool there, IsThere(found, digest));
  if (there) {
    std::vector<std::string> digests;
    for (const auto& chunk : chunks.chunks) digests.push_back(chunk.digest);
    ASSAY_ASSIGN_OR_RETURN(there, HasAll(digests));
  }
  if (there) {
    TransferStats stats;
    stats.chunks = static_cast<int64_t>(chunks.chunks.size());
    stats.bytes = total_bytes;
    return Uploaded<v1::Dataset>{*found, stats};
  }
  chunks.upload_id = NewRequestId();
  ASSAY_ASSIGN_OR_RETURN(const TransferStats stats, Transfer(chunks, listener));
  request.set_request_id(chunks.upload_id);
  ASSAY_ASSIGN_OR_RETURN(
      v1::Dataset dataset,
      Call<v1::Dataset>(*stubs_->datasets, &v1::DatasetService::Stub::CreateDataset, request,
                        kSlowSeconds));
  return Uploaded<v1::Dataset>{std::move(dataset), stats};
}

}  // namespace assay::client
