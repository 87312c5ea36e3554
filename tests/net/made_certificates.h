// Certificates made for a test: an authority and what it signs, of any names and times.
#ifndef ASSAY_TESTS_NET_MADE_CERTIFICATES_H_
#define ASSAY_TESTS_NET_MADE_CERTIFICATES_H_

#include <memory>
#include <string>
#include <vector>

namespace assay {

struct MadeCertificate {
  std::string chain;  // PEM
  std::string key;
};

struct CertificateWish {
  std::string common_name = "localhost";
  // As OpenSSL writes alternative names: "DNS:gpu-3", "IP:127.0.0.1".
  std::vector<std::string> names = {"DNS:localhost", "IP:127.0.0.1"};
  // Seconds from now.
  long from = -3600;
  long until = 24 * 3600;
  int rsa_bits = 0;  // 0: an elliptic curve
};

class MadeAuthority {
 public:
  explicit MadeAuthority(const std::string& name = "Test authority");
  ~MadeAuthority();
  // PEM.
  const std::string& certificate() const { return certificate_; }
  MadeCertificate Sign(const CertificateWish& wish = {}) const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
  std::string certificate_;
};

// Replaces the file in one step, as tools that renew certificates do.
void ReplaceFile(const std::string& path, const std::string& text);

}  // namespace assay

#endif  // ASSAY_TESTS_NET_MADE_CERTIFICATES_H_
