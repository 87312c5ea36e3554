// Models for fake_engine.cc, and what tests around it share.
#ifndef ASSAY_TESTS_SERVER_SCHEDULER_FAKE_ENGINE_MODELS_H_
#define ASSAY_TESTS_SERVER_SCHEDULER_FAKE_ENGINE_MODELS_H_

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/monitoring/metrics.h"
#include "server/scheduler/engine_pool.h"
#include "server/scheduler/engine_process.h"
#include "server/store/directory_blobs.h"
#include "tests/manual_clock.h"
#include "tests/server/store/store_test_util.h"

namespace assay::scheduler {

inline constexpr char kFakeEngine[] = ASSAY_BINARY_DIR "/tests/fake_engine";

// Whether `condition` comes to hold before a generous deadline.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

inline std::string FileText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void Touch(const std::string& path) { std::ofstream(path) << "go"; }

// The content of a model that makes the fake engine behave as told: "load=ok run=abort".
inline std::string ModelContent(const std::string& behaviour) {
  return absl::StrCat("fake-engine: ", behaviour, "\n");
}

inline v1::ImageShape MakeShape(int channels, int height, int width) {
  v1::ImageShape shape;
  shape.set_channels(channels);
  shape.set_height(height);
  shape.set_width(width);
  return shape;
}

inline bool Never() { return false; }

// The bytes of a chunk of one-pixel images with the labels `first_label`, `first_label` + 1, ...
// modulo 10.
inline std::string ChunkBytes(int samples, int first_label = 0, int pixels = 1) {
  std::string bytes;
  for (int32_t i = 0; i < samples; ++i) {
    const int32_t label = (first_label + i) % 10;
    char raw[sizeof(label)];
    std::memcpy(raw, &label, sizeof(label));
    bytes.append(raw, sizeof(raw));
  }
  bytes.append(static_cast<size_t>(samples) * static_cast<size_t>(pixels), '\x7f');
  return bytes;
}

// A store, blobs and a pool of fake engines in a directory of their own.
class EngineFixture : public ::testing::Test {
 protected:
  EngineFixture() {
    auto store = store::OpenSqliteJobStore(directory_.File("jobs.db"), clock_);
    auto blobs = store::DirectoryBlobs::Open(directory_.File("blobs"));
    if (!store.ok() || !blobs.ok()) std::abort();
    store_ = *std::move(store);
    blobs_ = *std::move(blobs);
    options_.engine_binary = kFakeEngine;
    options_.log_directory = directory_.File("");
  }

  // Stores a model that behaves as told.
  v1::Model AddModel(const std::string& id, const std::string& behaviour) {
    const std::string content = ModelContent(absl::StrCat(behaviour, " name=", id));
    EXPECT_THAT(blobs_->Put(content), store::IsOk());
    auto model = store_->CreateModel(store::MakeModel(id, content), "");
    EXPECT_THAT(model, store::IsOk());
    return *model;
  }

  // Stores a dataset of one-pixel images in chunks of these sizes.
  // `class_names`: how many classes have a name.
  v1::Dataset AddDataset(const std::string& id, const std::vector<int>& chunks,
                         int class_names = 0) {
    v1::Dataset dataset;
    dataset.set_name("datasets/" + id);
    v1::DatasetManifest& manifest = *dataset.mutable_manifest();
    *manifest.mutable_shape() = MakeShape(1, 1, 1);
    manifest.set_pixel_type(v1::UINT8);
    for (int i = 0; i < class_names; ++i) manifest.add_class_names("c" + std::to_string(i));
    int first = 0;
    for (const int samples : chunks) {
      const auto digest = blobs_->Put(ChunkBytes(samples, first));
      EXPECT_THAT(digest, store::IsOk());
      manifest.add_chunks()->set_digest(*digest);
      manifest.mutable_chunks()->rbegin()->set_samples(samples);
      first += samples;
    }
    dataset.set_digest(Sha256Hex(manifest.SerializeAsString()));
    dataset.set_samples(first);
    dataset.set_max_label(std::min(first, 10) - 1);
    auto stored = store_->CreateDataset(dataset, "");
    EXPECT_THAT(stored, store::IsOk());
    return *stored;
  }

  store::TempDirectory directory_;
  ManualClock clock_;
  monitoring::Metrics metrics_;
  std::unique_ptr<store::JobStore> store_;
  std::unique_ptr<store::DirectoryBlobs> blobs_;
  EnginePoolOptions options_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_TESTS_SERVER_SCHEDULER_FAKE_ENGINE_MODELS_H_
