#include "server/api/serial_writer.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What gRPC is to the writer. A write is under way until the test says that it is done.
class FakeReactor {
 public:
  void StartWrite(const std::string* message) {
    EXPECT_FALSE(writing) << "one write at a time";
    EXPECT_FALSE(finished.has_value()) << "nothing after Finish";
    writing = true;
    written.push_back(*message);
  }
  void Finish(const grpc::Status& status) {
    EXPECT_FALSE(writing) << "Finish comes after the last write";
    EXPECT_FALSE(finished.has_value()) << "Finish comes once";
    finished = status;
  }

  std::atomic<bool> writing = false;
  std::vector<std::string> written;
  std::optional<grpc::Status> finished;
};

class SerialWriterTest : public ::testing::Test {
 protected:
  std::optional<std::string> Done(bool ok = true) {
    EXPECT_TRUE(reactor_.writing);
    reactor_.writing = false;
    return writer_.OnWriteDone(ok);
  }

  FakeReactor reactor_;
  SerialWriter<FakeReactor, std::string> writer_{reactor_};
};

TEST_F(SerialWriterTest, MessagesAreWrittenInOrderOneAtATime) {
  writer_.Push("a");
  writer_.Push("b");
  writer_.Push("c");
  EXPECT_THAT(reactor_.written, ElementsAre("a"));
  EXPECT_EQ(Done(), "a");
  EXPECT_THAT(reactor_.written, ElementsAre("a", "b"));
  EXPECT_EQ(Done(), "b");
  EXPECT_EQ(Done(), "c");
  EXPECT_THAT(reactor_.written, ElementsAre("a", "b", "c"));
  EXPECT_FALSE(reactor_.finished.has_value());
  writer_.Push("d");
  EXPECT_THAT(reactor_.written, ElementsAre("a", "b", "c", "d"));
}

TEST_F(SerialWriterTest, TheCallEndsAfterTheLastWrite) {
  writer_.Push("a");
  writer_.Push("b");
  writer_.End(absl::NotFoundError("no more"));
  writer_.Push("too late");
  EXPECT_EQ(Done(), std::nullopt) << "no more is wanted";
  EXPECT_FALSE(reactor_.finished.has_value());
  EXPECT_EQ(Done(), std::nullopt);
  ASSERT_TRUE(reactor_.finished.has_value());
  EXPECT_EQ(reactor_.finished->error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(reactor_.written, ElementsAre("a", "b"));
}

TEST_F(SerialWriterTest, WithoutAnythingToWriteTheCallEndsAtOnceAndOnce) {
  writer_.End(absl::OkStatus());
  ASSERT_TRUE(reactor_.finished.has_value());
  EXPECT_TRUE(reactor_.finished->ok());
  writer_.End(absl::NotFoundError("a second end"));
  writer_.Cancel();
  writer_.Push("too late");
  EXPECT_TRUE(reactor_.finished->ok());
  EXPECT_THAT(reactor_.written, IsEmpty());
}

TEST_F(SerialWriterTest, ACancelledCallDropsWhatWaitsAndEndsAfterTheWriteUnderWay) {
  writer_.Push("a");
  writer_.Push("b");
  writer_.Cancel();
  EXPECT_FALSE(reactor_.finished.has_value());
  EXPECT_EQ(Done(), std::nullopt);
  ASSERT_TRUE(reactor_.finished.has_value());
  EXPECT_EQ(reactor_.finished->error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_THAT(reactor_.written, ElementsAre("a"));
}

TEST_F(SerialWriterTest, ACallThatIsCancelledWhileItEndsKeepsItsStatus) {
  writer_.Push("a");
  writer_.Push("b");
  writer_.End(absl::OkStatus());
  writer_.Cancel();
  Done();
  ASSERT_TRUE(reactor_.finished.has_value());
  EXPECT_TRUE(reactor_.finished->ok());
  EXPECT_THAT(reactor_.written, ElementsAre("a"));
}

TEST_F(SerialWriterTest, AWriteThatFailsCancelsTheCall) {
  writer_.Push("a");
  writer_.Push("b");
  EXPECT_EQ(Done(/*ok=*/false), std::nullopt);
  ASSERT_TRUE(reactor_.finished.has_value());
  EXPECT_EQ(reactor_.finished->error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_THAT(reactor_.written, ElementsAre("a"));
}

TEST_F(SerialWriterTest, AMessageTakesThePlaceOfASupersededOneThatWaits) {
  const auto number = [](const std::string& message) { return message < "a"; };
  writer_.Push("1", number);
  writer_.Push("2", number);
  EXPECT_THAT(reactor_.written, ElementsAre("1")) << "what is being written stays";
  writer_.Push("3", number);
  writer_.Push("x");
  writer_.Push("4", number);
  writer_.Push("5", number);
  while (reactor_.writing) Done();
  EXPECT_THAT(reactor_.written, ElementsAre("1", "3", "x", "5"));
}

TEST_F(SerialWriterTest, OtherOperationsStartOnlyUntilTheCallHasBeenFinished) {
  int started = 0;
  writer_.WhileOpen([&] { ++started; });
  writer_.Push("a");
  writer_.End(absl::OkStatus());
  writer_.WhileOpen([&] { ++started; });
  EXPECT_EQ(started, 2);
  Done();
  writer_.WhileOpen([&] { ++started; });
  EXPECT_EQ(started, 2);
}

TEST_F(SerialWriterTest, ManyThreadsKeepTheirOrder) {
  constexpr int kThreads = 4, kMessages = 500;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kMessages; ++i) writer_.Push(std::to_string(thread) + std::to_string(i));
    });
  }
  int done = 0;
  while (done < kThreads * kMessages) {
    if (!reactor_.writing) {
      std::this_thread::yield();
      continue;
    }
    Done();
    ++done;
  }
  for (std::thread& thread : threads) thread.join();
  writer_.End(absl::OkStatus());
  EXPECT_TRUE(reactor_.finished.has_value());
  std::vector<int> next(kThreads, 0);
  for (const std::string& message : reactor_.written) {
    int& expected = next[static_cast<size_t>(message[0] - '0')];
    EXPECT_EQ(message.substr(1), std::to_string(expected++));
  }
  EXPECT_THAT(next, ElementsAre(kMessages, kMessages, kMessages, kMessages));
}

}  // namespace
}  // namespace assay::api
