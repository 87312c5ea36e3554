// What can be evaluated: models and datasets, with what is known of them, and the blobs in use.
//
// Names are full resource names. Thread-safe. What a call has acknowledged is durable.
#ifndef ASSAY_SERVER_STORE_CATALOG_H_
#define ASSAY_SERVER_STORE_CATALOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/models.pb.h"
#include "core/base/labels.h"
#include "server/store/listing.h"

namespace assay::store {

// What was measured of the images of a chunk, so that reports need not read them again.
struct ChunkStatistics {
  // Digest.
  std::string chunk;
  // How its bytes were read, for example "3x32x32 UINT8".
  std::string layout;
  // As server/api/image_statistics.h writes it.
  std::string values;
};

// Who is charged for what is made; without a name, nobody.
struct Owner {
  std::string name;
  // As errors say it, "token" or "certificate".
  std::string by;
  // What everything of the owner may have; nullopt: any number of bytes.
  std::optional<int64_t> most_bytes;
};

// kQuotaExceeded when an owner that has `stored` bytes may not have so many more.
absl::Status CheckStoredBytes(const Owner& owner, int64_t stored, int64_t more);

class Catalog {
 public:
  virtual ~Catalog() = default;

  // --- models; their state and state_reason are not stored, they belong to the engines

  // Returns what is stored under the name afterwards: the given model, or an existing one with the
  // same digest, on which the labels of the given one are set, beside those that it has.
  // kAlreadyExists when the name is taken by another digest. A request_id (may be empty) seen
  // before returns the model that it made, whatever the arguments.
  // One that is new belongs to `owner`, and kQuotaExceeded when that has too much then.
  virtual absl::StatusOr<v1::Model> CreateModel(const v1::Model& model,
                                                const std::string& request_id,
                                                const Owner& owner) = 0;
  absl::StatusOr<v1::Model> CreateModel(const v1::Model& model, const std::string& request_id) {
    return CreateModel(model, request_id, Owner());
  }
  virtual absl::StatusOr<v1::Model> GetModel(const std::string& name) = 0;
  // By name, those that have all of `labels`; a label without a value: any value.
  virtual absl::StatusOr<Listing<v1::Model>> ListModels(const Page& page, const Labels& labels) = 0;
  // kInUse while an unfinished evaluation names it, in a condition too.
  virtual absl::Status DeleteModel(const std::string& name) = 0;
  virtual absl::Status SetModelValidation(const std::string& name,
                                          const v1::ModelValidation& validation) = 0;
  // Sets these labels, beside those that it has.
  virtual absl::Status SetModelLabels(const std::string& name, const Labels& labels) = 0;
  // Numerics chosen at the first load under `key` (model digest, shape, kind of device, library),
  // kept so that a restarted engine, or one of another machine, computes the same bits.
  virtual absl::StatusOr<std::optional<v1::NumericsFingerprint>> GetNumerics(
      const std::string& key) = 0;
  // The first that are set stay. What is stored afterwards.
  virtual absl::StatusOr<v1::NumericsFingerprint> SetNumerics(
      const std::string& key, const v1::NumericsFingerprint& numerics) = 0;

  // --- datasets: as models, without labels

  virtual absl::StatusOr<v1::Dataset> CreateDataset(const v1::Dataset& dataset,
                                                    const std::string& request_id,
                                                    const Owner& owner) = 0;
  absl::StatusOr<v1::Dataset> CreateDataset(const v1::Dataset& dataset,
                                            const std::string& request_id) {
    return CreateDataset(dataset, request_id, Owner());
  }
  virtual absl::StatusOr<v1::Dataset> GetDataset(const std::string& name) = 0;
  // Without the manifests' chunk lists.
  virtual absl::StatusOr<Listing<v1::Dataset>> ListDatasets(const Page& page) = 0;
  // kInUse while any evaluation names it.
  virtual absl::Status DeleteDataset(const std::string& name) = 0;

  // All in one transaction. What is there already stays. ReleaseSpace forgets those of
  // chunks that no manifest names.
  virtual absl::Status KeepStatistics(const std::vector<ChunkStatistics>& statistics) = 0;
  // The values; nullopt where there are none.
  virtual absl::StatusOr<std::optional<std::string>> GetStatistics(const std::string& chunk,
                                                                   const std::string& layout) = 0;

  // --- space

  // Bytes of the models and datasets that belong to it, and of the images that its streams have
  // brought (evaluations with its kOwnerLabel), whatever they share with others.
  virtual absl::StatusOr<int64_t> BytesOf(const std::string& owner) = 0;

  // Every digest that a model, a dataset or stream manifest, its metadata or a kept adversarial
  // example names.
  virtual absl::StatusOr<std::vector<std::string>> BlobsInUse() = 0;
  // Gives some of the room of deleted records back to the file system. Whether there is more.
  virtual absl::StatusOr<bool> ReleaseSpace() = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_CATALOG_H_
