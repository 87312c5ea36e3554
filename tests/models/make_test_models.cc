// Writes the zoo: small TorchScript files, each with one fixed behaviour, for the tests of the
// engine and of the whole.
//
//   make_test_models DIR
//
// The build runs it (target test_models) into build/tests/zoo. Unless said otherwise a model takes
// float32 images N x 3 x 8 x 8 and returns float32 logits N x 4 of one fixed linear function ("the
// linear logits"):
//
//   logits = W flatten(x) + b,  W ~ N(0, 1/64),  b = -W (1/2, ..., 1/2)
//
// so an image of constant 1/2 has all logits 0, and random images spread over all classes.
//
// * linear.pt: the linear logits; their numbers are in linear_weights.txt
// * linear_k2.pt: likewise with 2 classes (linear_k2_weights.txt)
// * linear_k3.pt: likewise with 3 classes (linear_k3_weights.txt)
// * linear_gray.pt: likewise for images of 1 channel (linear_gray_weights.txt)
// * tiny_cnn.pt: submodule `features` (convolution, batch norm, relu, max pooling), dropout of
//   one half, submodule `fc`; in evaluation mode
// * tiny_cnn_train_mode.pt: the same weights, saved in training mode: random, and changed by
//   every call, unless switched
// * constant.pt: logits (0.1, 0.2, 0.9, 0.3) that do not depend on the image: there is no
//   gradient to ask for
// * zero_gradient.pt: the linear logits of the image rounded to 0 or 1: the gradient exists and
//   is 0
// * straight_through.pt: the linear logits of the image rounded to sixteenths, with the gradient of
//   the linear logits, as a model trained for quantisation has
// * straight_through_in_place.pt: likewise, but what is detached is written to
// * random.pt: the linear logits plus new standard normal noise at every call
// * softmax.pt: the softmax of the linear logits: probabilities instead of logits
// * nan.pt: NaN logits (and gradient) for every image
// * nan_some.pt: NaN logits for the images whose mean is above 0.5, otherwise linear
// * nan_bright.pt: likewise, but the other images have a gradient (nan_some's is NaN)
// * wrong_shape.pt: N x 2 x 2 instead of N x 4
// * wrong_count.pt: N - 1 rows instead of N
// * adapts.pt: in passes that ask for gradients, moves the image along a gradient that it
//   computes by itself; otherwise linear
// * adapts_always.pt: likewise in every pass, which fails where there are no gradients
// * tuple_output.pt: a tuple (linear logits, mean of each image)
// * double_output.pt: the linear logits as float64
// * batch_statistics.pt: the linear logits minus their mean over the batch
// * training_norm.pt: the linear logits of the image normalised by batch norm that always trains
// * in_place.pt: the linear logits, computed by writing into the image
// * in_place_when_bright.pt: likewise, but only when a pixel of the batch is above 1
// * batch_of_1.pt, batch_of_8.pt: linear, for batches of exactly that many images
// * newer.pt: calls an operator that no LibTorch has
// * raises.pt: raises "assay test model: always raises"
// * raises_later.pt: raises "assay test model: first pixel too bright" when the first pixel
//   (channel 0, row 0, column 0) of any image of the batch is above 0.9, otherwise linear
// * loops.pt: never returns when the first pixel of any image of the batch is above 0.9,
//   otherwise linear
// * loops_always.pt: never returns
// * hungry.pt: asks for 256 TiB per image, more than an address space holds: the allocation fails
//   on every machine
// * hungry_above_4.pt: likewise when the batch has more than 4 images, otherwise linear
// * prints.pt: linear, printing 200 lines of 100 bytes to standard output at every call
// * crash.pt: writes far outside its memory: the process dies of SIGSEGV
// * writes_at_load.pt: linear; being loaded writes a file DIR/written_at_load, before any forward
// * writes_in_forward.pt: linear; every forward writes a file DIR/written_in_forward
// * slow.pt: linear, after some 5 ms of matrix products per call whatever the batch
// * not_torchscript.pt: 4096 random bytes
// * truncated.pt: the first half of linear.pt
//
// A weights file has a line "classes channels height width" and then, for each class, a line with
// its bias and its weights in the order channel, row, column.
#include <caffe2/serialize/inline_container.h>
#include <torch/script.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int64_t kSize = 8;
constexpr double kPi = 3.14159265358979323846;

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), so that the weights do not depend on the version
// of LibTorch.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double Uniform() { return static_cast<double>(Bits() >> 11) * 0x1.0p-53; }
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return radius * std::cos(2 * kPi * Uniform());
  }

 private:
  uint64_t state_;
};

at::Tensor NormalTensor(Random& random, const std::vector<int64_t>& shape, double scale) {
  at::Tensor tensor = torch::empty(shape, torch::kFloat32);
  float* values = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    values[i] = static_cast<float>(random.Normal() * scale);
  }
  return tensor;
}

// A module with the attribute that train() and eval() set; one made in C++ has none by itself.
torch::jit::Module NewModule(const std::string& name, bool training = false) {
  torch::jit::Module module("__torch__.assay." + name);
  module.register_attribute("training", c10::BoolType::get(), training);
  return module;
}

struct LinearWeights {
  at::Tensor weight;  // classes x (channels height width)
  at::Tensor bias;    // classes
  int64_t channels;
};

LinearWeights MakeLinearWeights(uint64_t seed, int64_t classes, int64_t channels) {
  Random random(seed);
  LinearWeights weights;
  weights.channels = channels;
  weights.weight = NormalTensor(random, {classes, channels * kSize * kSize}, 0.125);
  weights.bias = weights.weight.to(torch::kFloat64).sum(1).mul(-0.5).to(torch::kFloat32);
  return weights;
}

// A module whose method `logits` is the linear function, with `forward` to be defined in terms of
// it.
torch::jit::Module LinearModule(const std::string& name, const LinearWeights& weights,
                                const std::string& forward) {
  torch::jit::Module module = NewModule(name);
  module.register_parameter("weight", weights.weight.clone(), /*is_buffer=*/false);
  module.register_parameter("bias", weights.bias.clone(), /*is_buffer=*/false);
  module.define(
      "def logits(self, x: Tensor) -> Tensor:\n"
      "    return torch.addmm(self.bias, x.flatten(1), self.weight.t())\n");
  module.define(forward);
  return module;
}

torch::jit::Module TinyCnn(bool training) {
  Random random(11);
  torch::jit::Module features = NewModule("Features", training);
  features.register_parameter("weight", NormalTensor(random, {8, 3, 3, 3}, 0.4), false);
  features.register_parameter("bn_weight", NormalTensor(random, {8}, 0.2) + 1, false);
  features.register_parameter("bn_bias", NormalTensor(random, {8}, 0.2), false);
  features.register_buffer("bn_mean", NormalTensor(random, {8}, 0.3));
  features.register_buffer("bn_variance", NormalTensor(random, {8}, 0.3).abs() + 0.3);
  features.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    y = torch.conv2d(x, self.weight, None, [1, 1], [1, 1])\n"
      "    y = torch.batch_norm(y, self.bn_weight, self.bn_bias, self.bn_mean, self.bn_variance,\n"
      "                         self.training, 0.1, 1e-5, False)\n"
      "    return torch.max_pool2d(torch.relu(y), [2, 2])\n");

  // Centred on random images, so that they spread over all classes.
  at::Tensor images = torch::empty({256, 3, kSize, kSize});
  for (int64_t i = 0; i < images.numel(); ++i) {
    images.data_ptr<float>()[i] = static_cast<float>(random.Uniform());
  }
  const at::Tensor fc_weight = NormalTensor(random, {4, 128}, 0.3);
  torch::jit::Module for_centre = features.clone();
  for_centre.eval();
  const at::Tensor mean_feature =
      for_centre.forward({images}).toTensor().flatten(1).mean(0).detach();

  torch::jit::Module fc = NewModule("Fc", training);
  fc.register_parameter("weight", fc_weight, false);
  fc.register_parameter("bias", -torch::mv(fc_weight, mean_feature), false);
  fc.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    return torch.addmm(self.bias, x.flatten(1), self.weight.t())\n");

  torch::jit::Module module = NewModule("TinyCnn", training);
  module.register_module("features", features);
  module.register_module("fc", fc);
  module.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    y = torch.dropout(self.features.forward(x), 0.5, self.training)\n"
      "    return self.fc.forward(y)\n");
  return module;
}

torch::jit::Module Constant() {
  torch::jit::Module module = NewModule("Constant");
  module.register_parameter("values", torch::tensor({0.1f, 0.2f, 0.9f, 0.3f}), false);
  module.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    return self.values.detach().unsqueeze(0).repeat([x.size(0), 1])\n");
  return module;
}

torch::jit::Module Slow(const LinearWeights& weights) {
  torch::jit::Module module = LinearModule("Slow", weights, "");
  module.register_buffer("identity", torch::eye(256));
  // The products start from the image, or they would be computed once when the model is frozen, and
  // end in the logits, or they would be left out.
  module.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    product = self.identity + 0.0 * x.detach().sum()\n"
      "    for _ in range(6):\n"
      "        product = torch.mm(product, self.identity)\n"
      "    return self.logits(x) + 0.0 * product.sum()\n");
  return module;
}

torch::jit::Module WritesAtLoad(const LinearWeights& weights, const std::string& written) {
  torch::jit::Module module =
      LinearModule("WritesAtLoad", weights,
                   "def forward(self, x: Tensor) -> Tensor:\n    return self.logits(x)\n");
  module.define(
      "def __getstate__(self) -> Tuple[Tensor, Tensor, bool]:\n"
      "    return (self.weight, self.bias, self.training)\n");
  module.define(
      "def __setstate__(self, state: Tuple[Tensor, Tensor, bool]) -> None:\n"
      "    self.weight = state[0]\n"
      "    self.bias = state[1]\n"
      "    self.training = state[2]\n"
      "    torch.save(state[1], '" +
      written + "')\n");
  return module;
}

void WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return bytes;
}

// `from` as a newer PyTorch might write it: with an operator that nobody has yet.
void WriteNewer(const std::filesystem::path& from, const std::filesystem::path& to) {
  caffe2::serialize::PyTorchStreamReader reader(from.string());
  caffe2::serialize::PyTorchStreamWriter writer(to.string());
  for (const std::string& record : reader.getAllRecords()) {
    if (record == "version") continue;  // written by the writer
    const auto [data, size] = reader.getRecord(record);
    std::string bytes(static_cast<const char*>(data.get()), size);
    const std::string known = "torch.addmm(";
    if (const size_t at = bytes.find(known); at != std::string::npos) {
      bytes.replace(at, known.size(), "torch.addmm_of_tomorrow(");
    }
    writer.writeRecord(record, bytes.data(), bytes.size());
  }
  writer.writeEndOfFile();
}

std::string WeightsText(const LinearWeights& weights) {
  const int64_t classes = weights.weight.size(0);
  std::string text = std::to_string(classes) + " " + std::to_string(weights.channels) + " " +
                     std::to_string(kSize) + " " + std::to_string(kSize) + "\n";
  auto append = [&text](float value) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), "%.9g", static_cast<double>(value));
    text += buffer;
  };
  for (int64_t k = 0; k < classes; ++k) {
    append(weights.bias[k].item<float>());
    const at::Tensor row = weights.weight[k].contiguous();
    for (int64_t i = 0; i < row.numel(); ++i) {
      text += ' ';
      append(row.data_ptr<float>()[i]);
    }
    text += '\n';
  }
  return text;
}

// The behaviours that take no more than a forward written in terms of the linear logits.
struct Behaviour {
  const char* file;
  const char* forward;
};

constexpr Behaviour kBehaviours[] = {
    {"zero_gradient",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(torch.round(x))\n"},
    {"straight_through",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(x + (torch.round(16 * x) / 16 - x).detach())\n"},
    {"straight_through_in_place",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    step = (torch.round(16 * x) / 16 - x).detach()\n"
     "    return self.logits(x + step.mul_(1.0))\n"},
    {"random",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    return y + torch.randn_like(y)\n"},
    {"adapts",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    if y.requires_grad:\n"
     "        g = torch.autograd.grad([y.sum()], [x], None, True)[0]\n"
     "        if g is not None:\n"
     "            y = self.logits(x - 0.1 * torch.sign(g))\n"
     "    return y\n"},
    {"adapts_always",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    g = torch.autograd.grad([y.sum()], [x])[0]\n"
     "    return y if g is None else self.logits(x + g)\n"},
    {"softmax",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return torch.softmax(self.logits(x), 1)\n"},
    {"nan",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(x) * float('nan')\n"},
    {"nan_some",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    bright = x.flatten(1).mean(1, True) > 0.5\n"
     "    return torch.where(bright, y * float('nan'), y)\n"},
    {"nan_bright",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    bright = x.flatten(1).mean(1, True) > 0.5\n"
     "    return self.logits(x).masked_fill(bright, float('nan'))\n"},
    {"batch_statistics",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    return y - y.mean([0], True)\n"},
    {"training_norm",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, "
     "False))\n"},
    {"in_place",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = x.contiguous().sub_(0.5).div_(0.25)\n"
     "    return self.logits(y * 0.25 + 0.5)\n"},
    {"in_place_when_bright",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    if bool((x > 1.0).any()):\n"
     "        x.clamp_(0.0, 1.0)\n"
     "    return self.logits(x)\n"},
    {"batch_of_1",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(x.view([1, 3, 8, 8]))\n"},
    {"batch_of_8",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(x.view([8, 3, 8, 8]))\n"},
    {"wrong_shape",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(x).reshape([-1, 2, 2])\n"},
    {"wrong_count",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(x)[1:]\n"},
    {"tuple_output",
     "def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:\n"
     "    return (self.logits(x), x.flatten(1).mean(1))\n"},
    {"double_output",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    return self.logits(x).double()\n"},
    {"raises",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    assert x.dim() < 0, 'assay test model: always raises'\n"
     "    return self.logits(x)\n"},
    {"raises_later",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    dark = bool((x[:, 0, 0, 0] <= 0.9).all())\n"
     "    assert dark, 'assay test model: first pixel too bright'\n"
     "    return self.logits(x)\n"},
    // The loops feed the result, or they would be dead code.
    {"loops",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    while bool((x[:, 0, 0, 0] > 0.9).any()):\n"
     "        y = y * 1.0\n"
     "    return y\n"},
    {"loops_always",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    while x.dim() >= 0:\n"
     "        y = y * 1.0\n"
     "    return y\n"},
    // The sizes come from the image, or the tensor would be made when the model is frozen.
    {"hungry",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    huge = torch.empty([x.size(0), 70368744177664])\n"
     "    return self.logits(x) + huge[0, 0]\n"},
    {"hungry_above_4",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    y = self.logits(x)\n"
     "    if x.size(0) > 4:\n"
     "        huge = torch.empty([x.size(0), 70368744177664])\n"
     "        y = y + huge[0, 0]\n"
     "    return y\n"},
    // The constructor of sparse tensors that does not look at its indices (int64, whose number is
    // 4).
    {"crash",
     "def forward(self, x: Tensor) -> Tensor:\n"
     "    values = x.detach().flatten()[:1]\n"
     "    index = torch.full([1, 1], 1 << 40, dtype=4)\n"
     "    sparse = torch._sparse_coo_tensor_unsafe(index, values, [4])\n"
     "    return self.logits(x) + sparse.to_dense()\n"},
};

void WriteZoo(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  auto save = [&directory](const torch::jit::Module& module, const std::string& name) {
    module.save((directory / (name + ".pt")).string());
  };

  const std::string linear_forward =
      "def forward(self, x: Tensor) -> Tensor:\n    return self.logits(x)\n";
  const LinearWeights weights = MakeLinearWeights(/*seed=*/1, /*classes=*/4, /*channels=*/3);
  auto save_linear = [&](const LinearWeights& linear, const std::string& name) {
    save(LinearModule("Linear", linear, linear_forward), name);
    WriteFile(directory / (name + "_weights.txt"), WeightsText(linear));
  };
  save_linear(weights, "linear");
  save_linear(MakeLinearWeights(2, 2, 3), "linear_k2");
  save_linear(MakeLinearWeights(3, 3, 3), "linear_k3");
  save_linear(MakeLinearWeights(4, 4, 1), "linear_gray");

  for (const Behaviour& behaviour : kBehaviours) {
    save(LinearModule("Model", weights, behaviour.forward), behaviour.file);
  }
  save(TinyCnn(/*training=*/false), "tiny_cnn");
  save(TinyCnn(/*training=*/true), "tiny_cnn_train_mode");
  save(Constant(), "constant");
  save(Slow(weights), "slow");

  save(LinearModule("Prints", weights,
                    "def forward(self, x: Tensor) -> Tensor:\n"
                    "    for _ in range(200):\n"
                    "        print('" +
                        std::string(99, '#') +
                        "')\n"
                        "    return self.logits(x)\n"),
       "prints");

  const std::filesystem::path absolute = std::filesystem::absolute(directory);
  save(WritesAtLoad(weights, (absolute / "written_at_load").string()), "writes_at_load");
  save(LinearModule("WritesInForward", weights,
                    "def forward(self, x: Tensor) -> Tensor:\n"
                    "    torch.save(x, '" +
                        (absolute / "written_in_forward").string() +
                        "')\n"
                        "    return self.logits(x)\n"),
       "writes_in_forward");

  WriteNewer(directory / "linear.pt", directory / "newer.pt");
  Random random(5);
  std::string noise;
  while (noise.size() < 4096) noise += static_cast<char>(random.Bits() & 0xff);
  WriteFile(directory / "not_torchscript.pt", noise);
  const std::string good = ReadFile(directory / "linear.pt");
  WriteFile(directory / "truncated.pt", good.substr(0, good.size() / 2));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_test_models DIR\n");
    return 2;
  }
  try {
    WriteZoo(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_test_models: %s\n", error.what());
    return 1;
  }
  return 0;
}
