// Files with the outside of a model, for tests that have no LibTorch.
#ifndef ASSAY_TESTS_CORE_MODELS_FAKE_MODELS_H_
#define ASSAY_TESTS_CORE_MODELS_FAKE_MODELS_H_

#include <string>
#include <utility>
#include <vector>

namespace assay {

// Entries of a zip archive: name and content.
using ZipEntries = std::vector<std::pair<std::string, std::string>>;
// An uncompressed archive.
std::string MakeZip(const ZipEntries& entries);
// Passes for a model until it is loaded. `code` stands in it as it is.
std::string FakeTorchScript(const std::string& code);

}  // namespace assay

#endif  // ASSAY_TESTS_CORE_MODELS_FAKE_MODELS_H_
