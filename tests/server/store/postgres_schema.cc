#include "tests/server/store/postgres_schema.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/store/postgres.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;

// Where Debian puts the programs of the newest release that is installed.
std::string FindPrograms() {
  std::string found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    const std::string bin = (entry.path() / "bin").string();
    if (fs::exists(bin + "/initdb", error)) found = std::max(found, bin);
  }
  return found;
}

void RunOrAbort(const std::string& command) {
  if (std::system(command.c_str()) == 0) return;  // NOLINT: tests are of one thread here
  std::fprintf(stderr, "failed: %s\n", command.c_str());
  std::abort();
}

void Execute(const std::string& sql) {
  const auto database = PostgresDatabase::Open(PostgresServer::Get().Uri());
  const absl::Status status = database.ok() ? (*database)->RunScript(sql) : database.status();
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", sql.c_str(), status.ToString().c_str());
  std::abort();
}

}  // namespace

PostgresServer& PostgresServer::Get() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer() : programs_(FindPrograms()) {
  if (programs_.empty()) {
    std::fprintf(stderr, "there is no PostgreSQL; install the packages of stage test\n");
    std::abort();
  }
  std::string pattern = (fs::temp_directory_path() / "assay-pg-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  directory_ = pattern;
  if (geteuid() == 0) {
    as_user_ = "runuser -u postgres -- ";
    RunOrAbort(absl::StrCat("chown postgres ", directory_));
  }
  Run("initdb", "--username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync");
  Start();
}

PostgresServer::~PostgresServer() {
  Run("pg_ctl", "stop --mode=immediate");
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void PostgresServer::Run(const std::string& program, const std::string& arguments) const {
  RunOrAbort(absl::StrCat("cd / && ", as_user_, programs_, "/", program, " -D ", directory_,
                          "/data ", arguments, " >", directory_, "/", program, ".log 2>&1"));
}

void PostgresServer::Start() {
  Run("pg_ctl", absl::StrCat("start --wait --timeout=120 --log=", directory_,
                             "/server.log -o \"-c listen_addresses='' -c unix_socket_directories='",
                             directory_, "' -c fsync=off -c max_connections=50\""));
}

void PostgresServer::Restart(const std::string& mode) {
  Run("pg_ctl", "stop --mode=" + mode);
  Start();
}

std::string PostgresServer::Uri(const std::string& more) const {
  return absl::StrCat("postgresql:///postgres?host=", directory_, "&user=postgres", more);
}

PostgresSchema::PostgresSchema() {
  static std::atomic<int> schemas{0};
  name_ = absl::StrCat("t", getpid(), "_", ++schemas);
  Execute(absl::StrCat("CREATE SCHEMA ", name_));
}

PostgresSchema::~PostgresSchema() { Execute(absl::StrCat("DROP SCHEMA ", name_, " CASCADE")); }

std::string PostgresSchema::uri() const {
  return PostgresServer::Get().Uri(absl::StrCat("&options=-csearch_path%3D", name_));
}

}  // namespace assay::store
