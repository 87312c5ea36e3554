#include "core/similarity/divergence.h"

#include <vector>

#include "gtest/gtest.h"

namespace assay {
namespace {

double Bits(const std::vector<float>& p, const std::vector<float>& q) {
  return JensenShannonBits(p.data(), p.size(), q.data(), q.size());
}

TEST(Divergence, AgreesWithScipy) {
  // scipy 1.17.1: scipy.spatial.distance.jensenshannon(p, q, base=2)**2, of double precision.
  EXPECT_NEAR(Bits({.7f, .2f, .1f}, {.1f, .3f, .6f}), 0.33275110160267973, 1e-7);
  EXPECT_NEAR(Bits({.5f, .5f, 0}, {.25f, .25f, .5f}), 0.3112781244591328, 1e-15);
  EXPECT_NEAR(Bits({.9f, .05f, .05f}, {.88f, .07f, .05f}), 0.0012889265896012432, 1e-8);
}

TEST(Divergence, IsNoBitsOfEqualAndOneOfDisjointVectors) {
  EXPECT_EQ(Bits({.2f, .3f, .5f}, {.2f, .3f, .5f}), 0);
  EXPECT_EQ(Bits({1, 0}, {0, 1}), 1);
  EXPECT_EQ(Bits({.5f, .5f, 0, 0}, {0, 0, .25f, .75f}), 1);
}

TEST(Divergence, ClassesThatOneModelLacksAreNeverItsAnswer) {
  EXPECT_EQ(Bits({.2f, .8f}, {.2f, .8f, 0}), 0);
  EXPECT_EQ(Bits({1}, {0, 1}), 1);
  EXPECT_EQ(Bits({.5f, .5f}, {.25f, .25f, .5f}), Bits({.25f, .25f, .5f}, {.5f, .5f}));
}

TEST(Divergence, RoundedSumsAreDividedOut) {
  EXPECT_NEAR(Bits({.2f, .6f}, {.25f, .75f}), 0, 1e-14);
}

}  // namespace
}  // namespace assay
