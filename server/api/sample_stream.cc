#include "server/api/sample_stream.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "server/api/pulled_stream.h"

namespace assay::api {
namespace {

// Walks over the wanted samples of the chunks, one chunk in memory at a time.
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
    ASSAY_RETURN_IF_ERROR(ReadChunkOf(Wanted(next_)));
    *message->mutable_shape() = Manifest().shape();
    message->set_pixel_type(Manifest().pixel_type());
    // Within gRPC's default limit of a message, unless one image alone is over it.
    constexpr size_t kMessageBytes = 2 << 20;
    const int64_t image_bytes = sample_bytes_ - int64_t{sizeof(int32_t)};
    do {
      const int64_t place = Wanted(next_) - first_;
      int32_t label = 0;
      std::memcpy(&label, bytes_.data() + place * int64_t{sizeof(label)}, sizeof(label));
      message->add_samples(Wanted(next_));
      message->add_labels(label);
      message->mutable_images()->append(
          bytes_, static_cast<size_t>(samples_ * int64_t{sizeof(label)} + place * image_bytes),
          static_cast<size_t>(image_bytes));
      ++next_;
    } while (next_ < count_ && Wanted(next_) < first_ + samples_ &&
             message->images().size() + static_cast<size_t>(image_bytes) <= kMessageBytes);
    return true;
  }

 private:
  const v1::DatasetManifest& Manifest() const { return dataset_.manifest(); }
  int64_t Wanted(int64_t i) const { return wanted_.empty() ? i : wanted_[static_cast<size_t>(i)]; }

  absl::Status ReadChunkOf(int64_t sample) {
    if (sample < first_ + samples_) return absl::OkStatus();
    do {
      first_ += samples_;
      samples_ = Manifest().chunks(chunk_++).samples();
    } while (sample >= first_ + samples_);
    const std::string& digest = Manifest().chunks(chunk_ - 1).digest();
    ASSAY_ASSIGN_OR_RETURN(bytes_, context_.blobs.Read(digest));
    if (static_cast<int64_t>(bytes_.size()) == samples_ * sample_bytes_) return absl::OkStatus();
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
  // The chunk in memory: where it begins, how many samples it has, the number of the next one.
  int64_t first_ = 0;
  int64_t samples_ = 0;
  int chunk_ = 0;
  std::string bytes_;
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
  return SampleSource(context, std::move(dataset),
                      {request.samples().begin(), request.samples().end()});
}

}  // namespace

grpc::ServerWriteReactor<v1::StreamSamplesResponse>* NewSampleStream(
    Context& context, grpc::CallbackServerContext& call, const v1::StreamSamplesRequest& request) {
  return OpenStream<PulledStream<v1::StreamSamplesResponse>>(
      context, call, [&context, request] { return OpenSamples(context, request); });
}

}  // namespace assay::api
