// Items on lanes: their order, their sharing, their errors.
#include "server/engine/base/lanes.h"

#include <atomic>
#include <set>
#include <thread>

#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "gmock/gmock.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{1, 2, 2};

TEST(Lanes, EachIsAThreadOfItsOwn) {
  LinearClassifier model(kShape, 2, 8, /*lanes=*/3);
  Mutex mutex;
  std::set<std::thread::id> threads;
  ASSERT_TRUE(OnLanes(model, [&] {
                MutexLock lock(mutex);
                threads.insert(std::this_thread::get_id());
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(threads.size(), 3u);
}

TEST(Lanes, OneErrorIsTheErrorOfAllAndNoMoreIsBegun) {
  LinearClassifier model(kShape, 2, 8, /*lanes=*/2);
  std::atomic<size_t> begun = 0;
  const absl::Status status = ForEachOnLanes(model, 1'000'000, [&](size_t) -> absl::Status {
    if (++begun == 10) return Error(Reason::kModelFailed, "the tenth");
    return absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(status), Reason::kModelFailed);
  EXPECT_LT(begun, 1'000'000u);
}

// Lanes finish in any order; results come in the order of the items, each once.
TEST(RunItems, HandsOutResultsInOrderWhateverLaneIsFaster) {
  LinearClassifier model(kShape, 2, BatchSizes({4, 8}), /*lanes=*/4);
  std::atomic<int> batches = 0;
  model.on_forward = [&](int slot, float*) {
    if (slot == 0 && ++batches % 3 == 0) std::this_thread::yield();
  };
  QuietObserver observer;
  std::vector<size_t> order;
  ItemPasses passes;
  passes.read = [](size_t item, float* pixels) {
    std::fill(pixels, pixels + kShape.size(), static_cast<float>(item) / 1000);
  };
  passes.done = [&](size_t item, const ItemResult& result) {
    order.push_back(item);
    EXPECT_EQ(result.image[0], static_cast<float>(item) / 1000);
    float logits[2];
    model.Logits(result.image, logits);
    EXPECT_EQ(result.logits[1], logits[1]);
    EXPECT_EQ(result.gradient, nullptr);
  };
  ASSERT_TRUE(RunItems(model, observer, 1003, passes).ok());
  ASSERT_EQ(order.size(), 1003u);
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i);
  // The last three go into a batch of four.
  EXPECT_EQ(model.usage().needed_forwards, 1003);
  EXPECT_LE(model.usage().forward_images, 1003 + 3);
}

TEST(RunItems, TakesGradientsOfTheScalarThatIsAskedFor) {
  LinearClassifier model(kShape, 3, BatchSizes({4}), /*lanes=*/2);
  QuietObserver observer;
  ItemPasses passes;
  passes.read = [](size_t, float* pixels) { std::fill(pixels, pixels + kShape.size(), 0.5F); };
  passes.logit_gradient = [](size_t item, const float*, float* derivative) {
    derivative[item % 3] = 1;
  };
  passes.done = [&](size_t item, const ItemResult& result) {
    for (size_t i = 0; i < kShape.size(); ++i) {
      EXPECT_EQ(result.gradient[i], model.row(static_cast<int>(item % 3))[i]) << item;
    }
  };
  ASSERT_TRUE(RunItems(model, observer, 10, passes).ok());
  EXPECT_EQ(model.usage().needed_backwards, 10);
}

TEST(RunItems, StopsWhenCancelled) {
  LinearClassifier model(kShape, 2, 4, /*lanes=*/2);
  QuietObserver observer;
  observer.cancel_after = 5;
  ItemPasses passes;
  passes.read = [](size_t, float* pixels) { std::fill(pixels, pixels + kShape.size(), 0.5F); };
  passes.done = [](size_t, const ItemResult&) {};
  EXPECT_EQ(ReasonOf(RunItems(model, observer, 1000, passes)), Reason::kCancelled);
  EXPECT_LE(model.usage().forward_batches, 5);
}

}  // namespace
}  // namespace assay::engine
