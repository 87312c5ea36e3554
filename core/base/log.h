// Plain log lines on standard error: time, severity, text.
#ifndef ASSAY_CORE_BASE_LOG_H_
#define ASSAY_CORE_BASE_LOG_H_

#include "absl/strings/string_view.h"

namespace assay {

// Thread-safe; one line each, control characters escaped.
void LogInfo(absl::string_view text);
void LogWarning(absl::string_view text);
void LogError(absl::string_view text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_LOG_H_
