#include "server/config/check.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CheckTest : public ::testing::Test {
 protected:
  CheckTest() {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/assay-engine") << "#!/bin/sh\n";
    std::filesystem::permissions(folder_ + "/assay-engine", std::filesystem::perms::owner_all);
    flags_.data_dir = folder_ + "/new/data";
    flags_.devices = "cpu";
  }
  ~CheckTest() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> Mistakes() {
    std::vector<std::string> texts;
    for (const FieldViolation& one : CheckFlags(flags_, folder_).mistakes) {
      texts.push_back(absl::StrCat(one.field, ": ", one.description));
    }
    return texts;
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/check_", getpid());
  Flags flags_;
};

TEST_F(CheckTest, WhatIsRightIsTakenAndNothingIsMade) {
  const CheckedFlags checked = CheckFlags(flags_, folder_);
  EXPECT_THAT(checked.mistakes, IsEmpty());
  EXPECT_EQ(checked.listen.ToString(), "127.0.0.1:8001");
  EXPECT_THAT(checked.devices, ElementsAre("cpu"));
  EXPECT_EQ(checked.engine_binary, folder_ + "/assay-engine");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
}

TEST_F(CheckTest, EverythingThatIsWrongIsTold) {
  std::ofstream(folder_ + "/file") << "x";
  flags_.listen = "nowhere";
  flags_.devices = "gpu0";
  flags_.data_dir = folder_ + "/file/data";
  flags_.frost_directory = folder_ + "/frost";
  flags_.port_file = folder_ + "/file/port";
  flags_.model_repository = folder_ + "/models";
  EXPECT_THAT(Mistakes(),
              ElementsAre(HasSubstr("--listen: must be HOST:PORT"), HasSubstr("--data-dir: "),
                          HasSubstr("--port-file: "), HasSubstr("--model-repository: cannot read "),
                          HasSubstr("--frost-directory: "),
                          HasSubstr("--devices: must be auto, or a list such as")));
  flags_ = Flags();
  flags_.engine_binary = folder_ + "/file";
  flags_.data_dir = folder_;
  flags_.listen = "0.0.0.0:8002";
  EXPECT_THAT(Mistakes(), ElementsAre(HasSubstr("--metrics-port: must not be the port of"),
                                      HasSubstr("--engine-binary: there is no program")));
}

TEST_F(CheckTest, ObjectStorageIsCheckedAsFarAsItCanBe) {
  flags_.blobs = "s3://bucket/some prefix";
  flags_.s3_endpoint = "minio:9000";
  flags_.s3_credentials = folder_ + "/keys";
  flags_.s3_region = "";
  EXPECT_THAT(Mistakes(), ElementsAre(HasSubstr("--blobs: must be s3://BUCKET"),
                                      HasSubstr("--s3-endpoint: must be https://HOST"),
                                      HasSubstr("--s3-region: "),
                                      HasSubstr("--s3-credentials: object storage needs")));
  std::ofstream(folder_ + "/keys") << "[default]\naws_access_key_id=a\naws_secret_access_key=b\n";
  flags_.blobs = "s3://bucket/prefix";
  flags_.s3_endpoint = "https://minio:9000";
  flags_.s3_region = "eu-central-1";
  EXPECT_THAT(Mistakes(), IsEmpty()) << "also without --store";
  flags_.blobs = folder_;
  EXPECT_THAT(Mistakes(),
              ElementsAre(HasSubstr("--s3-endpoint: is for --blobs s3://"),
                          HasSubstr("--s3-credentials: is for --blobs s3://"),
                          HasSubstr("--blobs: is for several assayds over one --store")));
}

}  // namespace
}  // namespace assay
