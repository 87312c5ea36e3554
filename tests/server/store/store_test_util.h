// What the tests of the store share: a directory of their own, matchers of reasons, and small
// records.
#ifndef ASSAY_TESTS_SERVER_STORE_STORE_TEST_UTIL_H_
#define ASSAY_TESTS_SERVER_STORE_STORE_TEST_UTIL_H_

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/sqlite_job_store.h"
#ifdef ASSAY_TEST_POSTGRES
#include "server/store/postgres_job_store.h"
#include "tests/server/store/postgres_schema.h"
#endif
#include "tests/manual_clock.h"

namespace assay::store {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg);
  return arg.ok();
}

MATCHER_P(HasReason, reason, absl::StrCat("has the reason ", ReasonName(reason))) {
  *result_listener << StatusOf(arg);
  return ReasonOf(StatusOf(arg)) == reason;
}

// A directory that goes away with its object.
class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "assay-store-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  std::string File(const std::string& name) const { return absl::StrCat(path_, "/", name); }

 private:
  std::string path_;
};

inline constexpr int64_t kLease = 30'000'000;

inline v1::Model MakeModel(const std::string& id, const std::string& content = "model") {
  v1::Model model;
  model.set_name("models/" + id);
  model.set_digest(Sha256Hex(content));
  model.set_size_bytes(static_cast<int64_t>(content.size()));
  return model;
}

inline v1::Dataset MakeDataset(const std::string& id, const std::vector<std::string>& chunks) {
  v1::Dataset dataset;
  dataset.set_name("datasets/" + id);
  v1::DatasetManifest& manifest = *dataset.mutable_manifest();
  manifest.mutable_shape()->set_channels(3);
  manifest.mutable_shape()->set_height(32);
  manifest.mutable_shape()->set_width(32);
  manifest.set_pixel_type(v1::UINT8);
  manifest.add_class_names("cat");
  manifest.add_class_names("dog");
  for (const std::string& content : chunks) {
    v1::DatasetManifest::Chunk& chunk = *manifest.add_chunks();
    chunk.set_digest(Sha256Hex(content));
    chunk.set_samples(10);
  }
  dataset.set_digest(Sha256Hex(manifest.SerializeAsString()));
  dataset.set_samples(static_cast<int64_t>(chunks.size()) * 10);
  return dataset;
}

inline v1::Evaluation MakeEvaluation(const std::string& id,
                                     v1::Evaluation::State state = v1::Evaluation::QUEUED,
                                     const std::string& model = "models/m") {
  v1::Evaluation evaluation;
  evaluation.set_name("evaluations/" + id);
  evaluation.set_state(state);
  evaluation.mutable_spec()->set_model(model);
  if (state != v1::Evaluation::RECEIVING) evaluation.mutable_spec()->set_dataset("datasets/d");
  evaluation.mutable_spec()->set_seed(7);
  evaluation.add_conditions()->set_id("clean");
  evaluation.add_conditions()->set_id("attack/pgd/linf/8-255");
  return evaluation;
}

// `count` tasks of ten samples and 2.5 passes each under one condition, from sample `first` on.
inline std::vector<Task> MakeTasks(int count, int condition = 0, int64_t first = 0) {
  std::vector<Task> tasks;
  for (int i = 0; i < count; ++i) {
    Task task;
    task.condition = condition;
    task.first_sample = first + 10 * i;
    task.samples = 10;
    task.work = 2.5;
    tasks.push_back(task);
  }
  return tasks;
}

// Outcomes that name their task: each sample's label is its position, its prediction the condition.
inline v1::OutcomeBatch MakeOutcomes(const Task& task) {
  v1::OutcomeBatch batch;
  for (int64_t sample = task.first_sample; sample < task.first_sample + task.samples; ++sample) {
    v1::Outcome& outcome = *batch.add_outcomes();
    outcome.set_sample(sample);
    outcome.set_label(static_cast<int32_t>(sample));
    outcome.set_prediction(task.condition);
  }
  return batch;
}

inline v1::NumericsFingerprint MakeNumerics(const std::string& device = "cpu") {
  v1::NumericsFingerprint numerics;
  numerics.set_device(device);
  numerics.set_batch_size(64);
  return numerics;
}

// What has been committed of an evaluation, under all conditions or those wanted.
inline absl::StatusOr<std::vector<TaskOutcomes>> ReadAllOutcomes(
    Evaluations& evaluations, const std::string& name, const std::set<int>& conditions = {}) {
  ASSAY_ASSIGN_OR_RETURN(const OutcomeReader next, evaluations.ReadOutcomes(name, conditions));
  std::vector<TaskOutcomes> outcomes;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(std::optional<TaskOutcomes> task, next());
    if (!task) return outcomes;
    outcomes.push_back(*std::move(task));
  }
}

class JobStoreTest : public ::testing::Test {
 protected:
  JobStoreTest() { Reopen(); }

  // As after a restart of the server.
  void Reopen() {
    store_.reset();
    store_ = Open();
  }
  // As another process would.
  std::unique_ptr<JobStore> Open() { return Open(clock_); }
  std::unique_ptr<JobStore> Open(const Clock& clock) {
#ifdef ASSAY_TEST_POSTGRES
    auto store = OpenPostgresJobStore(schema_.uri(), &clock);
#else
    auto store = OpenSqliteJobStore(path(), clock);
#endif
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      std::abort();
    }
    return *std::move(store);
  }
  std::string path() const { return directory_.File("jobs.db"); }

  // The next task, which must be there.
  ClaimedTask Claim(const std::string& owner = "w", const std::string& prefer_model = "") {
    const auto claim = store_->ClaimTask(owner, kLease, prefer_model);
    EXPECT_THAT(claim, IsOk());
    if (!claim.ok() || !claim->has_value()) {
      ADD_FAILURE() << "nothing to claim";
      return {};
    }
    return **claim;
  }
  bool QueueIsEmpty() {
    const auto claim = store_->ClaimTask("w", kLease, "");
    EXPECT_THAT(claim, IsOk());
    return claim.ok() && !claim->has_value();
  }
  void Commit(const ClaimedTask& claim) {
    EXPECT_THAT(store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(), {}), IsOk());
  }
  EvaluationRecord Get(const std::string& id) {
    auto record = store_->GetEvaluation("evaluations/" + id);
    EXPECT_THAT(record, IsOk());
    return record.ok() ? *std::move(record) : EvaluationRecord();
  }
  v1::Evaluation::State StateOf(const std::string& id) { return Get(id).proto.state(); }
  void Create(const std::string& id, const std::vector<Task>& tasks,
              const std::string& model = "models/m") {
    EXPECT_THAT(
        store_->CreateEvaluation(MakeEvaluation(id, v1::Evaluation::QUEUED, model), tasks, ""),
        IsOk());
  }

  TempDirectory directory_;
#ifdef ASSAY_TEST_POSTGRES
  PostgresSchema schema_;
#endif
  ManualClock clock_;
  std::unique_ptr<JobStore> store_;
};

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_STORE_STORE_TEST_UTIL_H_
