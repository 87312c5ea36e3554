// The model repository: a directory in Triton's layout whose files become models by themselves, and
// are evaluated and judged if the server is told how (docs/model-repository.md,
// docs/decisions/0023-model-repository.md).
//
// What it remembers it keeps as labels of the models: which version one is, whether its file is
// still there, whether its evaluation has been started, and what its gates said. So nothing is lost
// by a restart, and an evaluation that was started is not started again: its request id is made of
// model, file and trigger.
#ifndef ASSAY_SERVER_REPOSITORY_MODEL_REPOSITORY_H_
#define ASSAY_SERVER_REPOSITORY_MODEL_REPOSITORY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/repository.pb.h"
#include "core/base/mutex.h"
#include "server/api/context.h"
#include "server/repository/file_tree.h"
#include "server/repository/scanner.h"
#include "server/repository/trigger.h"
#include "server/repository/verdicts.h"

namespace assay::repository {

// Labels of models. Whether the version's file is there: "present" or "removed".
inline constexpr char kStateLabel[] = "repository/state";
// "existing": there at the first look, or before there was a trigger. "new": to be evaluated. Else
// the trigger by which an evaluation was started last.
inline constexpr char kEvaluatedLabel[] = "repository/evaluated";
// What the gates of the latest evaluation said, all together, one by one, and which evaluation.
inline constexpr char kVerdictLabel[] = "gates";
inline constexpr char kVerdictsLabel[] = "gates/verdicts";
inline constexpr char kJudgedLabel[] = "gates/evaluation";

struct RepositoryOptions {
  // For messages and to tell whether this directory has been looked into before.
  std::string directory;
  // Remembers that.
  std::string marker_file;
  // Absent: nothing is evaluated.
  std::optional<Trigger> trigger;
  // Also versions that are not new, and that another trigger evaluated.
  bool evaluate_existing = false;
};

// Look and Judge are for one thread; the others may be called by any.
class ModelRepository {
 public:
  // All must outlive it.
  ModelRepository(const RepositoryOptions& options, const FileTree& tree, api::Context& context);

  // Looks through the directory, takes what is new, starts evaluations. An error when the directory
  // cannot be read; then nothing changes.
  absl::StatusOr<v1::SyncModelRepositoryResponse> Look();
  // Judges what has ended since the last call.
  void JudgeEnded();
  absl::StatusOr<v1::ListRepositoryModelsResponse> List(
      const v1::ListRepositoryModelsRequest& request);
  // What can be known to be wrong with the trigger on this server; logged at the start.
  absl::Status CheckTrigger();

 private:
  // Model and version.
  using Key = std::pair<std::string, int64_t>;
  using Stored = std::map<Key, v1::Model>;
  // What became of the files of a version.
  struct Version {
    enum class State { kStored, kChanged, kCopying, kFailed };
    FoundVersion found;
    State state = State::kFailed;
    std::string reason;
    // Of the files that this was found of; empty: look again.
    std::string stamp;
    // Of the file with its options, once it has been read.
    std::string digest;
    // Why no evaluation was started although one is to be.
    std::string evaluation_reason;
  };

  absl::StatusOr<Stored> StoredVersions();
  void Take(const FoundVersion& found, bool first, Stored* stored, Version* version,
            v1::SyncModelRepositoryResponse* response);
  absl::Status Read(const FoundVersion& found, bool first, Stored* stored, Version* version,
                    bool* created);
  absl::Status Compare(const FoundVersion& found, const v1::Model& model, Version* version);
  void MarkRemoved(const Scan& scan, Stored* stored, v1::SyncModelRepositoryResponse* response);
  void StartEvaluations(const std::vector<Key>& keys, Stored* stored);
  absl::StatusOr<std::string> StartEvaluation(const Key& key, const v1::Model& model,
                                              const Version& version);
  absl::StatusOr<std::string> PreviousEvaluation(const Key& key);
  // The latest that the repository started for a model.
  absl::StatusOr<std::optional<store::EvaluationRecord>> LatestEvaluation(
      const std::string& model, const std::string& dataset);
  absl::Status JudgeOne(const store::EvaluationRecord& evaluation);
  // Verdicts as they were remembered, if they were.
  void Remember(const store::EvaluationRecord& evaluation, const v1::Model& model,
                Verdicts* verdicts);
  void ShowMetrics();
  void Describe(const Key& key, const v1::Model* model, bool details, v1::RepositoryVersion* shown);
  void DescribeEvaluation(const store::EvaluationRecord& record, const v1::Model& model,
                          v1::RepositoryVersion* shown);
  bool LookedBefore() const;
  absl::Status RememberLook() const;

  const RepositoryOptions options_;
  const FileTree& tree_;
  api::Context& context_;
  Scanner scanner_;
  // Of the looking thread.
  bool looked_before_ = false;
  int64_t succeeded_ = -1;
  // Name and end of evaluations that have been judged, or have nothing to be judged.
  std::set<std::pair<std::string, int64_t>> judged_;
  std::set<std::string> told_;  // problems that have been logged

  Mutex mutex_;
  std::map<Key, Version> versions_ ABSL_GUARDED_BY(mutex_);
  int64_t problems_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t removed_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t look_micros_ ABSL_GUARDED_BY(mutex_) = 0;
  bool unreadable_ ABSL_GUARDED_BY(mutex_) = false;
  // Evaluations whose gates could not be judged, and why.
  std::map<std::string, std::string> gate_errors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_MODEL_REPOSITORY_H_
