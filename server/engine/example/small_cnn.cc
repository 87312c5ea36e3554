#include "server/engine/example/small_cnn.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/python/update_graph_executor_opt.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "server/engine/example/shapes.h"

namespace assay::example {
namespace {

constexpr int64_t kBatch = 64;
constexpr double kPeakRate = 0.01;
constexpr double kEpsilon = 8.0 / 255;
constexpr double kNoiseSigma = 0.25;

torch::jit::Module NewModule(const std::string& name) {
  torch::jit::Module module("__torch__.assay." + name);
  module.register_attribute("training", c10::BoolType::get(), true);
  return module;
}

// Weights of the size that keeps the variance of activations behind relu (He et al., ICCV 2015).
at::Tensor InitialWeight(at::IntArrayRef shape, at::Generator& random) {
  int64_t inputs = 1;
  for (size_t i = 1; i < shape.size(); ++i) inputs *= shape[i];
  return torch::empty(shape).normal_(0, std::sqrt(2.0 / static_cast<double>(inputs)), random);
}

// The parameters of convolution number `n` and of its batch norm. A bias would be lost in the batch
// norm.
void AddConvolution(torch::jit::Module& module, int n, int64_t inputs, int64_t outputs,
                    int64_t side, at::Generator& random) {
  const std::string number = std::to_string(n);
  module.register_parameter("conv" + number, InitialWeight({outputs, inputs, side, side}, random),
                            false);
  module.register_parameter("scale" + number, torch::ones({outputs}), false);
  module.register_parameter("shift" + number, torch::zeros({outputs}), false);
  module.register_buffer("mean" + number, torch::zeros({outputs}));
  module.register_buffer("variance" + number, torch::ones({outputs}));
}

torch::jit::Module NewSmallCnn(at::Generator& random) {
  torch::jit::Module features = NewModule("Features");
  AddConvolution(features, 1, kShapeChannels, 16, 5, random);
  AddConvolution(features, 2, 16, 32, 3, random);
  AddConvolution(features, 3, 32, 64, 3, random);
  features.define(R"(
def forward(self, x: Tensor) -> Tensor:
    x = torch.conv2d(x, self.conv1, None, [2, 2], [2, 2])
    x = torch.relu(torch.batch_norm(x, self.scale1, self.shift1, self.mean1, self.variance1,
                                    self.training, 0.1, 1e-5, False))
    x = torch.conv2d(x, self.conv2, None, [2, 2], [1, 1])
    x = torch.relu(torch.batch_norm(x, self.scale2, self.shift2, self.mean2, self.variance2,
                                    self.training, 0.1, 1e-5, False))
    x = torch.conv2d(x, self.conv3, None, [1, 1], [1, 1])
    x = torch.relu(torch.batch_norm(x, self.scale3, self.shift3, self.mean3, self.variance3,
                                    self.training, 0.1, 1e-5, False))
    return torch.max_pool2d(x, [2, 2])
)");

  torch::jit::Module classifier = NewModule("Classifier");
  classifier.register_parameter("weight", InitialWeight({kShapeClasses, 64 * 4 * 4}, random),
                                false);
  classifier.register_parameter("bias", torch::zeros({kShapeClasses}), false);
  classifier.define(R"(
def forward(self, x: Tensor) -> Tensor:
    return torch.addmm(self.bias, x.flatten(1), self.weight.t())
)");

  torch::jit::Module network = NewModule("SmallCnn");
  network.register_module("features", features);
  network.register_module("classifier", classifier);
  network.define(R"(
def forward(self, x: Tensor) -> Tensor:
    return self.classifier.forward(self.features.forward((x - 0.5) * 4.0))
)");
  return network;
}

at::Tensor Logits(torch::jit::Module& network, const at::Tensor& images) {
  return network.forward({images}).toTensor();
}

// Pixels as the networks take them. They stay channels last in memory: in the other order pooling
// alone takes as long as all convolutions.
at::Tensor ToInput(const at::Tensor& images) {
  return images.permute({0, 3, 1, 2}).to(torch::kFloat32).div_(255);
}

// `from`, moved by `step` along the sign of the gradient of the cross-entropy, and back into the
// box around `clean`.
at::Tensor AscendOnce(torch::jit::Module& network, const at::Tensor& clean, const at::Tensor& from,
                      const at::Tensor& labels, double step) {
  const at::Tensor leaf = from.detach().requires_grad_(true);
  const at::Tensor loss = at::cross_entropy_loss(Logits(network, leaf), labels);
  const at::Tensor gradient = torch::autograd::grad({loss}, {leaf})[0];
  at::Tensor moved = from + step * gradient.sign();
  return at::max(at::min(moved, clean + kEpsilon), clean - kEpsilon).clamp_(0, 1);
}

// Half adversarial (one step from a random start, somewhat longer than the budget: Wong et al.,
// "Fast is better than free", ICLR 2020), a quarter noisy, a quarter as they were.
at::Tensor Harden(torch::jit::Module& network, const at::Tensor& images, const at::Tensor& labels,
                  at::Generator& random) {
  const int64_t half = images.size(0) / 2;
  const at::Tensor clean = images.slice(0, 0, half);
  const at::Tensor start =
      (clean + torch::empty_like(clean).uniform_(-kEpsilon, kEpsilon, random)).clamp_(0, 1);
  network.eval();  // the attack must not move the averages of batch norm
  const at::Tensor adversarial =
      AscendOnce(network, clean, start, labels.slice(0, 0, half), 1.25 * kEpsilon);
  network.train();
  const at::Tensor rough = images.slice(0, half, half + half / 2);
  const at::Tensor noise = torch::empty_like(rough).normal_(0, kNoiseSigma, random);
  return torch::cat({adversarial, rough + noise, images.slice(0, half + half / 2)});
}

// Adam (Kingma and Ba, ICLR 2015).
class Adam {
 public:
  explicit Adam(const torch::jit::Module& network) {
    for (const at::Tensor& parameter : network.parameters()) {
      slots_.push_back({parameter, torch::zeros_like(parameter), torch::zeros_like(parameter)});
    }
  }

  // One step down the gradient of `loss`.
  void Step(const at::Tensor& loss, double rate) {
    std::vector<at::Tensor> parameters;
    for (const Slot& slot : slots_) parameters.push_back(slot.parameter);
    const std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, parameters);
    const at::NoGradGuard no_grad;
    ++steps_;
    const double mean_bias = 1 - std::pow(kMeanDecay, steps_);
    const double square_bias = 1 - std::pow(kSquareDecay, steps_);
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      slot.mean.mul_(kMeanDecay).add_(gradients[i], 1 - kMeanDecay);
      slot.square.mul_(kSquareDecay).addcmul_(gradients[i], gradients[i], 1 - kSquareDecay);
      slot.parameter.addcdiv_(slot.mean, (slot.square / square_bias).sqrt_().add_(1e-8),
                              -rate / mean_bias);
    }
  }

 private:
  static constexpr double kMeanDecay = 0.9;
  static constexpr double kSquareDecay = 0.99;
  struct Slot {
    at::Tensor parameter, mean, square;
  };
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

double Accuracy(torch::jit::Module& network, const at::Tensor& images, const at::Tensor& labels) {
  const at::NoGradGuard no_grad;
  return Logits(network, images).argmax(1).eq(labels).to(torch::kFloat64).mean().item<double>();
}

}  // namespace

Pictures DrawPictures(uint64_t seed, int64_t count) {
  at::Tensor images = torch::empty({count, kShapeSide, kShapeSide, kShapeChannels}, torch::kUInt8);
  at::Tensor labels = torch::empty({count}, torch::kInt64);
  uint8_t* pixels = images.data_ptr<uint8_t>();
  int64_t* classes = labels.data_ptr<int64_t>();
  at::parallel_for(0, count, /*grain_size=*/64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      DrawShape(seed, i, pixels + static_cast<size_t>(i) * kShapeBytes);
      classes[i] = ShapeLabel(i);
    }
  });
  return {images, labels};
}

torch::jit::Module TrainSmallCnn(Recipe recipe, const Pictures& pictures, uint64_t seed) {
  const bool robust = recipe == Recipe::kRobust;
  const int epochs = robust ? 5 : 3;
  // Two small networks train faster side by side on one thread each than one after the other on
  // two.
  at::set_num_threads(1);
  at::Generator random = at::make_generator<at::CPUGeneratorImpl>(seed);
  torch::jit::setGraphExecutorOptimize(false);  // specialising costs more than it gains here

  torch::jit::Module network = NewSmallCnn(random);
  for (at::Tensor parameter : network.parameters()) parameter.requires_grad_(true);
  Adam adam(network);
  const int64_t count = pictures.labels.size(0);
  const int64_t batches = count / kBatch;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const at::Tensor order = torch::randperm(count, random, torch::kInt64);
    double loss_sum = 0;
    for (int64_t b = 0; b < batches; ++b) {
      const at::Tensor rows = order.slice(0, b * kBatch, (b + 1) * kBatch);
      at::Tensor images = ToInput(pictures.images.index_select(0, rows));
      const at::Tensor labels = pictures.labels.index_select(0, rows);
      if (robust) images = Harden(network, images, labels, random);
      const at::Tensor loss = at::cross_entropy_loss(Logits(network, images), labels);
      // The rate climbs for a tenth of the time, then falls to zero.
      const double time =
          static_cast<double>(epoch * batches + b) / static_cast<double>(epochs * batches);
      adam.Step(loss, kPeakRate * std::min(time / 0.1, (1 - time) / 0.9));
      loss_sum += loss.item<double>();
    }
    std::fprintf(stderr, "%s network: epoch %d of %d, loss %.3f\n", robust ? "robust" : "standard",
                 epoch + 1, epochs, loss_sum / static_cast<double>(batches));
  }
  for (at::Tensor parameter : network.parameters()) parameter.requires_grad_(false);
  network.eval();
  return network;
}

Quality Measure(torch::jit::Module& network, const Pictures& pictures) {
  at::Generator random = at::make_generator<at::CPUGeneratorImpl>(/*seed=*/1);
  const at::Tensor images = ToInput(pictures.images);
  const at::Tensor& labels = pictures.labels;
  const at::Tensor noise = torch::empty_like(images).normal_(0, kNoiseSigma, random);
  at::Tensor adversarial = images;
  for (int step = 0; step < 10; ++step) {
    adversarial = AscendOnce(network, images, adversarial, labels, kEpsilon / 4);
  }
  return {Accuracy(network, images, labels), Accuracy(network, images + noise, labels),
          Accuracy(network, adversarial, labels)};
}

}  // namespace assay::example
