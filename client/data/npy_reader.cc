#include "client/data/npy_reader.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/casts.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/data/byte_source.h"
#include "client/data/class_names.h"
#include "client/data/labels.h"
#include "client/data/npy_format.h"
#include "client/data/npz_archive.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

// Bytes of a file converted at a time, unless one image is larger.
constexpr int64_t kBlockBytes = 1 << 20;

// What rounding leaves outside of [0, 1]: a resize, say, gives 1.0000001.
constexpr double kTolerance = 1e-6;

struct ImageLayout {
  int64_t channels = 1;
  int64_t height = 0;
  int64_t width = 0;
  bool channels_last = false;
};

// Empty when the shape does not tell.
std::optional<ImageLayout> LayoutOf(const std::vector<int64_t>& shape) {
  if (shape.size() == 3) return ImageLayout{1, shape[1], shape[2], false};
  if (shape.size() != 4) return std::nullopt;
  const auto colours = [](int64_t n) { return n == 1 || n == 3; };
  bool first = colours(shape[1]), last = colours(shape[3]);
  if (!first && !last) {
    first = shape[1] < std::min(shape[2], shape[3]);
    last = shape[3] < std::min(shape[1], shape[2]);
  }
  if (first == last) return std::nullopt;
  if (first) return ImageLayout{shape[1], shape[2], shape[3], false};
  return ImageLayout{shape[3], shape[1], shape[2], true};
}

uint8_t LoadByte(const char* item) { return static_cast<uint8_t>(*item); }

template <typename Bits, typename Float, bool big_endian>
Float LoadFloat(const char* item) {
  return absl::bit_cast<Float>(big_endian ? LoadBig<Bits>(item) : LoadLittle<Bits>(item));
}

class NpyReader final : public ReaderBase {
 public:
  NpyReader(DatasetInfo info, NpyArray images, bool channels_last, std::vector<int32_t> labels)
      : ReaderBase(std::move(info)),
        images_(std::move(images)),
        channels_last_(channels_last),
        labels_(std::move(labels)) {}

  absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) override {
    std::copy_n(labels_.begin() + first, count, labels);
    const int64_t item_bytes = image_elements() * images_.item_bytes;
    if (pixel_type() == v1::UINT8 && !channels_last_) {
      return images_.source.ReadAt(images_.data_offset + first * item_bytes, count * item_bytes,
                                   pixels);
    }
    const int64_t block =
        std::clamp<int64_t>(kBlockBytes / item_bytes, 1, std::max<int64_t>(1, count));
    std::vector<char> raw(static_cast<size_t>(block * item_bytes));
    for (int64_t done = 0; done < count; done += block) {
      const int64_t images = std::min(block, count - done);
      ASSAY_RETURN_IF_ERROR(images_.source.ReadAt(images_.data_offset + (first + done) * item_bytes,
                                                  images * item_bytes, raw.data()));
      for (int64_t i = 0; i < images; ++i) {
        ASSAY_RETURN_IF_ERROR(ConvertImage(first + done + i, raw.data() + i * item_bytes,
                                           pixels + (done + i) * image_bytes()));
      }
    }
    return absl::OkStatus();
  }

 private:
  void AddNotes(std::vector<std::string>* notes) const override {
    if (clipped_ == 0) return;
    notes->push_back(absl::StrCat(images_.source.name(), ": ", clipped_,
                                  clipped_ == 1
                                      ? " pixel value was outside of [0, 1] by at most 1e-6, as "
                                        "rounding leaves it, and was clipped"
                                      : " pixel values were outside of [0, 1] by at most 1e-6, as "
                                        "rounding leaves them, and were clipped"));
  }

  absl::Status ConvertImage(int64_t sample, const char* in, char* out) {
    if (images_.kind == 'u') return Convert<uint8_t>(sample, in, out, LoadByte);
    if (images_.item_bytes == 4) {
      return images_.big_endian
                 ? Convert<float>(sample, in, out, LoadFloat<uint32_t, float, true>)
                 : Convert<float>(sample, in, out, LoadFloat<uint32_t, float, false>);
    }
    return images_.big_endian ? Convert<float>(sample, in, out, LoadFloat<uint64_t, double, true>)
                              : Convert<float>(sample, in, out, LoadFloat<uint64_t, double, false>);
  }

  // One image to (c, h, w) of type Out. `load` is an argument by type, so that it is inlined.
  template <typename Out, typename Load>
  absl::Status Convert(int64_t sample, const char* in, char* out, Load load) {
    const int64_t channels = shape().channels(), positions = image_elements() / channels;
    const int64_t position_step = channels_last_ ? channels : 1;
    const int64_t channel_step = channels_last_ ? 1 : positions;
    int64_t clipped = 0;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < positions; ++p) {
        const auto value = load(in + (c * channel_step + p * position_step) * images_.item_bytes);
        auto pixel = static_cast<Out>(value);
        if constexpr (sizeof(Out) > 1) {
          // Written so that NaN fails.
          if (!(value >= 0 && value <= 1)) {
            if (!(value >= -kTolerance && value <= 1 + kTolerance)) {
              return OutOfRange(sample, static_cast<double>(value));
            }
            pixel = value < 0 ? 0 : 1;
            ++clipped;
          }
        }
        std::memcpy(out, &pixel, sizeof(Out));
        out += sizeof(Out);
      }
    }
    // Samples are read several times, in order each time.
    if (sample >= counted_) {
      counted_ = sample + 1;
      clipped_ += clipped;
    }
    return absl::OkStatus();
  }

  absl::Status OutOfRange(int64_t sample, double value) const {
    const char* remedy = "scale the images to [0, 1]";
    if (value > 1 && value <= 255) {
      remedy = "if the images are 0 to 255, divide them by 255 or save them as uint8";
    } else if (value < 0) {
      remedy = "if the images are normalised, save them before; the model normalises them itself";
    } else if (value != value) {
      remedy = "find out where it comes from";
    }
    return Unreadable(
        images_.source.name(),
        absl::StrCat("sample ", sample, " has the pixel value ", absl::StrFormat("%.9g", value),
                     ", but float images are in [0, 1]; ", remedy));
  }

  const NpyArray images_;
  const bool channels_last_;
  const std::vector<int32_t> labels_;
  // Values clipped in the samples before `counted_`.
  int64_t counted_ = 0;
  int64_t clipped_ = 0;
};

// What keeps the pixels of an array of a type that is not read.
std::string HowToConvert(const NpyArray& array) {
  switch (array.kind) {
    case 'f':
      return "save array.astype('float32')";
    case 'b':
      return "save array.astype('uint8') * 255";
    case 'u':
      if (array.item_bytes == 2) {
        return "of 16-bit images (0 to 65535) save (array / 65535).astype('float32'), of values 0 "
               "to 255 array.astype('uint8')";
      }
      [[fallthrough]];
    case 'i':
      if (array.item_bytes == 1) {
        return "of bytes of 0 to 255 that were stored as signed ones save array.view('uint8'), of "
               "bytes less 128 (array.astype('int16') + 128).astype('uint8')";
      }
      return "of values 0 to 255 save array.astype('uint8'); others divide by their largest "
             "possible value, as float32";
    default:
      return "save the values of the pixels in one of these types";
  }
}

// What an array of images says of the dataset.
struct Images {
  NpyArray array;
  DatasetInfo info;
  bool channels_last = false;
};

absl::StatusOr<Images> OpenImages(ByteSource source) {
  ASSAY_ASSIGN_OR_RETURN(NpyArray array, OpenNpyArray(std::move(source)));
  const std::string name = array.source.name();
  const bool bytes = array.kind == 'u' && array.item_bytes == 1;
  const bool floats = array.kind == 'f' && (array.item_bytes == 4 || array.item_bytes == 8);
  if (!bytes && !floats) {
    return Unreadable(name, absl::StrCat("holds elements of type '", array.dtype,
                                         "', but images are uint8 (0 to 255), float32 or float64 "
                                         "(0 to 1); ",
                                         HowToConvert(array)));
  }
  const std::optional<ImageLayout> layout = LayoutOf(array.shape);
  if (!layout.has_value()) {
    return Unreadable(name, absl::StrCat("has the shape ", array.ShapeText(),
                                         ", which is not clearly (n, h, w), (n, c, h, w) or "
                                         "(n, h, w, c) with 1 or 3 channels; reshape it"));
  }
  if (array.shape[0] == 0) return Unreadable(name, "holds no samples");
  Images images{std::move(array), {}, layout->channels_last};
  images.info.pixel_type = bytes ? v1::UINT8 : v1::FLOAT32;
  ASSAY_ASSIGN_OR_RETURN(images.info.shape, CheckedShape(name, layout->channels, layout->height,
                                                         layout->width, images.info.pixel_type));
  images.info.size = images.array.shape[0];
  return images;
}

absl::StatusOr<std::unique_ptr<ReaderBase>> MakeReader(const std::string& path,
                                                       const OpenOptions& options, Images images,
                                                       std::vector<int32_t> labels) {
  ASSAY_ASSIGN_OR_RETURN(images.info.class_names,
                         FindClassNames(path, options.classes_path, labels));
  return std::make_unique<NpyReader>(std::move(images.info), std::move(images.array),
                                     images.channels_last, std::move(labels));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReaderBase>> OpenNpy(const std::string& path,
                                                    const OpenOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(ByteSource source, ByteSource::Open(path));
  ASSAY_ASSIGN_OR_RETURN(Images images, OpenImages(std::move(source)));
  std::string labels_file = options.labels_path;
  if (labels_file.empty()) {
    const std::filesystem::path file(path), directory = file.parent_path();
    ASSAY_ASSIGN_OR_RETURN(
        labels_file,
        FindLabelFile(path,
                      {(directory / absl::StrCat(file.stem().string(), "_labels.npy")).string(),
                       (directory / "labels.npy").string(), (directory / "y.npy").string()}));
  }
  ASSAY_ASSIGN_OR_RETURN(std::vector<int32_t> labels, LoadLabels(labels_file, images.info.size));
  return MakeReader(path, options, std::move(images), std::move(labels));
}

absl::StatusOr<std::unique_ptr<ReaderBase>> OpenNpz(const std::string& path,
                                                    const OpenOptions& options) {
  const MemberPath parts = SplitMemberPath(path);
  ASSAY_ASSIGN_OR_RETURN(ByteSource file, ByteSource::Open(parts.path));
  ASSAY_ASSIGN_OR_RETURN(const NpzArchive archive, NpzArchive::Open(std::move(file)));
  std::string key = parts.member;
  if (key.empty()) {
    ASSAY_ASSIGN_OR_RETURN(key, archive.ImagesKey());
  }
  ASSAY_ASSIGN_OR_RETURN(ByteSource member, archive.OpenArray(key));
  ASSAY_ASSIGN_OR_RETURN(Images images, OpenImages(std::move(member)));
  if (!options.labels_path.empty()) {
    ASSAY_ASSIGN_OR_RETURN(std::vector<int32_t> labels,
                           LoadLabels(options.labels_path, images.info.size));
    return MakeReader(parts.path, options, std::move(images), std::move(labels));
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string labels_key, archive.LabelsKey(key));
  ASSAY_ASSIGN_OR_RETURN(ByteSource labels_member, archive.OpenArray(labels_key));
  ASSAY_ASSIGN_OR_RETURN(std::vector<int32_t> labels,
                         LoadNpyLabels(std::move(labels_member), images.info.size));
  return MakeReader(parts.path, options, std::move(images), std::move(labels));
}

}  // namespace assay::client
