#include "core/models/model_file.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/core/models/fake_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

class CheckModelFileTest : public ::testing::Test {
 protected:
  ~CheckModelFileTest() override { std::remove(path_.c_str()); }

  absl::Status Check(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    return CheckModelFile(path_);
  }
  void ExpectInvalid(const std::string& bytes, const std::string& text) const {
    const absl::Status status = Check(bytes);
    EXPECT_EQ(ReasonOf(status), Reason::kInvalidModel) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
  // The files that are models: one made here, and LibTorch's own if the engine has been built.
  static std::vector<std::string> Models() {
    std::vector<std::string> models = {FakeTorchScript("")};
    for (const char* name : {"constant", "linear", "tiny_cnn", "crash"}) {
      std::ifstream file(absl::StrCat(ASSAY_BINARY_DIR "/tests/zoo/", name, ".pt"),
                         std::ios::binary);
      if (!file) continue;
      models.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return models;
  }

  const std::string path_ = ::testing::TempDir() + "/check_model_file_" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                            absl::StrCat(getpid());
};

TEST_F(CheckModelFileTest, TorchScriptFilesAreAdmitted) {
  for (const std::string& model : Models()) EXPECT_EQ(Check(model), absl::OkStatus());
}

TEST_F(CheckModelFileTest, AFileThatIsCutOffAnywhereIsRefused) {
  for (const std::string& model : Models()) {
    for (size_t size = 0; size < model.size(); size += 64) {
      ASSERT_EQ(ReasonOf(Check(model.substr(0, size))), Reason::kInvalidModel) << size;
    }
    ExpectInvalid(model.substr(0, model.size() - 1), "cut off on its way, or is damaged");
  }
}

TEST_F(CheckModelFileTest, NoDamageOfOneByteOfTheDirectoryIsFatal) {
  const std::string model = FakeTorchScript("");
  const size_t directory = model.find("PK\x01\x02");
  for (size_t at = directory; at < model.size(); ++at) {
    for (const char value : {'\x00', '\x7f', '\xff'}) {
      std::string damaged = model;
      damaged[at] = value;
      const absl::Status status = Check(damaged);
      if (status.ok()) continue;
      ASSERT_EQ(ReasonOf(status), Reason::kInvalidModel) << at;
    }
  }
}

TEST_F(CheckModelFileTest, WhatTheFileIsInsteadIsTold) {
  ExpectInvalid("", "empty");
  ExpectInvalid("import torch\n", "source of a program");
  ExpectInvalid(std::string(100'000, '\0'), "no format that is known here");
  ExpectInvalid(std::string("\x80\x02}q", 4), "pickle");
  ExpectInvalid(MakeZip({{"readme.txt", "x"}}), "zip archive (with 'readme.txt')");
  ExpectInvalid(MakeZip({}), "zip archive of nothing");
}

TEST_F(CheckModelFileTest, WhatIsNoModelIsToldHowToBecomeOne) {
  ExpectInvalid(std::string(100'000, '\0'), "torch.export.save");
  ExpectInvalid(MakeZip({{"readme.txt", "x"}}), "torch.export.save");
}

TEST_F(CheckModelFileTest, AModelWithAnInterfaceIsAModel) {
  v1::ModelInterface interface;
  interface.set_layout(v1::ModelInterface::NHWC);
  for (const std::string& model : Models()) {
    EXPECT_EQ(Check(model + InterfaceTrailer(interface)), absl::OkStatus());
  }
  ExpectInvalid("text" + InterfaceTrailer(interface), "it is text");
}

TEST_F(CheckModelFileTest, ACommentBehindTheArchiveIsNoObstacle) {
  std::string model = FakeTorchScript("");
  model[model.size() - 2] = '\x05';
  EXPECT_EQ(Check(model + "hello"), absl::OkStatus());
}

TEST_F(CheckModelFileTest, AMissingFileIsAFaultOfTheStore) {
  EXPECT_EQ(ReasonOf(CheckModelFile(path_)), Reason::kStorageFailed);
}

}  // namespace
}  // namespace assay
