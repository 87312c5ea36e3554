#include "client/cli/base/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace fs = std::filesystem;

absl::Status CheckWritable(const std::string& option, const std::string& path) {
  if (path.empty() || path == "-") return absl::OkStatus();
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return InvalidFields({{option, absl::StrCat(path, " is a directory")}});
  }
  const fs::path parent = fs::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  if (access(directory.c_str(), W_OK | X_OK) != 0 && access(path.c_str(), W_OK) != 0) {
    return InvalidFields(
        {{option, absl::StrCat("cannot write to ", path, ": ", std::strerror(errno))}});
  }
  return absl::OkStatus();
}

absl::Status CheckWritableDirectory(const std::string& option, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::error_code error;
  // It is made with all that leads to it.
  fs::path there = fs::absolute(path, error);
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, error)) {
    return InvalidFields({{option, absl::StrCat(there.string(), " is no directory")}});
  }
  if (access(there.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return InvalidFields(
      {{option, absl::StrCat("cannot write to ", there.string(), ": ", std::strerror(errno))}});
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Open(const std::string& path) {
  std::unique_ptr<OutputFile> output(new OutputFile(path));
  if (path == "-") {
    output->out_ = &std::cout;
    return output;
  }
  std::error_code error;
  const bool special = fs::exists(path, error) && !fs::is_regular_file(path, error);
  if (!special) output->temporary_ = absl::StrCat(path, ".", getpid(), ".tmp");
  output->file_.open(special ? path : output->temporary_, std::ios::binary);
  output->out_ = &output->file_;
  if (!output->file_) return output->Failed();
  return output;
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove(temporary_, ignored);
}

absl::Status OutputFile::Failed() const {
  return absl::UnknownError(
      absl::StrCat("cannot write ", path_ == "-" ? "stdout" : path_, ": ", std::strerror(errno)));
}

absl::Status OutputFile::Write(absl::string_view text) {
  out_->write(text.data(), static_cast<std::streamsize>(text.size()));
  return *out_ ? absl::OkStatus() : Failed();
}

absl::Status OutputFile::Close() {
  out_->flush();
  if (!*out_) return Failed();
  if (file_.is_open()) file_.close();
  if (temporary_.empty()) return absl::OkStatus();
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return Failed();
  temporary_.clear();
  return absl::OkStatus();
}

absl::Status WriteOutput(const std::string& path, absl::string_view text) {
  ASSAY_ASSIGN_OR_RETURN(const auto output, OutputFile::Open(path));
  ASSAY_RETURN_IF_ERROR(output->Write(text));
  return output->Close();
}

}  // namespace assay::cli
