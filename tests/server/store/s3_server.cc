#include "tests/server/store/s3_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace assay::store {

S3Server::S3Server() {
  // Proxies of whoever runs the tests have no way to it.
  setenv("no_proxy", "127.0.0.1", 1);
  int in[2], out[2];
  // Of other children, none keeps an end: the server ends when this process does.
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) std::abort();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    execl("/usr/bin/python3", "python3", ASSAY_SOURCE_DIR "/tests/server/store/s3_server.py",
          kBucket, nullptr);
    _exit(126);
  }
  close(in[0]);
  close(out[1]);
  to_ = fdopen(in[1], "w");
  from_ = fdopen(out[0], "r");
  int port = 0;
  if (std::fscanf(from_, "%d", &port) != 1 || std::fgetc(from_) != '\n') {
    std::fprintf(stderr, "s3_server.py did not start\n");
    std::abort();
  }
  endpoint_ = absl::StrCat("http://127.0.0.1:", port);
}

S3Server::~S3Server() {
  std::fclose(to_);
  std::fclose(from_);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

nlohmann::json S3Server::Do(const nlohmann::json& what) {
  std::fprintf(to_, "%s\n", what.dump().c_str());
  std::fflush(to_);
  std::string line;
  int c = 0;
  while ((c = std::fgetc(from_)) != EOF && c != '\n') line.push_back(static_cast<char>(c));
  if (c == EOF) {
    std::fprintf(stderr, "s3_server.py is gone\n");
    std::abort();
  }
  return nlohmann::json::parse(line);
}

void S3Server::Fail(const std::string& match, const std::string& kind, int times,
                    nlohmann::json more) {
  more["do"] = "fault";
  more["match"] = match;
  more["kind"] = kind;
  more["times"] = times;
  Do(more);
}

std::map<std::string, int64_t> S3Server::Objects() {
  return Do({{"do", "objects"}}).get<std::map<std::string, int64_t>>();
}

std::vector<std::string> S3Server::Requests() {
  return Do({{"do", "requests"}}).get<std::vector<std::string>>();
}

}  // namespace assay::store
