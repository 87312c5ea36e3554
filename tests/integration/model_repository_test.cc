// A model file that is copied into a directory is evaluated and judged without anybody asking, by a
// real server that is killed and restarted on the way.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr int64_t kSamples = 200;

// Its images with the labels that a model gave them.
class LabelledData : public GeneratedData {
 public:
  explicit LabelledData(std::vector<int32_t> all_labels)
      : GeneratedData(kSamples, 3, 8, 4), labels_(std::move(all_labels)) {}
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    ASSAY_RETURN_IF_ERROR(GeneratedData::Read(first, count, labels, pixels));
    std::copy_n(labels_.begin() + first, count, labels->end() - count);
    return absl::OkStatus();
  }

 private:
  const std::vector<int32_t> labels_;
};

class ModelRepositoryServerTest : public CommandFixture {
 protected:
  void SetUp() override {
    fs::create_directories(Path("models"));
    std::ofstream(Path("evaluation.yaml"))
        << "data: datasets/d\ncondition: [clean, \"attack/pgd:eps=1/255,steps=2\"]\nseed: 3\n"
           "require:\n  - accuracy(clean) >= 20%\n  - accuracy(clean) >= baseline - 10%\n"
           "baseline: previous\nundecided: pass\n";
  }
  void Start() {
    StartServer({"--model-repository", Path("models"), "--repository-poll-seconds", "0.2",
                 "--on-new-version", Path("evaluation.yaml")});
  }
  static std::string Zoo(const std::string& name) {
    return absl::StrCat(ASSAY_BINARY_DIR "/tests/zoo/", name, ".pt");
  }
  std::string Version(const std::string& version) {
    const std::string directory = Path("models/" + version);
    fs::create_directories(directory);
    return directory + "/model.pt";
  }
  bool Shows(const std::string& line) {
    return server_->Http("/metrics").find(line) != std::string::npos;
  }
  // Of a gate that begins so, of net-vN.
  static std::string Gate(const std::string& name, int version, const std::string& gate) {
    return absl::StrCat(name, "{model=\"net-v", version, "\",dataset=\"d\",gate=\"", gate, "\"} ");
  }
  v1::RepositoryVersion Told(const std::string& model, int64_t version) {
    const auto versions = client_->ListRepositoryModels(model);
    if (!versions.ok()) return {};
    for (const v1::RepositoryVersion& one : *versions) {
      if (one.version() == version) return one;
    }
    return {};
  }
  size_t Started() {
    v1::ListEvaluationsRequest filter;
    (*filter.mutable_labels())["repository"] = "net";
    const auto evaluations = client_->ListEvaluations(filter);
    EXPECT_TRUE(evaluations.ok()) << evaluations.status();
    return evaluations->size();
  }
  // Labels by which linear.pt is always right.
  void MakeDataset() {
    GeneratedData probe(kSamples, 3, 8, 4);
    const auto evaluation = Run(Spec(Upload("linear"), Upload(probe), {"clean"}));
    std::vector<int32_t> labels(kSamples);
    const absl::Status status = client_->StreamOutcomes(
        evaluation.name(), {}, [&](const v1::StreamOutcomesResponse& batch) {
          for (const auto& outcome : batch.outcomes()) {
            labels[static_cast<size_t>(outcome.sample())] = outcome.prediction();
          }
          return absl::OkStatus();
        });
    ASSERT_TRUE(status.ok()) << status;
    LabelledData data(labels);
    ASSERT_EQ(Upload(data, "d"), "datasets/d");
  }
};

TEST_F(ModelRepositoryServerTest, ACopiedFileIsEvaluatedAndJudged) {
  // Without its dataset yet, which is told and no reason not to start.
  Start();
  ASSERT_TRUE(Eventually([&] { return fs::exists(Path("data/model-repository")); }));
  MakeDataset();

  fs::copy_file(Zoo("linear"), Version("net/1"));
  EXPECT_TRUE(Eventually(
      [&] { return Shows(Gate("assay_gate_passed", 1, "accuracy(clean) >= 20%") + "1"); }));
  EXPECT_TRUE(Shows(Gate("assay_gate_undecided", 1, "accuracy(clean) >= baseline - 10%") + "1"));
  EXPECT_TRUE(Eventually([&] {
    return Shows("assay_accuracy_ratio{model=\"net-v1\",dataset=\"d\",condition=\"clean\"} 1");
  }));
  EXPECT_EQ(Told("net", 1).verdict(), "passed");
  EXPECT_EQ(Assay(absl::StrCat("model list --label gates=passed --server ", server_->address())),
            0);
  EXPECT_THAT(Text("out"), HasSubstr("models/net-v1"));

  // Half a file, for longer than a file needs to settle, is none.
  std::string bytes;
  {
    std::ifstream file(Zoo("constant"), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::ofstream copy(Version("net/2"), std::ios::binary);
  copy << bytes.substr(0, bytes.size() / 2) << std::flush;
  ASSERT_TRUE(Eventually([&] { return Told("net", 2).state() == v1::Model::UNAVAILABLE; }));
  EXPECT_EQ(Told("net", 2).name(), "");
  copy << bytes.substr(bytes.size() / 2) << std::flush;
  copy.close();
  ASSERT_TRUE(Eventually([&] { return Started() == 2; }));
  // Between creation and verdict.
  server_->Kill();
  Start();
  EXPECT_TRUE(Eventually([&] {
    return Shows(Gate("assay_gate_passed", 2, "accuracy(clean) >= baseline - 10%") + "0");
  }));
  EXPECT_EQ(Started(), 2u);
  const v1::RepositoryVersion second = Told("net", 2);
  EXPECT_EQ(second.verdict(), "failed");
  EXPECT_EQ(second.baseline(), Told("net", 1).evaluation());
  EXPECT_THAT(second.gates(1).text(), HasSubstr("paired on 200 samples"));
  EXPECT_EQ(second.accuracies_size(), 2);

  // What cannot be a model stops nothing.
  std::ofstream(Version("bad/1")) << "<html>404 not found</html>";
  fs::create_symlink("/etc", Path("models/out"));
  EXPECT_TRUE(Eventually([&] { return Told("bad", 1).state() == v1::Model::UNAVAILABLE; }));
  EXPECT_TRUE(Eventually([&] { return Shows("assay_repository_errors{kind=\"name\"} 1"); }));
  fs::remove_all(Path("models/bad"));
  fs::remove(Path("models/out"));

  // What is gone keeps its results.
  fs::remove_all(Path("models/net/1"));
  EXPECT_TRUE(Eventually([&] { return Told("net", 1).removed(); }));
  EXPECT_TRUE(ReportOf(Told("net", 1).evaluation()).ok());

  const std::string at = absl::StrCat(" --server ", server_->address());
  ASSERT_EQ(Assay(absl::StrCat("model sync -o json", at)), 0) << Text("err");
  EXPECT_EQ(json::parse(Text("out")).at("found"), 1);
  ASSERT_EQ(Assay(absl::StrCat("model versions net", at)), 0) << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("models/net-v2"));
  EXPECT_THAT(Text("out"), HasSubstr("FAILED accuracy(clean) >= baseline - 10%"));
  EXPECT_EQ(Assay(absl::StrCat("model versions nett", at)), 5);
  EXPECT_THAT(Text("err"), HasSubstr("did you mean net?"));
  ASSERT_EQ(Assay(absl::StrCat("model load net-v2", at)), 0) << Text("err");
  EXPECT_EQ(Told("net", 2).state(), v1::Model::READY);
  ASSERT_EQ(Assay(absl::StrCat("model unload net-v2", at)), 0) << Text("err");
}

TEST_F(ModelRepositoryServerTest, OnDemandAloneASyncWaitsForACopy) {
  StartServer({"--model-repository", Path("models"), "--repository-poll-seconds", "0"});
  const std::string at = absl::StrCat(" --server ", server_->address());
  fs::copy_file(Zoo("linear"), Version("net/1"));
  ASSERT_EQ(Assay(absl::StrCat("model sync -o json", at)), 0) << Text("err");
  EXPECT_EQ(json::parse(Text("out")).at("created"), 1) << Text("out");
  ASSERT_EQ(Assay(absl::StrCat("model load net-v1 --shape 3x8x8", at)), 0) << Text("err");
}

TEST_F(ModelRepositoryServerTest, AServerWithoutOneSaysSo) {
  StartServer();
  EXPECT_EQ(Assay(absl::StrCat("model sync --server ", server_->address())), 5);
  EXPECT_THAT(Text("err"), HasSubstr("--model-repository"));
}

}  // namespace
}  // namespace assay::testing
