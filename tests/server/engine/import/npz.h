// Arrays of a .npz file, read by its central directory; float32 only.
#ifndef ASSAY_TESTS_SERVER_ENGINE_IMPORT_NPZ_H_
#define ASSAY_TESTS_SERVER_ENGINE_IMPORT_NPZ_H_

#include <torch/script.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace assay::engine {

inline std::string Inflate(std::string deflated, size_t size) {
  std::string result(size, '\0');
  z_stream stream = {};
  stream.next_in = reinterpret_cast<Bytef*>(deflated.data());
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(size);
  // Without a header of its own.
  EXPECT_EQ(inflateInit2(&stream, -MAX_WBITS), Z_OK);
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  return result;
}

inline std::map<std::string, at::Tensor> ReadNpz(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  const auto number = [&](size_t at, size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, size);
    return static_cast<size_t>(value);
  };
  std::map<std::string, at::Tensor> arrays;
  const size_t end = bytes.rfind("PK\x05\x06");
  if (end == std::string::npos) {
    ADD_FAILURE() << path << " is no archive";
    return arrays;
  }
  size_t at = number(end + 16, 4);
  for (size_t left = number(end + 10, 2); left > 0; --left) {
    const size_t name_size = number(at + 28, 2), extra = number(at + 30, 2) + number(at + 32, 2);
    const std::string name = bytes.substr(at + 46, name_size);
    const size_t local = number(at + 42, 4);
    const size_t data = local + 30 + number(local + 26, 2) + number(local + 28, 2);
    std::string npy = bytes.substr(data, number(at + 20, 4));
    if (number(at + 10, 2) != 0) npy = Inflate(npy, number(at + 24, 4));
    at += 46 + name_size + extra;
    // Magic, version 1.0, the length of the header, the header.
    const std::string header = npy.substr(
        10, static_cast<unsigned char>(npy[8]) + 256u * static_cast<unsigned char>(npy[9]));
    EXPECT_NE(header.find("'<f4'"), std::string::npos) << name << header;
    std::vector<int64_t> sizes;
    const size_t open = header.find('('), close = header.find(')');
    std::istringstream shape(header.substr(open + 1, close - open - 1));
    for (std::string size; std::getline(shape, size, ',');) {
      if (size.find_first_of("0123456789") != std::string::npos) sizes.push_back(std::stoll(size));
    }
    const at::Tensor tensor = at::empty(sizes);
    std::memcpy(tensor.data_ptr(), npy.data() + 10 + header.size(),
                static_cast<size_t>(tensor.numel()) * 4);
    arrays[name.substr(0, name.size() - 4)] = tensor;
  }
  return arrays;
}

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_IMPORT_NPZ_H_
