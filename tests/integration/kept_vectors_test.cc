// Probabilities and features through a real server: from the model to files and back, over
// restarts, streams and sweeps.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Vectors = std::map<std::pair<std::string, int64_t>, std::vector<float>>;

class KeptVectorsTest : public ZooFixture {
 protected:
  Vectors Download(const std::string& evaluation, v1::VectorKind kind) {
    Vectors all;
    const absl::Status status =
        client_->StreamVectors(evaluation, {}, kind, [&](const v1::StreamVectorsResponse& batch) {
          const auto size = static_cast<size_t>(batch.size());
          EXPECT_EQ(batch.values().size(),
                    static_cast<size_t>(batch.samples_size()) * size * sizeof(float));
          for (int i = 0; i < batch.samples_size(); ++i) {
            std::vector<float> vector(size);
            std::memcpy(vector.data(),
                        &batch.values()[static_cast<size_t>(i) * size * sizeof(float)],
                        size * sizeof(float));
            EXPECT_TRUE(
                all.emplace(std::make_pair(batch.condition(), batch.samples(i)), vector).second);
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return all;
  }

  // tests/models/make_test_models.cc: for each class its bias and its weights.
  static std::vector<std::vector<double>> LinearWeights() {
    std::ifstream file(ASSAY_BINARY_DIR "/tests/zoo/linear_weights.txt");
    size_t classes = 0, channels = 0, height = 0, width = 0;
    file >> classes >> channels >> height >> width;
    std::vector<std::vector<double>> rows(classes,
                                          std::vector<double>(1 + channels * height * width));
    for (auto& row : rows) {
      for (double& value : row) file >> value;
    }
    EXPECT_TRUE(file.good());
    return rows;
  }

  int64_t BlobBytes() const {
    int64_t bytes = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory_.path() + "/data/blobs")) {
      if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
    }
    return bytes;
  }
};

TEST_F(KeptVectorsTest, FeaturesGiveTheLogitsWhoseSoftmaxWasKept) {
  StartServer();
  GeneratedData data(60, 3, 8, 4);
  const std::string model = Upload("linear"), dataset = Upload(data);
  v1::EvaluationSpec spec = Spec(
      model, dataset,
      {"clean", "corruption/gaussian_noise:severity=2", "attack/pgd:eps=4/255",
       "attack/fmn:norm=l2", "smoothing/gaussian:sigma=0.25,n0=8,n=16", "sequence/gaussian_noise"},
      17);
  spec.set_keep_probabilities(true);
  spec.set_keep_features("penultimate");
  const v1::Evaluation evaluation = Run(spec);
  ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
  // A restart loses none of them, and a sweep, which every start makes, spares them.
  ASSERT_EQ(server_->Terminate(), 0);
  StartServer();
  const Vectors probabilities = Download(evaluation.name(), v1::PROBABILITIES);
  const Vectors features = Download(evaluation.name(), v1::FEATURES);
  const auto weights = LinearWeights();
  size_t expected = 0;
  for (const auto& [key, bytes] : Outcomes(evaluation.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    const auto p = probabilities.find(key), f = features.find(key);
    const bool one_image =
        key.first.rfind("smoothing", 0) != 0 && key.first.rfind("sequence", 0) != 0;
    ASSERT_EQ(p != probabilities.end(), one_image) << key.first;
    ASSERT_EQ(f != features.end(), one_image) << key.first;
    if (!one_image) continue;
    ++expected;
    ASSERT_EQ(f->second.size(), 192u);
    std::vector<double> shares;
    double sum = 0;
    for (const auto& row : weights) {
      double logit = row[0];
      for (size_t i = 0; i < 192; ++i) logit += row[1 + i] * f->second[i];
      sum += shares.emplace_back(std::exp(logit));
    }
    // Pixels in [0, 1] as halves are off by up to 2^-12.
    for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(p->second[k], shares[k] / sum, 1e-3);
    const auto largest = std::max_element(p->second.begin(), p->second.end());
    // The nearest adversarial examples are on the boundary, where 16 bits cannot tell two classes
    // apart.
    EXPECT_NEAR(p->second[static_cast<size_t>(outcome.prediction())], *largest, 2.5e-4);
    EXPECT_NEAR(*largest, outcome.confidence(), 1.5e-4);
  }
  EXPECT_EQ(probabilities.size(), expected);
  EXPECT_EQ(features.size(), expected);
  EXPECT_EQ(expected, 240u);
}

TEST_F(KeptVectorsTest, TheyDoNotDependOnTasksAndStreamsHaveThem) {
  StartServer();
  GeneratedData data(40, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  const std::vector<std::string> conditions = {"clean", "attack/pgd:eps=8/255"};
  std::vector<Vectors> features, probabilities;
  for (const int task_samples : {0, 7}) {
    v1::EvaluationSpec spec = Spec(model, dataset, conditions, task_samples);
    spec.set_keep_probabilities(true);
    spec.set_keep_features("features");
    const v1::Evaluation evaluation = Run(spec);
    ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
    features.push_back(Download(evaluation.name(), v1::FEATURES));
    probabilities.push_back(Download(evaluation.name(), v1::PROBABILITIES));
  }
  v1::EvaluateRequest::Start start;
  start.set_model(model);
  for (const auto& condition : conditions) start.add_conditions(condition);
  start.set_seed(7);
  start.set_keep_probabilities(true);
  start.set_keep_features("features");
  const auto end = client_->Evaluate(start, data, 0, {});
  ASSERT_TRUE(end.ok()) << end.status();
  features.push_back(Download(end->evaluation().name(), v1::FEATURES));
  probabilities.push_back(Download(end->evaluation().name(), v1::PROBABILITIES));
  ASSERT_EQ(features[0].size(), 80u);
  for (size_t i = 1; i < features.size(); ++i) {
    EXPECT_TRUE(features[i] == features[0]);
    EXPECT_TRUE(probabilities[i] == probabilities[0]);
  }
}

TEST_F(KeptVectorsTest, KeepingThemChangesNoOutcomeAndItsPassesAreCounted) {
  StartServer();
  GeneratedData data(40, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  v1::EvaluationSpec spec = Spec(model, dataset, {"clean", "attack/pgd:eps=8/255"});
  const v1::Evaluation without = Run(spec);
  spec.set_keep_probabilities(true);
  spec.set_keep_features("penultimate");
  const v1::Evaluation with = Run(spec);
  EXPECT_TRUE(Outcomes(without.name()) == Outcomes(with.name()));
  const auto before = ReportOf(without.name()), after = ReportOf(with.name());
  ASSERT_TRUE(before.ok() && after.ok());
  // One pass for each image and kind.
  EXPECT_EQ(after->passes().needed_forwards() - before->passes().needed_forwards(), 40 * 2 * 2);
}

TEST_F(KeptVectorsTest, ALayerThatIsNotThereFailsTheEvaluationWithThoseThatAre) {
  StartServer();
  GeneratedData data(8, 3, 8, 4);
  v1::EvaluationSpec spec = Spec(Upload("tiny_cnn"), Upload(data), {"attack/pgd"});
  spec.set_keep_features("feature");
  const v1::Evaluation failed = Run(spec);
  ASSERT_EQ(failed.state(), v1::Evaluation::FAILED);
  EXPECT_EQ(failed.failure().reason(), "INVALID_ARGUMENT");
  EXPECT_THAT(failed.failure().message(),
              AllOf(HasSubstr("no layer 'feature'"), HasSubstr("did you mean 'features'"),
                    HasSubstr("penultimate")));
  // Once the server knows the layers, before any work.
  ASSERT_TRUE(client_->UnloadModel(spec.model()).ok());
  ASSERT_TRUE(client_->LoadModel(spec.model(), &data.shape()).ok());
  const auto refused = client_->CreateEvaluation(spec, "");
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()),
              AllOf(HasSubstr("keep_features"), HasSubstr("did you mean 'features'")));
}

TEST_F(KeptVectorsTest, TheSweepTakesThemWithTheirEvaluation) {
  StartServer();
  GeneratedData data(40, 3, 8, 4);
  v1::EvaluationSpec spec = Spec(Upload("tiny_cnn"), Upload(data), {"clean"});
  const int64_t before = BlobBytes();
  spec.set_keep_probabilities(true);
  const v1::Evaluation evaluation = Run(spec);
  ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
  // Two bytes for each class.
  EXPECT_EQ(BlobBytes(), before + 40 * 4 * 2);
  ASSERT_TRUE(client_->DeleteEvaluation(evaluation.name()).ok());
  EXPECT_TRUE(Eventually([&] { return BlobBytes() == before; }));
}

}  // namespace
}  // namespace assay::testing
