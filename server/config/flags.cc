#include "server/config/flags.h"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/labels.h"
#include "core/base/quantities.h"

namespace assay {
namespace {

// Turns what was written into a number.
CLI::Validator As(absl::StatusOr<int64_t> (*parse)(absl::string_view), const char* type) {
  return CLI::Validator(
      [parse](std::string& text) -> std::string {
        const absl::StatusOr<int64_t> number = parse(text);
        if (!number.ok()) return std::string(number.status().message());
        text = std::to_string(*number);
        return "";
      },
      type);
}

std::string CheckLabel(const std::string& text) {
  const size_t equals = text.find('=');
  const Labels labels = {
      {text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1)}};
  const auto violations = CheckLabels(labels, LabelUse::kFilter, "--keep-label");
  return violations.empty() ? "" : violations[0].description;
}

}  // namespace

void DeclareFlags(CLI::App& app, Flags& flags) {
  app.add_option("--listen", flags.listen,
                 "Address of the gRPC server, HOST:PORT; IPv6 as [::1]:8001, port 0: any free one")
      ->capture_default_str();
  app.add_option("--metrics-port", flags.metrics_port,
                 "Port of /metrics, /healthz and /readyz, on the host of --listen; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--metrics-classes", flags.metrics_classes,
                 "Classes with gauges for each condition; of more the worst and best 10; 0: none")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  app.add_option("--data-dir", flags.data_dir, "Where everything is stored")->capture_default_str();
  app.add_option("--store", flags.store,
                 "postgresql://USER@HOST/DATABASE, for several assayds; its password is in "
                 "PGPASSWORD or PGPASSFILE. Default: a SQLite file in the data directory")
      ->type_name("URI");
  app.add_option(
         "--blobs", flags.blobs,
         "Directory of models and images, one for all that share a store, or s3://BUCKET/PREFIX. "
         "Default: blobs in the data directory")
      ->type_name("DIR|URI");
  app.add_option("--s3-endpoint", flags.s3_endpoint,
                 "Object storage for --blobs s3://, http[s]://HOST[:PORT]; default: AWS")
      ->type_name("URL");
  app.add_option("--s3-region", flags.s3_region, "Region that requests to it are signed for")
      ->capture_default_str();
  app.add_option("--s3-credentials", flags.s3_credentials,
                 "File with keys, as AWS's programs have it; default: AWS_ACCESS_KEY_ID and "
                 "AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials")
      ->type_name("FILE");
  app.add_option("--blob-cache", flags.blob_cache,
                 "Directory of what came from object storage. Default: blob-cache in the data "
                 "directory")
      ->type_name("DIR");
  app.add_option("--blob-cache-bytes", flags.blob_cache_bytes,
                 "Size of it, such as 50GB; what was used least recently goes")
      ->transform(As(ParseBytes, "SIZE"))
      ->default_str("20GB");
  app.add_option("--role", flags.role,
                 "What this assayd does of what all do: api answers calls, worker runs evaluations")
      ->check(CLI::IsMember({"all", "api", "worker"}))
      ->capture_default_str();
  app.add_option(
         "--devices", flags.devices,
         "auto, cpu, or GPUs such as cuda:0,cuda:1; one task at a time on each. cpu:0,cpu:1 "
         "takes the CPU for two")
      ->type_name("LIST")
      ->capture_default_str();
  app.add_option("--threads", flags.threads,
                 "CPU cores that each engine uses; 0: its device's share of all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option(
         "--batch-size", flags.batch_size,
         "Images in a model pass: at most on a CPU, exactly on a GPU; 0: chosen for each model")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();
  app.add_option("--max-engines", flags.max_engines, "Models kept loaded on each device")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--max-evaluations", flags.max_evaluations,
                 "Unfinished evaluations that are accepted")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--fair-share-label", flags.fair_share_label,
                 "Evaluations whose values of this label differ take turns; empty: the oldest is "
                 "first")
      ->capture_default_str();
  app.add_option("--lease-seconds", flags.lease_seconds,
                 "How long a task stays with a worker that is not heard of")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--stall-seconds", flags.stall_seconds,
                 "A model without progress for this long is stopped")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  app.add_option("--checkpoint-seconds", flags.checkpoint_seconds,
                 "How often outcomes of finished samples are stored while a task runs")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--exit-timeout", flags.exit_timeout, "Seconds to stop in after SIGTERM")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--engine-binary", flags.engine_binary, "assay-engine; default: beside assayd");
  app.add_option("--frost-directory", flags.frost_directory,
                 "Directory of the photographs that corruption/frost needs");
  app.add_option("--numerics-directory", flags.numerics_directory,
                 "Remember the batch size and memory format chosen for each model here, too");
  app.add_option("--keep-evaluations", flags.keep_evaluations,
                 "Delete evaluations that ended longer ago, such as 30d; 0: never. The latest of "
                 "each model and dataset that succeeded stays, and those with the label keep=true")
      ->transform(As(ParseDuration, "DURATION"))
      ->capture_default_str();
  app.add_option("--keep-label", flags.keep_labels,
                 "Evaluations with this label stay, too; KEY alone: with any value of it")
      ->check(CLI::Validator(CheckLabel, "KEY[=VALUE]"));
  app.add_option("--disk-quota", flags.disk_quota,
                 "Refuse uploads and new evaluations when blobs and database have more than this, "
                 "such as 200GB; 0: never")
      ->transform(As(ParseBytes, "SIZE"))
      ->capture_default_str();
  app.add_option("--port-file", flags.port_file, "Write the gRPC port here once it serves");
  const auto repository =
      app.add_option("--model-repository", flags.model_repository,
                     "Directory whose <model>/<version>/model.pt become models by themselves");
  app.add_option("--repository-poll-seconds", flags.repository_poll_seconds,
                 "How often it is looked through; 0: on `assay model sync` alone")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  const auto on_new_version =
      app.add_option("--on-new-version", flags.on_new_version,
                     "Evaluation file (YAML) by which every new version is evaluated and judged")
          ->needs(repository);
  app.add_flag("--evaluate-existing", flags.evaluate_existing,
               "Evaluate versions, too, that are not new or were evaluated by another file")
      ->needs(on_new_version);
  app.add_option("--log-format", flags.log_format, "Form of the lines on standard error")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "What is logged: this and what is worse")
      ->check(CLI::IsMember({"error", "warning", "info", "debug"}))
      ->capture_default_str();
  // Not for people: removed at the end when the process that started this one is gone.
  app.add_option("--owned-directory", flags.owned_directory)->group("");
  app.add_option("--tls-cert", flags.tls_cert,
                 "Certificate of the gRPC server, with those between it and its authority (PEM)");
  app.add_option("--tls-key", flags.tls_key, "The key of --tls-cert (PEM, no passphrase)");
  app.add_option("--tls-client-ca", flags.tls_client_ca,
                 "Every client must have a certificate that one of these has signed (PEM)");
  app.add_option("--tokens", flags.tokens,
                 "Who may call: lines of `assay token new`; every call needs a token then");
  app.add_option("--audit-log", flags.audit_log,
                 "Append who did what to which resource, as JSON lines");
  app.add_flag("--audit-reads", flags.audit_reads, "Calls that only look, too");
  app.add_option("--metrics-host", flags.metrics_host,
                 "Host of --metrics-port; default: that of --listen, or 127.0.0.1 when that is "
                 "public and has TLS that the metrics have not");
  app.add_flag("--metrics-tls", flags.metrics_tls, "The certificate for --metrics-port, too");
  app.add_option("--max-message-mib", flags.max_message_mib,
                 "Largest message that is taken; a batch of Evaluate is one")
      ->check(CLI::Range(8, 68))
      ->capture_default_str();
  app.add_option("--max-streams", flags.max_streams, "Calls at a time on one connection")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--max-buffer-mib", flags.max_buffer_mib,
                 "Memory for messages of all calls; 0: no limit")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--handshake-seconds", flags.handshake_seconds,
                 "Time for a connection to get going")
      ->check(CLI::Range(1.0, 600.0))
      ->capture_default_str();
  app.add_option("--idle-seconds", flags.idle_seconds,
                 "A connection without calls is closed after this long")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  app.add_option("--write-seconds", flags.write_seconds,
                 "A call whose client takes no message for this long is ended")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  app.add_flag("--insecure", flags.insecure,
               "Allow a public address without TLS, or without tokens");
}

}  // namespace assay
