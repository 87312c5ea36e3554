#include "server/repository/repository_thread.h"

#include <fstream>
#include <future>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "tests/server/repository/repository_fixture.h"

namespace assay::repository {
namespace {

class RepositoryThreadTest : public RepositoryFixture {
 protected:
  absl::StatusOr<v1::SyncModelRepositoryResponse> Sync(RepositoryThread& thread) {
    std::promise<absl::StatusOr<v1::SyncModelRepositoryResponse>> answer;
    thread.Sync([&](absl::StatusOr<v1::SyncModelRepositoryResponse> found) {
      answer.set_value(std::move(found));
    });
    return answer.get_future().get();
  }
};

TEST_F(RepositoryThreadTest, LooksWhenItIsAsked) {
  RepositoryThread thread(Start(), /*poll_seconds=*/0);
  thread.Start();
  PutModel("resnet/1");
  const auto found = Sync(thread);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->created(), 1);
}

TEST_F(RepositoryThreadTest, LooksByItself) {
  RepositoryThread thread(Start(), /*poll_seconds=*/0.01);
  thread.Start();
  PutModel("resnet/1");
  EXPECT_TRUE(api::Eventually([&] { return store_->GetModel("models/resnet-v1").ok(); }));
}

TEST_F(RepositoryThreadTest, TellsWhatTheFirstOfTwoLooksTook) {
  RepositoryThread thread(Start(), /*poll_seconds=*/0);
  thread.Start();
  PutModel("resnet/1");
  // Is still being copied for ever: the clock stands still.
  std::filesystem::create_directories(File("resnet/2"));
  const auto found = Sync(thread);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->created(), 1);
  EXPECT_EQ(found->copying(), 1);
}

TEST_F(RepositoryThreadTest, RefusesWhatComesAfterTheEnd) {
  RepositoryThread thread(Start(), /*poll_seconds=*/0);
  thread.Start();
  thread.Stop();
  EXPECT_THAT(Sync(thread), HasReason(Reason::kShuttingDown));
}

}  // namespace
}  // namespace assay::repository
