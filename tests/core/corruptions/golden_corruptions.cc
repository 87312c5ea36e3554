#include "tests/core/corruptions/golden_corruptions.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/npy_format.h"
#include "client/data/zip_archive.h"
#include "core/conditions/families.h"
#include "tests/test_data.h"

namespace assay::corruptions {

const FrostPhotographs* Photographs() {
  static const auto* const photographs = [] {
    const std::string directory = TestData("frost");
    return new std::shared_ptr<const FrostPhotographs>(
        directory.empty() ? nullptr : FrostPhotographs::Load(directory).value_or(nullptr));
  }();
  return photographs->get();
}

v1::Condition OfSeverity(const std::string& name, SeverityTable table, double severity) {
  constexpr const char* kTables[] = {"32", "64", "224", "299"};
  v1::Condition condition;
  condition.set_id(absl::StrCat("corruption/", name, "/", severity));
  condition.set_family(kFamilyCorruption);
  condition.set_method(name);
  (*condition.mutable_parameters())["table"] = kTables[static_cast<size_t>(table)];
  (*condition.mutable_parameters())["severity"] = absl::StrCat(severity);
  return condition;
}

namespace {

// The step of a condition for images of this shape; one that does nothing where there is none.
Step StepFor(const v1::Condition& condition, const Image& image) {
  const Step nothing = [](const Progress&, RandomStream&, Image&) {};
  const Corruption* corruption = FindCorruption(condition.method());
  if (corruption == nullptr) {
    ADD_FAILURE() << condition.method() << " is not registered";
    return nothing;
  }
  v1::ImageShape shape;
  shape.set_channels(image.channels);
  shape.set_height(image.height);
  shape.set_width(image.width);
  Params params(condition);
  const absl::StatusOr<Step> step = corruption->make(params, {shape, Photographs()});
  EXPECT_TRUE(step.ok()) << step.status();
  EXPECT_TRUE(params.status().ok()) << params.status();
  return step.value_or(nothing);
}

}  // namespace

std::function<Image(Image image, int64_t sample)> Corrupter(const v1::Condition& condition,
                                                            const Image& like) {
  return [step = StepFor(condition, like), key = RandomKey(0, condition.id())](Image image,
                                                                               int64_t sample) {
    RandomStream random(key, sample, 0);
    step(Progress(), random, image);
    return image;
  };
}

Image Corrupted(const v1::Condition& condition, Image image, int64_t sample) {
  const auto corrupt = Corrupter(condition, image);
  return corrupt(std::move(image), sample);
}

Image Corrupted(const v1::Condition& condition, Image image, RandomStream& random) {
  StepFor(condition, image)(Progress(), random, image);
  return image;
}

Image Corrupted(const std::string& name, SeverityTable table, int severity, Image image,
                int64_t sample) {
  return Corrupted(OfSeverity(name, table, severity), std::move(image), sample);
}

std::vector<Image> ReadCifar(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<Image> images;
  for (size_t start = 0; start + 3073 <= bytes.size(); start += 3073) {
    Image image{32, 32, 3, std::vector<uint8_t>(3072)};
    for (size_t i = 0; i < 3072; ++i) {
      image.pixels[i % 1024 * 3 + i / 1024] = static_cast<uint8_t>(bytes[start + 1 + i]);
    }
    images.push_back(std::move(image));
  }
  return images;
}

std::string ReadGolden(const std::string& path, const std::string& array) {
  absl::StatusOr<client::ByteSource> file = client::ByteSource::Open(path);
  if (!file.ok()) return "";
  absl::StatusOr<client::ZipArchive> archive = client::ZipArchive::Open(*std::move(file));
  if (!archive.ok() || !archive->Has(array + ".npy")) return "";
  absl::StatusOr<client::ByteSource> member = archive->OpenMember(array + ".npy");
  if (!member.ok()) return "";
  absl::StatusOr<client::NpyArray> npy = client::OpenNpyArray(*std::move(member));
  if (!npy.ok() || npy->dtype != "|u1") return "";
  return npy->source.ReadAt(npy->data_offset, npy->source.size() - npy->data_offset).value_or("");
}

}  // namespace assay::corruptions
