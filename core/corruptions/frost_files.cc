#include "core/corruptions/frost_files.h"

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/digest.h"
#include "core/base/errors.h"

namespace assay {
namespace {

constexpr std::array<const char*, 5> kDigests = {
    "ff9f907860bd7a835d459e32f9d588062b7f61ee267343cc7222b56753a14755",
    "fe211a89b336999c207a852ce05818d4545d0b57c5beadd824b4cc9d9a9b6137",
    "2d0d50b4a9bb213f38b024ef7768731bb83cc08d2f26b5766bbc167cdfa0e504",
    "3f8b91ca1a9fa7167b09e773da53f5ae60d0a1fd88f02a783f6e328a72887f6e",
    "5fc6a19df4a429ba68abdcc8f8a4278d4c9f81c9ccafd2c92ab0c8cf8992ebd2"};

}  // namespace

absl::StatusOr<std::array<std::string, 5>> ReadFrostFiles(const std::string& directory) {
  std::array<std::string, 5> contents;
  for (size_t i = 0; i < contents.size(); ++i) {
    const std::string path = absl::StrCat(directory, "/", kFrostFiles[i]);
    // Whoever opens a pipe waits for its writer.
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) {
      std::ifstream file(path, std::ios::binary);
      contents[i].assign(std::istreambuf_iterator<char>(file), {});
    }
    if (contents[i].empty()) {
      return Error(Reason::kUnreadableInput,
                   absl::StrCat("cannot read ", path, "; the published frost needs the files ",
                                absl::StrJoin(kFrostFiles, ", "),
                                " of the ImageNet-C scripts in that directory"))
          .ToStatus();
    }
    const std::string digest = Sha256Hex(contents[i]);
    if (digest != kDigests[i]) {
      return Error(Reason::kUnreadableInput,
                   absl::StrCat(path, " is not the published photograph: its SHA-256 is ", digest,
                                ", expected ", kDigests[i]))
          .ToStatus();
    }
  }
  return contents;
}

}  // namespace assay
