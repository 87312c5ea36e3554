#include "server/api/model_admission.h"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/models/model_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::HasSubstr;

class ModelAdmissionTest : public ::testing::Test {
 protected:
  absl::Status Check(const std::string& bytes) const {
    const std::string path = directory_.File("model");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return CheckModelFile(path);
  }
  void ExpectInvalid(const std::string& bytes, const std::string& text) const {
    const absl::Status status = Check(bytes);
    EXPECT_THAT(status, HasReason(Reason::kInvalidModel));
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
  // The files that are models: one made here, and LibTorch's own if the engine has been built.
  static std::vector<std::string> Models() {
    std::vector<std::string> models = {ModelFile("")};
    for (const char* name : {"constant", "linear", "tiny_cnn", "crash"}) {
      std::string model =
          scheduler::FileText(absl::StrCat(ASSAY_BINARY_DIR "/tests/zoo/", name, ".pt"));
      if (!model.empty()) models.push_back(std::move(model));
    }
    return models;
  }
  store::TempDirectory directory_;
};

TEST_F(ModelAdmissionTest, TorchScriptFilesAreAdmitted) {
  for (const std::string& model : Models()) EXPECT_THAT(Check(model), IsOk());
}

TEST_F(ModelAdmissionTest, AFileThatIsCutOffAnywhereIsRefused) {
  for (const std::string& model : Models()) {
    for (size_t size = 0; size < model.size(); size += 64) {
      ASSERT_THAT(Check(model.substr(0, size)), HasReason(Reason::kInvalidModel)) << size;
    }
    ExpectInvalid(model.substr(0, model.size() - 1), "cut off on its way, or is damaged");
  }
}

TEST_F(ModelAdmissionTest, NoDamageOfOneByteOfTheDirectoryIsFatal) {
  const std::string model = ModelFile("");
  const size_t directory = model.find("PK\x01\x02");
  for (size_t at = directory; at < model.size(); ++at) {
    for (const char value : {'\x00', '\x7f', '\xff'}) {
      std::string damaged = model;
      damaged[at] = value;
      const absl::Status status = Check(damaged);
      if (status.ok()) continue;
      ASSERT_THAT(status, HasReason(Reason::kInvalidModel)) << at;
    }
  }
}

TEST_F(ModelAdmissionTest, WhatTheFileIsInsteadIsTold) {
  ExpectInvalid("", "empty");
  ExpectInvalid("import torch\n", "source of a program");
  ExpectInvalid(std::string(100'000, '\0'), "no format that is known here");
  ExpectInvalid(std::string("\x80\x02}q", 4), "pickle");
  ExpectInvalid(MakeZip({{"readme.txt", "x"}}), "zip archive (with 'readme.txt')");
  ExpectInvalid(MakeZip({}), "zip archive of nothing");
}

TEST_F(ModelAdmissionTest, WhatIsNoModelIsToldHowToBecomeOne) {
  ExpectInvalid(std::string(100'000, '\0'), "torch.export.save");
  ExpectInvalid(MakeZip({{"readme.txt", "x"}}), "torch.export.save");
}

TEST_F(ModelAdmissionTest, AModelWithAnInterfaceIsAModel) {
  v1::ModelInterface interface;
  interface.set_layout(v1::ModelInterface::NHWC);
  for (const std::string& model : Models()) {
    EXPECT_THAT(Check(model + InterfaceTrailer(interface)), IsOk());
  }
  ExpectInvalid("text" + InterfaceTrailer(interface), "it is text");
}

TEST_F(ModelAdmissionTest, ACommentBehindTheArchiveIsNoObstacle) {
  std::string model = ModelFile("");
  model[model.size() - 2] = '\x05';
  EXPECT_THAT(Check(model + "hello"), IsOk());
}

TEST_F(ModelAdmissionTest, AMissingFileIsAFaultOfTheStore) {
  EXPECT_THAT(CheckModelFile(directory_.File("nothing")), HasReason(Reason::kStorageFailed));
}

}  // namespace
}  // namespace assay::api
