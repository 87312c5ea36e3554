// Brightness and contrast of every image of a dataset, by which every report has slices: measured
// when chunks are checked, and kept. Of datasets that were made before that, when the first report
// asks.
//
// Luma is Y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of images of three channels in [0, 1], and
// the mean of the channels of others. Brightness is the mean of Y over the pixels, contrast its
// standard deviation (divided by their number).
#ifndef ASSAY_SERVER_API_IMAGE_STATISTICS_H_
#define ASSAY_SERVER_API_IMAGE_STATISTICS_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/datasets.pb.h"
#include "server/store/blob_store.h"
#include "server/store/catalog.h"

namespace assay::api {

// By position in the dataset. Rounded to single precision, which tells more apart than eyes do.
struct ImageStatistics {
  std::vector<double> brightness;
  std::vector<double> contrast;
};

// Measures chunks of one manifest and keeps what it found, all at once in the end. Chunks that have
// been measured before are not measured again.
class StatisticsKeeper {
 public:
  // Both must outlive it.
  StatisticsKeeper(store::Catalog& catalog, const v1::DatasetManifest& manifest);
  // `bytes` are those of the chunk, and have been checked (CheckChunk).
  absl::Status Add(const v1::DatasetManifest::Chunk& chunk, absl::string_view bytes);
  absl::Status Keep();

 private:
  store::Catalog& catalog_;
  const v1::DatasetManifest& manifest_;
  const std::string layout_;
  std::vector<store::ChunkStatistics> measured_;
  std::set<std::string> known_;
};

// Of all samples of a manifest whose chunks are stored. Reads (and keeps) only what has not been
// measured.
absl::StatusOr<ImageStatistics> StatisticsOf(store::Catalog& catalog, const store::BlobStore& blobs,
                                             const v1::DatasetManifest& manifest);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_IMAGE_STATISTICS_H_
