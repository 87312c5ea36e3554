// Whether a slow BLAS is told from others.
#include "server/engine/torch/blas.h"

#include "gtest/gtest.h"

namespace assay::engine {
namespace {

TEST(Blas, TheReferenceIsToldFromOthers) {
  EXPECT_TRUE(IsReferenceBlas("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"));
  EXPECT_FALSE(
      IsReferenceBlas("/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblasp-r0.3.21.so"));
  EXPECT_FALSE(IsReferenceBlas(""));
}

// scripts/install-packages sees to it.
TEST(Blas, ThisMachineHasABetterOne) { EXPECT_FALSE(IsReferenceBlas(BlasLibrary())); }

}  // namespace
}  // namespace assay::engine
