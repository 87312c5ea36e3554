#include "server/config/check.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/corruptions/frost_files.h"
#include "server/config/devices.h"
#include "server/store/aws_credentials.h"
#include "server/store/postgres.h"
#include "server/store/s3_client.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class Checker {
 public:
  Checker(const Flags& flags, const std::string& program_directory) : flags_(flags) {
    checked_.engine_binary = flags.engine_binary.empty()
                                 ? absl::StrCat(program_directory, "/assay-engine")
                                 : flags.engine_binary;
  }

  CheckedFlags Check() {
    CheckAddresses();
    CheckStore();
    if (flags_.data_dir.empty()) Wrong("--data-dir", "must name a directory");
    CheckDirectory("--data-dir", flags_.data_dir);
    CheckDirectory("--numerics-directory", flags_.numerics_directory);
    if (!flags_.port_file.empty()) {
      CheckDirectory("--port-file", fs::absolute(flags_.port_file).parent_path().string());
    }
    for (const auto& [flag, path] : {std::pair("--model-repository", &flags_.model_repository),
                                     std::pair("--on-new-version", &flags_.on_new_version)}) {
      if (path->empty() || access(path->c_str(), R_OK) == 0) continue;
      Wrong(flag, absl::StrCat("cannot read ", *path, ": ", std::strerror(errno)));
    }
    if (!flags_.audit_log.empty()) {
      CheckDirectory("--audit-log", fs::absolute(flags_.audit_log).parent_path().string());
    }
    if (!flags_.frost_directory.empty()) {
      Add("--frost-directory", ReadFrostFiles(flags_.frost_directory).status());
    }
    if (access(checked_.engine_binary.c_str(), X_OK) != 0) {
      Wrong("--engine-binary",
            absl::StrCat("there is no program ", checked_.engine_binary,
                         " that may be run; name assay-engine, which stands beside assayd"));
    } else {
      // To others it is told who this is, LibTorch included.
      const bool tells = !flags_.store.empty() && flags_.role != "api";
      auto devices = ResolveDevices(flags_.devices, checked_.engine_binary, tells);
      Add("--devices", devices.status());
      if (devices.ok()) {
        checked_.devices = std::move(devices->names);
        checked_.device_kinds = std::move(devices->kinds);
        checked_.libtorch_version = std::move(devices->libtorch_version);
      }
    }
    return std::move(checked_);
  }

 private:
  void Wrong(const std::string& flag, std::string text) {
    checked_.mistakes.push_back({flag, std::move(text)});
  }

  // With the fields that the status has, or `flag`.
  void Add(const std::string& flag, const absl::Status& status) {
    if (status.ok()) return;
    std::vector<FieldViolation> violations = ViolationsOf(status);
    if (violations.empty()) return Wrong(flag, std::string(status.message()));
    for (FieldViolation& violation : violations) checked_.mistakes.push_back(std::move(violation));
  }

  void CheckAddresses() {
    auto listen = ParseAddress(flags_.listen, "--listen", AddressUse::kListen);
    Add("--listen", listen.status());
    if (!listen.ok()) return;
    if (flags_.metrics_port != 0 && flags_.metrics_port == listen->port) {
      Wrong("--metrics-port", absl::StrCat("must not be the port of --listen, ", listen->port));
    }
    checked_.listen = *std::move(listen);
  }

  void CheckStore() {
    const bool s3 = store::IsS3Uri(flags_.blobs);
    CheckObjectStorage(s3);
    if (flags_.store.empty()) {
      constexpr char kForSeveral[] =
          "is for several assayds over one --store, and a SQLite file has one";
      if (flags_.role != "all") Wrong("--role", kForSeveral);
      if (!flags_.blobs.empty() && !s3) Wrong("--blobs", kForSeveral);
      return;
    }
    if (!store::IsPostgresUri(flags_.store)) {
      Wrong("--store",
            absl::StrCat("must be postgresql://USER@HOST/DATABASE; got '", flags_.store, "'"));
    }
    if (flags_.blobs.empty()) {
      Wrong("--blobs",
            "must be given with --store: the directory that all of its assayds see, or "
            "s3://BUCKET/PREFIX");
    }
    if (!s3) CheckDirectory("--blobs", flags_.blobs);
  }

  void CheckObjectStorage(bool wanted) {
    if (!wanted) {
      for (const auto& [flag, value] : {std::pair("--s3-endpoint", &flags_.s3_endpoint),
                                        std::pair("--s3-credentials", &flags_.s3_credentials),
                                        std::pair("--blob-cache", &flags_.blob_cache)}) {
        if (!value->empty()) Wrong(flag, "is for --blobs s3://BUCKET/PREFIX");
      }
      return;
    }
    Add("--blobs", store::ParseS3Uri(flags_.blobs).status());
    Add("--s3-endpoint", store::CheckS3Endpoint(flags_.s3_endpoint));
    if (flags_.s3_region.empty()) Wrong("--s3-region", "must be a name such as eu-central-1");
    Add("--s3-credentials", store::AwsCredentials(flags_.s3_credentials).Get().status());
    CheckDirectory("--blob-cache", flags_.blob_cache);
  }

  // One that is there can be written to; else, one can be made there.
  void CheckDirectory(const std::string& flag, const std::string& path) {
    if (path.empty()) return;
    std::error_code error;
    fs::path nearest = fs::absolute(path, error);
    while (!fs::exists(nearest, error) && nearest.has_relative_path()) {
      nearest = nearest.parent_path();
    }
    if (!fs::is_directory(nearest, error)) {
      Wrong(flag, absl::StrCat(nearest.string(), " is no directory"));
    } else if (access(nearest.c_str(), W_OK | X_OK) != 0) {
      Wrong(flag, absl::StrCat("this user may not write to ", nearest.string()));
    }
  }

  const Flags& flags_;
  CheckedFlags checked_;
};

}  // namespace

CheckedFlags CheckFlags(const Flags& flags, const std::string& program_directory) {
  return Checker(flags, program_directory).Check();
}

}  // namespace assay
