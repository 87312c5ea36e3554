// The commands of docs/operations.md make a backup of a service at work, and a new one of the
// backup, in which everything is there, finished reports are the same, and unfinished evaluations
// go on to the reports that they would have had.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/store/postgres.h"
#include "tests/integration/zoo_fixture.h"
#include "tests/server/store/postgres_schema.h"

namespace assay::testing {
namespace {

// The commands of the section's blocks, each without the line that sets the variables and the one
// that starts assayd.
std::vector<std::string> CommandsOfBackups() {
  std::ifstream file(ASSAY_SOURCE_DIR "/docs/operations.md");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const size_t begin = text.find("\n## Backup and restore\n");
  const size_t end = text.find("\n## ", begin + 1);
  std::vector<std::string> blocks;
  bool inside = false;
  for (const absl::string_view line : absl::StrSplit(text.substr(begin, end - begin), '\n')) {
    const bool command = absl::StartsWith(line, "    ");
    if (command && !inside) {
      blocks.emplace_back("set -e\n");
    } else if (command && !absl::StartsWith(line, "    assayd ")) {
      absl::StrAppend(&blocks.back(), line, "\n");
    }
    inside = command;
  }
  return blocks;
}

class BackupTest : public ZooFixture {
 protected:
  void Execute(const std::string& commands, const std::string& variables) {
    const std::string script = directory_.path() + "/script";
    std::ofstream(script) << variables << "\n" << commands;
    ASSERT_EQ(std::system(absl::StrCat("bash ", script).c_str()), 0) << commands;
  }

  static v1::EvaluationSpec Without(v1::EvaluationSpec spec) {
    spec.set_no_cache(true);
    return spec;
  }
  // One evaluation that has ended and two that run, one of which has committed tasks.
  void Begin() {
    GeneratedData data(48, 3, 8, 4);
    const std::string dataset = Upload(data);
    done_ =
        Run(Without(Spec(Upload("tiny_cnn"), dataset, {"clean", "corruption/fog:severity=1"}, 8)))
            .name();
    const std::string slow = Upload("slow");
    for (std::string* name : {&running_, &queued_}) {
      auto spec = Without(Spec(slow, dataset, {"clean", "attack/pgd:eps=0.0001,steps=60"}, 8));
      spec.set_keep_adversarials(true);
      const auto created = client_->CreateEvaluation(spec, "");
      ASSERT_TRUE(created.ok()) << created.status();
      *name = created->name();
    }
    ASSERT_TRUE(
        Eventually([&] { return client_->GetEvaluation(running_)->progress().tasks_done() >= 2; }));
  }
  // All reports, in the end, the finished one's with everything that it says.
  std::vector<std::string> Reports() {
    for (const std::string& name : {running_, queued_}) {
      const v1::Evaluation end = Await(name);
      EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
    }
    return {ReportOf(done_)->DebugString(), ReportText(running_), ReportText(queued_)};
  }
  // A clean check, and less than everything done.
  void CheckRestored() {
    EXPECT_EQ(client_->GetEvaluation(done_)->state(), v1::Evaluation::SUCCEEDED);
    EXPECT_FALSE(client::HasEnded(client_->GetEvaluation(queued_)->state()))
        << "the backup was taken before it ended";
    int64_t blobs = 0;
    const absl::Status checked =
        client_->CheckStorage(false, [&](const v1::CheckStorageResponse& message) {
          // Of adversarial examples that were being committed.
          if (message.has_finding() &&
              message.finding().kind() != v1::CheckStorageResponse::Finding::ORPHANED_BLOB) {
            ADD_FAILURE() << message.finding().DebugString();
          }
          if (message.has_summary()) blobs = message.summary().checked_blobs();
          return absl::OkStatus();
        });
    EXPECT_TRUE(checked.ok()) << checked;
    EXPECT_GE(blobs, 3);
  }

  const std::vector<std::string> commands_ = CommandsOfBackups();
  std::string done_, running_, queued_;
};

TEST_F(BackupTest, OfASqliteFileAtWork) {
  ASSERT_EQ(commands_.size(), 4u);
  StartServer();
  Begin();
  const std::string backup = absl::StrCat("BACKUP=", directory_.path(), "/backup ");
  Execute(commands_[0], absl::StrCat(backup, "DATA=", directory_.path(), "/data"));
  // A later backup goes into the same place.
  Execute(commands_[0], absl::StrCat(backup, "DATA=", directory_.path(), "/data"));
  const std::vector<std::string> expected = Reports();
  server_.reset();
  const std::string restored = directory_.path() + "/restored";
  Execute(commands_[1], absl::StrCat(backup, "DATA=", restored));
  server_ = std::make_unique<ServerProcess>(restored, extra_flags_);
  client_ = server_->Connect();
  CheckRestored();
  EXPECT_EQ(Reports(), expected);
}

TEST_F(BackupTest, OfPostgresqlAtWork) {
  ASSERT_EQ(commands_.size(), 4u);
  const auto admin = store::PostgresDatabase::Open(store::PostgresServer::Get().Uri());
  ASSERT_TRUE(admin.ok()) << admin.status();
  const auto uri = [&](const std::string& database) {
    EXPECT_TRUE((*admin)->RunScript(absl::StrCat("CREATE DATABASE ", database)).ok());
    return absl::StrReplaceAll(store::PostgresServer::Get().Uri(),
                               {{"/postgres?", absl::StrCat("/", database, "?")}});
  };
  const auto start = [&](const std::string& store, const std::string& blobs) {
    std::vector<std::string> flags = {"--store", store, "--blobs", blobs, "--lease-seconds", "3"};
    flags.insert(flags.end(), extra_flags_.begin(), extra_flags_.end());
    server_ = std::make_unique<ServerProcess>(blobs + "-data", flags);
    client_ = server_->Connect();
  };
  const std::string backup = absl::StrCat("BACKUP=", directory_.path(), "/backup ");
  const std::string store = uri("at_work"), blobs = directory_.path() + "/blobs";
  start(store, blobs);
  Begin();
  Execute(commands_[2], absl::StrCat(backup, "BLOBS=", blobs, " STORE='", store, "'"));
  const std::vector<std::string> expected = Reports();
  server_.reset();
  const std::string restored = uri("restored"), other = directory_.path() + "/restored";
  Execute(commands_[3], absl::StrCat(backup, "BLOBS=", other, " STORE='", restored, "'"));
  start(restored, other);
  CheckRestored();
  EXPECT_EQ(Reports(), expected);
}

}  // namespace
}  // namespace assay::testing
