// A running server, a client, and small data for the zoo of test models.
#ifndef ASSAY_TESTS_INTEGRATION_ZOO_FIXTURE_H_
#define ASSAY_TESTS_INTEGRATION_ZOO_FIXTURE_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/data/dataset_reader.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/integration/server_process.h"

namespace assay::testing {

// Bytes made by a fixed formula; labels cycle through the classes.
class GeneratedData : public client::DatasetReader {
 public:
  GeneratedData(int64_t size, int channels, int side, int classes)
      : size_(size), classes_(classes) {
    shape_.set_channels(channels);
    shape_.set_height(side);
    shape_.set_width(side);
  }
  const v1::ImageShape& shape() const override { return shape_; }
  v1::PixelType pixel_type() const override { return v1::UINT8; }
  const std::vector<std::string>& class_names() const override { return names_; }
  int64_t size() const override { return size_; }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    const int64_t image = int64_t{shape_.channels()} * shape_.height() * shape_.width();
    for (int64_t i = first; i < first + count; ++i) {
      labels->push_back(static_cast<int32_t>(i % classes_) + label_offset);
      uint64_t state = static_cast<uint64_t>(i) * 0x9E3779B97F4A7C15ULL + 1;
      for (int64_t j = 0; j < image; ++j) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        // Dark enough that no zoo model is triggered by its first pixel, unless asked for.
        pixels->push_back(static_cast<char>((state >> 40) % static_cast<uint64_t>(brightest)));
      }
      if (i == bright_sample) (*pixels)[pixels->size() - static_cast<size_t>(image)] = '\xff';
    }
    return absl::OkStatus();
  }
  int64_t bright_sample = -1;  // gets a first pixel of 255
  int brightest = 200;
  int label_offset = 0;

 private:
  const int64_t size_;
  const int classes_;
  v1::ImageShape shape_;
  std::vector<std::string> names_;
};

class ZooFixture : public ::testing::Test {
 protected:
  void StartServer(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), extra_flags_.begin(), extra_flags_.end());
    server_ = std::make_unique<ServerProcess>(directory_.path() + "/data", flags);
    client_ = server_->Connect();
    ASSERT_NE(client_, nullptr);
  }

  std::string Upload(const std::string& zoo_model) {
    const auto model =
        client_->UploadModel(ASSAY_BINARY_DIR "/tests/zoo/" + zoo_model + ".pt", "", nullptr);
    EXPECT_TRUE(model.ok()) << zoo_model << ": " << model.status();
    return model.ok() ? model->resource.name() : "";
  }

  std::string Upload(client::DatasetReader& reader, const std::string& id = "") {
    client::DatasetUpload upload;
    upload.stem = "generated";
    upload.id = id;
    const auto dataset = client_->UploadDataset(reader, upload, nullptr);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return dataset.ok() ? dataset->resource.name() : "";
  }

  // Computes all: two runs are compared mostly to see that both compute the same.
  static v1::EvaluationSpec Spec(const std::string& model, const std::string& dataset,
                                 const std::vector<std::string>& conditions,
                                 int32_t task_samples = 0) {
    v1::EvaluationSpec spec;
    spec.set_model(model);
    spec.set_dataset(dataset);
    for (const auto& condition : conditions) spec.add_conditions(condition);
    spec.set_seed(7);
    spec.set_task_samples(task_samples);
    spec.set_no_cache(true);
    return spec;
  }

  v1::Evaluation Run(const v1::EvaluationSpec& spec) {
    const auto evaluation = client_->CreateEvaluation(spec, "");
    EXPECT_TRUE(evaluation.ok()) << evaluation.status();
    return evaluation.ok() ? Await(evaluation->name()) : v1::Evaluation();
  }

  v1::Evaluation Await(const std::string& name) {
    v1::WatchEvaluationRequest request;
    request.set_name(name);
    const auto end = client_->Watch(request, {});
    EXPECT_TRUE(end.ok()) << end.status();
    return end.ok() ? end->evaluation() : v1::Evaluation();
  }

  // Serialized outcomes by (condition, sample).
  std::map<std::pair<std::string, int64_t>, std::string> Outcomes(const std::string& evaluation) {
    std::map<std::pair<std::string, int64_t>, std::string> all;
    const absl::Status status =
        client_->StreamOutcomes(evaluation, {}, [&](const v1::StreamOutcomesResponse& batch) {
          for (const auto& outcome : batch.outcomes()) {
            EXPECT_TRUE(all.emplace(std::make_pair(batch.condition(), outcome.sample()),
                                    outcome.SerializeAsString())
                            .second)
                << "sample " << outcome.sample() << " counted twice";
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return all;
  }

  absl::StatusOr<v1::Report> ReportOf(const std::string& evaluation) {
    v1::GetReportRequest request;
    request.set_name(evaluation);
    return client_->GetReport(request);
  }

  // The report as text, without what differs between evaluations: names, and padding.
  std::string ReportText(const std::string& evaluation) {
    auto report = ReportOf(evaluation);
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) return "";
    report->clear_evaluation();
    report->clear_dataset();
    report->clear_passes();
    report->clear_provenance();
    return report->DebugString();
  }

  TemporaryDirectory directory_;
  std::vector<std::string> extra_flags_ = {"--threads", "1", "--batch-size", "16"};
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace assay::testing

#endif  // ASSAY_TESTS_INTEGRATION_ZOO_FIXTURE_H_
