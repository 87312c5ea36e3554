// Adversarial examples that are kept, conditions that name other models, and conditions that need
// all samples at once.
#include <cmath>
#include <cstring>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

constexpr size_t kPixels = 3 * 8 * 8;

// Kept examples by condition and sample.
using Examples = std::map<std::pair<std::string, int64_t>, std::vector<float>>;

// The kept examples as data, labelled as the samples that they came from.
class ExampleData : public GeneratedData {
 public:
  ExampleData(const std::vector<std::vector<float>>& images, std::vector<int32_t> labels)
      : GeneratedData(static_cast<int64_t>(images.size()), 3, 8, 4),
        images_(images),
        labels_(std::move(labels)) {}
  v1::PixelType pixel_type() const override { return v1::FLOAT32; }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(first + count); ++i) {
      labels->push_back(labels_[i]);
      pixels->append(reinterpret_cast<const char*>(images_[i].data()), kPixels * sizeof(float));
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<std::vector<float>> images_;
  const std::vector<int32_t> labels_;
};

class KeptAndOtherModelsTest : public ZooFixture {
 protected:
  Examples Download(const std::string& evaluation) {
    Examples all;
    const absl::Status status = client_->StreamAdversarials(
        evaluation, {}, [&](const v1::StreamAdversarialsResponse& batch) {
          EXPECT_EQ(batch.images().size(),
                    static_cast<size_t>(batch.samples_size()) * kPixels * sizeof(float));
          for (int i = 0; i < batch.samples_size(); ++i) {
            std::vector<float> image(kPixels);
            std::memcpy(image.data(), &batch.images()[static_cast<size_t>(i) * kPixels * 4],
                        kPixels * sizeof(float));
            EXPECT_TRUE(
                all.emplace(std::make_pair(batch.condition(), batch.samples(i)), image).second);
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return all;
  }
};

TEST_F(KeptAndOtherModelsTest, KeptExamplesAreThoseThatTheOutcomesTellOf) {
  StartServer();
  GeneratedData data(60, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  v1::EvaluationSpec spec =
      Spec(model, dataset, {"clean", "attack/pgd:eps=16/255", "attack/pgd:norm=l2,eps=0.5"}, 17);
  spec.set_keep_adversarials(true);
  const v1::Evaluation evaluation = Run(spec);
  ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
  // A restart loses none of them.
  ASSERT_EQ(server_->Terminate(), 0);
  StartServer();
  const Examples examples = Download(evaluation.name());

  std::vector<std::vector<float>> images;
  std::vector<int32_t> labels, predictions;
  size_t successes = 0;
  for (const auto& [key, bytes] : Outcomes(evaluation.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    const auto example = examples.find(key);
    ASSERT_EQ(example != examples.end(), outcome.attack().success()) << key.first;
    if (example == examples.end()) continue;
    ++successes;
    std::vector<int32_t> label;
    std::string original;
    ASSERT_TRUE(data.Read(outcome.sample(), 1, &label, &original).ok());
    double largest = 0, squared = 0;
    for (size_t i = 0; i < kPixels; ++i) {
      const double pixel =
          static_cast<double>(static_cast<float>(static_cast<uint8_t>(original[i])) / 255.0F);
      const double difference = std::abs(static_cast<double>(example->second[i]) - pixel);
      largest = std::max(largest, difference);
      squared += difference * difference;
    }
    const bool l2 = key.first.find("/l2/") != std::string::npos;
    EXPECT_NEAR(outcome.attack().distance(), l2 ? std::sqrt(squared) : largest, 1e-9);
    images.push_back(example->second);
    labels.push_back(outcome.label());
    predictions.push_back(outcome.prediction());
  }
  ASSERT_GT(successes, 10u);
  EXPECT_EQ(examples.size(), successes);

  // The model takes them for what the attack said it does.
  ExampleData kept(images, labels);
  const v1::Evaluation again = Run(Spec(model, Upload(kept, "kept"), {"clean"}));
  ASSERT_EQ(again.state(), v1::Evaluation::SUCCEEDED) << again.failure().message();
  for (const auto& [key, bytes] : Outcomes(again.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    EXPECT_EQ(outcome.prediction(), predictions[static_cast<size_t>(key.second)]);
  }
}

TEST_F(KeptAndOtherModelsTest, ExamplesThatNobodyAskedForAreRefusedWithTheReason) {
  StartServer();
  GeneratedData data(8, 3, 8, 4);
  const v1::Evaluation evaluation = Run(Spec(Upload("tiny_cnn"), Upload(data), {"attack/pgd"}));
  const absl::Status status = client_->StreamAdversarials(
      evaluation.name(), {}, [](const auto&) { return absl::OkStatus(); });
  EXPECT_EQ(ReasonOf(status), Reason::kWrongState);
  EXPECT_THAT(std::string(status.message()), HasSubstr("keep_adversarials"));
}

TEST_F(KeptAndOtherModelsTest, ATransferAttackRunsOnAnotherModelOfTheServer) {
  StartServer();
  GeneratedData data(60, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), other = Upload("linear"), dataset = Upload(data);
  const std::string id = other.substr(other.find('/') + 1);
  const std::string own = model.substr(model.find('/') + 1);
  const auto successes = [&](const v1::Evaluation& evaluation) {
    const auto report = ReportOf(evaluation.name());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->conditions(0).attack().successes() : -1;
  };
  const std::string settings = ",eps=16/255,steps=10";
  const v1::Evaluation transfer =
      Run(Spec(model, dataset, {"attack/transfer:surrogates=" + id + settings}, 7));
  ASSERT_EQ(transfer.state(), v1::Evaluation::SUCCEEDED) << transfer.failure().message();
  const v1::Evaluation itself =
      Run(Spec(model, dataset, {"attack/transfer:surrogates=" + own + settings}, 60));
  ASSERT_EQ(itself.state(), v1::Evaluation::SUCCEEDED) << itself.failure().message();
  // Nothing transfers better than from the model itself.
  EXPECT_GT(successes(itself), successes(transfer));
  const v1::Evaluation both =
      Run(Spec(model, dataset, {"attack/transfer:surrogates=" + own + "+" + id + settings}, 25));
  ASSERT_EQ(both.state(), v1::Evaluation::SUCCEEDED) << both.failure().message();
  EXPECT_GT(successes(both), successes(transfer));
}

TEST_F(KeptAndOtherModelsTest, OtherModelsMustBeThereFitAndStay) {
  StartServer();
  GeneratedData data(200, 3, 8, 4);
  const std::string model = Upload("slow"), small = Upload("linear_k3"), other = Upload("linear");
  const std::string dataset = Upload(data);
  const auto create = [&](const std::string& surrogate) {
    return client_
        ->CreateEvaluation(Spec(model, dataset, {"attack/transfer:surrogates=" + surrogate}), "")
        .status();
  };
  const absl::Status unknown = create("nobody");
  EXPECT_EQ(ReasonOf(unknown), Reason::kInvalidCondition) << unknown;
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("models/nobody"));

  // Three classes against four: known at once when both have been validated, else by the engine.
  v1::ImageShape shape = data.shape();
  ASSERT_TRUE(client_->LoadModel(small, &shape).ok());
  ASSERT_TRUE(client_->LoadModel(model, &shape).ok());
  const absl::Status classes = create(small.substr(small.find('/') + 1));
  EXPECT_THAT(std::string(classes.message()), HasSubstr("3 classes"));

  const auto running = client_->CreateEvaluation(
      Spec(model, dataset,
           {"attack/transfer:steps=100,surrogates=" + other.substr(other.find('/') + 1)}),
      "");
  ASSERT_TRUE(running.ok()) << running.status();
  const absl::Status in_use = client_->DeleteModel(other);
  EXPECT_EQ(ReasonOf(in_use), Reason::kInUse) << in_use;
  ASSERT_TRUE(client_->CancelEvaluation(running->name()).ok());
  EXPECT_TRUE(client_->DeleteModel(other).ok());
}

TEST_F(KeptAndOtherModelsTest, AUniversalPerturbationSeesAllSamplesHoweverTheyArrive) {
  StartServer();
  GeneratedData data(90, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  const std::vector<std::string> conditions = {"clean", "attack/universal:eps=16/255,epochs=2"};
  const v1::Evaluation one = Run(Spec(model, dataset, conditions));
  ASSERT_EQ(one.state(), v1::Evaluation::SUCCEEDED) << one.failure().message();
  const auto expected = Outcomes(one.name());
  ASSERT_EQ(expected.size(), 180u);
  const v1::Evaluation cut = Run(Spec(model, dataset, conditions, 7));
  ASSERT_EQ(cut.state(), v1::Evaluation::SUCCEEDED) << cut.failure().message();
  EXPECT_EQ(cut.progress().tasks(), 13 + 1);
  EXPECT_EQ(Outcomes(cut.name()), expected);

  v1::EvaluateRequest::Start start;
  start.set_no_cache(true);
  start.set_model(model);
  for (const auto& condition : conditions) start.add_conditions(condition);
  start.set_seed(7);
  const auto streamed = client_->Evaluate(start, data, 0, {});
  ASSERT_TRUE(streamed.ok()) << streamed.status();
  EXPECT_EQ(Outcomes(streamed->evaluation().name()), expected);
}

}  // namespace
}  // namespace assay::testing
