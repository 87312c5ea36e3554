// `assay report recompute`: a report computed in the client, of an evaluation and of a file of its
// outcomes, is byte for byte the server's, for every family. And what reports tell of where they
// come from.
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "nlohmann/json.hpp"
#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::google::protobuf::util::TimeUtil;
using ::testing::HasSubstr;

class RecomputeTest : public ZooFixture {
 protected:
  int Assay(const std::string& arguments) {
    const int status =
        std::system(absl::StrCat("ASSAY_SERVER=", server_->address(), " ", ASSAY_BINARY_DIR,
                                 "/bin/assay ", arguments, " >", Path("out"), " 2>", Path("err"))
                        .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Text(const std::string& name) const {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
};

TEST_F(RecomputeTest, EveryFamilyIsTheSameByteForByte) {
  StartServer();
  GeneratedData data(24, 3, 8, 4);
  v1::EvaluationSpec spec =
      Spec(Upload("linear"), Upload(data),
           {"clean", "attack/pgd:eps=2/255+8/255,steps=3",
            "attack/fmn:norm=l2,eps=0.25+0.5,steps=5", "attack/pgd:eps=2/255,target=every,steps=2",
            "corruption/fog:severity=1-5", "smoothing/gaussian:sigma=0.25,n0=10,n=100",
            "bounds/ibp:eps=1/255", "conformal/rscp", "sequence/rotate"},
           7);
  (*spec.mutable_labels())["stage"] = "test";
  (*spec.mutable_labels())["commit"] = "1a2b3c";
  const v1::Evaluation end = Run(spec);
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  const std::string name = end.name();

  ASSERT_EQ(Assay(absl::StrCat("evaluation report ", name, " -o json")), 0) << Text("err");
  const std::string served = Text("out");
  std::ofstream(Path("report.json"), std::ios::binary) << served;
  ASSERT_EQ(Assay(absl::StrCat("report recompute ", name, " -o json")), 0) << Text("err");
  EXPECT_EQ(Text("out"), served);
  EXPECT_THAT(Text("err"), HasSubstr("byte for byte the server's"));
  for (const char* options : {"--confidence-level 0.9", "--alpha 0.01 --n 50"}) {
    EXPECT_EQ(Assay(absl::StrCat("report recompute ", name, " ", options)), 0) << Text("err");
    EXPECT_THAT(Text("err"), HasSubstr("byte for byte the server's"));
  }

  const std::string file = Path("outcomes.csv");
  ASSERT_EQ(Assay(absl::StrCat("evaluation outcomes ", name, " ", file)), 0) << Text("err");
  // Without the server, and when model and evaluation are gone.
  server_.reset();
  ASSERT_EQ(std::system(absl::StrCat(ASSAY_BINARY_DIR "/bin/assay --server 127.0.0.1:1 report "
                                                      "recompute ",
                                     file, " -o json --against ", Path("report.json"), " >",
                                     Path("out"), " 2>", Path("err"))
                            .c_str()),
            0)
      << Text("err");
  EXPECT_EQ(Text("out"), served);
  EXPECT_THAT(Text("err"), HasSubstr("byte for byte that of "));
  ASSERT_EQ(std::system(absl::StrCat(ASSAY_BINARY_DIR "/bin/assay report recompute ", file,
                                     " --confidence-level 0.9 >", Path("out"))
                            .c_str()),
            0);
  EXPECT_THAT(Text("out"), HasSubstr("slices are left out"));

  const auto json = nlohmann::json::parse(served);
  EXPECT_THAT(json["repeat_command"].get<std::string>(), HasSubstr("assay evaluate -m models/"));
  EXPECT_EQ(json["provenance"]["labels"]["commit"], "1a2b3c");
}

TEST_F(RecomputeTest, AReportThatDiffersIsToldAndExitsWithOne) {
  StartServer();
  GeneratedData data(8, 3, 8, 4);
  const v1::Evaluation end = Run(Spec(Upload("linear"), Upload(data), {"clean"}));
  ASSERT_EQ(Assay(absl::StrCat("evaluation report ", end.name(), " -o json")), 0) << Text("err");
  std::string other = Text("out");
  const size_t seed = other.find("\"seed\": 7");
  ASSERT_NE(seed, std::string::npos);
  other.replace(seed, 9, "\"seed\": 8");
  std::ofstream(Path("other.json"), std::ios::binary) << other;
  EXPECT_EQ(Assay(absl::StrCat("report recompute ", end.name(), " --against ", Path("other.json"))),
            1);
  EXPECT_THAT(Text("err"), HasSubstr("their JSON differs from line "));
  EXPECT_EQ(Assay("report recompute evaluations/none"), 5);
  EXPECT_EQ(Assay(absl::StrCat("report recompute ", Path("none.csv"))), 2);
  EXPECT_THAT(Text("err"), HasSubstr("there is no file"));
}

TEST_F(RecomputeTest, ProvenanceTellsModelDataTimesAndEffort) {
  StartServer();
  GeneratedData data(24, 3, 8, 4);
  const std::string model = Upload("linear"), dataset = Upload(data);
  const v1::Evaluation end = Run(Spec(model, dataset, {"clean", "attack/pgd:eps=8/255,steps=3"}));
  const auto report = ReportOf(end.name());
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::Provenance& provenance = report->provenance();
  EXPECT_FALSE(provenance.assay_version().empty());
  EXPECT_EQ(provenance.model_digest(), client_->GetModel(model)->digest());
  EXPECT_EQ(provenance.model_format(), client_->GetModel(model)->validation().format());
  EXPECT_EQ(provenance.dataset_digest(), client_->GetDataset(dataset)->digest());
  EXPECT_LE(provenance.create_time(), provenance.start_time());
  EXPECT_LE(provenance.start_time(), provenance.end_time());
  EXPECT_GT(provenance.model_seconds(), 0);
  EXPECT_FALSE(provenance.has_energy_joules());
  // The same report again, also from a server that has been restarted, and without the model.
  server_.reset();
  StartServer();
  EXPECT_EQ(ReportOf(end.name())->provenance().SerializeAsString(), provenance.SerializeAsString());
  ASSERT_TRUE(client_->DeleteModel(model).ok());
  EXPECT_EQ(ReportOf(end.name())->provenance().model_digest(), provenance.model_digest());
}

}  // namespace
}  // namespace assay::testing
