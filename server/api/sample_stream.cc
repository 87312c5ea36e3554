#include "server/api/sample_stream.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "server/api/blob_pieces.h"
#include "server/api/pulled_stream.h"

namespace assay::api {
namespace {

// Walks over the wanted samples of the chunks, one message of them in memory at a time.
class SampleSource {
 public:
  // `wanted`: positions, ascending, in the dataset; empty: all.
  SampleSource(Context& context, v1::Dataset dataset, std::vector<int64_t> wanted)
      : context_(context),
        dataset_(std::move(dataset)),
        wanted_(std::move(wanted)),
        count_(wanted_.empty() ? dataset_.samples() : static_cast<int64_t>(wanted_.size())),
        sample_bytes_(SampleBytes(Manifest().shape(), Manifest().pixel_type())) {}

  absl::StatusOr<bool> operator()(v1::StreamSamplesResponse* message) {
    if (next_ == count_) return false;
    ASSAY_RETURN_IF_ERROR(OpenChunkOf(Wanted(next_)));
    *message->mutable_shape() = Manifest().shape();
    message->set_pixel_type(Manifest().pixel_type());
    // Within gRPC's default limit of a message, unless one image alone is over it.
    constexpr int64_t kMessageBytes = 2 << 20;
    constexpr int64_t kLabelBytes = sizeof(int32_t);
    const int64_t image_bytes = sample_bytes_ - int64_t{sizeof(int32_t)};
    int64_t room = std::max<int64_t>(1, kMessageBytes / image_bytes);
    while (room > 0 && next_ < count_ && Wanted(next_) < first_ + samples_) {
      // Those that lie one behind the other are read at once.
      const int64_t place = Wanted(next_) - first_;
      int64_t together = 1;
      while (together < room && next_ + together < count_ && place + together < samples_ &&
             Wanted(next_ + together) == Wanted(next_) + together) {
        ++together;
      }
      std::string labels;
      ASSAY_RETURN_IF_ERROR(
          chunk_bytes_.Append(place * kLabelBytes, together * kLabelBytes, &labels));
      ASSAY_RETURN_IF_ERROR(chunk_bytes_.Append(samples_ * kLabelBytes + place * image_bytes,
                                                together * image_bytes, message->mutable_images()));
      for (int64_t i = 0; i < together; ++i) {
        int32_t label = 0;
        std::memcpy(&label, labels.data() + i * kLabelBytes, sizeof(label));
        message->add_samples(Wanted(next_ + i));
        message->add_labels(label);
      }
      next_ += together;
      room -= together;
    }
    return true;
  }

 private:
  const v1::DatasetManifest& Manifest() const { return dataset_.manifest(); }
  int64_t Wanted(int64_t i) const { return wanted_.empty() ? i : wanted_[static_cast<size_t>(i)]; }

  absl::Status OpenChunkOf(int64_t sample) {
    if (sample < first_ + samples_) return absl::OkStatus();
    do {
      first_ += samples_;
      samples_ = Manifest().chunks(chunk_++).samples();
    } while (sample >= first_ + samples_);
    const std::string& digest = Manifest().chunks(chunk_ - 1).digest();
    ASSAY_ASSIGN_OR_RETURN(chunk_bytes_, BlobPieces::Open(context_.blobs, digest));
    if (chunk_bytes_.size() == samples_ * sample_bytes_) return absl::OkStatus();
    return Error(Reason::kInternal,
                 absl::StrCat("chunk ", digest, " of ", dataset_.name(), " has the wrong size"));
  }

  Context& context_;
  const v1::Dataset dataset_;
  const std::vector<int64_t> wanted_;
  // Of wanted samples, and of those the next.
  const int64_t count_;
  int64_t next_ = 0;
  const int64_t sample_bytes_;
  // The open chunk: where it begins, how many samples it has, the number of the next one.
  int64_t first_ = 0;
  int64_t samples_ = 0;
  int chunk_ = 0;
  BlobPieces chunk_bytes_;
};

absl::StatusOr<Source<v1::StreamSamplesResponse>> OpenSamples(
    Context& context, const v1::StreamSamplesRequest& request) {
  ASSAY_RETURN_IF_ERROR(ParseResourceName(kDatasets, request.name(), "name").status());
  ASSAY_ASSIGN_OR_RETURN(v1::Dataset dataset, context.catalog.GetDataset(request.name()));
  for (int i = 0; i < request.samples_size(); ++i) {
    const int64_t sample = request.samples(i);
    const std::string field = absl::StrCat("samples[", i, "]");
    if (sample < 0 || sample >= dataset.samples()) {
      return InvalidFields({{field, absl::StrCat(sample, " is not one of the ", dataset.samples(),
                                                 " positions in ", request.name())}});
    }
    if (i > 0 && sample <= request.samples(i - 1)) {
      return InvalidFields(
          {{field, absl::StrCat("must ascend; got ", sample, " after ", request.samples(i - 1))}});
    }
  }
  // Functions are copied, open files are not.
  const auto source = std::make_shared<SampleSource>(
      context, std::move(dataset),
      std::vector<int64_t>(request.samples().begin(), request.samples().end()));
  return [source](v1::StreamSamplesResponse* message) { return (*source)(message); };
}

}  // namespace

grpc::ServerWriteReactor<v1::StreamSamplesResponse>* NewSampleStream(
    Context& context, grpc::CallbackServerContext& call, const v1::StreamSamplesRequest& request) {
  return OpenStream<PulledStream<v1::StreamSamplesResponse>>(
      context, call, [&context, request] { return OpenSamples(context, request); });
}

}  // namespace assay::api
