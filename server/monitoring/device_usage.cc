#include "server/monitoring/device_usage.h"

#include <dlfcn.h>

#include <array>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/log.h"
#include "server/monitoring/system_usage.h"

namespace assay::monitoring {
namespace {

constexpr absl::string_view kCuda = "cuda:";
constexpr int kSuccess = 0;  // of both libraries

// As in nvml.h, whose layouts and version suffixes NVIDIA keeps.
struct NvmlMemory {
  unsigned long long total, free, used;
};
struct NvmlUtilization {
  unsigned int gpu, memory;  // percent
};

// "cabd80e9-..." as NVML writes it.
std::string UuidText(const std::array<char, 16>& bytes) {
  const std::string hex = absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

// A library that stays open until the process ends.
class Library {
 public:
  explicit Library(const std::string& name)
      : name_(name), handle_(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) problem_ = absl::StrCat("cannot open ", name);
  }
  // Sets `function` to nullptr where the library has none of that name.
  template <typename Function>
  void Find(const char* name, Function* function) {
    void* const symbol = handle_ == nullptr ? nullptr : dlsym(handle_, name);
    static_assert(sizeof(symbol) == sizeof(*function));
    std::memcpy(function, &symbol, sizeof(symbol));
    if (symbol == nullptr && problem_.empty()) problem_ = absl::StrCat(name_, " has no ", name);
  }
  // Empty when all was found.
  const std::string& problem() const { return problem_; }

 private:
  const std::string name_;
  void* const handle_;
  std::string problem_;
};

}  // namespace

struct DeviceMonitor::Driver {
  explicit Driver(const Libraries& libraries) {
    Library cuda(libraries.cuda), nvml(libraries.nvml);
    cuda.Find("cuInit", &cuda_init);
    cuda.Find("cuDeviceGet", &device_get);
    cuda.Find("cuDeviceGetUuid_v2", &device_uuid);
    nvml.Find("nvmlInit_v2", &nvml_init);
    nvml.Find("nvmlDeviceGetHandleByUUID", &handle_by_uuid);
    nvml.Find("nvmlDeviceGetMemoryInfo", &memory_info);
    nvml.Find("nvmlDeviceGetUtilizationRates", &utilization_rates);
    for (const Library* library : {&cuda, &nvml}) {
      if (problem.empty()) problem = library->problem();
    }
    if (!problem.empty()) return;
    if (const int code = cuda_init(0); code != kSuccess) {
      problem = absl::StrCat("cuInit fails with code ", code);
    } else if (const int error = nvml_init(); error != kSuccess) {
      problem = absl::StrCat("nvmlInit fails with code ", error);
    }
  }

  // NVML's handle of CUDA's device number `ordinal`; nullptr when there is none.
  void* Handle(int ordinal) const {
    int device = 0;
    std::array<char, 16> uuid{};
    if (device_get(&device, ordinal) != kSuccess || device_uuid(uuid.data(), device) != kSuccess) {
      return nullptr;
    }
    // A MIG instance has a UUID of its own, which CUDA gives without saying so.
    for (const char* kind : {"GPU-", "MIG-"}) {
      void* handle = nullptr;
      if (handle_by_uuid(absl::StrCat(kind, UuidText(uuid)).c_str(), &handle) == kSuccess) {
        return handle;
      }
    }
    return nullptr;
  }

  std::string problem;  // empty: it can be asked
  int (*cuda_init)(unsigned int flags) = nullptr;
  int (*device_get)(int* device, int ordinal) = nullptr;
  int (*device_uuid)(char* uuid, int device) = nullptr;
  int (*nvml_init)() = nullptr;
  int (*handle_by_uuid)(const char* uuid, void** handle) = nullptr;
  int (*memory_info)(void* handle, NvmlMemory* memory) = nullptr;
  int (*utilization_rates)(void* handle, NvmlUtilization* rates) = nullptr;
};

DeviceMonitor::DeviceMonitor(const std::vector<std::string>& devices, const Libraries& libraries)
    : driver_([&]() -> std::unique_ptr<Driver> {
        for (const std::string& device : devices) {
          if (absl::StartsWith(device, kCuda)) return std::make_unique<Driver>(libraries);
        }
        return nullptr;
      }()) {
  for (const std::string& device : devices) {
    int ordinal = 0;
    if (!absl::StartsWith(device, kCuda) ||
        !absl::SimpleAtoi(device.substr(kCuda.size()), &ordinal)) {
      continue;
    }
    void* const handle = driver_->problem.empty() ? driver_->Handle(ordinal) : nullptr;
    if (handle != nullptr) {
      gpus_[device] = handle;
      continue;
    }
    LogWarning(
        absl::StrCat("there will be no utilization and memory of ", device, " in the metrics: ",
                     driver_->problem.empty() ? "the driver does not know it" : driver_->problem));
  }
}

DeviceMonitor::~DeviceMonitor() = default;

DeviceUsage DeviceMonitor::Read(const std::string& device) const {
  DeviceUsage usage;
  if (!absl::StartsWith(device, kCuda)) {
    if (const auto memory = ReadMemory()) {
      usage.memory_used_bytes = memory->used_bytes;
      usage.memory_size_bytes = memory->size_bytes;
    }
    return usage;
  }
  const auto gpu = gpus_.find(device);
  if (gpu == gpus_.end()) return usage;
  NvmlMemory memory{};
  if (driver_->memory_info(gpu->second, &memory) == kSuccess) {
    usage.memory_used_bytes = static_cast<int64_t>(memory.used);
    usage.memory_size_bytes = static_cast<int64_t>(memory.total);
  }
  NvmlUtilization rates{};
  if (driver_->utilization_rates(gpu->second, &rates) == kSuccess) {
    usage.utilization = rates.gpu / 100.0;
  }
  return usage;
}

}  // namespace assay::monitoring
