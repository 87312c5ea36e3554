#include "net/server_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <utility>

namespace assay {
namespace {

constexpr const char* kCertificateNames[] = {GRPC_X509_CN_PROPERTY_NAME,
                                             GRPC_X509_SAN_PROPERTY_NAME};

std::string Text(const grpc_slice& slice) {
  return std::string(reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
                     GRPC_SLICE_LENGTH(slice));
}

class ReloadingCredentials final : public grpc::ServerCredentials {
 public:
  ReloadingCredentials(CertificateSource source, CallGate gate)
      : source_(std::move(source)), gate_(std::move(gate)) {
    if (source_) {
      const bool of_clients = !source_()->client_authorities.empty();
      credentials_ = grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(
              of_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                         : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
              &ReloadingCredentials::Fetch, this));
    } else {
      credentials_ = grpc_insecure_server_credentials_create();
    }
    if (gate_) {
      grpc_auth_metadata_processor processor{};
      processor.process = &ReloadingCredentials::Process;
      processor.state = this;
      grpc_server_credentials_set_auth_metadata_processor(credentials_, processor);
    }
  }
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }

  // The gate is given at construction.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // At each handshake, one at a time: gRPC holds a lock.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self_pointer, grpc_ssl_server_certificate_config** config) {
    auto& self = *static_cast<ReloadingCredentials*>(self_pointer);
    std::shared_ptr<const ServerCertificate> now = self.source_();
    if (now == self.given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{now->key.c_str(), now->chain.c_str()};
    *config = grpc_ssl_server_certificate_config_create(
        now->client_authorities.empty() ? nullptr : now->client_authorities.c_str(), &pair, 1);
    self.given_ = std::move(now);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  static void Process(void* self_pointer, grpc_auth_context* context, const grpc_metadata* metadata,
                      size_t count, grpc_process_auth_metadata_done_cb done, void* call) {
    IncomingCall incoming;
    for (size_t i = 0; i < count; ++i) {
      const std::string key = Text(metadata[i].key);
      if (key == ":path") incoming.path = Text(metadata[i].value);
      if (key == "authorization") incoming.authorization.push_back(Text(metadata[i].value));
    }
    for (const char* name : kCertificateNames) {
      auto each = grpc_auth_context_find_properties_by_name(context, name);
      while (const grpc_auth_property* const property = grpc_auth_property_iterator_next(&each)) {
        incoming.certificate_names.emplace_back(property->value, property->value_length);
      }
    }
    const absl::Status allowed = static_cast<ReloadingCredentials*>(self_pointer)->gate_(incoming);
    done(call, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(allowed.code()),
         allowed.ok() ? nullptr : std::string(allowed.message()).c_str());
  }

  const CertificateSource source_;
  const CallGate gate_;
  std::shared_ptr<const ServerCertificate> given_;  // under gRPC's lock
  grpc_server_credentials* credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> NewServerCredentials(CertificateSource source,
                                                              CallGate gate) {
  return std::make_shared<ReloadingCredentials>(std::move(source), std::move(gate));
}

}  // namespace assay
