// The source tree as tests see it that are about the tree itself or its documents.
#ifndef ASSAY_TESTS_SOURCE_TREE_H_
#define ASSAY_TESTS_SOURCE_TREE_H_

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace assay {

// The text of a file; "" when it is not there.
inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Texts of the sources and CMake files of the programs in the tree at `root`, by path below it.
inline std::map<std::string, std::string> ReadSources(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> sources;
  for (const char* top : {"core", "net", "server", "client"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc" && extension != ".txt") continue;
      sources[fs::relative(entry.path(), root).string()] = ReadFile(entry.path());
    }
  }
  return sources;
}

}  // namespace assay

#endif  // ASSAY_TESTS_SOURCE_TREE_H_
