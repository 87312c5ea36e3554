// Images a second of every corruption with severities and every parameter table, the time of the
// whole benchmark set (15 corruptions, 5 severities, 1,000 CIFAR images), and the four noises
// against each other: bench_corruptions CIFAR.bin [FROST_DIRECTORY [THREADS]].
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/bench_data.h"
#include "core/conditions/condition.h"
#include "core/corruptions/plan.h"
#include "opencv2/imgproc.hpp"

namespace assay::bench {
namespace {

using corruptions::Corruption;
using corruptions::CorruptionPlan;
using corruptions::FrostPhotographs;
using corruptions::Image;
using Clock = std::chrono::steady_clock;

struct Table {
  int side;
  size_t images;  // enough for a measurement
};
constexpr Table kTables[] = {{32, 1000}, {64, 256}, {224, 24}, {299, 16}};

v1::ImageShape RgbShape(int side) {
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(side);
  shape.set_width(side);
  return shape;
}

std::vector<Image> Images(const MemorySamples& samples, int side, size_t count) {
  const v1::ImageShape shape = RgbShape(32);
  std::vector<Image> images;
  for (size_t i = 0; i < std::min(count, samples.size()); ++i) {
    std::vector<float> planes(3072);
    samples.ReadImage(i, planes.data());
    Image small = corruptions::ImageFromPlanes(planes.data(), shape);
    if (side == 32) {
      images.push_back(std::move(small));
      continue;
    }
    const cv::Mat from(32, 32, CV_8UC3, small.pixels.data());
    cv::Mat to;
    cv::resize(from, to, cv::Size(side, side), 0, 0, cv::INTER_CUBIC);
    images.push_back({side, side, 3, std::vector<uint8_t>(to.datastart, to.dataend)});
  }
  return images;
}

// Seconds for all images under one condition; nothing is read or written.
double Seconds(const v1::Condition& condition, const CorruptionPlan& plan,
               const std::vector<Image>& images, int threads) {
  const RandomKey key(0, condition.id());
  std::vector<Image> changed = images;
  const auto start = Clock::now();
  std::atomic<size_t> next = 0;
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t) {
    team.emplace_back([&] {
      for (size_t i = next++; i < images.size(); i = next++) {
        plan.Apply(key, static_cast<int64_t>(i), changed[i]);
      }
    });
  }
  for (std::thread& thread : team) thread.join();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The corruptions of CIFAR-10-C.
std::set<std::string> BenchmarkSet(bool photographs) {
  std::set<std::string> names;
  const auto conditions =
      ParseConditions({photographs ? "suite/cifar10-c" : "suite/cifar10-c-procedural"});
  for (const v1::Condition& condition : conditions.value()) names.insert(condition.method());
  return names;
}

// CPU nanoseconds a value on one thread, what a condition prepares included: medians over rounds
// that alternate between the noises.
void CompareNoises(const MemorySamples& samples) {
  constexpr std::array<const char*, 4> kNoises = {"gaussian_noise", "speckle_noise",
                                                  "impulse_noise", "shot_noise"};
  constexpr size_t kRounds = 15;
  std::printf("\n| CPU ns a value, 1 thread |");
  for (const char* noise : kNoises) std::printf(" %s |", noise);
  std::printf("\n|---|---|---|---|---|\n");
  for (const Table& table : {kTables[0], kTables[2]}) {
    const std::vector<Image> images = Images(samples, table.side, table.images);
    const auto values = static_cast<double>(images.size() * images[0].pixels.size());
    for (int severity = 1; severity <= 5; ++severity) {
      std::array<std::array<double, kRounds>, kNoises.size()> times;
      for (size_t round = 0; round < kRounds; ++round) {
        for (size_t i = 0; i < kNoises.size(); ++i) {
          const auto conditions = ParseConditions({absl::StrCat(
              "corruption/", kNoises[i], ":severity=", severity, ",table=", table.side)});
          const v1::Condition& condition = conditions.value()[0];
          std::vector<Image> changed = images;
          const std::clock_t start = std::clock();
          const auto plan = CorruptionPlan::Make(condition, RgbShape(table.side), nullptr);
          const RandomKey key(0, condition.id());
          for (size_t j = 0; j < changed.size(); ++j) {
            plan->Apply(key, static_cast<int64_t>(j), changed[j]);
          }
          const auto ticks = static_cast<double>(std::clock() - start);
          times[i][round] = 1e9 * ticks / CLOCKS_PER_SEC / values;
        }
      }
      std::printf("| %d px, severity %d |", table.side, severity);
      for (auto& of_noise : times) {
        std::nth_element(of_noise.begin(), of_noise.begin() + kRounds / 2, of_noise.end());
        std::printf(" %.2f |", of_noise[kRounds / 2]);
      }
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}

int Run(const std::string& data, const std::string& frost_directory, int threads) {
  const auto samples = ReadSamples(data, 1000);
  if (!samples.ok() || (*samples)->shape.size() != 3072) {
    std::fprintf(stderr, "cannot use %s: 1,000 CIFAR images are needed\n", data.c_str());
    return 1;
  }
  std::shared_ptr<const FrostPhotographs> frost;
  if (!frost_directory.empty()) {
    auto loaded = FrostPhotographs::Load(frost_directory);
    if (!loaded.ok()) {
      std::fprintf(stderr, "%s\n", std::string(loaded.status().message()).c_str());
      return 1;
    }
    frost = *std::move(loaded);
  }
  std::printf("| images/s, %d threads | 32 px | 64 px | 224 px | 299 px |\n|---|---|---|---|---|\n",
              threads);
  const std::set<std::string> set = BenchmarkSet(frost != nullptr);
  double set_seconds = 0;
  int set_corruptions = 0;
  for (const Corruption& corruption : corruptions::AllCorruptions()) {
    const std::string expression = absl::StrCat("corruption/", corruption.name, ":severity=1-5");
    if (!ParseConditions({expression}).ok()) continue;  // it has other parameters
    if (corruption.name == std::string("frost") && frost == nullptr) continue;
    std::printf("| %s |", corruption.name);
    for (const Table& table : kTables) {
      const std::vector<Image> images = Images(**samples, table.side, table.images);
      const auto conditions = ParseConditions({absl::StrCat(expression, ",table=", table.side)});
      double seconds = 0;
      for (const v1::Condition& condition : conditions.value()) {
        const auto plan = CorruptionPlan::Make(condition, RgbShape(table.side), frost.get());
        seconds += Seconds(condition, plan.value(), images, threads);
      }
      std::printf(" %.0f |", 5 * static_cast<double>(images.size()) / seconds);
      if (table.side != 32 || set.count(corruption.name) == 0) continue;
      set_seconds += seconds;
      ++set_corruptions;
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  std::printf("\n%d corruptions x 5 severities x %zu images of 32 px: %.2f s\n", set_corruptions,
              (*samples)->size(), set_seconds);
  CompareNoises(**samples);
  return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: bench_corruptions CIFAR.bin [FROST_DIRECTORY [THREADS]]\n");
    return 2;
  }
  return assay::bench::Run(argv[1], argc > 2 ? argv[2] : "", argc > 3 ? std::atoi(argv[3]) : 2);
}
