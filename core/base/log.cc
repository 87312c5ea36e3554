#include "core/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/uri.h"
#include "nlohmann/json.hpp"

namespace assay {
namespace {

struct LevelNames {
  const char* text;
  const char* json;
};
constexpr LevelNames kLevels[] = {
    {"ERROR", "error"}, {"WARNING", "warning"}, {"INFO", "info"}, {"DEBUG", "debug"}};

std::atomic<LogFormat> log_format = LogFormat::kText;
std::atomic<LogLevel> least_level = LogLevel::kInfo;
thread_local const LogScope* innermost = nullptr;

// Without control characters and broken UTF-8; quotes are for people.
std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(absl::Utf8SafeCEscape(text), {{"\\'", "'"}});
}

// As a shell or logfmt would have it: in quotes only where it must be.
std::string TextValue(const std::string& value) {
  const std::string escaped = Escaped(value);
  const bool plain = escaped.find_first_of(" =\"\\") == std::string::npos;
  return plain ? escaped : absl::StrCat("\"", escaped, "\"");
}

std::string TextLine(const std::string& time, const LevelNames& level, absl::string_view text,
                     const LogFields& fields) {
  std::string line = absl::StrCat(time, " ", level.text, " ",
                                  absl::StrReplaceAll(Escaped(text), {{"\\\"", "\""}}));
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.name, "=", TextValue(field.value));
  }
  return line;
}

std::string JsonLine(const std::string& time, const LevelNames& level, absl::string_view text,
                     const LogFields& fields) {
  using Json = nlohmann::ordered_json;
  Json line = {{"time", time}, {"level", level.json}, {"message", std::string(text)}};
  for (const LogField& field : fields) {
    if (field.is_number) {
      line[field.name] = Json::parse(field.value);
    } else {
      line[field.name] = field.value;
    }
  }
  return line.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace

void SetLog(LogFormat format, LogLevel least) {
  log_format = format;
  least_level = least;
}

void Log(LogLevel level, absl::string_view text, const LogFields& fields) {
  if (level > least_level) return;
  LogFields shown;
  const auto add = [&shown](const LogFields& some) {
    for (const LogField& field : some) {
      if (field.value.empty()) continue;
      shown.push_back(field);
      shown.back().value = WithoutUsers(field.value);
    }
  };
  add(fields);
  add(LogScope::Current());
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  const LevelNames& names = kLevels[static_cast<size_t>(level)];
  const std::string message = WithoutUsers(text);
  const std::string line =
      absl::StrCat(log_format == LogFormat::kJson ? JsonLine(time, names, message, shown)
                                                  : TextLine(time, names, message, shown),
                   "\n");
  // One write a line, so that lines of several threads and processes do not mix.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

void LogError(absl::string_view text, const LogFields& fields) {
  Log(LogLevel::kError, text, fields);
}
void LogWarning(absl::string_view text, const LogFields& fields) {
  Log(LogLevel::kWarning, text, fields);
}
void LogInfo(absl::string_view text, const LogFields& fields) {
  Log(LogLevel::kInfo, text, fields);
}
void LogDebug(absl::string_view text, const LogFields& fields) {
  Log(LogLevel::kDebug, text, fields);
}

LogScope::LogScope(LogFields fields) : fields_(std::move(fields)), outer_(innermost) {
  innermost = this;
}
LogScope::~LogScope() { innermost = outer_; }
LogFields LogScope::Current() { return innermost == nullptr ? LogFields{} : innermost->fields_; }

}  // namespace assay
