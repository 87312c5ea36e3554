// recorded_mlflow.py as a server of a test's own.
#ifndef ASSAY_TESTS_CLIENT_MLFLOW_RECORDED_MLFLOW_H_
#define ASSAY_TESTS_CLIENT_MLFLOW_RECORDED_MLFLOW_H_

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace assay::mlflow {

class RecordedMlflow {
 public:
  // Runs until this is gone. `mode`: see the script.
  explicit RecordedMlflow(const std::string& mode = "ok");
  ~RecordedMlflow();
  RecordedMlflow(const RecordedMlflow&) = delete;
  RecordedMlflow& operator=(const RecordedMlflow&) = delete;

  const std::string& uri() const { return uri_; }
  // Those that it has had, with path, query, body, ...
  std::vector<nlohmann::json> Requests() const;
  // The bodies, as JSON, of those to that call of the API: "runs/log-batch".
  std::vector<nlohmann::json> Bodies(const std::string& call) const;

 private:
  std::string log_;
  int pid_ = -1;
  std::string uri_;
};

}  // namespace assay::mlflow

#endif  // ASSAY_TESTS_CLIENT_MLFLOW_RECORDED_MLFLOW_H_
