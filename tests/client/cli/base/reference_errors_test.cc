#include "client/cli/base/reference_errors.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gtest/gtest.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

TEST(ReferenceErrors, AreReadFromJsonOrNamed) {
  EXPECT_EQ(ReadReferenceErrors("alexnet-mean")->name(), "alexnet-mean");
  const fs::path path =
      fs::path(::testing::TempDir()) / absl::StrCat("reference_", getpid(), ".json");
  std::ofstream(path) << R"({"name": "mine", "clean_error": 0.25,
      "corruptions": [{"corruption": "fog", "errors": [0.1, 0.2, 0.3, 0.4, 0.5]}]})";
  const auto errors = ReadReferenceErrors(path.string());
  ASSERT_TRUE(errors.ok()) << errors.status();
  EXPECT_EQ(errors->name(), "mine");
  EXPECT_EQ(errors->clean_error(), 0.25);
  EXPECT_EQ(errors->corruptions(0).errors(4), 0.5);
  for (const char* text : {"", "{", "{}", "[1]", R"({"corruption": "fog"})"}) {
    std::ofstream(path) << text;
    EXPECT_EQ(ReasonOf(ReadReferenceErrors(path.string()).status()), Reason::kUnreadableInput)
        << text;
  }
  fs::remove(path);
  EXPECT_FALSE(ReadReferenceErrors(path.string()).ok());
}

}  // namespace
}  // namespace assay::cli
