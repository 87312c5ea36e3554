// The commands of `assay`, one function each. They print results to stdout and talk to stderr;
// their status becomes the exit code.
#ifndef ASSAY_CLIENT_CLI_COMMANDS_H_
#define ASSAY_CLIENT_CLI_COMMANDS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "client/data/open_dataset.h"

namespace assay::cli {

// Runs the command that the session's arguments name.
absl::Status RunCommand(Session& session);

absl::Status RunEvaluate(Session& session);
absl::Status RunModelCommand(Session& session);
absl::Status RunDatasetCommand(Session& session);
absl::Status RunEvaluationCommand(Session& session);
absl::Status RunConditions(Session& session);
absl::Status RunCorrupt(Session& session);

// "m" or "models/m" -> "models/m".
std::string FullName(const std::string& collection, const std::string& name);

// Opens the files of --data.
absl::StatusOr<std::unique_ptr<client::DatasetReader>> OpenData(Session& session);
// The same with other paths, labels and format; classes are as the arguments say.
absl::StatusOr<std::unique_ptr<client::DatasetReader>> OpenData(Session& session,
                                                                client::OpenOptions options);
// What the reader has to say of the data that it read.
void SayNotes(Session& session, const client::DatasetReader& reader);
absl::StatusOr<v1::Model> UploadModel(Session& session, const std::string& path,
                                      const std::string& id);
// `path`: what the reader reads; the dataset is named after it unless there is an id.
absl::StatusOr<v1::Dataset> UploadDataset(Session& session, const std::string& path,
                                          client::DatasetReader& reader, const std::string& id);

// Waits for the end of an evaluation with a progress bar. Nothing after Ctrl-C: it goes on at the
// server, and the user knows; with a private server it is cancelled, which is an error, as is any
// end but success.
absl::StatusOr<std::optional<v1::Evaluation>> WatchToEnd(Session& session, const std::string& name);
// Waits like that, then prints and writes what the arguments ask for.
absl::Status WatchAndReport(Session& session, const std::string& name);
// The last part of the above: the report on stdout, --report and --outcomes.
absl::Status WriteResults(Session& session, const v1::Evaluation& evaluation);
absl::Status WriteOutcomes(Session& session, const v1::Evaluation& evaluation,
                           const std::string& path);
// Kept adversarial examples as NPY files in `directory`, which is made if needed: of each condition
// that has any, ID.npy (float32, N x C x H x W) and ID.samples.npy (int64, positions in the
// dataset), with '_' for '/'.
absl::Status WriteAdversarials(Session& session, const std::string& evaluation,
                               const std::string& directory);
// How far an evaluation is.
ProgressPoint PointOf(const v1::Evaluation& evaluation);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_COMMANDS_H_
