// assayd as it is configured and as it logs, by its process.
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "assay/v1/models.grpc.pb.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"

namespace assay::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

class ConfigurationTest : public CommandFixture {
 protected:
  // Runs assayd behind these variables with these flags; its exit code. Output is in "out", "err".
  int Assayd(const std::string& variables, const std::string& flags) {
    const int status =
        std::system(absl::StrCat("env ", variables, " " ASSAY_BINARY_DIR "/bin/assayd ", flags,
                                 " >", Path("out"), " 2>", Path("err"))
                        .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void WriteFile(const std::string& text) { std::ofstream(Path("assayd.yaml")) << text; }
  std::string FileFlag() const { return absl::StrCat("--config ", Path("assayd.yaml")); }

  std::vector<Json> Log() const {
    std::vector<Json> lines;
    const std::string text = Text("data/assayd.log");
    for (const auto& line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      lines.push_back(Json::parse(std::string(line), nullptr, /*allow_exceptions=*/false));
      EXPECT_TRUE(lines.back().is_object()) << line;
    }
    return lines;
  }
  // The first line of that message (and that request), at last; an empty object: there is none.
  Json LineOf(const std::string& message, const std::string& request = "") const {
    Json found = Json::object();
    Eventually([&] {
      for (const Json& line : Log()) {
        if (line.value("message", "") != message) continue;
        if (!request.empty() && line.value("request_id", "") != request) continue;
        found = line;
        return true;
      }
      return false;
    });
    return found;
  }
};

TEST_F(ConfigurationTest, ACheckTellsWhatIsInForceAndWhereItComesFrom) {
  WriteFile("threads: 3\nmax-engines: 2\nbatch-size: 8\ninsecure: yes\n");
  ASSERT_EQ(Assayd("ASSAYD_MAX_ENGINES=5 ASSAYD_BATCH_SIZE=16",
                   absl::StrCat(FileFlag(), " --batch-size 32 --devices cpu --check-config ",
                                "--data-dir ", Path("new/data"))),
            0)
      << Text("err");
  const std::string out = Text("out");
  EXPECT_THAT(out, ContainsRegex("\nthreads +3 +.*assayd.yaml:1\n"));
  EXPECT_THAT(out, ContainsRegex("\nmax-engines +5 +ASSAYD_MAX_ENGINES\n"));
  EXPECT_THAT(out, ContainsRegex("\nbatch-size +32 +flag\n"));
  EXPECT_THAT(out, ContainsRegex("\ninsecure +true +.*assayd.yaml:4\n"));
  EXPECT_THAT(out, ContainsRegex("\nlisten +127.0.0.1:8001 +default\n"));
  EXPECT_THAT(Text("err"), IsEmpty());
  EXPECT_NE(std::system(absl::StrCat("test -e ", Path("new")).c_str()), 0) << "it made something";
}

TEST_F(ConfigurationTest, ACheckTellsEverythingThatIsWrong) {
  WriteFile("# mine\nlisten: 127.0.0.1\ndevices: [gpu0]\nfrost-directory: /nowhere\n");
  std::ofstream(Path("file")) << "no directory";
  EXPECT_EQ(
      Assayd(absl::StrCat("ASSAYD_DATA_DIR=", Path("file/data")), FileFlag() + " --check-config"),
      1);
  EXPECT_THAT(Text("err"), AllOf(HasSubstr("assayd.yaml:2: listen: must be HOST:PORT"),
                                 HasSubstr("assayd.yaml:3: devices: must be auto, or a list"),
                                 HasSubstr("ASSAYD_DATA_DIR: "), HasSubstr("/nowhere")));
  WriteFile(absl::StrCat("listen: 0.0.0.0:8001\nstore: postgres://me:very-secret@h/d\nblobs: ",
                         Path("file/blobs"), "\n"));
  EXPECT_EQ(Assayd("", absl::StrCat(FileFlag(), " --devices cpu --check-config --data-dir ",
                                    Path("data"))),
            1);
  EXPECT_THAT(Text("err"), AllOf(HasSubstr("assayd.yaml:1: listen: 0.0.0.0 is reachable"),
                                 HasSubstr("assayd.yaml:3: blobs: ")));
  EXPECT_THAT(Text("err") + Text("out"), Not(HasSubstr("very-secret")));
  WriteFile("lsten: a:1\nthreads: many\n\tx: 1\n");
  EXPECT_EQ(Assayd("", FileFlag() + " --check-config"), 1);
  EXPECT_THAT(Text("err"), HasSubstr("assayd.yaml:3: is no YAML: a tab indents the line"));
  WriteFile("lsten: a:1\nthreads: many\n");
  // The start refuses what the check does.
  EXPECT_EQ(Assayd("ASSAYD_LISSEN=x", FileFlag()), 1);
  EXPECT_THAT(Text("err"),
              AllOf(HasSubstr("assayd.yaml:1: unknown key 'lsten'; did you mean listen?"),
                    HasSubstr("assayd.yaml:2: threads: must be a whole number from 0 to 1024; got "
                              "'many'"),
                    HasSubstr("ASSAYD_LISSEN: is no setting of assayd; did you mean "
                              "ASSAYD_LISTEN?")));
}

TEST_F(ConfigurationTest, APrivateServerIsNotTheOneThatIsConfigured) {
  WriteData(4);
  ASSERT_EQ(setenv("ASSAYD_LISTEN", "nonsense", 1), 0);
  EXPECT_EQ(Evaluate("--local -c clean"), 0) << Text("err");
  unsetenv("ASSAYD_LISTEN");
}

TEST_F(ConfigurationTest, EveryLineIsJsonAndTellsWhatItIsAbout) {
  StartServer({"--log-format", "json", "--log-level", "debug"});
  WriteData(8);
  ASSERT_EQ(Assay(absl::StrCat("--server ", server_->address(),
                               " evaluate -m " ASSAY_BINARY_DIR "/tests/zoo/linear.pt --id e -d ",
                               data(), " -c clean")),
            0)
      << Text("err");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  context.AddMetadata("x-request-id", "asked-by-a-test");
  context.AddMetadata("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  context.AddMetadata("authorization", "Bearer very-secret");
  const auto stub = v1::ModelService::NewStub(
      grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  v1::GetModelRequest request;
  request.set_name("models/https://me:very-secret@host/x");
  v1::Model response;
  EXPECT_FALSE(stub->GetModel(&context, request, &response).ok());

  const Json failed = LineOf("call failed", "asked-by-a-test");
  EXPECT_EQ(failed.value("trace_id", ""), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(failed.value("method", ""), "/assay.v1.ModelService/GetModel");
  EXPECT_EQ(failed.value("code", ""), "INVALID_ARGUMENT");
  const Json created = LineOf("evaluation created");
  EXPECT_EQ(created.value("evaluation", ""), "evaluations/e");
  EXPECT_FALSE(created.value("request_id", "").empty());
  EXPECT_FALSE(LineOf("model created").value("model", "").empty());
  EXPECT_FALSE(LineOf("dataset created").value("dataset", "").empty());
  EXPECT_EQ(LineOf("engine started").value("device", ""), "cpu");
  EXPECT_EQ(LineOf("evaluation succeeded").value("evaluation", ""), "evaluations/e");
  server_->Terminate();
  EXPECT_FALSE(LineOf("engine stopped").empty());
  EXPECT_THAT(Text("data/assayd.log"), Not(HasSubstr("very-secret")));
  for (const Json& line : Log()) {
    EXPECT_THAT(line.value("time", ""), ContainsRegex("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z$"));
    EXPECT_FALSE(line.value("message", "").empty());
  }
}

}  // namespace
}  // namespace assay::testing
