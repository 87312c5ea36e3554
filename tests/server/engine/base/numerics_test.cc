#include "server/engine/base/numerics.h"

#include "gtest/gtest.h"

namespace assay::engine {
namespace {

// Reports tell by it whether outcomes were computed alike. By sha256sum of the lines "cpu", "64",
// "1.13.1", "AVX2, Some CPU", "nhwc", "1", "frozen" and "", with nothing after the last.
TEST(NumericsDigest, IsThatOfItsLines) {
  v1::NumericsFingerprint numerics;
  numerics.set_device("cpu");
  numerics.set_batch_size(64);
  numerics.set_libtorch_version("1.13.1");
  numerics.set_capability("AVX2, Some CPU");
  numerics.set_memory_format("nhwc");
  numerics.set_frozen(true);
  numerics.set_forward_form("frozen");
  EXPECT_EQ(NumericsDigest(numerics),
            "43bbf063869c713c8d5a7deb2949b41c4fb0599693b23ba9c9f8f1a255255eea");
  numerics.set_batch_difference(0.5);
  numerics.set_digest("another");
  EXPECT_EQ(NumericsDigest(numerics),
            "43bbf063869c713c8d5a7deb2949b41c4fb0599693b23ba9c9f8f1a255255eea");
}

TEST(NumericsDigest, TakesEqualProbesForEvidenceWhateverTheProcessorsName) {
  v1::NumericsFingerprint numerics;
  numerics.set_capability("AVX512, Some CPU");
  v1::NumericsFingerprint other = numerics;
  other.set_capability("AVX512, Another CPU");
  EXPECT_NE(NumericsDigest(numerics), NumericsDigest(other));
  numerics.set_probes("p");
  other.set_probes("p");
  EXPECT_EQ(NumericsDigest(numerics), NumericsDigest(other));
  other.set_probes("q");
  EXPECT_NE(NumericsDigest(numerics), NumericsDigest(other));
  other.set_probes("p");
  other.set_capability("AVX2, Another CPU");
  EXPECT_NE(NumericsDigest(numerics), NumericsDigest(other));
}

}  // namespace
}  // namespace assay::engine
