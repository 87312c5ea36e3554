// The command line of `assay`, parsed.
#ifndef ASSAY_CLIENT_CLI_ARGUMENTS_H_
#define ASSAY_CLIENT_CLI_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"
#include "client/render/render.h"

namespace assay::cli {

enum class Command {
  kEvaluate,
  kModelUpload,
  kModelList,
  kModelShow,
  kModelDelete,
  kModelLoad,
  kModelUnload,
  kDatasetUpload,
  kDatasetList,
  kDatasetShow,
  kDatasetDelete,
  kEvaluationList,
  kEvaluationShow,
  kEvaluationWatch,
  kEvaluationCancel,
  kEvaluationRetry,
  kEvaluationDelete,
  kEvaluationReport,
  kEvaluationOutcomes,
  kCorrupt,
  kEvaluationAdversarials,
  kConditions,
  kCompletion,
};

struct Arguments {
  Command command = Command::kEvaluate;

  // Everywhere. Flags > environment > config file > default, applied already.
  std::string server;
  render::Format format = render::Format::kTable;
  bool quiet = false;

  // A private server for this call.
  bool local = false;
  std::string data_dir;
  // 0: what the server chooses.
  int batch_size = 0;
  int threads = 0;
  // Of the published frost photographs, for a private server or `assay corrupt`.
  std::string frost_directory;

  // evaluate, uploads
  std::string model;
  std::vector<std::string> data;
  std::string labels;
  std::string data_format = "auto";
  // File of class names; empty: looked for.
  std::string classes;
  bool allow_missing_classes = false;
  int64_t limit = 0;
  std::string id;
  // Suites included, as suite/NAME.
  std::vector<std::string> conditions;
  // Models that conditions name, to be uploaded: ID=FILE.
  std::vector<std::string> other_models;
  int64_t seed = 0;
  int32_t task_samples = 0;
  bool stream = false;
  bool detach = false;
  // Of a ready-made set: its images without corruption; empty: not given.
  std::string clean_data;

  // Results.
  double confidence_level = 0.95;
  // evaluation report: certificates of smoothing at another failure probability and from fewer
  // draws; 0: as run.
  double alpha = 0;
  int64_t n = 0;
  std::string report_path;
  // What normalises corruption errors: a JSON file or the name of a built-in table.
  std::string reference;
  std::string outcomes_path;
  // Directory for kept adversarial examples; empty: none are kept.
  std::string adversarials_path;

  // The resource that a command is about, and a file.
  std::string name;
  std::string path;
  // model load; no channels: not given.
  v1::ImageShape shape;

  // kCorrupt: where to, and whether as PNG files too.
  std::string out_dir;
  bool png = false;

  // kCompletion: the script.
  std::string script;
};

// Nothing is to be run: a help text, the version, or a usage error.
struct Exit {
  int code = 0;
  std::string out;
  std::string err;
};

// `environment_server`: the value of ASSAY_SERVER, empty without one.
std::variant<Arguments, Exit> ParseArguments(int argc, const char* const* argv,
                                             const std::string& environment_server);

// "3x32x32"; kInvalidArgument otherwise.
absl::StatusOr<v1::ImageShape> ParseShape(const std::string& text);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_ARGUMENTS_H_
