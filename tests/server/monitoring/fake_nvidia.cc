// A stand-in for libcuda.so.1 and libnvidia-ml.so.1 in one: three GPUs, of which CUDA counts the
// second first, and the last is a MIG instance, of which NVML tells no utilization.
#include <cstring>

namespace {

constexpr int kNotFound = 6, kNotSupported = 3;
struct Gpu {
  const char* uuid;
  unsigned long long total, used;
  int percent;  // -1: not told
};
Gpu kGpus[] = {{"GPU-00000000-0000-0000-0000-000000000001", 1000, 100, 10},
               {"GPU-00000000-0000-0000-0000-0000000000ff", 2000, 500, 75},
               {"MIG-00000000-0000-0000-0000-000000000003", 300, 30, -1}};

}  // namespace

extern "C" {

int cuInit(unsigned int) { return 0; }
int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal + 40;
  return ordinal < 3 ? 0 : 101;
}
int cuDeviceGetUuid_v2(char* uuid, int device) {
  static const unsigned char kLast[] = {0xff, 0x01, 0x03};
  std::memset(uuid, 0, 16);
  uuid[15] = static_cast<char>(kLast[device - 40]);
  return 0;
}

int nvmlInit_v2() { return 0; }
int nvmlDeviceGetHandleByUUID(const char* uuid, void** handle) {
  for (Gpu& gpu : kGpus) {
    if (std::strcmp(gpu.uuid, uuid) != 0) continue;
    *handle = &gpu;
    return 0;
  }
  return kNotFound;
}
int nvmlDeviceGetMemoryInfo(void* handle, unsigned long long* memory) {
  const Gpu& gpu = *static_cast<const Gpu*>(handle);
  memory[0] = gpu.total;
  memory[1] = gpu.total - gpu.used;
  memory[2] = gpu.used;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* handle, unsigned int* rates) {
  const Gpu& gpu = *static_cast<const Gpu*>(handle);
  if (gpu.percent < 0) return kNotSupported;
  rates[0] = static_cast<unsigned int>(gpu.percent);
  rates[1] = 1;
  return 0;
}
}
