#include "client/data/zip_archive.h"

#include <algorithm>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/data/ignored_names.h"
#include "client/data/inflate.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kDirectoryEnd = 0x06054b50;
constexpr uint32_t kDirectoryEnd64 = 0x06064b50;
constexpr uint32_t kDirectoryEnd64Locator = 0x07064b50;
constexpr int64_t kLocalHeaderBytes = 30;
constexpr size_t kDirectoryEntryBytes = 46;
constexpr int64_t kDirectoryEndBytes = 22;
constexpr int64_t kDirectoryEnd64Bytes = 56;
constexpr int64_t kDirectoryEnd64LocatorBytes = 20;
constexpr uint16_t kSeeZip64Count = 0xffff;
constexpr uint32_t kSeeZip64 = 0xffffffff;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kEncrypted = 1;
// Directories beyond this are absurd for arrays; they would be held in memory.
constexpr int64_t kMaxDirectoryBytes = 16 << 20;

absl::Status Damaged(absl::string_view name, absl::string_view what) {
  return Unreadable(
      name, absl::StrCat(what, "; the archive is truncated or damaged: fetch or save it again"));
}

// Replaces the 32-bit fields that point to the zip64 extra field by what stands there, in their
// fixed order. False when a value is missing.
bool ApplyZip64(absl::string_view extra, std::initializer_list<uint64_t*> fields) {
  while (extra.size() >= 4) {
    const uint16_t id = LoadLittle<uint16_t>(extra.data());
    const size_t size = LoadLittle<uint16_t>(extra.data() + 2);
    extra.remove_prefix(4);
    if (size > extra.size()) break;
    if (id == kZip64Extra) {
      absl::string_view values = extra.substr(0, size);
      for (uint64_t* field : fields) {
        if (*field != kSeeZip64) continue;
        if (values.size() < 8) return false;
        *field = LoadLittle<uint64_t>(values.data());
        values.remove_prefix(8);
      }
      return true;
    }
    extra.remove_prefix(size);
  }
  // A field of exactly 2^32 - 1 without an extra field means itself, but no such file is whole.
  return std::none_of(fields.begin(), fields.end(),
                      [](const uint64_t* field) { return *field == kSeeZip64; });
}

}  // namespace

absl::StatusOr<ZipArchive> ZipArchive::Open(ByteSource file) {
  // The end record is the last thing in the file, but for a comment of up to 65,535 bytes.
  const int64_t tail_size = std::min<int64_t>(file.size(), kDirectoryEndBytes + 0xffff);
  ASSAY_ASSIGN_OR_RETURN(const std::string tail, file.ReadAt(file.size() - tail_size, tail_size));
  int64_t end = -1;
  for (int64_t i = tail_size - kDirectoryEndBytes; i >= 0; --i) {
    if (LoadLittle<uint32_t>(&tail[static_cast<size_t>(i)]) == kDirectoryEnd &&
        LoadLittle<uint16_t>(&tail[static_cast<size_t>(i + 20)]) ==
            tail_size - kDirectoryEndBytes - i) {
      end = i;
      break;
    }
  }
  if (end < 0) return Damaged(file.name(), "has no zip directory at its end");

  const char* record = &tail[static_cast<size_t>(end)];
  const int64_t end_offset = file.size() - tail_size + end;
  uint64_t members = LoadLittle<uint16_t>(record + 10);
  uint64_t size = LoadLittle<uint32_t>(record + 12);
  uint64_t offset = LoadLittle<uint32_t>(record + 16);
  int64_t directory_limit = end_offset;
  if (LoadLittle<uint16_t>(record + 4) != 0 || LoadLittle<uint16_t>(record + 6) != 0) {
    return Unreadable(file.name(), "is one part of an archive of several; join the parts first");
  }
  if (members == kSeeZip64Count || size == kSeeZip64 || offset == kSeeZip64) {
    const int64_t at = end_offset - kDirectoryEnd64LocatorBytes;
    if (at < 0) return Damaged(file.name(), "lacks its zip64 locator");
    ASSAY_ASSIGN_OR_RETURN(const std::string locator, file.ReadAt(at, kDirectoryEnd64LocatorBytes));
    const uint64_t record_offset = LoadLittle<uint64_t>(&locator[8]);
    if (LoadLittle<uint32_t>(locator.data()) != kDirectoryEnd64Locator ||
        record_offset > static_cast<uint64_t>(at)) {
      return Damaged(file.name(), "has a wrong zip64 locator");
    }
    directory_limit = static_cast<int64_t>(record_offset);
    ASSAY_ASSIGN_OR_RETURN(const std::string record64,
                           file.ReadAt(directory_limit, kDirectoryEnd64Bytes));
    if (LoadLittle<uint32_t>(record64.data()) != kDirectoryEnd64) {
      return Damaged(file.name(), "has a wrong zip64 end record");
    }
    members = LoadLittle<uint64_t>(&record64[32]);
    size = LoadLittle<uint64_t>(&record64[40]);
    offset = LoadLittle<uint64_t>(&record64[48]);
  }
  const auto limit = static_cast<uint64_t>(directory_limit);
  if (offset > limit || size > limit - offset) {
    return Damaged(file.name(), "places its directory outside of itself");
  }
  if (size > static_cast<uint64_t>(kMaxDirectoryBytes)) {
    return Unreadable(file.name(), absl::StrCat("has a directory of ", size, " bytes, over the ",
                                                kMaxDirectoryBytes, " that are accepted"));
  }
  ZipArchive archive(std::move(file));
  ASSAY_RETURN_IF_ERROR(
      archive.ReadDirectory(static_cast<int64_t>(offset), static_cast<int64_t>(size), members));
  return archive;
}

absl::Status ZipArchive::ReadDirectory(int64_t offset, int64_t size, uint64_t members) {
  ASSAY_ASSIGN_OR_RETURN(const std::string directory, file_.ReadAt(offset, size));
  absl::string_view rest = directory;
  std::set<std::string> names;
  for (uint64_t i = 0; i < members; ++i) {
    if (rest.size() < kDirectoryEntryBytes ||
        LoadLittle<uint32_t>(rest.data()) != kDirectoryEntry) {
      return Damaged(name(),
                     absl::StrCat("lacks entry ", i + 1, " of ", members, " in its directory"));
    }
    const char* entry = rest.data();
    const size_t name_size = LoadLittle<uint16_t>(entry + 28);
    const size_t extra_size = LoadLittle<uint16_t>(entry + 30);
    const size_t comment_size = LoadLittle<uint16_t>(entry + 32);
    if (rest.size() - kDirectoryEntryBytes < name_size + extra_size + comment_size) {
      return Damaged(name(), absl::StrCat("has an entry ", i + 1, " that is cut off"));
    }
    uint64_t compressed_size = LoadLittle<uint32_t>(entry + 20);
    uint64_t plain_size = LoadLittle<uint32_t>(entry + 24);
    uint64_t header_offset = LoadLittle<uint32_t>(entry + 42);
    if (!ApplyZip64(rest.substr(kDirectoryEntryBytes + name_size, extra_size),
                    {&plain_size, &compressed_size, &header_offset})) {
      return Damaged(name(), absl::StrCat("lacks a zip64 size in entry ", i + 1));
    }
    // Members lie before the directory; this also keeps everything below 2^63.
    const auto limit = static_cast<uint64_t>(offset);
    if (header_offset > limit || compressed_size > limit - header_offset ||
        plain_size > uint64_t{INT64_MAX}) {
      return Damaged(name(), absl::StrCat("places entry ", i + 1, " outside of itself"));
    }
    Member member;
    member.name = std::string(entry + kDirectoryEntryBytes, name_size);
    member.flags = LoadLittle<uint16_t>(entry + 8);
    member.method = LoadLittle<uint16_t>(entry + 10);
    member.crc = LoadLittle<uint32_t>(entry + 16);
    member.compressed_size = static_cast<int64_t>(compressed_size);
    member.size = static_cast<int64_t>(plain_size);
    member.header_offset = static_cast<int64_t>(header_offset);
    rest.remove_prefix(kDirectoryEntryBytes + name_size + extra_size + comment_size);
    if (member.name.empty() || member.name.back() == '/' || HasIgnoredPart(member.name)) continue;
    if (!names.insert(member.name).second) {
      return Unreadable(name(),
                        absl::StrCat("has two members called ", absl::CHexEscape(member.name),
                                     "; save it again with one"));
    }
    members_.push_back(std::move(member));
  }
  return absl::OkStatus();
}

const ZipArchive::Member* ZipArchive::Find(const std::string& name) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const Member& member) { return member.name == name; });
  return found == members_.end() ? nullptr : &*found;
}

std::vector<std::string> ZipArchive::MemberNames() const {
  std::vector<std::string> names;
  for (const Member& member : members_) names.push_back(member.name);
  return names;
}

bool ZipArchive::Has(const std::string& member) const { return Find(member) != nullptr; }

absl::StatusOr<ByteSource> ZipArchive::OpenMember(const std::string& member_name) const {
  const std::string full_name = absl::StrCat(name(), "::", absl::CHexEscape(member_name));
  const Member* member = Find(member_name);
  if (member == nullptr) return Unreadable(full_name, "the archive has no such member");
  if ((member->flags & kEncrypted) != 0) {
    return Unreadable(full_name, "is encrypted; save it without a password");
  }
  if (member->method != kStored && member->method != kDeflated) {
    return Unreadable(full_name, absl::StrCat("is compressed with method ", member->method,
                                              "; only stored and deflated members are read (save "
                                              "it with numpy.savez)"));
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string header,
                         file_.ReadAt(member->header_offset, kLocalHeaderBytes));
  if (LoadLittle<uint32_t>(header.data()) != kLocalHeader) {
    return Damaged(full_name, "has no header where the directory says");
  }
  const int64_t data_offset = member->header_offset + kLocalHeaderBytes +
                              LoadLittle<uint16_t>(&header[26]) + LoadLittle<uint16_t>(&header[28]);
  ASSAY_ASSIGN_OR_RETURN(ByteSource data,
                         file_.Slice(data_offset, member->compressed_size, full_name));
  if (member->method == kDeflated) return InflateMember(data, {member->size, member->crc});
  if (member->size != member->compressed_size) {
    return Damaged(full_name, "is stored, but with two different sizes");
  }
  return data;
}

}  // namespace assay::client
