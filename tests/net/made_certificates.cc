#include "tests/net/made_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_join.h"

namespace assay {
namespace {

EVP_PKEY* NewKey(int rsa_bits) {
  return rsa_bits > 0 ? EVP_RSA_gen(static_cast<unsigned>(rsa_bits)) : EVP_EC_gen("P-256");
}

template <typename Write>
std::string Pem(const Write& write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

void Extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (extension == nullptr) std::abort();
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

long serial = 1;

X509* NewCertificate(const std::string& name, long from, long until, EVP_PKEY* key) {
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), until);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate, key);
  return certificate;
}

}  // namespace

struct MadeAuthority::State {
  EVP_PKEY* key = NewKey(0);
  X509* certificate = nullptr;
  ~State() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

MadeAuthority::MadeAuthority(const std::string& name) : state_(std::make_unique<State>()) {
  X509* const own = NewCertificate(name, -24 * 3600, 365 * 24 * 3600, state_->key);
  state_->certificate = own;
  X509_set_issuer_name(own, X509_get_subject_name(own));
  Extend(own, own, NID_basic_constraints, "critical,CA:TRUE");
  Extend(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  Extend(own, own, NID_subject_key_identifier, "hash");
  X509_sign(own, state_->key, EVP_sha256());
  certificate_ = Pem([&](BIO* bio) { PEM_write_bio_X509(bio, own); });
}

MadeAuthority::~MadeAuthority() = default;

MadeCertificate MadeAuthority::Sign(const CertificateWish& wish) const {
  EVP_PKEY* const key = NewKey(wish.rsa_bits);
  X509* const made = NewCertificate(wish.common_name, wish.from, wish.until, key);
  X509_set_issuer_name(made, X509_get_subject_name(state_->certificate));
  Extend(made, state_->certificate, NID_basic_constraints, "critical,CA:FALSE");
  Extend(made, state_->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
  Extend(made, state_->certificate, NID_authority_key_identifier, "keyid");
  if (!wish.names.empty()) {
    Extend(made, state_->certificate, NID_subject_alt_name, absl::StrJoin(wish.names, ","));
  }
  X509_sign(made, state_->key, EVP_sha256());
  MadeCertificate result;
  result.chain = Pem([&](BIO* bio) { PEM_write_bio_X509(bio, made); });
  result.key = Pem([&](BIO* bio) {
    PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  X509_free(made);
  EVP_PKEY_free(key);
  return result;
}

void ReplaceFile(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new", std::ios::binary) << text;
  if (std::rename((path + ".new").c_str(), path.c_str()) != 0) std::abort();
}

}  // namespace assay
