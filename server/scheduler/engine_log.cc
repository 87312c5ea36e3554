#include "server/scheduler/engine_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace assay::scheduler {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr int kPollMilliseconds = 200;

}  // namespace

EngineLog::EngineLog(int source, const std::string& path, int64_t head_bytes, size_t tail_bytes)
    : source_(source),
      file_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)),
      tail_bytes_(tail_bytes),
      head_left_(head_bytes) {
  fcntl(source_, F_SETFL, fcntl(source_, F_GETFL) | O_NONBLOCK);
  thread_ = std::thread([this] { Loop(); });
}

EngineLog::~EngineLog() {
  stop_ = true;
  thread_.join();
  close(source_);
  if (file_ >= 0) close(file_);
}

void EngineLog::Loop() {
  std::string buffer(kReadBytes, '\0');
  while (true) {
    // Read before the wait, so that a stop finds the pipe empty: somebody may hold its other end
    // open for longer than the engine lives.
    const bool stopping = stop_;
    const ssize_t count = read(source_, buffer.data(), buffer.size());
    if (count > 0) {
      Append(absl::string_view(buffer).substr(0, static_cast<size_t>(count)));
      continue;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR) || stopping) break;
    pollfd ready{source_, POLLIN, 0};
    poll(&ready, 1, kPollMilliseconds);
  }
  Finish();
}

void EngineLog::Append(absl::string_view bytes) {
  if (head_left_ > 0) {
    const absl::string_view head = bytes.substr(
        0, static_cast<size_t>(std::min(head_left_, static_cast<int64_t>(bytes.size()))));
    const bool written = Write(head);
    head_left_ = written ? head_left_ - static_cast<int64_t>(head.size()) : 0;
    if (written) bytes.remove_prefix(head.size());
    if (head_left_ == 0) {
      Write(absl::StrCat("\n[assayd: this log is full; of what follows the last ",
                         tail_bytes_ / 1024, " KiB are written when the engine ends]\n"));
    }
  }
  dropped_ += static_cast<int64_t>(bytes.size());
  tail_.append(bytes.data(), bytes.size());
  // Seldom, so that a flood costs one copy.
  if (tail_.size() > 4 * tail_bytes_) tail_.erase(0, tail_.size() - tail_bytes_);
}

void EngineLog::Finish() {
  if (dropped_ == 0) return;
  if (tail_.size() > tail_bytes_) tail_.erase(0, tail_.size() - tail_bytes_);
  const int64_t lost = dropped_ - static_cast<int64_t>(tail_.size());
  if (lost > 0) Write(absl::StrCat("[assayd: ", lost, " bytes dropped]\n"));
  Write(tail_);
}

bool EngineLog::Write(absl::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = write(file_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

}  // namespace assay::scheduler
