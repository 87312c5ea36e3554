#include "client/data/npz_archive.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr char kSuffix[] = ".npy";
constexpr char kSeparator[] = "::";
constexpr size_t kMaxNamesInError = 20;

// The names that people give to images and to their labels, the likeliest first.
struct KeyPair {
  const char* images;
  const char* labels;
};
constexpr KeyPair kKeys[] = {
    {"images", "labels"},           {"x", "y"},         {"data", "targets"}, {"x_test", "y_test"},
    {"test_images", "test_labels"}, {"arr_0", "arr_1"},
};

}  // namespace

MemberPath SplitMemberPath(const std::string& path) {
  std::error_code error;
  const size_t at = path.rfind(kSeparator);
  if (at == std::string::npos || std::filesystem::exists(path, error)) return {path, ""};
  return {path.substr(0, at), path.substr(at + 2)};
}

absl::StatusOr<NpzArchive> NpzArchive::Open(ByteSource file) {
  ASSAY_ASSIGN_OR_RETURN(ZipArchive zip, ZipArchive::Open(std::move(file)));
  return NpzArchive(std::move(zip));
}

std::string NpzArchive::Find(absl::string_view name) const {
  for (const std::string& member : zip_.MemberNames()) {
    const absl::string_view key = absl::StripSuffix(member, kSuffix);
    if (key.size() < member.size() && absl::EqualsIgnoreCase(key, name)) return std::string(key);
  }
  return "";
}

absl::Status NpzArchive::NoArray(absl::string_view what) const {
  std::vector<std::string> names = zip_.MemberNames();
  const size_t members = names.size();
  names.resize(std::min(members, kMaxNamesInError));
  for (std::string& name : names) {
    name = absl::CHexEscape(absl::StripSuffix(name, kSuffix));
  }
  return Unreadable(zip_.name(),
                    absl::StrCat("has no array of ", what, " (it has ", absl::StrJoin(names, ", "),
                                 members > kMaxNamesInError ? ", ..."
                                 : members == 0             ? "none"
                                                            : "",
                                 ")"));
}

absl::StatusOr<std::string> NpzArchive::ImagesKey() const {
  for (const KeyPair& pair : kKeys) {
    std::string key = Find(pair.images);
    if (!key.empty()) return key;
  }
  return NoArray("images; name it as FILE.npz::MEMBER");
}

absl::StatusOr<std::string> NpzArchive::LabelsKey(absl::string_view images) const {
  for (const bool partner : {true, false}) {
    for (const KeyPair& pair : kKeys) {
      if (partner && !absl::EqualsIgnoreCase(pair.images, images)) continue;
      std::string key = Find(pair.labels);
      if (!key.empty()) return key;
    }
  }
  return NoArray("labels; name it as --labels FILE.npz::MEMBER");
}

absl::StatusOr<ByteSource> NpzArchive::OpenArray(const std::string& key) const {
  if (zip_.Has(key + kSuffix)) return zip_.OpenMember(key + kSuffix);
  if (zip_.Has(key)) return zip_.OpenMember(key);
  return NoArray(absl::StrCat("the name ", key));
}

}  // namespace assay::client
