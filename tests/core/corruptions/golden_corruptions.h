// What the tests of corruptions share: the images and photographs of ASSAY_TEST_DATA, the images
// that the published scripts made of them (golden files, see the README of the test data), and
// ours.
#ifndef ASSAY_TESTS_CORE_CORRUPTIONS_GOLDEN_CORRUPTIONS_H_
#define ASSAY_TESTS_CORE_CORRUPTIONS_GOLDEN_CORRUPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/corruptions/corruption.h"
#include "core/corruptions/frost_photographs.h"
#include "gtest/gtest.h"

namespace assay::corruptions {

// The published photographs; null without them.
const FrostPhotographs* Photographs();

// For tests of a corruption that cannot run without.
#define SKIP_WITHOUT_PHOTOGRAPHS(name)                          \
  if (std::string(name) == "frost" && Photographs() == nullptr) \
  GTEST_SKIP() << "ASSAY_TEST_DATA has no frost photographs"

// A corruption that has severities, as the engine would read it.
v1::Condition OfSeverity(const std::string& name, SeverityTable table, double severity);

// A registered corruption of an image, with the random numbers of `sample`, or with given ones.
Image Corrupted(const v1::Condition& condition, Image image, int64_t sample = 0);
Image Corrupted(const v1::Condition& condition, Image image, RandomStream& random);
Image Corrupted(const std::string& name, SeverityTable table, int severity, Image image,
                int64_t sample = 0);

// Corrupted() for many images of one shape: what the condition prepares is made once.
std::function<Image(Image image, int64_t sample)> Corrupter(const v1::Condition& condition,
                                                            const Image& like);

// The CIFAR binary layout: a label byte, then three planes of 32 x 32.
std::vector<Image> ReadCifar(const std::string& path);

// One array of a golden file, as bytes; empty when the file has no such array.
std::string ReadGolden(const std::string& path, const std::string& array);

}  // namespace assay::corruptions

#endif  // ASSAY_TESTS_CORE_CORRUPTIONS_GOLDEN_CORRUPTIONS_H_
