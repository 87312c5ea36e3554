#include "tests/client/mlflow/recorded_mlflow.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace assay::mlflow {

RecordedMlflow::RecordedMlflow(const std::string& mode) {
  log_ = (std::filesystem::temp_directory_path() / "assay-mlflow-XXXXXX").string();
  const int log = mkstemp(log_.data());
  int ends[2];
  if (log < 0 || pipe(ends) != 0) std::abort();
  close(log);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl("/usr/bin/python3", "python3", ASSAY_SOURCE_DIR "/tests/client/mlflow/recorded_mlflow.py",
          log_.c_str(), mode.c_str(), nullptr);
    _exit(126);
  }
  close(ends[1]);
  std::FILE* const out = fdopen(ends[0], "r");
  int port = 0;
  if (std::fscanf(out, "%d", &port) != 1) {
    std::fprintf(stderr, "recorded_mlflow.py did not start\n");
    std::abort();
  }
  std::fclose(out);
  uri_ = absl::StrCat("http://127.0.0.1:", port);
}

RecordedMlflow::~RecordedMlflow() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  std::filesystem::remove(log_);
}

std::vector<nlohmann::json> RecordedMlflow::Requests() const {
  std::vector<nlohmann::json> requests;
  std::ifstream file(log_);
  for (std::string line; std::getline(file, line);) {
    requests.push_back(nlohmann::json::parse(line));
  }
  return requests;
}

std::vector<nlohmann::json> RecordedMlflow::Bodies(const std::string& call) const {
  std::vector<nlohmann::json> bodies;
  for (const nlohmann::json& request : Requests()) {
    if (request["path"] == absl::StrCat("/api/2.0/mlflow/", call) && request["size"] > 0) {
      bodies.push_back(nlohmann::json::parse(request["body"].get<std::string>()));
    }
  }
  return bodies;
}

}  // namespace assay::mlflow
