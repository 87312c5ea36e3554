// Two assayds that share no directory: PostgreSQL and object storage are all that they have in
// common. The report is that of a single assayd with directories, and object storage that is away
// for a while costs time alone.
#include <csignal>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/integration/zoo_fixture.h"
#include "tests/server/store/postgres_schema.h"
#include "tests/server/store/s3_server.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class ObjectStorageTest : public ZooFixture {
 protected:
  ObjectStorageTest() {
    std::ofstream(directory_.path() + "/credentials")
        << "[default]\naws_access_key_id=" << store::S3Server::kId
        << "\naws_secret_access_key=" << store::S3Server::kSecret << "\n";
  }
  std::unique_ptr<ServerProcess> Start(const std::string& name, const std::string& role) {
    std::vector<std::string> flags = {
        "--role",           role,
        "--store",          schema_.uri(),
        "--blobs",          absl::StrCat("s3://", store::S3Server::kBucket, "/assay"),
        "--s3-endpoint",    s3_.endpoint(),
        "--s3-credentials", directory_.path() + "/credentials",
        "--lease-seconds",  "5"};
    flags.insert(flags.end(), extra_flags_.begin(), extra_flags_.end());
    return std::make_unique<ServerProcess>(directory_.path() + "/" + name, flags);
  }
  int TasksDone(const std::string& evaluation) {
    const auto now = client_->GetEvaluation(evaluation);
    return now.ok() ? static_cast<int>(now->progress().tasks_done()) : -1;
  }
  std::string Log(const std::string& name) const {
    std::ifstream file(directory_.path() + "/" + name + "/assayd.log");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  store::PostgresSchema schema_;
  store::S3Server s3_;
};

TEST_F(ObjectStorageTest, AnEvaluationOverItIsThatOfASingleAssaydThoughItIsAwayForAWhile) {
  GeneratedData data(64, 3, 8, 4);
  const auto spec = [](const std::string& model, const std::string& dataset) {
    v1::EvaluationSpec made = Spec(model, dataset, {"clean", "attack/pgd:eps=0.0001,steps=60"}, 4);
    // What is kept of tasks goes into the storage.
    made.set_keep_adversarials(true);
    made.set_keep_probabilities(true);
    return made;
  };
  StartServer();
  const v1::Evaluation alone = Run(spec(Upload("slow"), Upload(data)));
  ASSERT_EQ(alone.state(), v1::Evaluation::SUCCEEDED) << alone.failure().message();
  const auto outcomes = Outcomes(alone.name());
  const std::string report = ReportText(alone.name());
  client_.reset();
  server_.reset();

  const auto api = Start("api", "api");
  client_ = api->Connect();
  auto worker = Start("worker", "worker");
  const auto created = client_->CreateEvaluation(spec(Upload("slow"), Upload(data)), "");
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_TRUE(Eventually([&] { return TasksDone(created->name()) >= 3; }));
  EXPECT_THAT(worker->Http("/metrics"), HasSubstr("assay_blob_storage_up 1"));

  s3_.SetAway(true);
  EXPECT_TRUE(Eventually([&] {
    const std::string metrics = worker->Http("/metrics");
    return metrics.find("assay_blob_storage_up 0") != std::string::npos &&
           metrics.find("assay_workers{device=\"cpu\",state=\"blocked\"} 1") != std::string::npos;
  })) << worker->Http("/metrics");
  EXPECT_THAT(Log("worker"), HasSubstr("object storage cannot be used"));
  // A worker that begins anew has nothing of what the task needs.
  const int before = TasksDone(created->name());
  EXPECT_LT(before, 32);
  s3_.SetAway(false);
  ASSERT_TRUE(Eventually([&] { return TasksDone(created->name()) > before; }));
  EXPECT_THAT(Log("worker"), HasSubstr("object storage answers again"));

  worker->Kill();
  fs::remove_all(directory_.path() + "/worker/blob-cache");
  worker = Start("worker", "worker");
  // Away again, perhaps before it has fetched anything.
  s3_.SetAway(true);
  EXPECT_TRUE(Eventually([&] {
    return worker->Http("/metrics").find("assay_blob_storage_up 0") != std::string::npos;
  })) << worker->Http("/metrics");
  EXPECT_EQ(client_->GetEvaluation(created->name())->state(), v1::Evaluation::RUNNING);
  s3_.SetAway(false);

  const v1::Evaluation end = Await(created->name());
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  EXPECT_EQ(Outcomes(created->name()), outcomes);
  EXPECT_EQ(ReportText(created->name()), report);
  EXPECT_FALSE(fs::exists(directory_.path() + "/api/blobs"));
  EXPECT_FALSE(fs::exists(directory_.path() + "/worker/blobs"));
}

}  // namespace
}  // namespace assay::testing
