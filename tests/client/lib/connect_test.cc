// The first contact, and calls over connections that are slow or break.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/lib/client.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/client/lib/fake_server.h"
#include "tests/client/lib/slow_link.h"

namespace assay::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kName[] = "evaluations/e";
constexpr std::chrono::milliseconds kPromptly{0};

absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const std::string& address) {
  ClientOptions options;
  options.address = address;
  return Client::Connect(options);
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ConnectTest, ALinkOf300MillisecondsOneWayWorks) {
  FakeServer server;
  server.state()->evaluations[kName].set_name(kName);
  SlowLink link(server.address(), std::chrono::milliseconds(300));
  const auto client = ConnectTo(link.address());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_TRUE((*client)->GetEvaluation(kName).ok());
  EXPECT_TRUE((*client)->CancelEvaluation(kName).ok());
}

TEST(ConnectTest, ConnectionsThatBreakFirstAreMadeAgain) {
  FakeServer server;
  SlowLink link(server.address(), kPromptly);
  link.CloseNext(4);
  const auto client = ConnectTo(link.address());
  EXPECT_TRUE(client.ok()) << client.status();
}

TEST(ConnectTest, AHundredClientsAtOnceAreAllServed) {
  FakeServer server;
  server.state()->evaluations[kName].set_name(kName);
  std::atomic<int> served = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back([&] {
      const auto client = ConnectTo(server.address());
      EXPECT_TRUE(client.ok()) << client.status();
      if (client.ok() && (*client)->GetEvaluation(kName).ok()) ++served;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 100);
}

TEST(ConnectTest, ACancelArrivesOverAConnectionThatIsJustBeingMadeAgain) {
  FakeServer server;
  server.state()->evaluations[kName].set_name(kName);
  server.state()->events = {FakeEvent("", v1::Evaluation::RUNNING, 5)};
  SlowLink link(server.address(), kPromptly);
  Client* connected = nullptr;
  absl::Status cancelled = absl::UnknownError("not tried");
  ClientOptions options;
  options.address = link.address();
  // The watch has noticed that the connection is broken, and the next one will break, too.
  options.retry.sleep = [&](double) {
    cancelled = connected->CancelEvaluation(kName).status();
    return false;
  };
  const auto client = Client::Connect(options);
  ASSERT_TRUE(client.ok()) << client.status();
  connected = client->get();
  WatchListener listener;
  listener.on_event = [&](const v1::EvaluationEvent&) {
    link.CloseNext(1);
    link.Break();
  };
  v1::WatchEvaluationRequest request;
  request.set_name(kName);
  EXPECT_FALSE((*client)->Watch(request, listener).ok());
  EXPECT_TRUE(cancelled.ok()) << cancelled;
  EXPECT_EQ(server.state()->calls["CancelEvaluation"], 1);
}

TEST(ConnectTest, NobodyAtTheAddressIsSaidSoonAndWhy) {
  std::string address;
  {
    FakeServer gone;
    address = gone.address();
  }
  const auto client = ConnectTo(address);
  EXPECT_EQ(ReasonOf(client.status()), Reason::kUnavailable);
  EXPECT_THAT(Message(client.status()), HasSubstr(absl::StrCat(address, " within 2 s")));
  EXPECT_THAT(Message(client.status()), HasSubstr("Connection refused"));
}

TEST(ConnectTest, AnAddressThatIsNoneIsRefused) {
  for (const char* address : {"", "localhost", ":8001", "localhost:", "localhost:0", "a:99999",
                              "::1:8001", "http://localhost:8001", "localhost:8001 ", "unix:"}) {
    EXPECT_EQ(ConnectTo(address).status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

// Every variable that names a proxy, at which nobody listens.
class ConnectByProxyTest : public ::testing::Test {
 protected:
  ConnectByProxyTest() {
    FakeServer gone;
    proxy_ = gone.address();
    Set("http://me:secret@" + proxy_);
  }
  ~ConnectByProxyTest() override {
    for (const char* name : kNames) unsetenv(name);
  }
  static void Set(const std::string& url) {
    for (const char* name : kNames) setenv(name, url.c_str(), 1);
  }

  static constexpr const char* kNames[] = {"grpc_proxy", "https_proxy", "http_proxy"};
  std::string proxy_;
};

TEST_F(ConnectByProxyTest, LoopbackMeetsNoProxy) {
  FakeServer server;
  const std::string address = server.address();
  const std::string port = address.substr(address.rfind(':'));
  for (const std::string& target :
       {address, "localhost" + port, "ipv4:" + address, "dns:///" + address}) {
    const auto client = ConnectTo(target);
    EXPECT_TRUE(client.ok()) << target << ": " << client.status();
  }
}

TEST_F(ConnectByProxyTest, ElsewhereTheErrorNamesTheProxyWithoutItsPassword) {
  const std::string message = Message(ConnectTo("gpu-3.invalid:8001").status());
  EXPECT_THAT(message, HasSubstr("no server answers at gpu-3.invalid:8001"));
  EXPECT_THAT(message, HasSubstr("through the proxy http://" + proxy_ + " that grpc_proxy names"));
  EXPECT_THAT(message, HasSubstr("no_proxy=gpu-3.invalid"));
  EXPECT_THAT(message, Not(HasSubstr("secret")));
}

TEST_F(ConnectByProxyTest, AProxyOfAnotherKindIsPassedByAndTheErrorSaysSo) {
  Set("socks5://" + proxy_);
  const std::string message = Message(ConnectTo("gpu-3.invalid:8001").status());
  EXPECT_THAT(message, HasSubstr("without the proxy that grpc_proxy names"));
}

}  // namespace
}  // namespace assay::client
