// Images a second of every corruption with every parameter table, and the time of the whole
// benchmark set (15 corruptions, 5 severities, 1,000 CIFAR images): bench_corruptions CIFAR.bin
// [FROST_DIRECTORY [THREADS]].
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bench_data.h"
#include "core/base/parallel.h"
#include "core/corruptions/plan.h"
#include "opencv2/imgproc.hpp"

namespace assay::bench {
namespace {

using corruptions::Corruption;
using corruptions::FrostPhotographs;
using corruptions::Image;
using corruptions::SeverityTable;
using Clock = std::chrono::steady_clock;

struct Table {
  SeverityTable table;
  int side;
  size_t images;  // enough for a measurement
};
constexpr Table kTables[] = {{SeverityTable::k32, 32, 1000},
                             {SeverityTable::k64, 64, 256},
                             {SeverityTable::k224, 224, 24},
                             {SeverityTable::k299, 299, 16}};

std::vector<Image> Images(const MemorySamples& samples, int side, size_t count) {
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(32);
  shape.set_width(32);
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

// Seconds for all images under one corruption and severity; nothing is read or written.
double Seconds(const Corruption& corruption, const corruptions::CorruptionContext& context,
               const std::vector<Image>& images, int threads) {
  const RandomKey key(0, corruption.name);
  std::vector<Image> changed = images;
  const auto start = Clock::now();
  ParallelFor(threads, images.size(), 64 * images[0].pixels.size(), [&](size_t i) {
    RandomStream random(key, static_cast<int64_t>(i), 0);
    corruption.apply(context, random, changed[i]);
  });
  return std::chrono::duration<double>(Clock::now() - start).count();
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
  double set_seconds = 0;
  int set_corruptions = 0;
  for (const Corruption& corruption : corruptions::AllCorruptions()) {
    if (corruption.photographs && frost == nullptr) continue;
    std::printf("| %s |", corruption.name);
    for (const Table& table : kTables) {
      const std::vector<Image> images = Images(**samples, table.side, table.images);
      double seconds = 0;
      for (int severity = 1; severity <= 5; ++severity) {
        seconds += Seconds(corruption, {table.table, static_cast<double>(severity), frost.get()},
                           images, threads);
      }
      std::printf(" %.0f |", 5 * static_cast<double>(images.size()) / seconds);
      const std::string name = corruption.name;
      const bool in_set = name != "speckle_noise" && name != "gaussian_blur" && name != "spatter" &&
                          name != "saturate" && (name != "frost-procedural" || frost == nullptr);
      if (table.side != 32 || !in_set) continue;
      set_seconds += seconds;
      ++set_corruptions;
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  std::printf("\n%d corruptions x 5 severities x %zu images of 32 px: %.2f s\n", set_corruptions,
              (*samples)->size(), set_seconds);
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
