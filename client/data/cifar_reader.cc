#include "client/data/cifar_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/class_names.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr int64_t kSide = 32;
constexpr int64_t kImageBytes = 3 * kSide * kSide;
// Records read at a time.
constexpr int64_t kBlock = 256;

int64_t LabelBytes(CifarKind kind) { return kind == CifarKind::kCifar10 ? 1 : 2; }
int64_t RecordBytes(CifarKind kind) { return LabelBytes(kind) + kImageBytes; }
const char* Name(CifarKind kind) { return kind == CifarKind::kCifar10 ? "CIFAR-10" : "CIFAR-100"; }

std::vector<std::string> ClassNames(CifarKind kind) {
  if (kind == CifarKind::kCifar10) {
    return {"airplane", "automobile", "bird",  "cat",  "deer",
            "dog",      "frog",       "horse", "ship", "truck"};
  }
  return {"apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
          "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
          "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
          "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
          "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
          "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
          "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
          "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
          "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
          "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
          "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
          "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
          "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
          "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
          "table",       "tank",          "telephone", "television", "tiger",        "tractor",
          "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
          "willow_tree", "wolf",          "woman",     "worm"};
}

class CifarReader final : public ReaderBase {
 public:
  CifarReader(DatasetInfo info, ByteSource source, CifarKind kind)
      : ReaderBase(std::move(info)), source_(std::move(source)), kind_(kind) {}

  absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) override {
    const int64_t record_bytes = RecordBytes(kind_), label_bytes = LabelBytes(kind_);
    const auto classes = static_cast<int32_t>(class_names().size());
    std::vector<char> block(static_cast<size_t>(std::min(kBlock, count) * record_bytes));
    for (int64_t done = 0; done < count; done += kBlock) {
      const int64_t records = std::min(kBlock, count - done);
      ASSAY_RETURN_IF_ERROR(
          source_.ReadAt((first + done) * record_bytes, records * record_bytes, block.data()));
      for (int64_t i = 0; i < records; ++i) {
        const char* record = block.data() + i * record_bytes;
        // The fine label of CIFAR-100 comes second.
        const int32_t label = static_cast<unsigned char>(record[label_bytes - 1]);
        if (label >= classes) {
          return Unreadable(source_.name(),
                            absl::StrCat("the label of sample ", first + done + i, " is ", label,
                                         ", but ", Name(kind_), " has 0 to ", classes - 1,
                                         "; choose another --format, or fetch the file again"));
        }
        *labels++ = label;
        std::memcpy(pixels, record + label_bytes, static_cast<size_t>(kImageBytes));
        pixels += kImageBytes;
      }
    }
    return absl::OkStatus();
  }

 private:
  const ByteSource source_;
  const CifarKind kind_;
};

}  // namespace

absl::StatusOr<CifarKind> CifarKindOfSize(const std::string& path, int64_t size) {
  const bool ten = size % RecordBytes(CifarKind::kCifar10) == 0;
  const bool hundred = size % RecordBytes(CifarKind::kCifar100) == 0;
  if (size == 0) return Unreadable(path, "is empty");
  if (ten && hundred) {
    return Unreadable(path, absl::StrCat("its size of ", size,
                                         " bytes fits CIFAR-10 and CIFAR-100; tell which with "
                                         "--format cifar10 or --format cifar100"));
  }
  if (!ten && !hundred) {
    return Unreadable(path,
                      absl::StrCat("its size of ", size, " bytes is a multiple neither of ",
                                   RecordBytes(CifarKind::kCifar10), " (CIFAR-10) nor of ",
                                   RecordBytes(CifarKind::kCifar100),
                                   " (CIFAR-100); it is truncated, or another --format is needed"));
  }
  return ten ? CifarKind::kCifar10 : CifarKind::kCifar100;
}

absl::StatusOr<std::unique_ptr<ReaderBase>> OpenCifar(const std::string& path, CifarKind kind,
                                                      const OpenOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(ByteSource source, ByteSource::Open(path));
  const int64_t record_bytes = RecordBytes(kind);
  if (source.size() == 0) return Unreadable(path, "is empty");
  if (source.size() % record_bytes != 0) {
    return Unreadable(path,
                      absl::StrCat("its size of ", source.size(), " bytes is not a multiple of ",
                                   record_bytes, ", the size of a ", Name(kind),
                                   " record; it is truncated or in another format"));
  }
  DatasetInfo info;
  ASSAY_ASSIGN_OR_RETURN(info.shape, CheckedShape(path, 3, kSide, kSide, v1::UINT8));
  info.class_names = ClassNames(kind);
  if (!options.classes_path.empty()) {
    ASSAY_ASSIGN_OR_RETURN(auto names, ReadClassNames(options.classes_path));
    if (names.size() != info.class_names.size()) {
      return Unreadable(
          options.classes_path,
          absl::StrCat("has ", names.size(), " class names, but ", Name(kind), " has ",
                       info.class_names.size(), " classes; leave it out: the names are known"));
    }
    info.class_names = std::move(names);
  }
  info.size = source.size() / record_bytes;
  return std::make_unique<CifarReader>(std::move(info), std::move(source), kind);
}

}  // namespace assay::client
