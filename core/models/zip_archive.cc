#include "core/models/zip_archive.h"

#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay {
namespace {

absl::Status Damaged(absl::string_view what) {
  return Error(Reason::kInvalidModel, absl::StrCat("the file is damaged: ", what,
                                                   "; upload it again, or export it again"));
}

struct CloseRecord {
  void operator()(zip_file* record) const { zip_fclose(record); }
};

}  // namespace

std::unique_ptr<zip, ZipArchive::Close> ZipArchive::OpenSource(zip_source* source) {
  if (source == nullptr) return nullptr;
  std::unique_ptr<zip, Close> archive(zip_open_from_source(source, ZIP_RDONLY, nullptr));
  // An archive that opens owns its source.
  if (archive == nullptr) zip_source_free(source);
  return archive;
}

void ZipArchive::Close::operator()(zip* archive) const { zip_discard(archive); }

absl::StatusOr<ZipArchive> ZipArchive::Open(const std::string& path, std::optional<uint64_t> size) {
  ZipArchive archive;
  std::error_code no_size;
  const uint64_t whole = std::filesystem::file_size(path, no_size);
  if (!no_size) {
    archive.left_ = std::min(size.value_or(whole), whole);
    archive.handle_ = OpenSource(
        zip_source_file_create(path.c_str(), 0, static_cast<zip_int64_t>(archive.left_), nullptr));
  }
  if (archive.handle_ == nullptr) {
    return Error(Reason::kInvalidModel, "the file cannot be read as a zip archive").ToStatus();
  }
  ASSAY_RETURN_IF_ERROR(archive.ReadNames());
  return archive;
}

absl::StatusOr<ZipArchive> ZipArchive::FromBytes(std::string bytes) {
  ZipArchive archive;
  archive.bytes_ = std::make_unique<std::string>(std::move(bytes));
  archive.left_ = archive.bytes_->size();
  archive.handle_ = OpenSource(
      zip_source_buffer_create(archive.bytes_->data(), archive.bytes_->size(), 0, nullptr));
  if (archive.handle_ == nullptr) return Damaged("it holds no zip archive where one should be");
  ASSAY_RETURN_IF_ERROR(archive.ReadNames());
  return archive;
}

absl::Status ZipArchive::ReadNames() {
  const zip_int64_t count = zip_get_num_entries(handle_.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* const name =
        zip_get_name(handle_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_GUESS);
    if (name == nullptr) return Damaged("a record has no name");
    names_.emplace_back(name);
  }
  return absl::OkStatus();
}

bool ZipArchive::Has(absl::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

absl::StatusOr<std::string> ZipArchive::Read(const std::string& name) {
  std::string content;
  ASSAY_RETURN_IF_ERROR(ReadInto(name, [&content](size_t size) {
    content.resize(size);
    return content.data();
  }));
  return content;
}

absl::Status ZipArchive::ReadInto(const std::string& name,
                                  const std::function<char*(size_t)>& allocate) {
  zip_stat_t about;
  if (zip_stat(handle_.get(), name.c_str(), 0, &about) != 0) {
    return Damaged(absl::StrCat("it has no record ", name));
  }
  constexpr zip_uint64_t kNeeded = ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
  if ((about.valid & kNeeded) != kNeeded) {
    return Damaged(absl::StrCat("the size of record ", name, " is not known"));
  }
  if (about.comp_method != ZIP_CM_STORE ||
      ((about.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && about.encryption_method != ZIP_EM_NONE)) {
    return Error(Reason::kInvalidModel,
                 absl::StrCat("record ", name,
                              " is compressed or encrypted, which PyTorch never "
                              "does; use the file that torch.export.save wrote"));
  }
  if (about.size > left_) {
    return Damaged(absl::StrCat("record ", name, " is larger than the file"));
  }
  left_ -= about.size;
  const std::unique_ptr<zip_file, CloseRecord> record(
      zip_fopen_index(handle_.get(), about.index, 0));
  if (record == nullptr) return Damaged(absl::StrCat("record ", name, " cannot be opened"));
  char* const content = allocate(about.size);
  zip_uint64_t done = 0;
  while (done < about.size) {
    const zip_int64_t got = zip_fread(record.get(), content + done, about.size - done);
    if (got <= 0)
      return Damaged(absl::StrCat("record ", name, " ends early or is not what it was"));
    done += static_cast<zip_uint64_t>(got);
  }
  // The checksum is compared at the end of the record, which a read beyond it finds.
  char beyond;
  if (zip_fread(record.get(), &beyond, 1) != 0) {
    return Damaged(absl::StrCat("the checksum of record ", name, " is wrong"));
  }
  return absl::OkStatus();
}

}  // namespace assay
