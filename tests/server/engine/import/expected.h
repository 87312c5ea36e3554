// What PyTorch computed for a model, as numpy saved it.
#ifndef ASSAY_TESTS_SERVER_ENGINE_IMPORT_EXPECTED_H_
#define ASSAY_TESTS_SERVER_ENGINE_IMPORT_EXPECTED_H_

#include <torch/script.h>
#include <zip.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace assay::engine {

// The array `name` of float32 of an archive of numpy (numpy.savez); undefined without.
inline at::Tensor ReadExpected(const std::string& path, const std::string& name) {
  int error = 0;
  const std::unique_ptr<zip_t, decltype(&zip_discard)> archive(
      zip_open(path.c_str(), ZIP_RDONLY, &error), zip_discard);
  if (archive == nullptr) return {};
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> record(
      zip_fopen(archive.get(), (name + ".npy").c_str(), 0), zip_fclose);
  if (record == nullptr) return {};
  std::string array;
  std::vector<char> part(1 << 16);
  for (zip_int64_t got; (got = zip_fread(record.get(), part.data(), part.size())) > 0;) {
    array.append(part.data(), static_cast<size_t>(got));
  }
  // "\x93NUMPY", a version, the length of the header in 2 bytes, and the header, a dict of Python.
  if (array.size() < 10) return {};
  const size_t header =
      static_cast<unsigned char>(array[8]) + size_t{256} * static_cast<unsigned char>(array[9]);
  const std::string about = array.substr(10, header);
  if (about.find("'<f4'") == std::string::npos) return {};
  std::vector<int64_t> sizes;
  int64_t count = 1;
  const char* digits = about.c_str() + about.find("'shape': (") + strlen("'shape': (");
  while (*digits >= '0' && *digits <= '9') {
    char* end;
    sizes.push_back(std::strtol(digits, &end, 10));
    count *= sizes.back();
    digits = end;
    while (*digits == ',' || *digits == ' ') ++digits;
  }
  if (array.size() != 10 + header + static_cast<size_t>(count) * sizeof(float)) return {};
  at::Tensor tensor = at::empty(sizes, at::kFloat);
  std::memcpy(tensor.data_ptr<float>(), array.data() + 10 + header,
              static_cast<size_t>(count) * sizeof(float));
  return tensor;
}

// The weights of logits [rows, classes] of which `NAME_gradient` is the gradient by the input.
inline at::Tensor GradientWeights(int64_t rows, int64_t classes) {
  return (at::arange(classes, at::kFloat).unsqueeze(0) + at::arange(rows, at::kFloat).unsqueeze(1))
             .remainder(3) -
         1;
}

inline double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_IMPORT_EXPECTED_H_
