// Models that want their images otherwise, against the same done by hand.
#include "server/engine/import/apply_interface.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/models/model_file.h"
#include "core/models/model_interface.h"
#include "gmock/gmock.h"
#include "server/engine/import/read_model.h"

namespace assay::engine {
namespace {

using ::testing::HasSubstr;

torch::jit::Module Model(const std::string& body) {
  torch::jit::Module module("Net");
  module.define("def forward(self, x):\n" + body);
  return module;
}

// As options say it.
v1::ModelInterface Interface(std::string ModelInterfaceOptions::*option, const char* value) {
  ModelInterfaceOptions options;
  options.*option = value;
  return *ParseModelInterface(options);
}

at::Tensor Pass(const v1::ModelInterface& interface, const std::string& body, const at::Tensor& x) {
  auto wrapped = ApplyInterface(interface, Model(body));
  EXPECT_TRUE(wrapped.ok()) << wrapped.status();
  return wrapped->forward({x}).toTensor();
}

constexpr char kMeans[] = "  return torch.mean(x, [2, 3])\n";

TEST(ApplyInterface, ImagesAreScaledNormalisedAndTurnedInThisOrder) {
  ModelInterfaceOptions options;
  options.input_range = "0..255";
  options.normalize = "mean=10,20,30,std=1,2,4";
  options.channels = "bgr";
  const at::Tensor x = at::rand({2, 3, 4, 4});
  const at::Tensor y = Pass(*ParseModelInterface(options), kMeans, x);
  const at::Tensor means = x.mean({2, 3}) * 255;
  for (int64_t i = 0; i < 2; ++i) {
    const double red = (means[i][0].item<double>() - 10) / 1,
                 green = (means[i][1].item<double>() - 20) / 2,
                 blue = (means[i][2].item<double>() - 30) / 4;
    EXPECT_NEAR(y[i][0].item<double>(), blue, 1e-4);
    EXPECT_NEAR(y[i][1].item<double>(), green, 1e-4);
    EXPECT_NEAR(y[i][2].item<double>(), red, 1e-4);
  }
}

TEST(ApplyInterface, OneMeanServesAllChannels) {
  const at::Tensor x = at::rand({1, 3, 2, 2});
  const at::Tensor y =
      Pass(Interface(&ModelInterfaceOptions::normalize, "mean=0.5,std=0.25"), kMeans, x);
  EXPECT_TRUE(at::allclose(y, (x.mean({2, 3}) - 0.5) / 0.25, 0, 1e-6));
}

TEST(ApplyInterface, TheLayoutIsWhatTheModelWants) {
  const at::Tensor x = at::rand({2, 3, 4, 5});
  const at::Tensor y = Pass(Interface(&ModelInterfaceOptions::layout, "nhwc"),
                            "  return torch.mean(x, [1, 2])\n", x);
  EXPECT_TRUE(at::allclose(y, x.mean({2, 3}), 0, 1e-6));
}

TEST(ApplyInterface, ImagesAreResizedBilinearly) {
  // A gradient from left to right stays one: at twice the width, every value is a quarter of a step
  // from a neighbour's.
  const at::Tensor x = at::arange(4, at::kFloat).reshape({1, 1, 1, 4}).expand({1, 1, 2, 4});
  const at::Tensor y =
      Pass(Interface(&ModelInterfaceOptions::resize, "4x8"), "  return torch.flatten(x, 1)\n", x);
  ASSERT_EQ(y.size(1), 32);
  const float expected[] = {0, 0.25F, 0.75F, 1.25F, 1.75F, 2.25F, 2.75F, 3};
  for (int64_t i = 0; i < 32; ++i) EXPECT_NEAR(y[0][i].item<double>(), expected[i % 8], 1e-6);
}

TEST(ApplyInterface, ProbabilitiesBecomeLogitsThatAreFinite) {
  const at::Tensor x = at::tensor({1.0F, 2.0F, 500.0F}).reshape({1, 3, 1, 1});
  const std::string softmax = "  return torch.softmax(torch.flatten(x, 1), 1)\n";
  const auto interface = Interface(&ModelInterfaceOptions::output, "probabilities");
  const at::Tensor y = Pass(interface, softmax, x);
  EXPECT_TRUE(at::isfinite(y).all().item<bool>());
  const at::Tensor mild = at::tensor({1.0F, 2.0F, 3.5F}).reshape({1, 3, 1, 1});
  const at::Tensor z = Pass(interface, softmax, mild);
  EXPECT_NEAR((z[0][2] - z[0][0]).item<double>(), 2.5, 1e-5);
}

TEST(ApplyInterface, OneLogitBecomesTwoClasses) {
  const auto interface = Interface(&ModelInterfaceOptions::output, "binary-logit");
  const at::Tensor x = at::rand({3, 1, 2, 2});
  for (const char* body :
       {"  return torch.mean(x, [1, 2, 3])\n", "  return torch.mean(x, [2, 3])\n"}) {
    const at::Tensor y = Pass(interface, body, x);
    ASSERT_EQ(y.sizes(), at::IntArrayRef({3, 2}));
    EXPECT_EQ(y[1][0].item<double>(), 0);
    EXPECT_NEAR(y[1][1].item<double>(), x[1].mean().item<double>(), 1e-6);
  }
}

TEST(ApplyInterface, AnEntryOfADictionaryOrTupleIsChosen) {
  const at::Tensor x = at::rand({2, 3, 1, 1});
  const std::string dictionary =
      "  return {\"a\": torch.flatten(x, 1), \"b\\\"'\": torch.flatten(x, 1) * 2}\n";
  EXPECT_TRUE(at::equal(Pass(Interface(&ModelInterfaceOptions::output, "key=b\"'"), dictionary, x),
                        x.flatten(1) * 2));
  EXPECT_TRUE(at::equal(Pass(Interface(&ModelInterfaceOptions::output, "index=1"),
                             "  return (x, torch.flatten(x, 1) * 3)\n", x),
                        x.flatten(1) * 3));
}

TEST(ApplyInterface, AnOutputThatIsNotThereIsRefused) {
  for (const char* output : {"key=logits", "index=5"}) {
    const auto wrapped = ApplyInterface(Interface(&ModelInterfaceOptions::output, output),
                                        Model("  return (x, x)\n"));
    ASSERT_FALSE(wrapped.ok());
    EXPECT_EQ(ReasonOf(wrapped.status()), Reason::kModelOutputInvalid);
    EXPECT_THAT(std::string(wrapped.status().message()), HasSubstr("returns"));
  }
}

TEST(ApplyInterface, GradientsAreThoseOfTheImages) {
  const at::Tensor x = at::rand({1, 3, 2, 2}).requires_grad_(true);
  const at::Tensor y = Pass(Interface(&ModelInterfaceOptions::input_range, "-1..1"),
                            "  return torch.sum(x * x, [1, 2, 3])\n", x);
  const at::Tensor gradient = torch::autograd::grad({y}, {x}, {at::ones({1})})[0];
  EXPECT_TRUE(at::allclose(gradient, 4 * (2 * x.detach() - 1), 0, 1e-5));
}

TEST(ReadModel, AFileThatSaysHowItWantsItsImagesGetsThem) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/with_interface_", getpid());
  Model(kMeans).save(path);
  const auto interface = Interface(&ModelInterfaceOptions::input_range, "0..255");
  std::ofstream(path, std::ios::binary | std::ios::app) << InterfaceTrailer(interface);
  auto model = ReadModel(path, {3, 2, 2}, at::kCPU);
  std::filesystem::remove(path);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->format, "TorchScript");
  EXPECT_EQ(model->interface.range_high(), 255);
  const at::Tensor y = model->module.forward({at::ones({1, 3, 2, 2})}).toTensor();
  EXPECT_NEAR(y[0][0].item<double>(), 255, 1e-3);
}

}  // namespace
}  // namespace assay::engine
