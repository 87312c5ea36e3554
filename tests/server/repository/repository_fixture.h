// A model repository of a whole server with a fake engine (api_fixture.h).
#ifndef ASSAY_TESTS_SERVER_REPOSITORY_REPOSITORY_FIXTURE_H_
#define ASSAY_TESTS_SERVER_REPOSITORY_REPOSITORY_FIXTURE_H_

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/repository/model_repository.h"
#include "server/repository/trigger_file.h"
#include "tests/server/api/api_fixture.h"

namespace assay::repository {

using store::HasReason;
using store::IsOk;

constexpr char kTrigger[] = "data: datasets/d\ncondition: clean\n";

class RepositoryFixture : public api::ApiFixture {
 protected:
  RepositoryFixture() { std::filesystem::create_directories(File("")); }

  std::string File(const std::string& path) { return directory_.File("models/" + path); }
  // A file that nobody has written to for an hour.
  void Put(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(File(path)).parent_path());
    std::ofstream(File(path), std::ios::binary) << content;
    std::filesystem::last_write_time(
        File(path), std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  }
  // A model of which every `wrong`-th sample is predicted wrongly; 0: none.
  void PutModel(const std::string& version, int wrong = 0) {
    Put(absl::StrCat(version, "/model.pt"),
        api::ModelFile(absl::StrCat("wrong=", wrong, " name=", version)));
  }
  // As at the start of a server. Without a trigger, nothing is evaluated.
  ModelRepository& Start(const std::string& trigger = "", bool evaluate_existing = false) {
    RepositoryOptions options;
    options.directory = File("");
    options.marker_file = directory_.File("model-repository");
    options.evaluate_existing = evaluate_existing;
    if (!trigger.empty()) {
      auto read = ReadTrigger(trigger, "t.yaml");
      EXPECT_THAT(read, IsOk());
      options.trigger = *read;
    }
    return repository_.emplace(options, tree_, context());
  }
  v1::SyncModelRepositoryResponse Look() {
    auto found = repository_->Look();
    EXPECT_THAT(found, IsOk());
    return found.ok() ? *found : v1::SyncModelRepositoryResponse();
  }
  v1::RepositoryVersion Version(const std::string& model, int64_t version) {
    v1::ListRepositoryModelsRequest request;
    request.set_model(model);
    const auto listed = repository_->List(request);
    EXPECT_THAT(listed, IsOk());
    for (const v1::RepositoryVersion& one : listed->versions()) {
      if (one.version() == version) return one;
    }
    ADD_FAILURE() << "no version " << version << " of " << model;
    return {};
  }
  size_t CountEvaluations() {
    const auto listed = store_->ListEvaluations({}, {});
    EXPECT_THAT(listed, IsOk());
    return listed->records.size();
  }
  // Waits until the version's gates are judged, and returns what is told of it.
  v1::RepositoryVersion Judged(const std::string& model, int64_t version) {
    EXPECT_TRUE(api::Eventually([&] {
      repository_->JudgeEnded();
      const v1::RepositoryVersion told = Version(model, version);
      const auto stored = store_->GetModel(told.name());
      if (!stored.ok()) return false;
      const auto judged = stored->labels().find(kJudgedLabel);
      return judged != stored->labels().end() && judged->second == told.evaluation();
    })) << Version(model, version).DebugString();
    return Version(model, version);
  }
  bool Shows(const std::string& text) { return metrics_.Render().find(text) != std::string::npos; }

  const DirectoryTree tree_{directory_.File("models")};
  std::optional<ModelRepository> repository_;
};

}  // namespace assay::repository

#endif  // ASSAY_TESTS_SERVER_REPOSITORY_REPOSITORY_FIXTURE_H_
