// Files that results are written to: complete under their name, or not there.
#ifndef ASSAY_CLIENT_CLI_BASE_OUTPUT_FILE_H_
#define ASSAY_CLIENT_CLI_BASE_OUTPUT_FILE_H_

#include <fstream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay::cli {

// Whether a file could be created there, as far as that can be known before the work that fills it.
absl::Status CheckWritable(const std::string& option, const std::string& path);
// The same of a directory that may have to be made, and of files in it.
absl::Status CheckWritableDirectory(const std::string& option, const std::string& path);

class OutputFile {
 public:
  // "-" is stdout. Regular files are written beside their name and renamed by Close().
  static absl::StatusOr<std::unique_ptr<OutputFile>> Open(const std::string& path);
  // Removes what was not closed.
  ~OutputFile();

  absl::Status Write(absl::string_view text);
  absl::Status Close();

 private:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  absl::Status Failed() const;

  const std::string path_;
  // Empty: written in place.
  std::string temporary_;
  std::ofstream file_;
  std::ostream* out_ = nullptr;
};

// All of it at once.
absl::Status WriteOutput(const std::string& path, absl::string_view text);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_OUTPUT_FILE_H_
