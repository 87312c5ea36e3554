#include "server/monitoring/http_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/certificates.h"
#include "tests/net/made_certificates.h"

namespace assay::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Start({"127.0.0.1", 0}, metrics_, [this] { return ready_.load(); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  int Connect() const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
    ADD_FAILURE() << "cannot connect";
    return fd;
  }
  // All that comes until the server closes.
  static std::string ReadAll(int fd) {
    std::string answer;
    char buffer[4096];
    for (ssize_t size = 0; (size = read(fd, buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<size_t>(size));
    }
    close(fd);
    return answer;
  }
  std::string Ask(const std::string& request) const {
    const int fd = Connect();
    EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    return ReadAll(fd);
  }
  std::string Get(const std::string& path) const {
    return Ask(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
  }

  Metrics metrics_;
  std::atomic<bool> ready_ = true;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, MetricsAreServedInThePrometheusTextFormat) {
  metrics_.CountUpload(123, 0);
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("\nassay_upload_bytes_total 123\n"));
  const size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_THAT(answer, HasSubstr(absl::StrCat("Content-Length: ", answer.size() - body, "\r\n")));
}

TEST_F(HttpServerTest, ReadinessFollowsTheServerAndLivenessDoesNot) {
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  ready_ = false;
  const std::string answer = Get("/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, HasSubstr("not ready"));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Get("/metrics"), StartsWith("HTTP/1.1 200 OK\r\n")) << "a stopping server is watched";
  ready_ = true;
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, NothingElseIsServed) {
  for (const char* path :
       {"/", "/nothing", "/etc/passwd", "/../../../../etc/passwd", "/CMakeCache.txt"}) {
    const std::string answer = Get(path);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 4")) << path;
    EXPECT_THAT(answer, Not(HasSubstr("root:"))) << path;
  }
}

TEST_F(HttpServerTest, GarbageAndOtherMethodsHurtNobody) {
  Ask("\x16\x03\x01 this is not HTTP\r\n\r\n");
  Ask("GET /metrics HTTP/9.9\r\n\r\n");
  Ask(absl::StrCat("GET /", std::string(100'000, 'a'), " HTTP/1.1\r\n\r\n"));
  EXPECT_THAT(Ask("POST /metrics HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n"
                  "Connection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(Get("/metrics"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, ManyScrapesAtOnceAreAnswered) {
  std::vector<std::thread> scrapers;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 16; ++i) {
    scrapers.emplace_back([&] {
      if (Get("/metrics").rfind("HTTP/1.1 200 OK", 0) == 0) ++answered;
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
  EXPECT_EQ(answered, 16);
}

TEST_F(HttpServerTest, AnAddressThatIsTakenIsAClearError) {
  const auto second =
      HttpServer::Start({"127.0.0.1", server_->port()}, metrics_, [] { return true; });
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(ReasonOf(second.status()), Reason::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("127.0.0.1:", server_->port(), " for metrics")));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--metrics-port"));
}

TEST_F(HttpServerTest, HeadIsTheAnswerWithoutItsBody) {
  const std::string answer = Ask("HEAD /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("ok")));
}

TEST_F(HttpServerTest, ARequestMayArriveInPiecesAndSilentClientsHoldNobodyUp) {
  std::vector<int> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(Connect());
  const int slow = Connect();
  for (const char c : std::string("GET /healthz HTTP/1.1\r\nHost: here\r\n\r")) {
    EXPECT_EQ(write(slow, &c, 1), 1);
    EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  EXPECT_EQ(write(slow, "\n", 1), 1);
  EXPECT_THAT(ReadAll(slow), StartsWith("HTTP/1.1 200 OK\r\n"));
  for (const int fd : silent) close(fd);
}

TEST_F(HttpServerTest, ALargeAnswerArrivesWhole) {
  for (int i = 0; i < 5000; ++i) {
    metrics_.CountEngineRestart(absl::StrCat("reason ", i, std::string(200, 'x')));
  }
  const std::string answer = Get("/metrics");
  const size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_GT(answer.size(), 1'000'000u);
  EXPECT_THAT(answer, HasSubstr(absl::StrCat("Content-Length: ", answer.size() - body, "\r\n")));
}

TEST_F(HttpServerTest, ByTlsItTakesANewCertificateWhileItListens) {
  const MadeAuthority first("First"), second("Second");
  std::shared_ptr<const ServerCertificate> current;
  const auto use = [&](const MadeAuthority& authority) {
    const MadeCertificate made = authority.Sign();
    current =
        std::make_shared<const ServerCertificate>(ServerCertificate{made.chain, made.key, ""});
  };
  use(first);
  auto server = HttpServer::Start(
      {"127.0.0.1", 0}, metrics_, [] { return true; }, [&] { return current; });
  ASSERT_TRUE(server.ok()) << server.status();
  const auto failure = [&](const MadeAuthority& trusted) {
    return FindTlsFailure("127.0.0.1", (*server)->port(), "127.0.0.1",
                          {trusted.certificate(), "", ""}, 20)
        .kind;
  };
  EXPECT_EQ(failure(first), TlsFailure::Kind::kUnknown);
  EXPECT_EQ(failure(second), TlsFailure::Kind::kServerNotTrusted);
  for (int i = 0; i < 3; ++i) {
    use(second);
    (*server)->TakeNewCertificate();
    EXPECT_EQ(failure(second), TlsFailure::Kind::kUnknown);
    EXPECT_EQ(failure(first), TlsFailure::Kind::kServerNotTrusted);
  }
  // What cannot be used changes nothing.
  current = std::make_shared<const ServerCertificate>(ServerCertificate{"no", "pair", ""});
  (*server)->TakeNewCertificate();
  EXPECT_EQ(failure(second), TlsFailure::Kind::kUnknown);
}

}  // namespace
}  // namespace assay::monitoring
