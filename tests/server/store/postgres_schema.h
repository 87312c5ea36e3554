// A PostgreSQL server for the tests of this process, and an empty schema for each of them.
#ifndef ASSAY_TESTS_SERVER_STORE_POSTGRES_SCHEMA_H_
#define ASSAY_TESTS_SERVER_STORE_POSTGRES_SCHEMA_H_

#include <string>

namespace assay::store {

// A server on a Unix socket in a directory that goes away with it, started when it is first asked
// for and stopped with the process. By root, it runs as the user postgres. Aborts without one.
class PostgresServer {
 public:
  static PostgresServer& Get();
  // Of a superuser. `more`: parameters, "&name=value".
  std::string Uri(const std::string& more = "") const;
  // Ends it without warning its clients ("immediate": as a crash; "fast": their transactions are
  // rolled back), and starts it again.
  void Restart(const std::string& mode = "immediate");

 private:
  PostgresServer();
  ~PostgresServer();
  void Start();
  void Run(const std::string& program, const std::string& arguments) const;

  std::string directory_, programs_, as_user_;
};

class PostgresSchema {
 public:
  PostgresSchema();
  ~PostgresSchema();
  PostgresSchema(const PostgresSchema&) = delete;
  PostgresSchema& operator=(const PostgresSchema&) = delete;
  std::string uri() const;

 private:
  std::string name_;
};

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_STORE_POSTGRES_SCHEMA_H_
