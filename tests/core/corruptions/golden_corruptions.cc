#include "tests/core/corruptions/golden_corruptions.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/npy_format.h"
#include "client/data/zip_archive.h"
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

CorruptionContext Context(SeverityTable table, int severity) {
  return {table, static_cast<double>(severity), Photographs()};
}

Image Corrupted(const std::string& name, SeverityTable table, int severity, Image image,
                int64_t sample) {
  const Corruption* corruption = FindCorruption(name);
  if (corruption == nullptr) {
    ADD_FAILURE() << name << " is not registered";
    return image;
  }
  RandomStream random(RandomKey(0, absl::StrCat("corruption/", name, "/", severity)), sample, 0);
  corruption->apply(Context(table, severity), random, image);
  return image;
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
