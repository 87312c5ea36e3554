#include "tests/core/models/fake_models.h"

#include <cstdint>

namespace assay {
namespace {

void AppendLittle(uint32_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

std::string MakeZip(const ZipEntries& entries) {
  std::string file, directory;
  for (const auto& [name, content] : entries) {
    // Version, flags, method, time, date, checksum: nothing here reads them.
    const auto offset = static_cast<uint32_t>(file.size());
    std::string common(2 + 2 + 2 + 2 + 2 + 4, '\0');
    AppendLittle(static_cast<uint32_t>(content.size()), 4, &common);
    AppendLittle(static_cast<uint32_t>(content.size()), 4, &common);
    AppendLittle(static_cast<uint32_t>(name.size()), 2, &common);
    AppendLittle(0, 2, &common);
    file += "PK\x03\x04" + common + name + content;
    directory += "PK\x01\x02" + std::string(2, '\0') + common;
    AppendLittle(0, 2 + 2 + 2, &directory);
    AppendLittle(0, 4, &directory);
    AppendLittle(offset, 4, &directory);
    directory += name;
  }
  std::string end = "PK\x05\x06" + std::string(4, '\0');
  AppendLittle(static_cast<uint32_t>(entries.size()), 2, &end);
  AppendLittle(static_cast<uint32_t>(entries.size()), 2, &end);
  AppendLittle(static_cast<uint32_t>(directory.size()), 4, &end);
  AppendLittle(static_cast<uint32_t>(file.size()), 4, &end);
  AppendLittle(0, 2, &end);
  return file + directory + end;
}

std::string FakeTorchScript(const std::string& code) {
  return MakeZip({{"m/data.pkl", "pickle"},
                  {"m/code/__torch__.py", code},
                  {"m/constants.pkl", "pickle"},
                  {"m/version", "3\n"}});
}

}  // namespace assay
