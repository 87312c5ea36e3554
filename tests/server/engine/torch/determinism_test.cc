#include "server/engine/torch/determinism.h"

#include <torch/script.h>

#include "gmock/gmock.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// On a CPU, too, LibTorch says of put_ that its order is not defined.
void Put() {
  at::Tensor values = at::zeros({4});
  values.put_(at::zeros({2}, at::kLong), at::ones({2}));
}

TEST(Determinism, NamesTheOperatorsThatHaveNoDeterministicForm) {
  EXPECT_THAT(NondeterministicOperatorsIn([] { at::relu(at::ones({2})); }), IsEmpty());
  for (int time = 0; time < 2; ++time) {
    EXPECT_THAT(NondeterministicOperatorsIn(Put), ElementsAre("put_")) << time;
  }
  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
}

}  // namespace
}  // namespace assay::engine
