// Networks of the sizes that people use, with random weights, and random images for them: what
// bench/gpu measures.
//
//   bench_models DIRECTORY
//
// writes small_cnn.pt and resnet18.pt (3x32x32, 10 classes), resnet50.pt (3x224x224, 1000 classes),
// and NAME_images.npy for each, and the same models in other precisions: NAME_tf32.pt,
// NAME_bf16.pt. Batch norms are folded, as freezing does it.
#include <torch/script.h>

#include <cmath>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/data/npy_writer.h"
#include "core/base/errors.h"
#include "core/base/random.h"
#include "core/models/model_file.h"
#include "core/models/model_interface.h"
#include "server/engine/import/base/module_builder.h"

namespace assay::bench {
namespace {

using client::NpyWriter;
using engine::ModuleBuilder;
using torch::jit::Value;

class Network {
 public:
  Network() : random_(RandomKey(0, "bench"), 0, 0) {}

  Value* images() { return builder_.images(); }
  Value* Relu(Value* x) { return builder_.Call("aten::relu", {x}); }
  Value* Add(Value* a, Value* b) { return builder_.Call("aten::add", {a, b}); }

  // Square kernels, "same" padding. `gain`: of the standard deviation of what comes out.
  Value* Convolution(Value* x, int64_t inputs, int64_t outputs, int64_t side, int64_t stride,
                     double gain = 1) {
    const double deviation = gain * std::sqrt(2.0 / static_cast<double>(inputs * side * side));
    Value* const weight = Weight({outputs, inputs, side, side}, deviation);
    Value* const bias = Weight({outputs}, 0);
    return builder_.Call("aten::conv2d",
                         {x, weight, bias, List(stride), List(side / 2), List(1), int64_t{1}});
  }
  // The end of a residual block: `y`, which it computed of `x`, and `x`, as wide as that.
  Value* Join(Value* y, Value* x, int64_t inputs, int64_t outputs, int64_t stride) {
    return Relu(Add(y, inputs == outputs ? x : Convolution(x, inputs, outputs, 1, stride, 0.7)));
  }
  Value* MaxPool(Value* x, int64_t side, int64_t stride) {
    return builder_.Call("aten::max_pool2d",
                         {x, List(side), List(stride), List(side / 2), List(1), false});
  }
  // Pools over the image and classifies.
  torch::jit::Module Finish(Value* x, int64_t inputs, int64_t classes) && {
    x = builder_.Call("aten::adaptive_avg_pool2d", {x, List(1)});
    x = builder_.Call("aten::flatten", {x, int64_t{1}, int64_t{-1}});
    Value* const weight = Weight({classes, inputs}, 1 / std::sqrt(static_cast<double>(inputs)));
    x = builder_.Call("aten::linear", {x, weight, Weight({classes}, 0)});
    return std::move(builder_).Build(x);
  }

 private:
  static c10::IValue List(int64_t value) { return c10::List<int64_t>({value, value}); }

  Value* Weight(const std::vector<int64_t>& sizes, double deviation) {
    at::Tensor tensor = at::empty(sizes, at::kFloat);
    float* values = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      values[i] = static_cast<float>(deviation * (random_.Uniform() - 0.5) * std::sqrt(12.0));
    }
    return builder_.Tensor(absl::StrCat("weight", ++weights_), tensor);
  }

  ModuleBuilder builder_;
  RandomStream random_;
  int weights_ = 0;
};

torch::jit::Module SmallCnn() {
  Network net;
  Value* x = net.Relu(net.Convolution(net.images(), 3, 16, 3, 2));
  x = net.Relu(net.Convolution(x, 16, 32, 3, 2));
  x = net.Relu(net.Convolution(x, 32, 64, 3, 2));
  return std::move(net).Finish(x, 64, 10);
}

// He et al., CVPR 2016; for CIFAR with a first convolution of 3x3 and no pooling.
torch::jit::Module ResNet18() {
  Network net;
  Value* x = net.Relu(net.Convolution(net.images(), 3, 64, 3, 1));
  int64_t width = 64;
  for (const int64_t outputs : {64, 128, 256, 512}) {
    for (int block = 0; block < 2; ++block) {
      const int64_t stride = block == 0 && outputs > 64 ? 2 : 1;
      Value* y = net.Relu(net.Convolution(x, width, outputs, 3, stride));
      y = net.Convolution(y, outputs, outputs, 3, 1, 0.3);
      x = net.Join(y, x, width, outputs, stride);
      width = outputs;
    }
  }
  return std::move(net).Finish(x, width, 10);
}

torch::jit::Module ResNet50() {
  Network net;
  Value* x = net.Relu(net.Convolution(net.images(), 3, 64, 7, 2));
  x = net.MaxPool(x, 3, 2);
  int64_t width = 64;
  const int blocks[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t inner = int64_t{64} << stage, outputs = 4 * inner;
    for (int block = 0; block < blocks[stage]; ++block) {
      const int64_t stride = block == 0 && stage > 0 ? 2 : 1;
      Value* y = net.Relu(net.Convolution(x, width, inner, 1, 1));
      y = net.Relu(net.Convolution(y, inner, inner, 3, stride));
      y = net.Convolution(y, inner, outputs, 1, 1, 0.3);
      x = net.Join(y, x, width, outputs, stride);
      width = outputs;
    }
  }
  return std::move(net).Finish(x, width, 1000);
}

// Copies of path.pt that ask for other precisions.
absl::Status WritePrecisions(const std::string& path) {
  for (const std::string precision : {"tf32", "bf16"}) {
    ModelInterfaceOptions options;
    options.precision = precision;
    ASSAY_ASSIGN_OR_RETURN(const v1::ModelInterface interface, ParseModelInterface(options));
    const std::string copy = absl::StrCat(path, "_", precision, ".pt");
    std::filesystem::copy_file(path + ".pt", copy,
                               std::filesystem::copy_options::overwrite_existing);
    std::ofstream file(copy, std::ios::binary | std::ios::app);
    file << InterfaceTrailer(interface);
    file.close();
    if (!file) return Error(Reason::kStorageFailed, absl::StrCat("cannot write ", copy));
  }
  return absl::OkStatus();
}

// The model, and images with what it takes them for as labels, so that all of them are attacked.
absl::Status Write(torch::jit::Module module, const std::string& path, int64_t side, int count) {
  module.save(path + ".pt");
  ASSAY_RETURN_IF_ERROR(WritePrecisions(path));
  ASSAY_ASSIGN_OR_RETURN(auto images, NpyWriter::Create(path + "_images.npy",
                                                        NpyWriter::Type::kUint8, {side, side, 3}));
  ASSAY_ASSIGN_OR_RETURN(
      auto labels, NpyWriter::Create(path + "_images_labels.npy", NpyWriter::Type::kInt64, {}));
  RandomStream random(RandomKey(0, "bench images"), 0, 0);
  const c10::InferenceMode no_gradients;
  for (int i = 0; i < count; ++i) {
    at::Tensor image = at::empty({1, side, side, 3}, at::kByte);
    for (int64_t at = 0; at < image.numel(); ++at) {
      image.data_ptr<uint8_t>()[at] = static_cast<uint8_t>(random.Below(256));
    }
    ASSAY_RETURN_IF_ERROR(images->Append({reinterpret_cast<const char*>(image.data_ptr<uint8_t>()),
                                          static_cast<size_t>(image.numel())}));
    const at::Tensor pixels = image.permute({0, 3, 1, 2}).to(at::kFloat).div(255);
    const int64_t label =
        module.forward({pixels.contiguous()}).toTensor().argmax(1).item<int64_t>();
    ASSAY_RETURN_IF_ERROR(labels->Append({reinterpret_cast<const char*>(&label), sizeof(label)}));
  }
  ASSAY_RETURN_IF_ERROR(images->Finish());
  return labels->Finish();
}

absl::Status Run(const std::string& directory) {
  ASSAY_RETURN_IF_ERROR(Write(SmallCnn(), directory + "/small_cnn", 32, 4096));
  ASSAY_RETURN_IF_ERROR(Write(ResNet18(), directory + "/resnet18", 32, 2048));
  return Write(ResNet50(), directory + "/resnet50", 224, 256);
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: bench_models DIRECTORY\n";
    return 2;
  }
  try {
    const absl::Status status = assay::bench::Run(argv[1]);
    if (!status.ok()) std::cerr << status.message() << "\n";
    return status.ok() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
