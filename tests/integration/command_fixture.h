// The program `assay` as people call it, on files of small images.
#ifndef ASSAY_TESTS_INTEGRATION_COMMAND_FIXTURE_H_
#define ASSAY_TESTS_INTEGRATION_COMMAND_FIXTURE_H_

#include <sys/wait.h>

#include <cstdint>
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
  // Writes `samples` images of 8 x 8 pixels in 4 classes to data(), and their labels beside them.
  void WriteData(int64_t samples) {
    GeneratedData generated(samples, 3, 8, 4);
    std::vector<int32_t> labels;
    std::string planes, pixels;
    ASSERT_TRUE(generated.Read(0, samples, &labels, &planes).ok());
    for (size_t i = 0; i < labels.size(); ++i) {
      for (size_t p = 0; p < 64; ++p) {
        for (size_t c = 0; c < 3; ++c) pixels.push_back(planes[i * 192 + c * 64 + p]);
      }
    }
    WriteImages(pixels, labels);
  }
  // The same of these images of 8 x 8 pixels, whose three channels come last.
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
    write(data(), client::NpyWriter::Type::kUint8, {8, 8, 3}, pixels);
    write(Path("x_labels.npy"), client::NpyWriter::Type::kInt64, {}, numbers);
  }

  // Runs `assay`; out and err are in files. Its exit code.
  int Assay(const std::string& arguments) {
    const int status = std::system(absl::StrCat(ASSAY_BINARY_DIR "/bin/assay ", arguments, " >",
                                                Path("out"), " 2>", Path("err"))
                                       .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // `assay evaluate` of a linear model on the data.
  int Evaluate(const std::string& arguments) {
    return Assay(absl::StrCat("evaluate -m " ASSAY_BINARY_DIR "/tests/zoo/linear.pt -d ", data(),
                              " ", arguments));
  }

  std::string data() const { return Path("x.npy"); }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Text(const std::string& name) const {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
};

}  // namespace assay::testing

#endif  // ASSAY_TESTS_INTEGRATION_COMMAND_FIXTURE_H_
