#include "net/certificates.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "net/tokens.h"

namespace assay {
namespace {

constexpr int64_t kMaxPemBytes = 1 << 20;
constexpr size_t kMaxCertificates = 1000;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
template <typename T>
using Owned = std::unique_ptr<T, Deleter>;

absl::Status Wrong(const FlagFile& source, const std::string& what) {
  return InvalidFields({{source.flag, absl::StrCat(source.path, " ", what)}});
}

Owned<BIO> Memory(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The last thing that OpenSSL has not liked; its queue is empty afterwards.
std::string OpenSslReason() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "OpenSSL does not say why" : reason;
}

absl::StatusOr<std::vector<Owned<X509>>> ReadCertificates(const std::string& pem,
                                                          const FlagFile& source) {
  ERR_clear_error();
  const Owned<BIO> bio = Memory(pem);
  std::vector<Owned<X509>> certificates;
  while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
    if (certificates.size() > kMaxCertificates) {
      return Wrong(source, absl::StrCat("has more than ", kMaxCertificates, " certificates"));
    }
  }
  const unsigned long end = ERR_peek_last_error();
  const bool read_all =
      ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE;
  const std::string reason = OpenSslReason();
  if (certificates.empty() && read_all) {
    return Wrong(source,
                 "has no certificate: it must be PEM, with a -----BEGIN CERTIFICATE----- line");
  }
  if (!read_all) {
    return Wrong(source, absl::StrCat("has a certificate that cannot be read (", reason,
                                      "); is the file complete?"));
  }
  return certificates;
}

absl::StatusOr<int64_t> MicrosOf(const ASN1_TIME* time, const FlagFile& source) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Wrong(source, "has a time that is none");
  return static_cast<int64_t>(timegm(&parts)) * 1'000'000;
}

std::string SubjectOf(X509* certificate) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

// No question on the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

absl::StatusOr<Owned<EVP_PKEY>> ReadKey(const std::string& pem, const FlagFile& source) {
  ERR_clear_error();
  bool asked = false;
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(Memory(pem).get(), nullptr, NoPassphrase, &asked));
  const std::string reason = OpenSslReason();
  if (key != nullptr) return key;
  if (asked) {
    return Wrong(source,
                 "is encrypted; give the key without a passphrase, in a file that only the "
                 "server's user can read (openssl pkey -in FILE -out KEY)");
  }
  return Wrong(source, absl::StrCat("has no private key in PEM that can be read (", reason, ")"));
}

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// The names in a certificate, for an error that says whose it is.
std::string NamesOf(X509* certificate) {
  std::vector<std::string> names;
  auto* const alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const Owned<BIO> bio(BIO_new(BIO_s_mem()));
    GENERAL_NAME_print(bio.get(), sk_GENERAL_NAME_value(alternatives, i));
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    names.emplace_back(data, static_cast<size_t>(size));
  }
  GENERAL_NAMES_free(alternatives);
  std::string text;
  for (const std::string& name : names) {
    if (text.size() < 300) absl::StrAppend(&text, text.empty() ? "" : ", ", name);
  }
  return text.empty() ? SubjectOf(certificate) : text;
}

// Empty: the verification found nothing, or did not come to an end.
std::string WhyNotTrusted(const SSL* ssl, const std::string& name) {
  const long verdict = SSL_get_verify_result(ssl);
  const Owned<X509> certificate(SSL_get1_peer_certificate(ssl));
  if (certificate == nullptr || verdict == X509_V_OK) return "";
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED: {
      const auto end = MicrosOf(X509_get0_notAfter(certificate.get()), {});
      return absl::StrCat("its certificate has expired",
                          end.ok() ? absl::StrCat(" (", TimeText(*end), ")") : "");
    }
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::StrCat("its certificate is not of ", name, " but of ",
                          NamesOf(certificate.get()));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return absl::StrCat("its certificate was signed by nobody that is trusted here (",
                          X509_verify_cert_error_string(verdict), ")");
    default:
      return absl::StrCat("its certificate cannot be trusted (",
                          X509_verify_cert_error_string(verdict), ")");
  }
}

}  // namespace

absl::StatusOr<std::string> ReadSmallFile(const FlagFile& source) {
  struct stat facts {};
  if (stat(source.path.c_str(), &facts) != 0) {
    return Wrong(source, absl::StrCat("cannot be read: ", std::strerror(errno)));
  }
  if (!S_ISREG(facts.st_mode)) return Wrong(source, "is no file");
  if (facts.st_size > kMaxPemBytes) return Wrong(source, "is over 1 MiB");
  std::ifstream file(source.path, std::ios::binary);
  std::string text(static_cast<size_t>(kMaxPemBytes) + 1, '\0');
  errno = 0;
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (!file.is_open() || file.bad()) {
    return Wrong(source, absl::StrCat("cannot be read: ",
                                      errno == 0 ? "unknown error" : std::strerror(errno)));
  }
  if (static_cast<int64_t>(text.size()) > kMaxPemBytes)
    return Wrong(source, "grows while it is read");
  return text;
}

absl::StatusOr<CertificateFacts> CheckCertificate(const std::string& chain,
                                                  const FlagFile& chain_source,
                                                  const std::string& key,
                                                  const FlagFile& key_source, int64_t now_micros) {
  ASSAY_ASSIGN_OR_RETURN(const auto certificates, ReadCertificates(chain, chain_source));
  ASSAY_ASSIGN_OR_RETURN(const auto private_key, ReadKey(key, key_source));
  X509* const owner = certificates[0].get();
  CertificateFacts facts;
  facts.subject = SubjectOf(owner);
  ASSAY_ASSIGN_OR_RETURN(facts.not_before_micros,
                         MicrosOf(X509_get0_notBefore(owner), chain_source));
  ASSAY_ASSIGN_OR_RETURN(facts.not_after_micros, MicrosOf(X509_get0_notAfter(owner), chain_source));
  if (X509_check_private_key(owner, private_key.get()) != 1) {
    ERR_clear_error();
    return Wrong(key_source, absl::StrCat("is not the key of the first certificate in ",
                                          chain_source.ToString(), " (", facts.subject, ")"));
  }
  if (now_micros >= facts.not_after_micros) {
    return Wrong(chain_source, absl::StrCat("has expired: ", facts.subject, " was valid until ",
                                            TimeText(facts.not_after_micros)));
  }
  if (now_micros < facts.not_before_micros) {
    return Wrong(chain_source, absl::StrCat("is not valid yet: ", facts.subject, " is from ",
                                            TimeText(facts.not_before_micros),
                                            " on; is this machine's clock right?"));
  }
  // What a server would be given; refuses keys that are too short, for one.
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  if (SSL_CTX_use_certificate(context.get(), owner) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), private_key.get()) != 1) {
    return Wrong(chain_source, absl::StrCat("cannot be used: ", OpenSslReason()));
  }
  return facts;
}

absl::Status CheckAuthorities(const std::string& pem, const FlagFile& source) {
  return ReadCertificates(pem, source).status();
}

TlsFailure FindTlsFailure(const std::string& host, int port, const std::string& name,
                          const ClientTls& client, int seconds) {
  ERR_clear_error();
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  if (client.authorities.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (const auto authorities = ReadCertificates(client.authorities, {}); authorities.ok()) {
    X509_STORE* const trusted = SSL_CTX_get_cert_store(context.get());
    for (const auto& authority : *authorities) X509_STORE_add_cert(trusted, authority.get());
  }
  if (!client.chain.empty()) {
    const auto own = ReadCertificates(client.chain, {});
    const auto key = ReadKey(client.key, {});
    if (own.ok() && key.ok()) {
      SSL_CTX_use_certificate(context.get(), own->front().get());
      SSL_CTX_use_PrivateKey(context.get(), key->get());
    }
  }
  const Owned<BIO> bio(BIO_new_ssl_connect(context.get()));
  SSL* ssl = nullptr;
  BIO_get_ssl(bio.get(), &ssl);
  if (ssl == nullptr) return {};
  // What gRPC speaks; servers end connections that do not.
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>("\x02h2"), 3);
  if (IsAddress(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str());
  } else {
    SSL_set1_host(ssl, name.c_str());
    SSL_set_tlsext_host_name(ssl, name.c_str());
  }
  // Called when the server asks for a certificate.
  bool asked = false;
  SSL_set_cert_cb(
      ssl,
      [](SSL*, void* flag) {
        *static_cast<bool*>(flag) = true;
        return 1;
      },
      &asked);
  BIO_set_conn_hostname(bio.get(), host.c_str());
  BIO_set_conn_port(bio.get(), std::to_string(port).c_str());
  BIO_set_nbio(bio.get(), 1);
  const std::time_t limit = std::time(nullptr) + seconds;
  const auto waited = [&] {
    return BIO_should_retry(bio.get()) != 0 && BIO_wait(bio.get(), limit, 50) > 0;
  };
  while (BIO_do_handshake(bio.get()) != 1 && waited()) {
  }
  // By TLS 1.3 a server finds out only afterwards what the client has shown, and closes without a
  // word (gRPC) or with an alert. Any other one answers to this, the beginning of HTTP/2.
  int read = 0;
  if (SSL_is_init_finished(ssl) != 0) {
    const std::string preface =
        absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", std::string("\0\0\0\4\0\0\0\0\0", 9));
    BIO_write(bio.get(), preface.data(), static_cast<int>(preface.size()));
    char byte = 0;
    while ((read = BIO_read(bio.get(), &byte, 1)) <= 0 && waited()) {
    }
  }
  const bool closed = read <= 0 && BIO_should_retry(bio.get()) == 0;
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  ERR_clear_error();
  const std::string not_trusted = WhyNotTrusted(ssl, name);
  if (!not_trusted.empty()) return {TlsFailure::Kind::kServerNotTrusted, not_trusted};
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) {
    return {TlsFailure::Kind::kNoTls, "it does not speak TLS"};
  }
  if (closed && asked) {
    return {TlsFailure::Kind::kClientRefused,
            client.chain.empty()
                ? "it wants a certificate of the client"
                : "it does not accept the client's certificate: that has expired, or another "
                  "authority has signed it"};
  }
  return {};
}

}  // namespace assay
