// Ready-made corrupted sets: CIFAR-10-C and CIFAR-100-C, whose NPY files hold the five severities
// one after the other, and ImageNet-C's folders CORRUPTION/SEVERITY/CLASS. One block is one
// dataset, and its name says which; a whole set is a list of blocks.
#ifndef ASSAY_CLIENT_DATA_READY_MADE_H_
#define ASSAY_CLIENT_DATA_READY_MADE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/data/open_options.h"
#include "client/data/reader_base.h"

namespace assay::client {

// "DIR/fog.npy:3" names severity 3 of a file; `severity` is 0 for a plain path.
struct SeverityBlock {
  std::string path;
  int severity = 0;
};
// A file that exists under the whole name is that file.
SeverityBlock SplitSeverityBlock(const std::string& path);

// An NPY file (npy_reader.h), or the part of one that SplitSeverityBlock names: a fifth of its
// images, and of its labels. kUnreadableInput when the images are no multiple of five.
absl::StatusOr<std::unique_ptr<ReaderBase>> OpenNpyOrBlock(const std::string& path,
                                                           const OpenOptions& options);

// What a dataset made of `path` is called: the file's name without its ending; for a block of a
// ready-made set the set, the corruption and the severity: "CIFAR-10-C.fog.3".
std::string DatasetStem(const std::string& path);

// One corruption at one severity of a set; `path` can be opened as a dataset.
struct ReadyMadeBlock {
  std::string corruption;
  int severity = 0;
  std::string path;
};

// All blocks of the set in a folder, sorted by corruption and severity; none where `path` is no
// set:
// - CIFAR-10-C: a folder with labels.npy and one file for each corruption, its five severities one
//   after the other. A file of another name among them is kUnreadableInput.
// - ImageNet-C: folders CORRUPTION/SEVERITY/CLASS, in one folder or in groups (blur, noise, ...) as
//   they are published. The folder of one corruption is a set of one corruption.
absl::StatusOr<std::vector<ReadyMadeBlock>> ReadyMadeBlocks(const std::string& path);

// What a set is called: its folder's name.
std::string ReadyMadeName(const std::string& path);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_READY_MADE_H_
