#include "core/models/model_file.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"
#include "core/models/file_format.h"
#include "core/models/model_interface.h"

namespace assay {
namespace {

constexpr absl::string_view kMagic = "ASSAYMODEL1\n";
constexpr size_t kLengthBytes = 4;
constexpr int64_t kFooterBytes = kLengthBytes + kMagic.size();
// Far above any interface.
constexpr uint32_t kMostBytes = 64 << 10;

std::string ReadAt(std::ifstream& file, int64_t offset, int64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  file.clear();
  file.seekg(offset);
  file.read(bytes.data(), size);
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  return bytes;
}

}  // namespace

std::string InterfaceTrailer(const v1::ModelInterface& interface) {
  // Without maps and unknown fields, equal messages have equal bytes.
  std::string bytes = interface.SerializeAsString();
  if (bytes.empty()) return bytes;
  const auto size = static_cast<uint32_t>(bytes.size());
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>((size >> shift) & 0xff));
  }
  absl::StrAppend(&bytes, kMagic);
  return bytes;
}

absl::StatusOr<ModelFile> ReadModelFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return Error(Reason::kStorageFailed, "cannot read the model's file").ToStatus();
  ModelFile model;
  model.model_bytes = file.tellg();
  if (model.model_bytes < kFooterBytes) return model;
  const std::string footer = ReadAt(file, model.model_bytes - kFooterBytes, kFooterBytes);
  if (!absl::EndsWith(footer, kMagic)) return model;
  uint32_t size = 0;
  for (size_t i = kLengthBytes; i-- > 0;) {
    size = size << 8 | static_cast<unsigned char>(footer[i]);
  }
  const int64_t begin = model.model_bytes - kFooterBytes - size;
  if (size > kMostBytes || begin < 0 ||
      !model.interface.ParseFromString(ReadAt(file, begin, size))) {
    return Error(Reason::kInvalidModel,
                 "what the file says at its end about the images that the model wants is damaged; "
                 "upload the model again")
        .ToStatus();
  }
  const std::vector<FieldViolation> violations = CheckModelInterface(model.interface, "");
  if (!violations.empty() ||
      !model.interface.GetReflection()->GetUnknownFields(model.interface).empty()) {
    return Error(Reason::kInvalidModel,
                 absl::StrCat("what the file says at its end about the images that the model wants "
                              "is not known to this version",
                              violations.empty() ? "" : ": ",
                              violations.empty() ? "" : violations[0].field,
                              violations.empty() ? "" : " ",
                              violations.empty() ? "" : violations[0].description))
        .ToStatus();
  }
  model.model_bytes = begin;
  return model;
}

absl::Status CheckModelFile(const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(const ModelFile file, ReadModelFile(path));
  const FileExplanation found = ExplainFile(path, static_cast<uint64_t>(file.model_bytes));
  if (found.format != FileFormat::kOther) return absl::OkStatus();
  return Error(Reason::kInvalidModel,
               absl::StrCat("the file is not a model that can be loaded: ", found.message));
}

}  // namespace assay
