// How much of the time a device waits for the host: a classifier that takes 2 ms a batch and no
// processor, one after the other in the order in which lanes ask, as a GPU does; a gradient pass
// comes back to the host after its first third. Tasks are cut as the server cuts them. At best the
// wall time is the larger of what the device and what the host takes. A second line tells in which
// tenths of a task the device waits. Samples are finished now and then, for checkpoints, as assayd
// asks for by default; with --together all that fit into memory may end together.
//
//   bench_overlap [--together] SAMPLES[/SAMPLES OF A TASK] LANES[,LANES...] CONDITION...
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/casts.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
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
using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kPass{2000};

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Seconds in which the device had nothing to do, by tenths of a task.
using Waits = std::array<double, 10>;

// Of a pixel of the data to the next one, modulo 1.
constexpr size_t kNext = 856, kPeriod = 1009;

// Samples [first, first + count) of class 0, read as quickly as files in memory.
class Samples : public engine::SampleSource {
 public:
  Samples(int64_t first, int64_t count) : first_(first), count_(static_cast<size_t>(count)) {
    for (size_t i = 0; i < kPeriod + kShape.size(); ++i) {
      pixels_.push_back(static_cast<float>(i * kNext % kPeriod) / kPeriod);
    }
  }
  size_t size() const override { return count_; }
  int64_t index(size_t i) const override { return first_ + static_cast<int64_t>(i); }
  int label(size_t /*i*/) const override { return 0; }
  void ReadImage(size_t i, float* pixels) const override {
    const size_t start = static_cast<size_t>(index(i)) * kShape.size() % kPeriod;
    std::copy_n(&pixels_[start], kShape.size(), pixels);
  }

 private:
  const int64_t first_;
  const size_t count_;
  std::vector<float> pixels_;
};

// Takes an image for class 0 unless it is far from all that the data have, so that attacks within a
// budget go to their end, and those without one fool it soon. Gradients have changing signs, so
// that no point is like one before.
class FakeDevice : public engine::Classifier {
 public:
  explicit FakeDevice(int lanes) : lanes_(lanes) {}
  engine::Shape shape() const override { return kShape; }
  int num_classes() const override { return kClasses; }
  const engine::BatchSizes& forward_sizes() const override { return sizes_; }
  const engine::BatchSizes& gradient_sizes() const override { return sizes_; }
  int lanes() const override { return lanes_; }

  void BeginTask() {
    MutexLock lock(mutex_);
    gaps_.clear();
    began_ = free_at_ = Clock::now();
  }
  // Where in the task that ends now the device waited.
  Waits EndTask() {
    MutexLock lock(mutex_);
    const auto end = Clock::now();
    AddGap(end);
    Waits waits{};
    for (const auto& [when, gap] : gaps_) {
      const double part = Seconds(when - began_) / Seconds(end - began_);
      waits[std::min(static_cast<size_t>(part * waits.size()), waits.size() - 1)] += Seconds(gap);
    }
    return waits;
  }

 protected:
  absl::Status RunForward(const float* images, int rows, float* logits) override {
    Compute(kPass);
    Answer(images, rows, logits);
    return absl::OkStatus();
  }
  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    Compute(kPass / 3);
    Answer(images, rows, logits);
    std::vector<float> derivative(static_cast<size_t>(rows) * kClasses);
    logit_gradient(logits, derivative.data());
    Compute(kPass - kPass / 3);
    for (int row = 0; row < rows; ++row) {
      const size_t first = static_cast<size_t>(row) * kShape.size();
      FillGradient(&images[first], &gradient[first]);
    }
    return absl::OkStatus();
  }

 private:
  static void Answer(const float* images, int rows, float* logits) {
    for (int row = 0; row < rows; ++row) {
      const float* image = &images[static_cast<size_t>(row) * kShape.size()];
      int strange = 0;
      for (size_t i = 0; i < 64; ++i) {
        const float off =
            std::remainder(image[i] + static_cast<float>(kNext) / kPeriod - image[i + 1], 1.0F);
        strange += std::abs(off) > 0.2F ? 1 : 0;
      }
      const int taken_for = strange > 8 ? 1 : 0;
      for (int k = 0; k < kClasses; ++k) {
        logits[row * kClasses + k] = (k == taken_for ? 100.0F : 0.0F) + image[k];
      }
    }
  }

  // Signs that follow from the whole image, as if by chance.
  static void FillGradient(const float* image, float* gradient) {
    uint32_t all = 1;
    for (size_t i = 0; i < kShape.size(); ++i) all = all * 31 + absl::bit_cast<uint32_t>(image[i]);
    for (size_t i = 0; i < kShape.size(); ++i) {
      const uint32_t mixed = (absl::bit_cast<uint32_t>(image[i]) ^ all) * 2654435761U;
      gradient[i] = mixed >> 31 == 0 ? 0.5F : -0.5F;
    }
  }

  // Behind what was asked before.
  void Compute(Clock::duration duration) {
    Clock::time_point end;
    {
      MutexLock lock(mutex_);
      const auto now = Clock::now();
      AddGap(now);
      free_at_ = end = std::max(free_at_, now) + duration;
    }
    std::this_thread::sleep_until(end);
  }

  // The device had nothing to do before `now`, if it was free.
  void AddGap(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (now > free_at_) gaps_.emplace_back(free_at_, now - free_at_);
  }

  const int lanes_;
  const engine::BatchSizes sizes_{{kBatch}};
  Mutex mutex_;
  Clock::time_point free_at_ ABSL_GUARDED_BY(mutex_), began_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<Clock::time_point, Clock::duration>> gaps_ ABSL_GUARDED_BY(mutex_);
};

struct Cost {
  int64_t tasks = 0;
  // Seconds: elapsed, of the device, and of processors.
  double wall = 0, device = 0, host = 0;
  double needed = 0, passed = 0;
  Waits waits{};

  void Add(const Cost& other) {
    tasks += other.tasks;
    wall += other.wall;
    device += other.device;
    host += other.host;
    needed += other.needed;
    passed += other.passed;
    for (size_t i = 0; i < waits.size(); ++i) waits[i] += other.waits[i];
  }
  void Print(const std::string& what, int lanes) const {
    const double cores = std::min<double>(lanes, std::thread::hardware_concurrency());
    std::cout << absl::StreamFormat(
                     "%-36s %d lanes, %3d tasks: wall %7.2f s, device %7.2f s (idle %4.1f %%), "
                     "host %7.2f CPU s; wall / larger of device and host %.3f; %.3f images passed "
                     "for each needed",
                     what, lanes, tasks, wall, device, 100 * (1 - device / wall), host,
                     wall / std::max(device, host / cores), passed / needed)
              << "\n  waited for by tenths of a task, % of the time: "
              << absl::StrJoin(waits, " ",
                               [this](std::string* out, double wait) {
                                 absl::StrAppendFormat(out, "%.1f", 100 * wait / wall);
                               })
              << std::endl;
  }
};

absl::StatusOr<Cost> Measure(const v1::Condition& condition, int64_t count, int32_t task_samples,
                             int lanes, bool together) {
  FakeDevice device(lanes);
  QuietObserver observer;
  const auto tasks = scheduler::PlanTasks({condition}, 0, count, task_samples,
                                          scheduler::Moment::kComplete, kBatch);
  Cost cost;
  const auto start = Clock::now();
  const double cpu = CpuSeconds();
  for (const store::Task& task : tasks) {
    const Samples samples(task.first_sample, task.samples);
    device.BeginTask();
    engine::TaskContext context{condition, 0, samples, device, observer};
    context.checkpoints = !together;
    ASSAY_RETURN_IF_ERROR(engine::RunTask(context).status());
    const Waits waits = device.EndTask();
    for (size_t i = 0; i < waits.size(); ++i) cost.waits[i] += waits[i];
  }
  cost.wall = Seconds(Clock::now() - start);
  cost.host = CpuSeconds() - cpu;
  const auto usage = device.usage();
  cost.tasks = static_cast<int64_t>(tasks.size());
  cost.device = Seconds(kPass) * static_cast<double>(usage.forward_batches);
  cost.passed = static_cast<double>(usage.forward_images);
  cost.needed = static_cast<double>(usage.needed_forwards);
  return cost;
}

absl::Status Run(int argc, char** argv) {
  const bool together = argc > 1 && std::string(argv[1]) == "--together";
  if (together) {
    --argc;
    ++argv;
  }
  int64_t count = 0;
  int32_t task_samples = 0;
  const std::vector<std::string> sizes = absl::StrSplit(argc < 4 ? "" : argv[1], '/');
  if (!absl::SimpleAtoi(sizes[0], &count) || count < 1 || sizes.size() > 2 ||
      (sizes.size() == 2 && (!absl::SimpleAtoi(sizes[1], &task_samples) || task_samples < 1))) {
    return absl::InvalidArgumentError(
        "bench_overlap [--together] SAMPLES[/SAMPLES OF A TASK] LANES[,LANES...] CONDITION...");
  }
  ASSAY_ASSIGN_OR_RETURN(const auto conditions,
                         ParseConditions(std::vector<std::string>(argv + 3, argv + argc)));
  for (const absl::string_view word : absl::StrSplit(argv[2], ',')) {
    int lanes = 0;
    if (!absl::SimpleAtoi(word, &lanes) || lanes < 1) {
      return absl::InvalidArgumentError("LANES must be numbers from 1, as 1,2,4");
    }
    Cost all;
    for (const v1::Condition& condition : conditions) {
      ASSAY_ASSIGN_OR_RETURN(const Cost cost,
                             Measure(condition, count, task_samples, lanes, together));
      cost.Print(condition.id(), lanes);
      all.Add(cost);
    }
    all.Print("all of it", lanes);
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
