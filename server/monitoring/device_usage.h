// How busy and how full the devices are that models run on.
//
// Of GPUs NVIDIA's driver tells it, by two libraries that come with it: libcuda says which GPU
// "cuda:0" is (CUDA_VISIBLE_DEVICES and the order of CUDA decide that), NVML how it is. They are
// opened at run time, and only for a device "cuda:N"; where they are missing or refuse, values are
// absent. Neither touches the GPU's memory.
#ifndef ASSAY_SERVER_MONITORING_DEVICE_USAGE_H_
#define ASSAY_SERVER_MONITORING_DEVICE_USAGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::monitoring {

struct DeviceUsage {
  // GPUs: the share of the last moment (up to a second) in which it computed anything, for
  // whomever. Absent for the CPU, of which the engines' CPU seconds tell more, and for MIG
  // instances, of which the driver does not tell.
  std::optional<double> utilization;
  // By everybody: of the GPU, or of the machine (system_usage.h).
  std::optional<int64_t> memory_used_bytes, memory_size_bytes;
};

// One device with the engines on it.
struct DeviceSnapshot {
  std::string device;
  DeviceUsage usage;
  int threads = 0;  // CPU cores that each engine may use
  int engines = 0;  // processes, those that are loading a model included
  int engines_at_work = 0;
  // Main memory of the engines, and their CPU time; of those that have ended, too, so it only
  // grows.
  int64_t engine_memory_bytes = 0;
  double engine_cpu_seconds = 0;
};

// Thread-safe.
class DeviceMonitor {
 public:
  struct Libraries {
    std::string nvml = "libnvidia-ml.so.1";
    std::string cuda = "libcuda.so.1";
  };

  // Of "cpu", "cpu:1", "cuda:0", ... Warns in the log of GPUs that cannot be watched.
  explicit DeviceMonitor(const std::vector<std::string>& devices)
      : DeviceMonitor(devices, Libraries()) {}
  DeviceMonitor(const std::vector<std::string>& devices, const Libraries& libraries);
  ~DeviceMonitor();
  DeviceMonitor(const DeviceMonitor&) = delete;
  DeviceMonitor& operator=(const DeviceMonitor&) = delete;

  DeviceUsage Read(const std::string& device) const;

 private:
  struct Driver;
  const std::unique_ptr<Driver> driver_;  // nullptr without GPUs
  // NVML's handles.
  std::map<std::string, void*> gpus_;
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_DEVICE_USAGE_H_
