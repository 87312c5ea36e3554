// Log lines on standard error: time, level, text, and fields that say what the line is about.
//
//   LogInfo("evaluation created", {{"evaluation", name}, {"tasks", 12}});
//
//   2026-11-30T12:00:00.000Z INFO evaluation created evaluation=evaluations/e tasks=12
//   {"time":"2026-11-30T12:00:00.000Z","level":"info","message":"evaluation created",...}
//
// The text is the same for every event of a kind; what differs belongs into fields. Users and
// passwords of URIs are left out of both. Thread-safe.
#ifndef ASSAY_CORE_BASE_LOG_H_
#define ASSAY_CORE_BASE_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assay {

enum class LogLevel { kError, kWarning, kInfo, kDebug };
enum class LogFormat { kText, kJson };

// Of the whole process, from the next line on. Without, text from kInfo on.
void SetLog(LogFormat format, LogLevel least);

struct LogField {
  LogField(absl::string_view field, absl::string_view text) : name(field), value(text) {}
  LogField(absl::string_view field, const char* text) : name(field), value(text) {}
  LogField(absl::string_view field, const std::string& text) : name(field), value(text) {}
  LogField(absl::string_view field, int64_t number)
      : name(field), value(absl::StrCat(number)), is_number(true) {}
  LogField(absl::string_view field, int number) : LogField(field, int64_t{number}) {}

  std::string name;
  std::string value;  // empty: the field is left out
  bool is_number = false;
};
using LogFields = std::vector<LogField>;

// One line each, control characters escaped.
void Log(LogLevel level, absl::string_view text, const LogFields& fields = {});
void LogError(absl::string_view text, const LogFields& fields = {});
void LogWarning(absl::string_view text, const LogFields& fields = {});
void LogInfo(absl::string_view text, const LogFields& fields = {});
void LogDebug(absl::string_view text, const LogFields& fields = {});

// Adds fields to every line that this thread logs as long as it lives: what belongs to a call.
class LogScope {
 public:
  explicit LogScope(LogFields fields);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

  // Those of this thread's innermost one, for work that goes on in another.
  static LogFields Current();

 private:
  const LogFields fields_;
  const LogScope* const outer_;
};

}  // namespace assay

#endif  // ASSAY_CORE_BASE_LOG_H_
