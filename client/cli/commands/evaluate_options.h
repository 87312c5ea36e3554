// Options of `assay evaluate`.
#ifndef ASSAY_CLIENT_CLI_COMMANDS_EVALUATE_OPTIONS_H_
#define ASSAY_CLIENT_CLI_COMMANDS_EVALUATE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/base/labels.h"
#include "client/cli/base/local_server.h"
#include "client/cli/base/results.h"
#include "client/cli/base/uploads.h"

namespace assay::cli {

struct EvaluateOptions {
  // A file, or models/ID of the server.
  std::string model;
  // Of the file.
  ModelOptions interface;
  // Files, or datasets/ID of the server.
  DataOptions data;
  // Of files.
  MetadataOptions metadata;
  std::vector<std::string> conditions;
  // By name; they stand after the conditions.
  std::vector<std::string> suites;
  // Models that conditions name, to be uploaded: ID=FILE.
  std::vector<std::string> other_models;
  // Of a ready-made set: its images without corruption; empty: not given.
  std::string clean_data;
  int64_t seed = 0;
  // Of the evaluation; empty: chosen by the server.
  std::string id;
  // Of the evaluation.
  LabelOptions labels;
  // 0: chosen by the server.
  int32_t task_samples = 0;
  // "low", "normal" or "high"; empty: normal.
  std::string priority;
  // A time such as 2h; empty: none.
  std::string deadline;
  bool no_cache = false;
  // Kind of devices; empty: any.
  std::string pin_numerics;
  bool keep_probabilities = false;
  // Name of a layer; empty: none.
  std::string keep_features;
  ResultOptions results;
  // Where options come from that the command line lacks (base/evaluation_file.h); empty: nowhere.
  std::string file;
  // Written with everything that was given; empty: not written.
  std::string save;
  // End as soon as all gates are decided.
  bool stop_when_decided = false;
  bool stream = false;
  bool detach = false;
  // A private server for this call, and its options.
  bool local = false;
  LocalServerOptions server;
};

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_COMMANDS_EVALUATE_OPTIONS_H_
