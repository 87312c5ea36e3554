#include "client/cli/commands/commands.h"

// To add a command, define its function in a file of this folder and name it in a line here. The
// lines are used twice, to declare the functions and to list them.
// clang-format off
#define ASSAY_COMMANDS(GROUP, COMMAND)                                                             \
  COMMAND(Evaluate, "evaluate", "Upload what is missing, evaluate, wait, report")                  \
  GROUP("model", "Models of the server")                                                           \
  COMMAND(ModelUpload, "model upload", "Upload the file of a model")                                \
  COMMAND(ModelInspect, "model inspect", "Tell what a file of a model is, without a server")        \
  COMMAND(ModelList, "model list", "List the models")                                              \
  COMMAND(ModelShow, "model show", "Show one model")                                               \
  COMMAND(ModelDelete, "model delete", "Delete a model")                                           \
  COMMAND(ModelLoad, "model load", "Start an engine for a model and check it")                     \
  COMMAND(ModelUnload, "model unload", "Stop the engines of a model")                              \
  COMMAND(ModelSync, "model sync", "Look for new versions in the server's model repository now")    \
  COMMAND(ModelVersions, "model versions",                                                         \
          "Show the versions in the model repository, how they did, and what their gates say")      \
  GROUP("dataset", "Datasets of the server")                                                       \
  COMMAND(DatasetUpload, "dataset upload", "Upload labelled images")                               \
  COMMAND(DatasetList, "dataset list", "List the datasets")                                        \
  COMMAND(DatasetShow, "dataset show", "Show one dataset")                                         \
  COMMAND(DatasetDelete, "dataset delete", "Delete a dataset")                                     \
  GROUP("evaluation", "Evaluations of the server")                                                 \
  COMMAND(EvaluationList, "evaluation list", "List the evaluations, newest first")                 \
  COMMAND(EvaluationShow, "evaluation show", "Show one evaluation")                                \
  COMMAND(EvaluationWatch, "evaluation watch", "Wait for an evaluation and report it")             \
  COMMAND(EvaluationCancel, "evaluation cancel",                                                   \
          "Stop an evaluation; its outcomes so far are kept")                                      \
  COMMAND(EvaluationRetry, "evaluation retry",                                                     \
          "Queue what a failed or cancelled evaluation has not done")                              \
  COMMAND(EvaluationDelete, "evaluation delete", "Delete an evaluation and its outcomes")          \
  COMMAND(EvaluationReport, "evaluation report", "Report the outcomes so far")                     \
  COMMAND(EvaluationOutcomes, "evaluation outcomes", "Write every outcome as CSV")                 \
  COMMAND(EvaluationAdversarials, "evaluation adversarials",                                       \
          "Write the adversarial examples that were kept as NPY")                                  \
  COMMAND(EvaluationVectors, "evaluation vectors",                                                 \
          "Write the probabilities and features that were kept as NPY")                            \
  GROUP("report", "Reports")                                                                       \
  COMMAND(ReportRecompute, "report recompute",                                                     \
          "Compute a report again from outcomes, here, and compare it with the server's")           \
  COMMAND(Compare, "compare", "Compare evaluations on the same data, sample by sample")            \
  COMMAND(Plot, "plot", "Write one plot of a report as SVG, PNG or PDF")                           \
  COMMAND(Corrupt, "corrupt",                                                                      \
          "Write corrupted images, as an evaluation would make them; needs no server")             \
  COMMAND(Top, "top", "Watch what the server does")                                                \
  GROUP("admin", "For the operator of a server")                                                   \
  COMMAND(AdminStatus, "admin status", "Tell what the server is doing")                            \
  COMMAND(AdminWorkers, "admin workers", "Tell what each device is at")                            \
  COMMAND(AdminPause, "admin pause", "Begin no task any more, over restarts too")                  \
  COMMAND(AdminDrain, "admin drain", "Begin no task and refuse new work, before maintenance")      \
  COMMAND(AdminResume, "admin resume", "End a pause and a drain")                                  \
  COMMAND(AdminGc, "admin gc", "Remove what is not kept any more, now")                            \
  COMMAND(AdminCheck, "admin check", "Read everything that is stored, and tell what is wrong")     \
  COMMAND(AdminAudit, "admin audit", "Show who did what, of the server's audit log")               \
  COMMAND(Conditions, "conditions", "Show conditions as the server understands them")              \
  GROUP("token", "Tokens for servers, made here")                                                  \
  COMMAND(TokenNew, "token new", "Make a secret, and its line for the server's --tokens file")     \
  COMMAND(Completion, "completion", "Print a completion script for a shell")
// clang-format on

namespace assay::cli {

#define ASSAY_NO_FUNCTION(words, summary)
#define ASSAY_FUNCTION(Function, words, summary) CommandRun Function(Leaf& leaf);
ASSAY_COMMANDS(ASSAY_NO_FUNCTION, ASSAY_FUNCTION)

const std::vector<CommandEntry>& AllCommands() {
#define ASSAY_GROUP_ROW(words, summary) {words, summary, nullptr},
#define ASSAY_ROW(Function, words, summary) {words, summary, Function},
  static const auto* const commands =
      new std::vector<CommandEntry>{ASSAY_COMMANDS(ASSAY_GROUP_ROW, ASSAY_ROW)};
  return *commands;
}

}  // namespace assay::cli
