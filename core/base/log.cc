#include "core/base/log.h"

#include <unistd.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace assay {
namespace {

void Log(const char* severity, absl::string_view text) {
  const std::string line =
      absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()), " ",
                   severity, " ", absl::Utf8SafeCEscape(text), "\n");
  // One write a line, so that lines of several threads and processes do not mix.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace

void LogInfo(absl::string_view text) { Log("INFO", text); }
void LogWarning(absl::string_view text) { Log("WARNING", text); }
void LogError(absl::string_view text) { Log("ERROR", text); }

}  // namespace assay
