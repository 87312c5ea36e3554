#include "server/scheduler/engine_usage.h"

#include <sys/resource.h>
#include <sys/wait.h>

namespace assay::scheduler {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

bool EngineUsage::Collect(int* exit_status) {
  MutexLock lock(mutex_);
  rusage usage{};
  if (ended_ || wait4(pid_, exit_status, WNOHANG, &usage) != pid_) return false;
  ended_ = true;
  cpu_seconds_ = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  return true;
}

monitoring::ProcessUsage EngineUsage::Read() const {
  MutexLock lock(mutex_);
  if (ended_) return {0, cpu_seconds_};
  return monitoring::ReadProcess(pid_).value_or(monitoring::ProcessUsage());
}

bool EngineUsage::ended() const {
  MutexLock lock(mutex_);
  return ended_;
}

}  // namespace assay::scheduler
