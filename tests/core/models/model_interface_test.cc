// How a model wants its images: options, text, and what a file says of it.
#include "core/models/model_interface.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/models/model_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::ModelInterface Everything() {
  ModelInterfaceOptions options;
  options.input_range = "0..255";
  options.normalize = "mean=123.5,116.25,103.5,std=58.5,57,57.25";
  options.channels = "bgr";
  options.layout = "nhwc";
  options.resize = "224x192";
  options.output = "key=probs,probabilities";
  options.precision = "bf16";
  return *ParseModelInterface(options);
}

TEST(ModelInterface, SaysWhatTheOptionsSay) {
  const v1::ModelInterface all = Everything();
  EXPECT_EQ(all.range_low(), 0);
  EXPECT_EQ(all.range_high(), 255);
  EXPECT_THAT(all.mean(), ElementsAre(123.5f, 116.25f, 103.5f));
  EXPECT_THAT(all.std(), ElementsAre(58.5f, 57.0f, 57.25f));
  EXPECT_EQ(all.channels(), v1::ModelInterface::BGR);
  EXPECT_EQ(all.layout(), v1::ModelInterface::NHWC);
  EXPECT_EQ(all.resize_height(), 224);
  EXPECT_EQ(all.resize_width(), 192);
  EXPECT_EQ(all.output_key(), "probs");
  EXPECT_EQ(all.output(), v1::ModelInterface::PROBABILITIES);
  EXPECT_EQ(ModelInterfaceText(all),
            "resized to 224x192, range 0..255, mean 123.5 116.25 103.5, std 58.5 57 57.25, BGR, "
            "NHWC, output 'probs', probabilities, in bfloat16");
}

TEST(ModelInterface, WhatEveryModelDoesAnywaySaysNothing) {
  ModelInterfaceOptions options;
  options.channels = "rgb";
  options.layout = "nchw";
  EXPECT_EQ(ParseModelInterface(options)->ByteSizeLong(), 0u);
  EXPECT_EQ(ModelInterfaceText(v1::ModelInterface()), "");
}

TEST(ModelInterface, KnowsImageNet) {
  ModelInterfaceOptions options;
  options.normalize = "imagenet";
  EXPECT_THAT(ParseModelInterface(options)->mean(), ElementsAre(0.485f, 0.456f, 0.406f));
  EXPECT_THAT(ParseModelInterface(options)->std(), ElementsAre(0.229f, 0.224f, 0.225f));
}

struct Refusal {
  const char* name;
  std::string ModelInterfaceOptions::*option;
  const char* value;
  const char* text;
};

class ModelInterfaceRefusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(ModelInterfaceRefusals, SayWhatWouldBeRight) {
  ModelInterfaceOptions options;
  options.*GetParam().option = GetParam().value;
  const auto parsed = ParseModelInterface(options);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(ReasonOf(parsed.status()), Reason::kInvalidArgument);
  std::string all;
  for (const FieldViolation& violation : ViolationsOf(parsed.status())) {
    absl::StrAppend(&all, violation.field, " ", violation.description, "\n");
  }
  EXPECT_THAT(all, HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    All, ModelInterfaceRefusals,
    ::testing::Values(
        Refusal{"Range", &ModelInterfaceOptions::input_range, "255", "0..255"},
        Refusal{"RangeTurned", &ModelInterfaceOptions::input_range, "1..0", "the smaller first"},
        Refusal{"RangeNotANumber", &ModelInterfaceOptions::input_range, "nan..1", "finite"},
        Refusal{"NormalizeName", &ModelInterfaceOptions::normalize, "cifar", "imagenet"},
        Refusal{"MeanAlone", &ModelInterfaceOptions::normalize, "mean=0.5", "mean=0.485"},
        Refusal{"Uneven", &ModelInterfaceOptions::normalize, "mean=0.5,0.5,std=1", "as many"},
        Refusal{"StdZero", &ModelInterfaceOptions::normalize, "mean=0,std=0", "above 0"},
        Refusal{"Channels", &ModelInterfaceOptions::channels, "grb", "rgb or bgr"},
        Refusal{"Layout", &ModelInterfaceOptions::layout, "chw", "nchw or nhwc"},
        Refusal{"Resize", &ModelInterfaceOptions::resize, "big", "224x192"},
        Refusal{"ResizeZero", &ModelInterfaceOptions::resize, "0", "224x192"},
        Refusal{"ResizeLarge", &ModelInterfaceOptions::resize, "5000", "from 1 to 4096"},
        Refusal{"ResizeThree", &ModelInterfaceOptions::resize, "3x224x224", "224x192"},
        Refusal{"Output", &ModelInterfaceOptions::output, "softmax", "probabilities"},
        Refusal{"Precision", &ModelInterfaceOptions::precision, "fp16", "fp32, tf32 or bf16"},
        Refusal{"OutputBoth", &ModelInterfaceOptions::output, "key=a,index=1", "not both"},
        Refusal{"OutputIndex", &ModelInterfaceOptions::output, "index=-1", "not be negative"}),
    [](const auto& test) { return test.param.name; });

class ModelFileTest : public ::testing::Test {
 protected:
  ~ModelFileTest() override { std::filesystem::remove(path_); }
  absl::StatusOr<ModelFile> Read(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    return ReadModelFile(path_);
  }
  const std::string path_ = absl::StrCat(::testing::TempDir(), "/model_file_", getpid());
};

TEST_F(ModelFileTest, AModelAloneIsTheWholeFile) {
  for (const std::string& bytes : {std::string(), std::string("PK"), std::string(1000, 'x')}) {
    const auto file = Read(bytes);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->model_bytes, static_cast<int64_t>(bytes.size()));
    EXPECT_EQ(file->interface.ByteSizeLong(), 0u);
  }
  EXPECT_EQ(InterfaceTrailer({}), "");
}

TEST_F(ModelFileTest, TheInterfaceBehindTheModelComesBack) {
  const std::string model(777, 'm');
  const auto file = Read(model + InterfaceTrailer(Everything()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->model_bytes, 777);
  EXPECT_EQ(file->interface.SerializeAsString(), Everything().SerializeAsString());
}

TEST_F(ModelFileTest, EqualInterfacesHaveEqualBytes) {
  EXPECT_EQ(InterfaceTrailer(Everything()), InterfaceTrailer(Everything()));
}

TEST_F(ModelFileTest, DamageIsFoundOrChangesNothingUnsaid) {
  const std::string whole = std::string(50, 'm') + InterfaceTrailer(Everything());
  for (size_t at = 50; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x80);
    const auto file = Read(damaged);
    // A digest guards the numbers; here it is enough that nothing crashes or reads outside.
    if (file.ok()) {
      EXPECT_LE(file->model_bytes, static_cast<int64_t>(damaged.size()));
    } else {
      EXPECT_EQ(ReasonOf(file.status()), Reason::kInvalidModel) << at;
    }
  }
}

TEST_F(ModelFileTest, AnInterfaceOfALaterVersionIsRefused) {
  v1::ModelInterface later = Everything();
  later.GetReflection()->MutableUnknownFields(&later)->AddVarint(100, 1);
  const auto file = Read("m" + InterfaceTrailer(later));
  EXPECT_EQ(ReasonOf(file.status()), Reason::kInvalidModel);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("not known to this version"));
  v1::ModelInterface other = Everything();
  other.set_output(static_cast<v1::ModelInterface::Output>(77));
  EXPECT_EQ(ReasonOf(Read("m" + InterfaceTrailer(other)).status()), Reason::kInvalidModel);
}

TEST_F(ModelFileTest, AMissingFileIsAFaultOfTheStore) {
  EXPECT_EQ(ReasonOf(ReadModelFile(path_ + ".none").status()), Reason::kStorageFailed);
}

}  // namespace
}  // namespace assay
