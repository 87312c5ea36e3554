// A store of blobs in the object storage of a test's own.
#ifndef ASSAY_TESTS_SERVER_STORE_S3_FIXTURE_H_
#define ASSAY_TESTS_SERVER_STORE_S3_FIXTURE_H_

#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>

#include "server/store/aws_credentials.h"
#include "server/store/s3_blobs.h"
#include "tests/server/store/s3_server.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {

// Keys from a file, so that the environment of the tests does not matter.
inline std::shared_ptr<AwsCredentials> CredentialsIn(const TempDirectory& directory,
                                                     const std::string& id = S3Server::kId,
                                                     const std::string& secret = S3Server::kSecret,
                                                     const std::string& token = "") {
  const std::string path = directory.File("credentials");
  std::ofstream file(path);
  file << "[default]\naws_access_key_id = " << id << "\naws_secret_access_key=" << secret << "\n";
  if (!token.empty()) file << "aws_session_token = " << token << "\n";
  file.close();
  return std::make_shared<AwsCredentials>(path);
}

inline S3Options OptionsFor(const S3Server& server) {
  S3Options options;
  options.endpoint = server.endpoint();
  options.region = "eu-test-1";
  options.bucket = S3Server::kBucket;
  options.first_wait_seconds = 0.01;
  options.stall_seconds = 10;
  return options;
}

inline S3BlobsOptions BlobsOptionsFor(const S3Server& server, const TempDirectory& directory,
                                      const std::string& cache = "cache") {
  S3BlobsOptions options;
  options.s3 = OptionsFor(server);
  options.location = {S3Server::kBucket, "some/blobs"};
  options.cache_directory = directory.File(cache);
  options.cache_bytes = 1 << 30;
  return options;
}

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_STORE_S3_FIXTURE_H_
