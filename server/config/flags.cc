#include "server/config/flags.h"

#include <CLI/CLI.hpp>

namespace assay {

std::optional<int> ParseFlags(int argc, char** argv, Flags& flags) {
  CLI::App app(
      "assayd: evaluates how robust image classifiers are, class by class.\n"
      "Serves gRPC (assay.v1, health, reflection) and Prometheus metrics.");
  app.set_version_flag("--version", ASSAY_VERSION);
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
  app.add_option(
         "--devices", flags.devices,
         "auto, cpu, or GPUs such as cuda:0,cuda:1; one task at a time on each. cpu:0,cpu:1 "
         "takes the CPU for two")
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
  app.add_option("--lease-seconds", flags.lease_seconds,
                 "How long a task stays with a worker that is not heard of")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--stall-seconds", flags.stall_seconds,
                 "A model without progress for this long is stopped")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  app.add_option("--exit-timeout", flags.exit_timeout, "Seconds to stop in after SIGTERM")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--engine-binary", flags.engine_binary, "assay-engine; default: beside assayd");
  app.add_option("--frost-directory", flags.frost_directory,
                 "Directory of the photographs that corruption/frost needs");
  app.add_option("--numerics-directory", flags.numerics_directory,
                 "Remember the batch size and memory format chosen for each model here, too");
  app.add_option("--port-file", flags.port_file, "Write the gRPC port here once it serves");
  const auto repository =
      app.add_option("--model-repository", flags.model_repository,
                     "Directory whose <model>/<version>/model.pt become models by themselves");
  app.add_option("--repository-poll-seconds", flags.repository_poll_seconds,
                 "How often it is looked through; 0: on `assay model sync` alone")
      ->needs(repository)
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  const auto on_new_version =
      app.add_option("--on-new-version", flags.on_new_version,
                     "Evaluation file (YAML) by which every new version is evaluated and judged")
          ->needs(repository);
  app.add_flag("--evaluate-existing", flags.evaluate_existing,
               "Evaluate versions, too, that are not new or were evaluated by another file")
      ->needs(on_new_version);
  // Not for people: removed at the end when the process that started this one is gone.
  app.add_option("--owned-directory", flags.owned_directory)->group("");
  app.add_flag("--insecure", flags.insecure, "Allow a public address without TLS");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return std::nullopt;
}

}  // namespace assay
