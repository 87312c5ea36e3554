// Every format, cut off at every byte and with every bit turned: never a crash, never more than the
// file promises, and an error of the right kind. Run it under the sanitizers too.
#include <algorithm>
#include <filesystem>
#include <functional>

#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"

namespace assay::client {
namespace {

struct Hostile {
  const char* name;
  // The file that is damaged; the dataset to open is `dataset`, or the file itself.
  const char* file;
  const char* dataset;
  std::string format;
  // Makes the whole, healthy dataset.
  std::function<void(const TempDir&)> make;
};

// Keeps addresses out of the names of tests.
void PrintTo(const Hostile& input, std::ostream* out) { *out << input.name; }

const std::string kImages = Npy("<f4", "(2, 2, 2)", Bytes(std::vector<float>(8, 0.5f)));
const std::string kLabels = Npy("<i2", "(2,)", Bytes<int16_t>({1, 0}));
const std::vector<ZipFile> kArrays = {{"images.npy", kImages, true}, {"labels.npy", kLabels, true}};

const Hostile kCases[] = {
    {"Cifar10", "a.bin", "a.bin", "cifar10",
     [](const TempDir& dir) { dir.Write("a.bin", "\1" + Pattern(3072)); }},
    {"IdxImages", "a-images-idx3", "a-images-idx3", "idx",
     [](const TempDir& dir) {
       dir.Write("a-images-idx3", Idx({2, 3, 3}, Pattern(18)));
       dir.Write("a-labels-idx1", Idx({2}, "\1\2"));
     }},
    {"IdxLabels", "a-labels-idx1", "a-images-idx3", "idx",
     [](const TempDir& dir) {
       dir.Write("a-images-idx3", Idx({2, 3, 3}, Pattern(18)));
       dir.Write("a-labels-idx1", Idx({2}, "\1\2"));
     }},
    {"IdxGzip", "a-images-idx3.gz", "a-images-idx3.gz", "idx",
     [](const TempDir& dir) {
       dir.Write("a-images-idx3.gz", Gzip(Idx({2, 3, 3}, Pattern(18))));
       dir.Write("a-labels-idx1", Idx({2}, "\1\2"));
     }},
    {"NpyImages", "a.npy", "a.npy", "npy",
     [](const TempDir& dir) {
       dir.Write("a.npy", kImages);
       dir.Write("labels.npy", kLabels);
     }},
    {"NpyLabels", "labels.npy", "a.npy", "npy",
     [](const TempDir& dir) {
       dir.Write("a.npy", kImages);
       dir.Write("labels.npy", kLabels);
     }},
    {"NpzDeflated", "a.npz", "a.npz", "npz",
     [](const TempDir& dir) { dir.Write("a.npz", Zip(kArrays)); }},
    {"NpzStoredZip64", "a.npz", "a.npz", "npz",
     [](const TempDir& dir) {
       dir.Write("a.npz", Zip({{"images.npy", kImages}, {"labels.npy", kLabels}}, true));
     }},
    {"Png", "c/1.png", "", "folder",
     [](const TempDir& dir) { WritePng(dir.At("c/1.png"), 5, 4, 3, Pattern(60)); }},
    {"Jpeg", "c/1.jpg", "", "folder",
     [](const TempDir& dir) { WriteJpeg(dir.At("c/1.jpg"), 9, 9, 1, Pattern(81)); }},
};

class HostileInput : public testing::TestWithParam<Hostile> {
 protected:
  void SetUp() override {
    GetParam().make(dir_);
    healthy_ = ReadAll(dir_.At(GetParam().file));
    ASSERT_FALSE(healthy_.empty());
    ASSERT_TRUE(Read().ok()) << Read().status();
  }

  absl::StatusOr<Samples> Read() {
    const std::string dataset = GetParam().dataset;
    return ReadPath(dataset.empty() ? dir_.path() : dir_.path() + "/" + dataset, GetParam().format);
  }

  absl::StatusOr<Samples> ReadDamaged(const std::string& bytes) {
    dir_.Write(GetParam().file, bytes);
    return Read();
  }

  TempDir dir_;
  std::string healthy_;
};

TEST_P(HostileInput, CutOffAtAnyByteIsAnError) {
  for (size_t size = 0; size < healthy_.size(); ++size) {
    const auto samples = ReadDamaged(healthy_.substr(0, size));
    ASSERT_FALSE(samples.ok()) << "at " << size << " of " << healthy_.size();
    ASSERT_EQ(ReasonOf(samples.status()), Reason::kUnreadableInput) << samples.status();
    ASSERT_NE(samples.status().message().find(dir_.path()), absl::string_view::npos)
        << samples.status();
  }
}

TEST_P(HostileInput, AnyTurnedBitIsReadOrRefused) {
  // Pixels of plain formats are data like any other.
  const size_t bytes = std::min<size_t>(healthy_.size(), 2048);
  for (size_t bit = 0; bit < bytes * 8; ++bit) {
    std::string damaged = healthy_;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto samples = ReadDamaged(damaged);
    if (samples.ok()) {
      ASSERT_LE(samples->pixels.size(), 1u << 20) << "bit " << bit;
    } else {
      ASSERT_EQ(ReasonOf(samples.status()), Reason::kUnreadableInput) << samples.status();
    }
  }
}

TEST_P(HostileInput, FieldsOfAllOnesAreReadOrRefused) {
  for (const size_t width : {2, 4, 8}) {
    for (size_t at = 0; at + width <= std::min<size_t>(healthy_.size(), 2048); ++at) {
      std::string damaged = healthy_;
      damaged.replace(at, width, std::string(width, '\xff'));
      const auto samples = ReadDamaged(damaged);
      if (samples.ok()) continue;
      ASSERT_EQ(ReasonOf(samples.status()), Reason::kUnreadableInput) << samples.status();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, HostileInput, testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace assay::client
