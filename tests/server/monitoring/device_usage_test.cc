#include "server/monitoring/device_usage.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

const DeviceMonitor::Libraries kFake = {ASSAY_FAKE_NVIDIA, ASSAY_FAKE_NVIDIA};

TEST(DeviceUsageTest, AGpuIsTheOneThatCudaCountsAsSuch) {
  const DeviceMonitor monitor({"cuda:0", "cuda:1"}, kFake);
  const DeviceUsage first = monitor.Read("cuda:0");
  EXPECT_EQ(first.utilization, 0.75) << "of the second of NVML's, by its UUID";
  EXPECT_EQ(first.memory_used_bytes, 500);
  EXPECT_EQ(first.memory_size_bytes, 2000);
  const DeviceUsage second = monitor.Read("cuda:1");
  EXPECT_EQ(second.utilization, 0.1);
  EXPECT_EQ(second.memory_used_bytes, 100);
  EXPECT_EQ(second.memory_size_bytes, 1000);
}

TEST(DeviceUsageTest, OfAMigInstanceThereIsMemoryAndNoUtilization) {
  const DeviceMonitor monitor({"cuda:2"}, kFake);
  EXPECT_EQ(monitor.Read("cuda:2").utilization, std::nullopt);
  EXPECT_EQ(monitor.Read("cuda:2").memory_used_bytes, 30);
}

TEST(DeviceUsageTest, WhatCannotBeAskedIsAbsentAndTheLogSaysWhy) {
  CaptureStderr();
  const DeviceMonitor none({"cuda:0"}, {"libno-such-nvml.so.1", ASSAY_FAKE_NVIDIA});
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("cuda:0 in the metrics: cannot open libno-such-nvml"));
  EXPECT_EQ(none.Read("cuda:0").memory_used_bytes, std::nullopt);

  CaptureStderr();
  const DeviceMonitor other({"cuda:0"}, {"libc.so.6", ASSAY_FAKE_NVIDIA});
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("libc.so.6 has no nvmlInit_v2"));
  EXPECT_EQ(other.Read("cuda:0").utilization, std::nullopt);

  CaptureStderr();
  const DeviceMonitor few({"cuda:1", "cuda:7"}, kFake);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("cuda:7 in the metrics: the driver does not know it"));
  EXPECT_EQ(few.Read("cuda:7").utilization, std::nullopt);
  EXPECT_EQ(few.Read("cuda:1").utilization, 0.1) << "the others are there";
}

TEST(DeviceUsageTest, ACpuHasTheMachinesMemoryAndNeedsNoDriver) {
  CaptureStderr();
  const DeviceMonitor monitor({"cpu:0", "cpu:1"}, {"libno-such-nvml.so.1", "libno-such-cuda.so.1"});
  EXPECT_EQ(GetCapturedStderr(), "");
  const DeviceUsage usage = monitor.Read("cpu:1");
  EXPECT_EQ(usage.utilization, std::nullopt);
  EXPECT_GT(usage.memory_used_bytes, 0);
  EXPECT_GT(usage.memory_size_bytes, usage.memory_used_bytes);
}

}  // namespace
}  // namespace assay::monitoring
