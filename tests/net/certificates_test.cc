#include "net/certificates.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/net/made_certificates.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const FlagFile kCert{"--tls-cert", "c.pem"};
const FlagFile kKey{"--tls-key", "k.pem"};

int64_t Now() { return SystemClock().NowMicros(); }

std::string Problem(const std::string& chain, const std::string& key) {
  const auto facts = CheckCertificate(chain, kCert, key, kKey, Now());
  EXPECT_FALSE(facts.ok());
  EXPECT_EQ(ReasonOf(facts.status()), Reason::kInvalidArgument);
  return std::string(facts.status().message());
}

class CertificatesTest : public ::testing::Test {
 protected:
  const MadeAuthority authority_;
};

TEST_F(CertificatesTest, AGoodPairSaysWhoseItIsAndUntilWhen) {
  for (const int bits : {0, 2048}) {
    CertificateWish wish;
    wish.rsa_bits = bits;
    wish.common_name = "gpu-3";
    const MadeCertificate made = authority_.Sign(wish);
    const auto facts =
        CheckCertificate(made.chain + authority_.certificate(), kCert, made.key, kKey, Now());
    ASSERT_TRUE(facts.ok()) << facts.status();
    EXPECT_EQ(facts->subject, "CN=gpu-3");
    EXPECT_NEAR(static_cast<double>(facts->not_after_micros - Now()) * 1e-6, 86400, 600);
  }
}

TEST_F(CertificatesTest, WhatIsWrongIsSaidWithTheFlagAndTheFile) {
  const MadeCertificate good = authority_.Sign();
  const MadeCertificate other = authority_.Sign();
  EXPECT_THAT(Problem(good.chain, other.key),
              AllOf(StartsWith("--tls-key: k.pem is not the key of the first certificate"),
                    HasSubstr("--tls-cert c.pem")));
  // The authority first: the usual mistake with chains.
  EXPECT_THAT(Problem(authority_.certificate() + good.chain, good.key),
              HasSubstr("is not the key"));
  EXPECT_THAT(Problem("", good.key), HasSubstr("-----BEGIN CERTIFICATE-----"));
  EXPECT_THAT(Problem(good.key, good.key), HasSubstr("has no certificate"));
  EXPECT_THAT(Problem(good.chain, good.chain), HasSubstr("has no private key"));
  EXPECT_THAT(Problem(good.chain, ""), StartsWith("--tls-key: k.pem has no private key"));
  EXPECT_THAT(Problem(good.chain.substr(0, good.chain.size() / 2), good.key),
              HasSubstr("is the file complete?"));
  CertificateWish wish;
  wish.from = -7200;
  wish.until = -3600;
  const MadeCertificate expired = authority_.Sign(wish);
  EXPECT_THAT(Problem(expired.chain, expired.key), HasSubstr("c.pem has expired"));
  wish.from = 3600;
  wish.until = 7200;
  const MadeCertificate early = authority_.Sign(wish);
  EXPECT_THAT(Problem(early.chain, early.key), HasSubstr("is not valid yet"));
  wish = {};
  wish.rsa_bits = 1024;
  const MadeCertificate weak = authority_.Sign(wish);
  EXPECT_THAT(Problem(weak.chain, weak.key), HasSubstr("key too small"));
}

TEST_F(CertificatesTest, AKeyWithAPassphraseIsRefusedWithoutAQuestion) {
  const MadeCertificate good = authority_.Sign();
  // openssl genpkey -algorithm ed25519 -aes-256-cbc -pass pass:secret
  const std::string encrypted = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh/7tawn5z1ZAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEG8rN4HW+5H7RqWtS4/+thkEQNT1
7KELFVKNJIIoBEYMEoy3Ta7ihwuoODTberhIRv/kl3HlTZESeP51R41CSz+xsWp4
VpLLxMIcJwxhZe0XGtI=
-----END ENCRYPTED PRIVATE KEY-----
)";
  EXPECT_THAT(Problem(good.chain, encrypted), HasSubstr("is encrypted"));
}

TEST_F(CertificatesTest, HostileFilesAreRefused) {
  const MadeCertificate good = authority_.Sign();
  for (size_t cut = 1; cut + 1 < good.chain.size(); cut += 7) {
    EXPECT_FALSE(CheckCertificate(good.chain.substr(0, cut), kCert, good.key, kKey, Now()).ok());
    EXPECT_FALSE(
        CheckCertificate(good.chain, kCert, good.key.substr(0, cut % good.key.size()), kKey, Now())
            .ok() &&
        cut % good.key.size() + 2 < good.key.size());
  }
  std::string flipped = good.chain;
  flipped[flipped.size() / 2] = flipped[flipped.size() / 2] == 'A' ? 'B' : 'A';
  // Whatever it says, it says it; a flipped bit may leave a certificate that is only of no use.
  CheckCertificate(flipped, kCert, good.key, kKey, Now()).IgnoreError();
  std::string many;
  for (int i = 0; i <= 1000; ++i) many += good.chain;
  EXPECT_THAT(Problem(many, good.key), HasSubstr("more than 1000"));
  EXPECT_FALSE(CheckAuthorities(std::string(1000, '\0'), {"--tls-client-ca", "a"}).ok());
}

TEST_F(CertificatesTest, FilesAreReadUpToAMebibyte) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/certificates_test_", getpid());
  const auto problem = [](const std::string& name) {
    return std::string(ReadSmallFile({"--tls-cert", name}).status().message());
  };
  EXPECT_THAT(problem(path), AllOf(HasSubstr("--tls-cert"), HasSubstr("No such file")));
  EXPECT_THAT(problem("/dev/zero"), HasSubstr("is no file"));
  EXPECT_THAT(problem(::testing::TempDir()), HasSubstr("is no file"));
  std::ofstream(path) << std::string((1 << 20) + 1, 'x');
  EXPECT_THAT(problem(path), HasSubstr("over 1 MiB"));
  std::ofstream(path) << "text";
  EXPECT_EQ(*ReadSmallFile({"--tls-cert", path}), "text");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace assay
