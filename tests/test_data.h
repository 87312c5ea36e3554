// Where tests find real models and images, and how they skip without them.
#ifndef ASSAY_TESTS_TEST_DATA_H_
#define ASSAY_TESTS_TEST_DATA_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace assay {

// Path of a file of ASSAY_TEST_DATA (default ../shared/data beside the source tree), or "" when it
// is not there.
inline std::string TestData(const std::string& relative) {
  const char* root = std::getenv("ASSAY_TEST_DATA");
  const std::filesystem::path path =
      std::filesystem::path(root != nullptr ? root : ASSAY_SOURCE_DIR "/../shared/data") / relative;
  return std::filesystem::exists(path) ? path.string() : "";
}

}  // namespace assay

// Sets `variable` to the path of a real file, or skips the test, visibly.
#define ASSAY_TEST_DATA_OR_SKIP(variable, relative)         \
  const std::string variable = ::assay::TestData(relative); \
  if (variable.empty()) GTEST_SKIP() << "ASSAY_TEST_DATA has no " << (relative)

#endif  // ASSAY_TESTS_TEST_DATA_H_
