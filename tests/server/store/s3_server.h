// s3_server.py as a server of a test's own. What it can be told stands there.
#ifndef ASSAY_TESTS_SERVER_STORE_S3_SERVER_H_
#define ASSAY_TESTS_SERVER_STORE_S3_SERVER_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace assay::store {

// Runs until this is gone, or the test's process.
class S3Server {
 public:
  static constexpr char kBucket[] = "assay-test";
  static constexpr char kId[] = "test-id";
  static constexpr char kSecret[] = "test/secret+key";

  S3Server();
  ~S3Server();
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  // http://127.0.0.1:PORT
  const std::string& endpoint() const { return endpoint_; }

  // The next `times` requests that match have that fault.
  void Fail(const std::string& match, const std::string& kind, int times = 1,
            nlohmann::json more = nlohmann::json::object());
  // No more faults.
  void Heal() { Do({{"do", "heal"}}); }
  void SetAway(bool away) { Do({{"do", "away"}, {"away", away}}); }
  void AdvanceSeconds(double seconds) { Do({{"do", "advance"}, {"seconds", seconds}}); }
  void PutObject(const std::string& key, const std::string& text) {
    Do({{"do", "put"}, {"key", key}, {"text", text}});
  }
  void RemoveObject(const std::string& key) { Do({{"do", "remove"}, {"key", key}}); }
  // Their sizes.
  std::map<std::string, int64_t> Objects();
  int Uploads() { return Do({{"do", "uploads"}}).get<int>(); }
  // Those since the last time: "GET /assay-test/key?query".
  std::vector<std::string> Requests();

 private:
  nlohmann::json Do(const nlohmann::json& what);
  int pid_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
  std::string endpoint_;
};

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_STORE_S3_SERVER_H_
