#include "server/engine/base/numerics.h"

#include "gtest/gtest.h"

namespace assay::engine {
namespace {

// Reports tell by it whether outcomes were computed alike, those stored by older versions included.
// By sha256sum of the lines "cpu", "64", "2", "1.13.1", "AVX2 Some CPU", "nhwc", "1", and "0", with
// nothing after the last.
TEST(NumericsDigest, IsWhatItWasWhenFingerprintsHadTf32) {
  v1::NumericsFingerprint numerics;
  numerics.set_device("cpu");
  numerics.set_batch_size(64);
  numerics.set_threads(2);
  numerics.set_libtorch_version("1.13.1");
  numerics.set_capability("AVX2 Some CPU");
  numerics.set_memory_format("nhwc");
  numerics.set_frozen(true);
  EXPECT_EQ(NumericsDigest(numerics),
            "0285976584b3a13657caf14bdc003bbafb25f51a17883751e1afe49b3bc23908");
  numerics.set_batch_difference(0.5);
  numerics.set_digest("another");
  EXPECT_EQ(NumericsDigest(numerics),
            "0285976584b3a13657caf14bdc003bbafb25f51a17883751e1afe49b3bc23908");
}

}  // namespace
}  // namespace assay::engine
