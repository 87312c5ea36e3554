// How much of the time a device waits for the host: a classifier that takes 2 ms a batch and no
// processor, one batch at a time, as a GPU does. Tasks are cut as the server cuts them. At best the
// wall time is the larger of what the device and what the host takes.
//
//   bench_overlap SAMPLES CONDITION...
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "bench/bench_data.h"
#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "core/conditions/condition.h"
#include "server/engine/run_task.h"
#include "server/scheduler/planner.h"

namespace assay::bench {
namespace {

constexpr engine::Shape kShape{3, 32, 32};
constexpr int kClasses = 10, kBatch = 128;
constexpr std::chrono::milliseconds kPass{2};

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Always of the opinion that an image is of class 0, so that every attack goes to its end.
class FakeDevice : public engine::Classifier {
 public:
  explicit FakeDevice(int lanes) : lanes_(lanes) {}
  engine::Shape shape() const override { return kShape; }
  int num_classes() const override { return kClasses; }
  const engine::BatchSizes& forward_sizes() const override { return sizes_; }
  const engine::BatchSizes& gradient_sizes() const override { return sizes_; }
  int lanes() const override { return lanes_; }

 protected:
  absl::Status RunForward(const float* images, int rows, float* logits) override {
    Wait();
    for (int row = 0; row < rows; ++row) {
      for (int k = 0; k < kClasses; ++k) {
        logits[row * kClasses + k] =
            (k == 0 ? 100.0F : 0.0F) +
            images[static_cast<size_t>(row) * kShape.size() + static_cast<size_t>(k)];
      }
    }
    return absl::OkStatus();
  }
  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    ASSAY_RETURN_IF_ERROR(RunForward(images, rows, logits));
    std::vector<float> derivative(static_cast<size_t>(rows) * kClasses);
    logit_gradient(logits, derivative.data());
    for (int row = 0; row < rows; ++row) {
      std::fill_n(&gradient[static_cast<size_t>(row) * kShape.size()], kShape.size(),
                  1e-3F + derivative[static_cast<size_t>(row) * kClasses]);
    }
    return absl::OkStatus();
  }

 private:
  void Wait() {
    MutexLock lock(mutex_);
    std::this_thread::sleep_for(kPass);
  }

  const int lanes_;
  const engine::BatchSizes sizes_{{kBatch}};
  Mutex mutex_;
};

absl::Status Measure(const v1::Condition& condition, const MemorySamples& all, int lanes) {
  FakeDevice device(lanes);
  QuietObserver observer;
  const auto tasks = scheduler::PlanTasks({condition}, 0, static_cast<int64_t>(all.size()), 0,
                                          scheduler::Moment::kComplete, kBatch);
  const auto start = std::chrono::steady_clock::now();
  const double cpu = CpuSeconds();
  for (const store::Task& task : tasks) {
    MemorySamples samples;
    samples.shape = kShape;
    const auto first = static_cast<size_t>(task.first_sample),
               count = static_cast<size_t>(task.samples);
    samples.labels.assign(count, 0);
    samples.images.assign(
        all.images.begin() + static_cast<int64_t>(first * kShape.size()),
        all.images.begin() + static_cast<int64_t>((first + count) * kShape.size()));
    ASSAY_RETURN_IF_ERROR(engine::RunTask({condition, 0, samples, device, observer}).status());
  }
  const double wall = Seconds(std::chrono::steady_clock::now() - start);
  const double host = CpuSeconds() - cpu;
  const auto usage = device.usage();
  const double busy = Seconds(kPass) * static_cast<double>(usage.forward_batches);
  const double cores = std::min<double>(lanes, std::thread::hardware_concurrency());
  std::cout << absl::StreamFormat(
      "%-40s %d lanes, %3d tasks: wall %6.2f s, device %6.2f s (idle %4.1f %%), host %6.2f CPU s; "
      "wall / larger of device and host %.3f; %.3f images passed for each needed\n",
      condition.id(), lanes, tasks.size(), wall, busy, 100 * (1 - busy / wall), host,
      wall / std::max(busy, host / cores),
      static_cast<double>(usage.forward_images) / static_cast<double>(usage.needed_forwards));
  return absl::OkStatus();
}

absl::Status Run(int argc, char** argv) {
  MemorySamples samples;
  samples.shape = kShape;
  size_t count = 0;
  if (argc < 3 || !absl::SimpleAtoi(argv[1], &count) || count == 0) {
    return absl::InvalidArgumentError("bench_overlap SAMPLES CONDITION...");
  }
  samples.labels.assign(count, 0);
  samples.images.resize(count * kShape.size());
  for (size_t i = 0; i < samples.images.size(); ++i) {
    samples.images[i] = static_cast<float>(i * 7919 % 1009) / 1009;
  }
  ASSAY_ASSIGN_OR_RETURN(const auto conditions,
                         ParseConditions(std::vector<std::string>(argv + 2, argv + argc)));
  for (const v1::Condition& condition : conditions) {
    for (const int lanes : {1, 2, 4}) ASSAY_RETURN_IF_ERROR(Measure(condition, samples, lanes));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  const absl::Status status = assay::bench::Run(argc, argv);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
