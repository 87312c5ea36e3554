#include "server/api/model_admission.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::api {
namespace {

constexpr char kRemedy[] =
    "save the model with torch.jit.script(model).save(path) or torch.jit.trace";
constexpr size_t kEndRecordBytes = 22;
constexpr size_t kMaxCommentBytes = 65'535;
constexpr size_t kEntryBytes = 46;
constexpr size_t kMaxDirectoryBytes = 64 << 20;

absl::Status Invalid(const std::string& what) {
  return Error(Reason::kInvalidModel, absl::StrCat(what, "; ", kRemedy));
}

uint32_t Little(const std::string& bytes, size_t at, size_t width) {
  uint32_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

std::string ReadAt(std::ifstream& file, uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  return bytes;
}

// Names of the entries of a zip archive's central directory (APPNOTE 4.3.12); empty when it is
// damaged.
std::vector<std::string> EntryNames(std::ifstream& file, uint64_t size) {
  const size_t tail_size =
      static_cast<size_t>(std::min<uint64_t>(size, kEndRecordBytes + kMaxCommentBytes));
  const std::string tail = ReadAt(file, size - tail_size, tail_size);
  const size_t end = tail.rfind("PK\x05\x06");
  if (end == std::string::npos || end + kEndRecordBytes > tail.size()) return {};
  const size_t directory_size = Little(tail, end + 12, 4);
  const uint64_t directory_offset = Little(tail, end + 16, 4);
  if (directory_size > kMaxDirectoryBytes || directory_offset + directory_size > size) return {};
  const std::string directory = ReadAt(file, directory_offset, directory_size);
  std::vector<std::string> names;
  for (size_t at = 0; at + kEntryBytes <= directory.size();) {
    if (directory.compare(at, 4, "PK\x01\x02") != 0) return {};
    const size_t name_size = Little(directory, at + 28, 2);
    const size_t next = at + kEntryBytes + name_size + Little(directory, at + 30, 2) +
                        Little(directory, at + 32, 2);
    if (next > directory.size()) return {};
    names.push_back(directory.substr(at + kEntryBytes, name_size));
    at = next;
  }
  return names;
}

bool AnyEndsWith(const std::vector<std::string>& names, const char* suffix) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return absl::EndsWith(name, suffix); });
}

}  // namespace

absl::Status CheckTorchScriptFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return Error(Reason::kStorageFailed, "cannot read the uploaded model");
  const auto size = static_cast<uint64_t>(file.tellg());
  const std::string head = ReadAt(file, 0, 4);
  if (head != "PK\x03\x04") {
    return Invalid(head.substr(0, 2) == "\x80\x02"
                       ? "this is a pickle file (an old torch.save), not a TorchScript model"
                       : "this is not a TorchScript model (TorchScript files are zip archives)");
  }
  const std::vector<std::string> names = EntryNames(file, size);
  if (names.empty()) return Invalid("the TorchScript file is damaged or cut off");
  if (AnyEndsWith(names, "/constants.pkl")) return absl::OkStatus();
  return Invalid(AnyEndsWith(names, "/data.pkl")
                     ? "this is a checkpoint of torch.save (weights without code), not a "
                       "TorchScript model"
                     : "this is a zip archive, but not a TorchScript model");
}

}  // namespace assay::api
