// The server behind its certificates, tokens, quotas and audit log: real connections, files that
// change.
#include "server/access/security.h"

#include <arpa/inet.h>
#include <grpcpp/generic/generic_stub.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "assay/v1/admin.grpc.pb.h"
#include "core/base/digest.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor_database.h"
#include "net/certificates.h"
#include "nlohmann/json.hpp"
#include "server/access/rpc_scopes.h"
#include "tests/net/made_certificates.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kReader[] = "reader-secret-0123456789";
constexpr char kUploader[] = "uploader-secret-0123456789";
constexpr char kAdmin[] = "admin-secret-0123456789";
constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

std::string TokenText(const std::string& name, Scopes scopes, const std::string& secret,
                      std::optional<int64_t> expires = std::nullopt,
                      std::optional<int64_t> max_uploads = std::nullopt) {
  TokenEntry entry;
  entry.name = name;
  entry.scopes = scopes;
  entry.sha256 = Sha256Hex(secret);
  entry.expires_micros = expires;
  entry.max_uploads = max_uploads;
  return TokenLine(entry) + "\n";
}

std::string ThreeTokens() {
  return TokenText("reader", kScopeRead, kReader) + TokenText("uploader", kScopeUpload, kUploader) +
         TokenText("admin", kScopeAdmin, kAdmin);
}

// Every method of the API that is linked into a server.
std::set<std::string> AllMethods() {
  const auto* const pool = google::protobuf::DescriptorPool::generated_pool();
  std::vector<std::string> files;
  google::protobuf::DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  std::set<std::string> methods;
  for (const std::string& name : files) {
    const auto* const file = pool->FindFileByName(name);
    if (file->package() != "assay.v1") continue;
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        methods.insert(absl::StrCat("/", file->service(i)->full_name(), "/",
                                    file->service(i)->method(j)->name()));
      }
    }
  }
  return methods;
}

class SecurityTest : public ApiFixture {
 protected:
  SecurityTest() {
    security_options_.look_every = std::chrono::milliseconds(10);
    security_options_.attempts.burst = 1000;
  }
  ~SecurityTest() override {
    worker_.reset();
    server_.reset();
    context().access = nullptr;
  }

  void UseTokens(const std::string& text = ThreeTokens()) {
    security_options_.tokens = directory_.File("tokens");
    ReplaceFile(security_options_.tokens, text);
  }
  void UseCertificate(const MadeCertificate& made) {
    security_options_.tls.certificate = directory_.File("server.crt");
    security_options_.tls.key = directory_.File("server.key");
    ReplaceFile(security_options_.tls.certificate, made.chain);
    ReplaceFile(security_options_.tls.key, made.key);
  }
  void UseClientAuthority(const MadeAuthority& authority) {
    security_options_.tls.client_ca = directory_.File("client_ca.crt");
    ReplaceFile(security_options_.tls.client_ca, authority.certificate());
  }

  // In place of the open server of the fixture.
  void StartSecurely(const std::string& host = "127.0.0.1", GrpcLimits limits = {}) {
    server_.reset();
    auto security = access::Security::Open(security_options_, host, now_, metrics_);
    ASSERT_THAT(security, IsOk());
    security_ = *std::move(security);
    context().access = &security_->calls();
    auto server =
        GrpcServer::Start({host, 0}, context(), {security_->certificate(), std::move(limits)});
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
  }

  std::string Target(const std::string& host = "127.0.0.1") const {
    return Address{host, server_->port()}.ToString();
  }
  std::shared_ptr<grpc::Channel> Plain(const std::string& host = "127.0.0.1") const {
    return Channel(grpc::InsecureChannelCredentials(), "", host);
  }
  std::shared_ptr<grpc::Channel> Tls(const MadeAuthority& authority,
                                     const MadeCertificate& own = {},
                                     const std::string& name = "") const {
    return Channel(grpc::SslCredentials({authority.certificate(), own.key, own.chain}), name);
  }
  std::shared_ptr<grpc::Channel> Channel(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials, const std::string& name = "",
      const std::string& host = "127.0.0.1") const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!name.empty()) arguments.SetSslTargetNameOverride(name);
    return grpc::CreateCustomChannel(Target(host), credentials, arguments);
  }

  // A call of any method with one message of these bytes, whatever the method streams.
  static absl::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const std::vector<std::string>& authorization,
                           const std::string& bytes = "") {
    grpc::GenericStub stub(channel);
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    for (const std::string& value : authorization) call.AddMetadata("authorization", value);
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&call, method, grpc::StubOptions(), &request, &response,
                   [&](const grpc::Status& status) { done.set_value(status); });
    return FromGrpcStatus(done.get_future().get());
  }
  static absl::Status List(const std::shared_ptr<grpc::Channel>& channel,
                           const std::string& secret) {
    return Call(
        channel, "/assay.v1.ModelService/ListModels",
        secret.empty() ? std::vector<std::string>{} : std::vector<std::string>{"Bearer " + secret});
  }
  static absl::Status Health(const std::shared_ptr<grpc::Channel>& channel) {
    return Call(channel, "/grpc.health.v1.Health/Check", {});
  }

  std::vector<nlohmann::json> AuditLines() const {
    std::vector<nlohmann::json> lines;
    for (const absl::string_view line : absl::StrSplit(
             scheduler::FileText(security_options_.audit_log), '\n', absl::SkipEmpty())) {
      lines.push_back(nlohmann::json::parse(line.begin(), line.end()));
    }
    return lines;
  }
  bool HasMetric(const std::string& line) const {
    return absl::StrContains(metrics_.Render(), line + "\n");
  }

  const MadeAuthority authority_;
  access::SecurityOptions security_options_;
  // Certificates are of today.
  ManualClock now_{SystemClock().NowMicros()};
  std::unique_ptr<access::Security> security_;
};

TEST_F(SecurityTest, TheTableHasARowForEveryCallThatThereIs) {
  std::set<std::string> rows;
  for (const access::RpcRule& rule : access::AllRpcRules()) {
    EXPECT_TRUE(rows.insert(rule.method).second) << rule.method;
  }
  const std::set<std::string> methods = AllMethods();
  EXPECT_GT(methods.size(), 20u);
  for (const std::string& method : methods) {
    EXPECT_THAT(rows, Contains(method)) << "needs a row in server/access/rpc_scopes.cc";
  }
  for (const std::string& row : rows) {
    // The service of server/repository is not part of this program.
    if (absl::StartsWith(row, "/assay.v1.RepositoryService/")) continue;
    if (absl::StartsWith(row, "/assay.")) {
      EXPECT_THAT(methods, Contains(row));
    }
  }
}

TEST_F(SecurityTest, EveryCallAsksWhoCallsBeforeItLooksAtTheRequest) {
  UseTokens(TokenText("nobody", kScopeRead, kReader) + TokenText("admin", kScopeAdmin, kAdmin));
  StartSecurely();
  const auto channel = Plain();
  std::set<std::string> methods = AllMethods();
  methods.insert(kReflection);
  for (const std::string& method : methods) {
    const absl::Status without = Call(channel, method, {});
    EXPECT_TRUE(absl::IsUnauthenticated(without)) << method << ": " << without;
    EXPECT_THAT(std::string(without.message()), HasSubstr("no token"));
    EXPECT_FALSE(HasDetail(without, "BadRequest")) << method;
    const absl::Status wrong = Call(channel, method, {"Bearer not-a-token-of-this-server"});
    EXPECT_TRUE(absl::IsUnauthenticated(wrong)) << method << ": " << wrong;
    // With the scope it goes on, to errors of the request or to an answer.
    const absl::Status admitted = Call(channel, method, {absl::StrCat("bearer ", kAdmin)});
    EXPECT_FALSE(absl::IsUnauthenticated(admitted)) << method << ": " << admitted;
    EXPECT_FALSE(absl::IsPermissionDenied(admitted)) << method << ": " << admitted;
    if (method == kReflection) continue;
    EXPECT_EQ(ReasonOf(without), Reason::kUnauthenticated) << method;
  }
}

TEST_F(SecurityTest, EveryCallNeedsTheScopesOfItsRow) {
  // For each scope a token that has all others but admin.
  std::string tokens;
  for (const Scopes scope : {kScopeRead, kScopeUpload, kScopeSubmit, kScopeAdmin}) {
    tokens += TokenText(absl::StrCat("not-", ScopesText(scope)), kAllScopes & ~scope & ~kScopeAdmin,
                        absl::StrCat("all-secrets-but-", ScopesText(scope)));
  }
  UseTokens(tokens);
  StartSecurely();
  const auto channel = Plain();
  for (const access::RpcRule& rule : access::AllRpcRules()) {
    // It would be watched for ever.
    if (absl::string_view(rule.method) == "/grpc.health.v1.Health/Watch") continue;
    // Is not served here.
    if (absl::StartsWith(rule.method, "/assay.v1.RepositoryService/")) continue;
    for (const Scopes scope : {kScopeRead, kScopeUpload, kScopeSubmit, kScopeAdmin}) {
      const absl::Status status =
          Call(channel, rule.method, {absl::StrCat("Bearer all-secrets-but-", ScopesText(scope))});
      const bool denied = absl::IsPermissionDenied(status);
      EXPECT_EQ(denied, (rule.scopes & (scope | kScopeAdmin)) != 0)
          << rule.method << " without " << ScopesText(scope) << ": " << status;
      if (!denied || absl::string_view(rule.method) == kReflection) continue;
      EXPECT_EQ(ReasonOf(status), Reason::kPermissionDenied);
      EXPECT_THAT(std::string(status.message()), HasSubstr(ScopesText(rule.scopes)));
    }
  }
  EXPECT_FALSE(HasMetric("assay_authentication_failures_total{reason=\"scope\"} 0"));
}

TEST_F(SecurityTest, ProbesNeedNoToken) {
  UseTokens();
  StartSecurely();
  EXPECT_THAT(Health(Plain()), IsOk());
}

TEST_F(SecurityTest, TokensThatAreNoneAreRefusedEachWithItsReason) {
  UseTokens(ThreeTokens() +
            TokenText("old", kAllScopes, "old-secret-0123456789-0", now_.NowMicros() + 60'000'000) +
            TokenText("short", kAllScopes, "1234"));
  StartSecurely();
  const auto channel = Plain();
  const auto refused = [&](const std::vector<std::string>& authorization) {
    const absl::Status status = Call(channel, "/assay.v1.ModelService/ListModels", authorization);
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused({"Basic dXNlcjpwYXNz"}), HasSubstr("Bearer TOKEN"));
  EXPECT_THAT(refused({"Bearer "}), HasSubstr("Bearer TOKEN"));
  EXPECT_THAT(refused({absl::StrCat("Bearer ", kReader), absl::StrCat("Bearer ", kAdmin)}),
              HasSubstr("more than once"));
  EXPECT_THAT(refused({absl::StrCat("Bearer ", kReader, "x")}),
              HasSubstr("not one of this server"));
  EXPECT_THAT(refused({"Bearer " + Sha256Hex(kReader)}), HasSubstr("not one of this server"));
  // So short that it could be guessed.
  EXPECT_THAT(refused({"Bearer 1234"}), HasSubstr("not one of this server"));
  EXPECT_THAT(refused({"Bearer " + std::string(7000, 'x')}), HasSubstr("not one of this server"));
  EXPECT_THAT(List(channel, "old-secret-0123456789-0"), IsOk());
  now_.AdvanceSeconds(61);
  EXPECT_THAT(refused({"Bearer old-secret-0123456789-0"}), HasSubstr("the token old has expired"));
  EXPECT_TRUE(HasMetric("assay_authentication_failures_total{reason=\"expired\"} 1"));
  EXPECT_TRUE(HasMetric("assay_authentication_failures_total{reason=\"malformed\"} 3"));
  EXPECT_TRUE(HasMetric("assay_authentication_failures_total{reason=\"unknown\"} 4"));
}

TEST_F(SecurityTest, WhoFailsTooOftenIsToldToWaitAndOthersGoOn) {
  security_options_.attempts.burst = 5;
  security_options_.attempts.seconds_for_one = 10;
  security_options_.audit_log = directory_.File("audit");
  UseTokens();
  StartSecurely();
  const auto channel = Plain();
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(absl::IsUnauthenticated(List(channel, "not-a-token-of-this-server")));
  }
  for (int i = 0; i < 50; ++i) {
    const absl::Status status = List(channel, "not-a-token-of-this-server");
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_TRUE(HasDetail(status, "RetryInfo"));
  }
  EXPECT_THAT(List(channel, kReader), IsOk());
  now_.AdvanceSeconds(10);
  EXPECT_TRUE(absl::IsUnauthenticated(List(channel, "not-a-token-of-this-server")));
  EXPECT_TRUE(HasMetric("assay_authentication_failures_total{reason=\"rate_limited\"} 50"));
  EXPECT_TRUE(Eventually([&] { return AuditLines().size() == 6; }));
}

TEST_F(SecurityTest, ATokenThatCameUnencryptedFromAnotherMachineIsBurnt) {
  std::string own;
  ifaddrs* list = nullptr;
  ASSERT_EQ(getifaddrs(&list), 0);
  for (const ifaddrs* it = list; it != nullptr; it = it->ifa_next) {
    if (it->ifa_addr == nullptr || it->ifa_addr->sa_family != AF_INET) continue;
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(it->ifa_addr)->sin_addr, text,
              sizeof(text));
    if (!IsLoopback(text)) own = text;
  }
  freeifaddrs(list);
  if (own.empty()) GTEST_SKIP() << "this machine has no address but loopback";
  UseTokens();
  security_options_.insecure = true;
  StartSecurely(own);
  const auto channel = Plain(own);
  const absl::Status status = List(channel, kReader);
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("burnt"), HasSubstr("grpcs://")));
  EXPECT_TRUE(
      absl::IsUnauthenticated(Call(channel, kReflection, {absl::StrCat("Bearer ", kReader)})));
}

TEST_F(SecurityTest, ChangedTokensAreTakenAndBrokenOnesAreNot) {
  UseTokens();
  StartSecurely();
  const auto channel = Plain();
  EXPECT_THAT(List(channel, kReader), IsOk());
  ReplaceFile(security_options_.tokens, TokenText("new", kScopeRead, "new-secret-0123456789"));
  EXPECT_TRUE(Eventually([&] { return List(channel, "new-secret-0123456789").ok(); }));
  EXPECT_TRUE(absl::IsUnauthenticated(List(channel, kReader)));
  EXPECT_TRUE(HasMetric("assay_reload_failures_total{what=\"tokens\"} 0"));
  ReplaceFile(security_options_.tokens, "{\"name\":");
  EXPECT_TRUE(
      Eventually([&] { return HasMetric("assay_reload_failures_total{what=\"tokens\"} 1"); }));
  EXPECT_THAT(List(channel, "new-secret-0123456789"), IsOk());
  std::remove(security_options_.tokens.c_str());
  EXPECT_TRUE(
      Eventually([&] { return HasMetric("assay_reload_failures_total{what=\"tokens\"} 2"); }));
  EXPECT_THAT(List(channel, "new-secret-0123456789"), IsOk());
  UseTokens();
  EXPECT_TRUE(Eventually([&] { return List(channel, kReader).ok(); }));
}

TEST_F(SecurityTest, ABrokenTokensFileIsAnErrorAtStartWithItsLine) {
  UseTokens(ThreeTokens() + "nonsense\n");
  const auto security = access::Security::Open(security_options_, "127.0.0.1", now_, metrics_);
  EXPECT_THAT(std::string(security.status().message()),
              AllOf(HasSubstr("--tokens"), HasSubstr("tokens:4"), HasSubstr("JSON object")));
}

TEST_F(SecurityTest, APublicAddressNeedsTlsAndTokens) {
  const auto problem = [&](const std::string& host) {
    const auto security = access::Security::Open(security_options_, host, now_, metrics_);
    return std::string(security.status().message());
  };
  EXPECT_THAT(problem("127.0.0.1"), IsEmpty());
  EXPECT_THAT(problem("0.0.0.0"),
              AllOf(HasSubstr("--listen"), HasSubstr("--tls-cert"), HasSubstr("--tokens")));
  UseTokens();
  EXPECT_THAT(problem("::"), AllOf(HasSubstr("--tls-cert"), Not(HasSubstr("--tokens"))));
  UseCertificate(authority_.Sign());
  EXPECT_THAT(problem("0.0.0.0"), IsEmpty());
  security_options_.tokens.clear();
  EXPECT_THAT(problem("0.0.0.0"), AllOf(HasSubstr("--tokens"), Not(HasSubstr("--tls-cert"))));
  UseClientAuthority(authority_);
  EXPECT_THAT(problem("0.0.0.0"), IsEmpty());
  security_options_.tls.key.clear();
  EXPECT_THAT(problem("127.0.0.1"), HasSubstr("--tls-key: is missing"));
  security_options_.tls = {};
  security_options_.insecure = true;
  EXPECT_THAT(problem("0.0.0.0"), IsEmpty());
}

TEST_F(SecurityTest, OnlyWhoTrustsTheCertificateOfThisHostConnects) {
  const MadeAuthority other("Other");
  UseCertificate(authority_.Sign());
  StartSecurely();
  EXPECT_THAT(Health(Tls(authority_)), IsOk());
  EXPECT_TRUE(absl::IsUnavailable(Health(Tls(other))));
  EXPECT_TRUE(absl::IsUnavailable(Health(Tls(authority_, {}, "gpu-3"))));
  EXPECT_TRUE(absl::IsUnavailable(Health(Plain())));
  const auto failure = [&](const std::string& name, const MadeAuthority& trusted) {
    return FindTlsFailure("127.0.0.1", server_->port(), name, {trusted.certificate(), "", ""}, 20);
  };
  EXPECT_EQ(failure("127.0.0.1", authority_).kind, TlsFailure::Kind::kUnknown);
  EXPECT_THAT(failure("127.0.0.1", other).why, HasSubstr("signed by nobody that is trusted"));
  EXPECT_THAT(failure("gpu-3", authority_).why,
              AllOf(HasSubstr("is not of gpu-3"), HasSubstr("DNS:localhost")));
}

TEST_F(SecurityTest, AClientCertificateIsNeededWhereItIsAskedFor) {
  const MadeAuthority clients("Clients"), others("Others");
  UseCertificate(authority_.Sign());
  UseClientAuthority(clients);
  CertificateWish wish;
  wish.common_name = "ci";
  wish.names = {"DNS:ci.example.org"};
  const MadeCertificate good = clients.Sign(wish);
  CertificateWish late = wish;
  late.from = -7200;
  late.until = -3600;
  StartSecurely();
  // Without a tokens file it may do everything.
  EXPECT_TRUE(absl::IsInvalidArgument(
      Call(Tls(authority_, good), "/assay.v1.ModelService/DeleteModel", {})));
  for (const MadeCertificate& bad : {MadeCertificate{}, others.Sign(wish), clients.Sign(late)}) {
    EXPECT_TRUE(absl::IsUnavailable(Health(Tls(authority_, bad))));
    const TlsFailure failure = FindTlsFailure("127.0.0.1", server_->port(), "127.0.0.1",
                                              {authority_.certificate(), bad.chain, bad.key}, 20);
    EXPECT_EQ(failure.kind, TlsFailure::Kind::kClientRefused) << failure.why;
  }
}

TEST_F(SecurityTest, ACertificateCanStandForAToken) {
  UseCertificate(authority_.Sign());
  UseClientAuthority(authority_);
  TokenEntry by_name;
  by_name.name = "ci";
  by_name.scopes = kScopeRead;
  by_name.certificate = "ci.example.org";
  UseTokens(ThreeTokens() + TokenLine(by_name) + "\n");
  CertificateWish wish;
  wish.common_name = "somebody";
  wish.names = {"DNS:ci.example.org"};
  const MadeCertificate known = authority_.Sign(wish);
  wish.names = {"DNS:ci.example.com"};
  const MadeCertificate unknown = authority_.Sign(wish);
  StartSecurely();
  EXPECT_THAT(List(Tls(authority_, known), ""), IsOk());
  EXPECT_TRUE(absl::IsPermissionDenied(
      Call(Tls(authority_, known), "/assay.v1.ModelService/DeleteModel", {})));
  EXPECT_TRUE(absl::IsUnauthenticated(List(Tls(authority_, unknown), "")));
  EXPECT_THAT(List(Tls(authority_, unknown), kReader), IsOk());
  // A token counts before the certificate.
  EXPECT_TRUE(absl::IsUnauthenticated(List(Tls(authority_, known), "not-a-token-of-this-server")));
}

TEST_F(SecurityTest, NewCertificatesAndTokensAreTakenAndNoStreamIsDropped) {
  Submit("e");
  const MadeAuthority renewed("Renewed");
  UseCertificate(authority_.Sign());
  UseTokens();
  StartSecurely();
  constexpr size_t kStreams = 100;
  const auto channel = Tls(authority_);
  const auto stub = v1::EvaluationService::NewStub(channel);
  v1::WatchEvaluationRequest request;
  request.set_name("evaluations/e");
  std::vector<std::unique_ptr<grpc::ClientContext>> calls;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::EvaluationEvent>>> streams;
  v1::EvaluationEvent event;
  for (size_t i = 0; i < kStreams; ++i) {
    calls.push_back(std::make_unique<grpc::ClientContext>());
    calls.back()->AddMetadata("authorization", absl::StrCat("Bearer ", kReader));
    streams.push_back(stub->WatchEvaluation(calls.back().get(), request));
    ASSERT_TRUE(streams.back()->Read(&event)) << i;
  }
  EXPECT_TRUE(absl::IsUnavailable(Health(Tls(renewed))));
  UseCertificate(renewed.Sign());
  EXPECT_TRUE(Eventually([&] { return Health(Tls(renewed)).ok(); }));
  EXPECT_TRUE(absl::IsUnavailable(Health(Tls(authority_))));
  ReplaceFile(security_options_.tokens, TokenText("new", kAllScopes, "new-secret-0123456789"));
  EXPECT_TRUE(Eventually([&] { return List(Tls(renewed), "new-secret-0123456789").ok(); }));
  // The open connection and its streams go on.
  EXPECT_THAT(Health(channel), IsOk());
  v1::CancelEvaluationRequest cancel;
  cancel.set_name("evaluations/e");
  EXPECT_THAT(Call(Tls(renewed), "/assay.v1.EvaluationService/CancelEvaluation",
                   {"Bearer new-secret-0123456789"}, cancel.SerializeAsString()),
              IsOk());
  size_t ended = 0;
  for (const auto& stream : streams) {
    while (stream->Read(&event)) {
    }
    EXPECT_THAT(FromGrpcStatus(stream->Finish()), IsOk());
    if (event.evaluation().state() == v1::Evaluation::CANCELLED) ++ended;
  }
  EXPECT_EQ(ended, kStreams);
}

TEST_F(SecurityTest, APairThatDoesNotFitLeavesTheOldOneInForce) {
  const MadeCertificate first = authority_.Sign();
  UseCertificate(first);
  StartSecurely();
  const auto expiry = [&] {
    for (const absl::string_view line : absl::StrSplit(metrics_.Render(), '\n')) {
      if (absl::StartsWith(line, "assay_certificate_expiry_timestamp_seconds ")) {
        return std::string(line);
      }
    }
    return std::string();
  };
  const std::string before = expiry();
  EXPECT_THAT(before, Not(IsEmpty()));
  CertificateWish wish;
  wish.until = 48 * 3600;
  const MadeCertificate second = authority_.Sign(wish);
  const auto failures = [&](int count) {
    return Eventually([&] {
      return HasMetric(absl::StrCat("assay_reload_failures_total{what=\"certificate\"} ", count));
    });
  };
  ReplaceFile(security_options_.tls.certificate, second.chain);  // another key's
  EXPECT_TRUE(failures(1));
  EXPECT_THAT(Health(Tls(authority_)), IsOk());
  ReplaceFile(security_options_.tls.certificate, second.chain.substr(0, 200));  // half of it
  EXPECT_TRUE(failures(2));
  EXPECT_THAT(Health(Tls(authority_)), IsOk());
  std::remove(security_options_.tls.key.c_str());
  EXPECT_TRUE(failures(3));
  EXPECT_THAT(Health(Tls(authority_)), IsOk());
  EXPECT_EQ(expiry(), before);
  UseCertificate(second);
  EXPECT_TRUE(Eventually([&] { return expiry() != before; }));
  EXPECT_THAT(Health(Tls(authority_)), IsOk());
}

TEST_F(SecurityTest, TheAuditLogSaysWhoDidWhatToWhichResource) {
  security_options_.audit_log = directory_.File("audit");
  UseTokens();
  StartSecurely();
  const auto channel = Plain();
  v1::DeleteModelRequest request;
  request.set_name("models/no");
  const std::string bytes = request.SerializeAsString();
  EXPECT_TRUE(absl::IsNotFound(Call(channel, "/assay.v1.ModelService/DeleteModel",
                                    {absl::StrCat("Bearer ", kAdmin)}, bytes)));
  EXPECT_TRUE(absl::IsPermissionDenied(Call(channel, "/assay.v1.ModelService/DeleteModel",
                                            {absl::StrCat("Bearer ", kReader)}, bytes)));
  EXPECT_THAT(List(channel, kReader), IsOk());
  EXPECT_THAT(Health(channel), IsOk());
  ASSERT_TRUE(Eventually([&] { return AuditLines().size() == 2; }));
  const std::vector<nlohmann::json> lines = AuditLines();
  EXPECT_EQ(lines[0]["who"], "admin");
  EXPECT_EQ(lines[0]["by"], "token");
  EXPECT_EQ(lines[0]["method"], "/assay.v1.ModelService/DeleteModel");
  EXPECT_EQ(lines[0]["resource"], "models/no");
  EXPECT_EQ(lines[0]["allowed"], true);
  EXPECT_EQ(lines[0]["code"], "NOT_FOUND");
  EXPECT_THAT(lines[0]["peer"].get<std::string>(), HasSubstr("127.0.0.1"));
  EXPECT_THAT(lines[0]["time"].get<std::string>(), HasSubstr("T"));
  EXPECT_EQ(lines[1]["who"], "reader");
  EXPECT_EQ(lines[1]["allowed"], false);
  EXPECT_EQ(lines[1]["reason"], "PERMISSION_DENIED");
  const std::string text = scheduler::FileText(security_options_.audit_log);
  for (const char* secret : {kReader, kAdmin}) EXPECT_THAT(text, Not(HasSubstr(secret)));

  // Moved away, as logrotate does.
  std::rename(security_options_.audit_log.c_str(), directory_.File("audit.1").c_str());
  security_->Reload();
  EXPECT_TRUE(absl::IsUnauthenticated(List(channel, "")));
  ASSERT_TRUE(Eventually([&] { return AuditLines().size() == 1; }));
  EXPECT_EQ(AuditLines()[0]["who"], "anonymous");
  EXPECT_EQ(AuditLines()[0]["code"], "UNAUTHENTICATED");
}

TEST_F(SecurityTest, ReadsAreInTheAuditLogIfTheyAreAskedFor) {
  security_options_.audit_log = directory_.File("audit");
  security_options_.audit_reads = true;
  StartSecurely();
  EXPECT_THAT(List(Plain(), ""), IsOk());
  EXPECT_THAT(Health(Plain()), IsOk());
  ASSERT_TRUE(Eventually([&] { return AuditLines().size() == 1; }));
  EXPECT_EQ(AuditLines()[0]["who"], "anonymous");
  EXPECT_EQ(AuditLines()[0]["code"], "OK");
}

TEST_F(SecurityTest, NothingIsChangedWhileTheAuditLogCannotBeWritten) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full";
  security_options_.audit_log = "/dev/full";
  StartSecurely();
  const auto channel = Plain();
  const auto remove = [&] { return Call(channel, "/assay.v1.ModelService/DeleteModel", {}); };
  EXPECT_TRUE(absl::IsInvalidArgument(remove()));
  EXPECT_TRUE(Eventually([&] { return HasMetric("assay_audit_failures_total 1"); }));
  const absl::Status refused = remove();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("audit log"));
  EXPECT_TRUE(HasDetail(refused, "RetryInfo"));
  EXPECT_THAT(List(channel, ""), IsOk());
}

TEST_F(SecurityTest, ATokenHasSoManyUploadsAtATime) {
  UseTokens(TokenText("up", kScopeUpload, kUploader, std::nullopt, /*max_uploads=*/2) +
            TokenText("other", kScopeUpload, "other-secret-0123456789"));
  StartSecurely();
  const auto channel = Plain();
  const auto stub = v1::ChunkService::NewStub(channel);
  struct Upload {
    grpc::ClientContext call;
    v1::UploadChunksResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::UploadChunksRequest>> stream;
  };
  const auto open = [&](const std::string& secret) {
    auto upload = std::make_unique<Upload>();
    upload->call.AddMetadata("authorization", "Bearer " + secret);
    upload->stream = stub->UploadChunks(&upload->call, &upload->response);
    return upload;
  };
  // Begun for certain: the server has taken its header.
  v1::UploadChunksRequest header;
  const std::string content = "content";
  header.mutable_header()->set_digest(Sha256Hex(content));
  header.mutable_header()->set_size_bytes(static_cast<int64_t>(content.size()));
  auto first = open(kUploader);
  auto second = open(kUploader);
  ASSERT_TRUE(first->stream->Write(header));
  ASSERT_TRUE(second->stream->Write(header));
  const auto started = [&](int count) {
    return Eventually([&] {
      return HasMetric(absl::StrCat(
          "grpc_server_msg_received_total{grpc_method=\"UploadChunks\",grpc_service=\"assay.v1."
          "ChunkService\",grpc_type=\"client_stream\"} ",
          count));
    });
  };
  ASSERT_TRUE(started(2));
  auto third = open(kUploader);
  const absl::Status refused = FromGrpcStatus(third->stream->Finish());
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_TRUE(HasDetail(refused, "QuotaFailure"));
  EXPECT_TRUE(HasDetail(refused, "RetryInfo"));
  auto other = open("other-secret-0123456789");
  other->stream->WritesDone();
  EXPECT_THAT(FromGrpcStatus(other->stream->Finish()), IsOk());
  // One ends, another may begin.
  first->call.TryCancel();
  first->stream->Finish().ok();
  EXPECT_TRUE(Eventually([&] {
    auto next = open(kUploader);
    next->stream->WritesDone();
    return next->stream->Finish().ok();
  }));
  second->call.TryCancel();
  second->stream->Finish().ok();
}

TEST_F(SecurityTest, ATokenHasSoManyUnfinishedEvaluationsWhichAreItsOwn) {
  EXPECT_THAT(CreateModel("m", ModelFile("")), IsOk());
  EXPECT_THAT(CreateDataset("d", {4}), IsOk());
  TokenEntry few;
  few.name = "few";
  few.scopes = kScopeRead | kScopeSubmit;
  few.sha256 = Sha256Hex("few-secret-0123456789-0");
  few.max_unfinished_evaluations = 2;
  UseTokens(TokenLine(few) + "\n" + TokenText("many", kScopeSubmit, "many-secret-0123456789"));
  StartSecurely();
  const auto channel = Plain();
  v1::CreateEvaluationRequest request;
  request.mutable_spec()->set_model("models/m");
  request.mutable_spec()->set_dataset("datasets/d");
  request.mutable_spec()->add_conditions("clean");
  const auto create = [&](const std::string& id, const std::string& secret) {
    request.set_evaluation_id(id);
    return Call(channel, "/assay.v1.EvaluationService/CreateEvaluation", {"Bearer " + secret},
                request.SerializeAsString());
  };
  EXPECT_THAT(create("a", "few-secret-0123456789-0"), IsOk());
  EXPECT_THAT(create("b", "few-secret-0123456789-0"), IsOk());
  const absl::Status refused = create("c", "few-secret-0123456789-0");
  EXPECT_THAT(refused, HasReason(Reason::kQuotaExceeded));
  EXPECT_TRUE(HasDetail(refused, "QuotaFailure"));
  EXPECT_THAT(create("c", "many-secret-0123456789"), IsOk());
  const auto owner = [&](const std::string& name) {
    return context().evaluations.GetEvaluation(name)->proto.spec().labels().at("assay/owner");
  };
  EXPECT_EQ(owner("evaluations/a"), "few");
  EXPECT_EQ(owner("evaluations/c"), "many");
  // One ends, another may begin; and nobody says that it is somebody else.
  EXPECT_THAT(context().evaluations.CancelEvaluation("evaluations/a"), IsOk());
  (*request.mutable_spec()->mutable_labels())["assay/owner"] = "many";
  EXPECT_THAT(create("d", "few-secret-0123456789-0"), HasReason(Reason::kInvalidArgument));
  (*request.mutable_spec()->mutable_labels())["assay/owner"] = "few";
  EXPECT_THAT(create("d", "few-secret-0123456789-0"), IsOk());
  v1::RetryEvaluationRequest retry;
  retry.set_name("evaluations/a");
  EXPECT_THAT(Call(channel, "/assay.v1.EvaluationService/RetryEvaluation",
                   {"Bearer few-secret-0123456789-0"}, retry.SerializeAsString()),
              HasReason(Reason::kQuotaExceeded));
}

TEST_F(SecurityTest, ATokenHasSoManyStoredBytesOfWhatItMakesAndUploads) {
  TokenEntry small;
  small.name = "small";
  small.scopes = kScopeUpload | kScopeRead | kScopeSubmit;
  small.sha256 = Sha256Hex("small-secret-0123456789");
  const std::string file = ModelFile("name=one"), other = ModelFile("name=two");
  small.max_stored_bytes = static_cast<int64_t>(file.size() + other.size() - 1);
  UseTokens(TokenLine(small) + "\n" + TokenText("admin", kScopeAdmin, kAdmin));
  StartSecurely();
  const auto channel = Plain();
  const auto upload = [&](const std::string& content, const std::string& secret) {
    const auto stub = v1::ChunkService::NewStub(channel);
    grpc::ClientContext call;
    call.AddMetadata("authorization", "Bearer " + secret);
    v1::UploadChunksResponse response;
    const auto stream = stub->UploadChunks(&call, &response);
    v1::UploadChunksRequest message;
    message.mutable_header()->set_digest(Sha256Hex(content));
    message.mutable_header()->set_size_bytes(static_cast<int64_t>(content.size()));
    message.mutable_header()->set_upload_id("upload of " + Sha256Hex(content));
    stream->Write(message);
    message.set_data(content);
    stream->Write(message);
    stream->WritesDone();
    return FromGrpcStatus(stream->Finish());
  };
  const auto create = [&](const std::string& id, const std::string& content,
                          const std::string& secret, bool validate_only = false) {
    v1::CreateModelRequest request;
    request.set_model_id(id);
    request.add_chunks(Sha256Hex(content));
    request.set_digest(Sha256Hex(content));
    request.set_request_id("upload of " + Sha256Hex(content));
    request.set_validate_only(validate_only);
    return Call(channel, "/assay.v1.ModelService/CreateModel", {"Bearer " + secret},
                request.SerializeAsString());
  };
  const std::string secret = "small-secret-0123456789";
  EXPECT_THAT(upload(file, secret), IsOk());
  // It is not a model yet, and counts all the same.
  const absl::Status refused = upload(other, secret);
  EXPECT_THAT(refused, HasReason(Reason::kQuotaExceeded));
  EXPECT_TRUE(HasDetail(refused, "QuotaFailure"));
  EXPECT_TRUE(HasDetail(refused, "RetryInfo"));
  EXPECT_THAT(create("one", file, secret), IsOk());
  EXPECT_THAT(upload(other, secret), HasReason(Reason::kQuotaExceeded));
  // What somebody else has brought need not be sent, and counts as well.
  EXPECT_THAT(upload(other, kAdmin), IsOk());
  EXPECT_THAT(create("two", other, secret, /*validate_only=*/true),
              HasReason(Reason::kQuotaExceeded));
  EXPECT_THAT(create("two", other, secret), HasReason(Reason::kQuotaExceeded));
  EXPECT_THAT(create("two", other, kAdmin), IsOk());
  // There already, and not charged to who asks for it again.
  EXPECT_THAT(create("two", other, secret), IsOk());
  EXPECT_EQ(*context().catalog.BytesOf("small"), static_cast<int64_t>(file.size()));
  // Images of streams are checked before they are stored.
  const auto stub = v1::EvaluationService::NewStub(channel);
  grpc::ClientContext call;
  call.AddMetadata("authorization", "Bearer " + secret);
  const auto stream = stub->Evaluate(&call);
  v1::EvaluateRequest message;
  message.mutable_start()->set_model("models/one");
  message.mutable_start()->add_conditions("clean");
  *message.mutable_start()->mutable_shape() = MakeShape(1, 32, 32);
  message.mutable_start()->set_pixel_type(v1::UINT8);
  ASSERT_TRUE(stream->Write(message));
  for (int i = 0; i < 10; ++i) message.mutable_batch()->add_labels(0);
  message.mutable_batch()->set_images(std::string(10 * 32 * 32, 'x'));
  stream->Write(message);
  v1::EvaluateResponse response;
  while (stream->Read(&response)) continue;
  EXPECT_THAT(FromGrpcStatus(stream->Finish()), HasReason(Reason::kQuotaExceeded));
  // Deleted by who may, and there is room.
  v1::DeleteModelRequest remove;
  remove.set_name("models/two");
  EXPECT_THAT(Call(channel, "/assay.v1.ModelService/DeleteModel", {absl::StrCat("Bearer ", kAdmin)},
                   remove.SerializeAsString()),
              IsOk());
  EXPECT_EQ(*context().catalog.BytesOf("small"), static_cast<int64_t>(file.size()));
}

TEST_F(SecurityTest, TheAuditLogIsReadByAdministratorsAndOnlyWhereThereIsOne) {
  UseTokens();
  StartSecurely();
  v1::ListAuditEntriesRequest request;
  const auto ask = [&](const std::string& secret, v1::ListAuditEntriesResponse* response) {
    const auto stub = v1::AdminService::NewStub(Plain());
    grpc::ClientContext call;
    call.AddMetadata("authorization", "Bearer " + secret);
    return FromGrpcStatus(stub->ListAuditEntries(&call, request, response));
  };
  v1::ListAuditEntriesResponse response;
  EXPECT_THAT(ask(kAdmin, &response), HasReason(Reason::kWrongState));
  security_options_.audit_log = directory_.File("audit.jsonl");
  StartSecurely();
  EXPECT_TRUE(absl::IsPermissionDenied(ask(kReader, &response)));
  v1::DeleteModelRequest remove;
  remove.set_name("models/gone");
  for (const char* secret : {kReader, kAdmin}) {
    Call(Plain(), "/assay.v1.ModelService/DeleteModel", {absl::StrCat("Bearer ", secret)},
         remove.SerializeAsString())
        .IgnoreError();
  }
  ASSERT_TRUE(Eventually([&] { return AuditLines().size() == 3; }));
  request.set_method("Delete");
  ASSERT_THAT(ask(kAdmin, &response), IsOk());
  ASSERT_EQ(response.entries_size(), 2);
  EXPECT_EQ(response.entries(0).who(), "admin");
  EXPECT_EQ(response.entries(0).code(), "NOT_FOUND");
  EXPECT_EQ(response.entries(0).resource(), "models/gone");
  EXPECT_TRUE(response.entries(0).allowed());
  EXPECT_EQ(response.entries(1).who(), "reader");
  EXPECT_FALSE(response.entries(1).allowed());
  EXPECT_EQ(response.next_page_token(), "");
  request.set_page_size(1);
  ASSERT_THAT(ask(kAdmin, &response), IsOk());
  EXPECT_EQ(response.entries_size(), 1);
  request.set_page_token(response.next_page_token());
  ASSERT_THAT(ask(kAdmin, &response), IsOk());
  ASSERT_EQ(response.entries_size(), 1);
  EXPECT_EQ(response.entries(0).who(), "reader");
  request.set_page_size(-1);
  EXPECT_THAT(ask(kAdmin, &response), HasReason(Reason::kInvalidArgument));
}

TEST_F(SecurityTest, AStreamWhoseClientDoesNotReadIsEndedAndTheServerGoesOn) {
  // Far more than a connection holds by itself.
  EXPECT_THAT(CreateDataset("d", std::vector<int>(8, 1'000'000)), IsOk());
  context().writes.Start(std::chrono::milliseconds(300));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 16);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto channel =
      grpc::CreateCustomChannel(Target(), grpc::InsecureChannelCredentials(), arguments);
  const auto stub = v1::DatasetService::NewStub(channel);
  v1::StreamSamplesRequest request;
  request.set_name("datasets/d");
  grpc::ClientContext call;
  const auto stream = stub->StreamSamples(&call, request);
  const auto handled = [&] {
    const std::string metrics = metrics_.Render();
    const std::vector<absl::string_view> lines = absl::StrSplit(metrics, '\n');
    return std::any_of(lines.begin(), lines.end(), [](absl::string_view line) {
      return absl::StartsWith(line, "grpc_server_handled_total{") &&
             absl::StrContains(line, "\"StreamSamples\"");
    });
  };
  EXPECT_TRUE(Eventually(handled));
  EXPECT_THAT(Health(Plain()), IsOk());
  v1::StreamSamplesResponse message;
  int read = 0;
  while (stream->Read(&message)) ++read;
  EXPECT_FALSE(stream->Finish().ok());
  EXPECT_LT(read, 8);
}

// A connection by hand, which then does nothing, or only what it is told.
int RawConnection(int port, const std::string& bytes) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  if (!bytes.empty()) {
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  return fd;
}

TEST_F(SecurityTest, ConnectionsThatDoNotGetGoingAreClosedAndHoldNobodyUp) {
  UseCertificate(authority_.Sign());
  GrpcLimits limits;
  limits.handshake_seconds = 1;
  StartSecurely("127.0.0.1", limits);
  std::vector<int> connections;
  // Silence, the beginning of a TLS handshake, and no TLS at all.
  for (int i = 0; i < 50; ++i) {
    connections.push_back(RawConnection(server_->port(), ""));
    connections.push_back(
        RawConnection(server_->port(), std::string("\x16\x03\x01\x02\x00\x01", 6)));
    connections.push_back(RawConnection(server_->port(), "GET / HTTP/1.1\r\n"));
  }
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Health(Tls(authority_)), IsOk());
  for (const int fd : connections) {
    ASSERT_GE(fd, 0);
    // Until the server closes it; the test's own time limit ends a wait in vain.
    char buffer[256];
    while (recv(fd, buffer, sizeof(buffer), 0) > 0) {
    }
    close(fd);
  }
}

}  // namespace
}  // namespace assay::api
