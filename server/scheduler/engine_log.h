// What an engine and its model print (standard output and standard error), copied into a file of
// bounded size: the beginning as it comes, and the last words when the engine ends. What lies
// between is counted and dropped, so a model that prints in every pass neither fills the disk nor
// hides how it died.
#ifndef ASSAY_SERVER_SCHEDULER_ENGINE_LOG_H_
#define ASSAY_SERVER_SCHEDULER_ENGINE_LOG_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"

namespace assay::scheduler {

class EngineLog {
 public:
  static constexpr int64_t kHeadBytes = 8 << 20;
  static constexpr size_t kTailBytes = 64 << 10;

  // Reads from the pipe `source`, which it closes in the end, on a thread of its own. Replaces the
  // file at `path`; without such a file everything is dropped.
  EngineLog(int source, const std::string& path, int64_t head_bytes = kHeadBytes,
            size_t tail_bytes = kTailBytes);
  // Copies what is in the pipe and writes the last words.
  ~EngineLog();
  EngineLog(const EngineLog&) = delete;
  EngineLog& operator=(const EngineLog&) = delete;

 private:
  void Loop();
  void Append(absl::string_view bytes);
  void Finish();
  // False when not all could be written.
  bool Write(absl::string_view bytes) const;

  const int source_;
  const int file_;
  const size_t tail_bytes_;
  // Of the thread only.
  int64_t head_left_;
  int64_t dropped_ = 0;  // bytes beyond the head, the tail included
  std::string tail_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_ENGINE_LOG_H_
