// Runs the built `assay` on files of small images.
#ifndef ASSAY_TESTS_INTEGRATION_COMMAND_FIXTURE_H_
#define ASSAY_TESTS_INTEGRATION_COMMAND_FIXTURE_H_

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/data/npy_writer.h"
#include "tests/integration/zoo_fixture.h"

namespace assay::testing {

class CommandFixture : public ZooFixture {
 protected:
  // Runs `assay`; out and err are in files.
  int Assay(const std::string& arguments) {
    const int status = std::system(absl::StrCat(ASSAY_BINARY_DIR "/bin/assay ", arguments, " >",
                                                Path("out"), " 2>", Path("err"))
                                       .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // The linear zoo model on x.npy.
  int Evaluate(const std::string& arguments) {
    return Assay(absl::StrCat("evaluate -m " ASSAY_BINARY_DIR "/tests/zoo/linear.pt -d ",
                              Path("x.npy"), " ", arguments));
  }
  // x.npy and its labels: 8 x 8 images of three channels, which come last.
  void WriteImages(const std::string& pixels, const std::vector<int32_t>& labels) {
    std::string numbers;
    for (const int32_t label : labels) {
      numbers.append(1, static_cast<char>(label)).append(7, '\0');
    }
    const auto write = [&](const std::string& path, client::NpyWriter::Type type,
                           const std::vector<int64_t>& shape, const std::string& bytes) {
      const auto writer = client::NpyWriter::Create(path, type, shape);
      ASSERT_TRUE(writer.ok() && (*writer)->Append(bytes).ok() && (*writer)->Finish().ok());
    };
    write(Path("x.npy"), client::NpyWriter::Type::kUint8, {8, 8, 3}, pixels);
    write(Path("x_labels.npy"), client::NpyWriter::Type::kInt64, {}, numbers);
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Text(const std::string& name) const {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
};

}  // namespace assay::testing

#endif  // ASSAY_TESTS_INTEGRATION_COMMAND_FIXTURE_H_
