// assay-example --out DIR: makes the built-in example, so that Assay can be tried without any
// download: a test set of 1000 pictures of ten shapes and two networks that classify them,
// "standard" and "robust". It writes
//
//   DIR/shapes.npy         uint8, 1000 x 32 x 32 x 3
//   DIR/shapes_labels.npy  int64, 1000
//   DIR/classes.txt        the names of the classes, one a line
//   DIR/standard.pt, DIR/robust.pt   TorchScript
//   DIR/constant.pt        TorchScript: answers the first class whatever it sees (docs/acr.md)
//   DIR/example.stamp      a version, and the SHA-256 of each of the files above
//
// A directory whose stamp has this version and whose files have the stamp's digests is left alone.
// Files appear complete or not at all, and the stamp comes last.
#include <malloc.h>
#include <torch/script.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "server/engine/example/shapes.h"
#include "server/engine/example/small_cnn.h"

namespace assay::example {
namespace {

namespace fs = std::filesystem;

// To be raised with every change of what is written, so that old directories are made anew.
constexpr const char* kVersion = "assay-example 2";
constexpr const char* kStampName = "example.stamp";
constexpr const char* kFileNames[] = {"shapes.npy",  "shapes_labels.npy", "classes.txt",
                                      "standard.pt", "robust.pt",         "constant.pt"};

constexpr int64_t kTestPictures = 1000;
constexpr int64_t kTrainingPictures = 12000;
constexpr uint64_t kTestSeed = 1;
constexpr uint64_t kTrainingSeed = 2;
constexpr uint64_t kNetworkSeed = 3;

struct File {
  std::string name;
  std::string bytes;
};

std::optional<std::string> ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return std::nullopt;
  return bytes;
}

absl::Status WriteFile(const fs::path& path, const std::string& bytes) {
  const fs::path temporary = absl::StrCat(path.string(), ".", ::getpid(), ".tmp");
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code error;
  if (file) {
    fs::rename(temporary, path, error);
    if (!error) return absl::OkStatus();
  } else {
    error = std::error_code(errno, std::generic_category());
  }
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return Error(Reason::kStorageFailed,
               absl::StrCat("cannot write ", path.string(), ": ", error.message()));
}

// A NumPy file of version 1.0, in C order.
std::string Npy(const char* type, const std::vector<int64_t>& shape, const void* data,
                size_t bytes) {
  std::string extents = absl::StrJoin(shape, ", ");
  if (shape.size() == 1) extents += ',';
  std::string header =
      absl::StrCat("{'descr': '", type, "', 'fortran_order': False, 'shape': (", extents, "), }");
  constexpr size_t kPrefix = 10, kAlignment = 64;
  while ((kPrefix + header.size() + 1) % kAlignment != 0) header += ' ';
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  file.append(static_cast<const char*>(data), bytes);
  return file;
}

std::string Stamp(const std::vector<File>& files) {
  std::string stamp = absl::StrCat(kVersion, "\n");
  for (const File& file : files) {
    absl::StrAppend(&stamp, Sha256Hex(file.bytes), "  ", file.name, "\n");
  }
  return stamp;
}

// Whether `directory` holds all files of this version, unharmed.
bool IsComplete(const fs::path& directory) {
  const std::optional<std::string> stamp = ReadFile(directory / kStampName);
  if (!stamp.has_value()) return false;
  std::vector<File> files;
  for (const char* name : kFileNames) {
    std::optional<std::string> bytes = ReadFile(directory / name);
    if (!bytes.has_value()) return false;
    files.push_back({name, *std::move(bytes)});
  }
  return *stamp == Stamp(files);
}

std::string TrainedFile(Recipe recipe, const Pictures& training, const Pictures& test) {
  torch::jit::Module network = TrainSmallCnn(recipe, training, kNetworkSeed);
  const Quality quality = Measure(network, test);
  std::fprintf(
      stderr, "%s network: %.1f%% correct, %.1f%% under noise, %.1f%% under attack (on %lld)\n",
      recipe == Recipe::kRobust ? "robust" : "standard", 100 * quality.clean, 100 * quality.noisy,
      100 * quality.adversarial, static_cast<long long>(test.labels.size(0)));
  std::ostringstream file;
  network.save(file);
  return std::move(file).str();
}

// A model that gives every image the same logits; they depend on the image by name only, so that it
// has a gradient, of zeros.
std::string ConstantFile() {
  torch::jit::Module network("ConstantClassifier");
  network.register_attribute("classes", c10::IntType::get(), int64_t{kShapeClasses});
  network.define(R"JIT(
    def forward(self, images):
        first = torch.zeros([self.classes], dtype=images.dtype, device=images.device)
        first[0] = 1.0
        return 0.0 * images.flatten(1).sum(1, keepdim=True) + first
  )JIT");
  network.eval();
  std::ostringstream file;
  network.save(file);
  return std::move(file).str();
}

// The contents of the files, in the order of kFileNames. Throws what LibTorch throws.
std::vector<File> MakeFiles() {
  std::fprintf(stderr, "drawing %lld pictures\n",
               static_cast<long long>(kTestPictures + kTrainingPictures));
  const Pictures test = DrawPictures(kTestSeed, kTestPictures);
  const Pictures training = DrawPictures(kTrainingSeed, kTrainingPictures);
  std::string classes;
  for (int label = 0; label < kShapeClasses; ++label) {
    absl::StrAppend(&classes, ShapeName(label), "\n");
  }
  const Pictures sample{test.images.slice(0, 0, kTestPictures / 2),
                        test.labels.slice(0, 0, kTestPictures / 2)};
  auto train = [&](Recipe recipe) {
    return std::async(std::launch::async, TrainedFile, recipe, std::cref(training),
                      std::cref(sample));
  };
  std::future<std::string> standard = train(Recipe::kStandard);
  std::future<std::string> robust = train(Recipe::kRobust);
  return {{kFileNames[0],
           Npy("|u1", test.images.sizes().vec(), test.images.data_ptr(), test.images.nbytes())},
          {kFileNames[1],
           Npy("<i8", test.labels.sizes().vec(), test.labels.data_ptr(), test.labels.nbytes())},
          {kFileNames[2], classes},
          {kFileNames[3], standard.get()},
          {kFileNames[4], robust.get()},
          {kFileNames[5], ConstantFile()}};
}

absl::Status WriteExample(const fs::path& directory) {
  if (IsComplete(directory)) {
    std::fprintf(stderr, "%s already holds the example\n", directory.c_str());
    return absl::OkStatus();
  }
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return Error(Reason::kStorageFailed,
                 absl::StrCat("cannot create ", directory.string(), ": ", error.message()));
  }
  std::vector<File> files;
  try {
    files = MakeFiles();
  } catch (const std::exception& failure) {
    return Error(Reason::kInternal, absl::StrCat("cannot train: ", failure.what()));
  }
  fs::remove(directory / kStampName, error);
  for (const File& file : files) {
    ASSAY_RETURN_IF_ERROR(WriteFile(directory / file.name, file.bytes));
  }
  ASSAY_RETURN_IF_ERROR(WriteFile(directory / kStampName, Stamp(files)));
  std::fprintf(stderr, "wrote the example to %s\n", directory.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace assay::example

int main(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], "--out") != 0) {
    std::fprintf(stderr, "usage: assay-example --out DIR\n");
    return 2;
  }
  // Training takes and returns the same few megabytes all the time; giving them back to the system
  // every time costs a fifth of the whole.
  constexpr int kKeep = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kKeep);
  mallopt(M_TRIM_THRESHOLD, kKeep);
  const absl::Status status = assay::example::WriteExample(argv[2]);
  if (!status.ok()) {
    std::fprintf(stderr, "assay-example: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
