// Whole evaluations through a real server, a real engine and the real client: grouping, streaming,
// killing, cancelling.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kEveryFamily = {"clean",
                                               "attack/pgd:eps=4/255,steps=5,restarts=2",
                                               "attack/pgd:norm=l2,eps=0.2,steps=5",
                                               "corruption/gaussian_noise:severity=3",
                                               "corruption/jpeg_compression:severity=5",
                                               "smoothing/gaussian:sigma=0.1,n0=10,n=40"};

class EvaluationTest : public ZooFixture {};

TEST_F(EvaluationTest, OutcomesDoNotDependOnTasksStreamsOrWorkersOrder) {
  StartServer();
  GeneratedData data(90, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  const v1::Evaluation one = Run(Spec(model, dataset, kEveryFamily, 90));
  ASSERT_EQ(one.state(), v1::Evaluation::SUCCEEDED) << one.failure().message();
  const auto expected = Outcomes(one.name());
  ASSERT_EQ(expected.size(), 90 * kEveryFamily.size());

  // Many tasks, conditions in another order.
  const std::vector<std::string> reversed(kEveryFamily.rbegin(), kEveryFamily.rend());
  const v1::Evaluation many = Run(Spec(model, dataset, reversed, 7));
  ASSERT_EQ(many.state(), v1::Evaluation::SUCCEEDED) << many.failure().message();
  EXPECT_EQ(many.progress().tasks(), 6 * 13);
  EXPECT_EQ(Outcomes(many.name()), expected);

  // The same data through Evaluate.
  v1::EvaluateRequest::Start start;
  start.set_no_cache(true);
  start.set_model(model);
  for (const auto& condition : kEveryFamily) start.add_conditions(condition);
  start.set_seed(7);
  std::string name;
  client::StreamListener listener;
  listener.on_accepted = [&](const v1::Evaluation& evaluation) { name = evaluation.name(); };
  const auto streamed = client_->Evaluate(start, data, 0, listener);
  ASSERT_TRUE(streamed.ok()) << streamed.status();
  ASSERT_EQ(streamed->evaluation().state(), v1::Evaluation::SUCCEEDED);
  EXPECT_TRUE(streamed->has_report());
  EXPECT_EQ(Outcomes(name), expected);
  EXPECT_EQ(ReportText(name), ReportText(one.name()));
  // The stream became a dataset.
  EXPECT_TRUE(client_->GetDataset(streamed->evaluation().spec().dataset()).ok());
}

TEST_F(EvaluationTest, AKilledEngineIsReplacedAndTheReportIsTheSame) {
  StartServer();
  GeneratedData data(48, 3, 8, 4);
  const std::string model = Upload("slow"), dataset = Upload(data);
  const v1::EvaluationSpec spec =
      Spec(model, dataset, {"clean", "attack/pgd:eps=0.0001,steps=100"}, 16);
  const v1::Evaluation undisturbed = Run(spec);
  ASSERT_EQ(undisturbed.state(), v1::Evaluation::SUCCEEDED);

  const auto created = client_->CreateEvaluation(spec, "");
  ASSERT_TRUE(created.ok());
  ASSERT_TRUE(Eventually([&] {
    return client_->GetEvaluation(created->name())->progress().current_condition().find("pgd") !=
           std::string::npos;
  }));
  const auto engines = server_->Engines();
  ASSERT_FALSE(engines.empty());
  for (const pid_t engine : engines) kill(engine, SIGKILL);
  const v1::Evaluation disturbed = Await(created->name());
  ASSERT_EQ(disturbed.state(), v1::Evaluation::SUCCEEDED) << disturbed.failure().message();
  EXPECT_EQ(Outcomes(created->name()), Outcomes(undisturbed.name()));
  EXPECT_EQ(ReportText(created->name()), ReportText(undisturbed.name()));
  EXPECT_NE(
      server_->Http("/metrics").find("assay_engine_restarts_total{reason=\"died_at_work\"} 1"),
      std::string::npos);
}

TEST_F(EvaluationTest, AKilledServerGoesOnAfterItsRestartAndTheReportIsTheSame) {
  StartServer();
  GeneratedData data(48, 3, 8, 4);
  const std::string model = Upload("slow"), dataset = Upload(data);
  const v1::EvaluationSpec spec =
      Spec(model, dataset, {"clean", "attack/pgd:eps=0.0001,steps=100"}, 16);
  const v1::Evaluation undisturbed = Run(spec);
  const auto created = client_->CreateEvaluation(spec, "");
  ASSERT_TRUE(created.ok());
  std::string token;
  ASSERT_TRUE(Eventually(
      [&] { return client_->GetEvaluation(created->name())->progress().tasks_done() >= 2; }));
  const auto engines = server_->Engines();
  server_->Kill();
  // Engines end with their server.
  EXPECT_TRUE(Eventually([&] {
    return std::all_of(engines.begin(), engines.end(),
                       [](pid_t engine) { return kill(engine, 0) != 0; });
  }));
  StartServer();
  EXPECT_GE(client_->GetEvaluation(created->name())->progress().tasks_done(), 2);
  const v1::Evaluation end = Await(created->name());
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  EXPECT_EQ(Outcomes(created->name()), Outcomes(undisturbed.name()));
  EXPECT_EQ(ReportText(created->name()), ReportText(undisturbed.name()));
}

TEST_F(EvaluationTest, SigtermPutsRunningTasksBackAndExitsInOrder) {
  StartServer();
  GeneratedData data(64, 3, 8, 4);
  const auto created = client_->CreateEvaluation(
      Spec(Upload("slow"), Upload(data), {"attack/pgd:eps=0.0001,steps=400"}, 16), "");
  ASSERT_TRUE(created.ok());
  ASSERT_TRUE(Eventually([&] { return !server_->Engines().empty(); }));
  EXPECT_EQ(server_->Terminate(), 0);
  StartServer();
  const auto evaluation = client_->GetEvaluation(created->name());
  ASSERT_TRUE(evaluation.ok());
  EXPECT_EQ(evaluation->state(), v1::Evaluation::RUNNING);
  EXPECT_TRUE(client_->CancelEvaluation(created->name()).ok());
}

TEST_F(EvaluationTest, CancelStopsALoopingModelByKillingItsEngine) {
  StartServer();
  GeneratedData data(32, 3, 8, 4);
  data.bright_sample = 20;
  const std::string dataset = Upload(data);
  const auto created = client_->CreateEvaluation(Spec(Upload("loops"), dataset, {"clean"}), "");
  ASSERT_TRUE(created.ok());
  ASSERT_TRUE(Eventually([&] {
    return client_->GetEvaluation(created->name())->state() == v1::Evaluation::RUNNING &&
           !server_->Engines().empty();
  }));
  const std::vector<pid_t> engines = server_->Engines();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(client_->CancelEvaluation(created->name()).ok());
  EXPECT_EQ(Await(created->name()).state(), v1::Evaluation::CANCELLED);
  // Its engine, and the memory that it had, are gone after the 5 s in which it could have stopped.
  EXPECT_TRUE(Eventually([&] {
    const std::vector<pid_t> left = server_->Engines();
    return std::none_of(engines.begin(), engines.end(), [&](pid_t engine) {
      return std::find(left.begin(), left.end(), engine) != left.end();
    });
  }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  // The device is free again for others.
  const v1::Evaluation next = Run(Spec(Upload("linear"), dataset, {"clean"}));
  EXPECT_EQ(next.state(), v1::Evaluation::SUCCEEDED) << next.failure().message();
}

TEST_F(EvaluationTest, CancelStopsAModelThatLoopsWhileItLoads) {
  StartServer();
  GeneratedData data(32, 3, 8, 4);
  const auto created =
      client_->CreateEvaluation(Spec(Upload("loops_always"), Upload(data), {"clean"}), "");
  ASSERT_TRUE(created.ok());
  ASSERT_TRUE(Eventually([&] { return !server_->Engines().empty(); }));
  ASSERT_TRUE(client_->CancelEvaluation(created->name()).ok());
  EXPECT_TRUE(Eventually([&] { return server_->Engines().empty(); }));
}

TEST_F(EvaluationTest, OutOfMemoryHalvesTheBatchAndStartsTheTaskAgain) {
  StartServer();
  GeneratedData data(30, 3, 8, 4);
  const v1::Evaluation end = Run(Spec(Upload("hungry_above_4"), Upload(data), {"clean"}));
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  const auto report = ReportOf(end.name());
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->numerics_size(), 1);
  EXPECT_EQ(report->numerics(0).batch_size(), 4);
  EXPECT_EQ(report->conditions(0).samples(), 30);
}

TEST_F(EvaluationTest, AModelThatMakesNoProgressIsStopped) {
  StartServer({"--stall-seconds", "2"});
  GeneratedData data(32, 3, 8, 4);
  data.bright_sample = 20;
  const v1::Evaluation end = Run(Spec(Upload("loops"), Upload(data), {"clean"}));
  EXPECT_EQ(end.state(), v1::Evaluation::FAILED);
  EXPECT_EQ(end.failure().reason(), "MODEL_FAILED");
  EXPECT_THAT(end.failure().message(), HasSubstr("no progress for 2 s"));
}

TEST_F(EvaluationTest, TimeInWhichTheServerWasFrozenIsNotAStall) {
  StartServer({"--stall-seconds", "2"});
  GeneratedData data(48, 3, 8, 4);
  const v1::EvaluationSpec spec =
      Spec(Upload("slow"), Upload(data), {"attack/pgd:eps=0.0001,steps=100"}, 16);
  const auto created = client_->CreateEvaluation(spec, "");
  ASSERT_TRUE(created.ok());
  ASSERT_TRUE(Eventually(
      [&] { return client_->GetEvaluation(created->name())->progress().tasks_done() >= 1; }));
  server_->Freeze(4);
  const v1::Evaluation end = Await(created->name());
  EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
}

TEST_F(EvaluationTest, RetryGoesOnWithWhatWasDone) {
  StartServer();
  GeneratedData data(64, 3, 8, 4);
  const auto created = client_->CreateEvaluation(
      Spec(Upload("slow"), Upload(data), {"clean", "attack/pgd:eps=0.0001,steps=50"}, 16), "");
  ASSERT_TRUE(created.ok());
  ASSERT_TRUE(Eventually(
      [&] { return client_->GetEvaluation(created->name())->progress().tasks_done() >= 4; }));
  ASSERT_TRUE(client_->CancelEvaluation(created->name()).ok());
  EXPECT_EQ(ReasonOf(client_->CancelEvaluation(created->name()).status()), Reason::kWrongState);
  // What is there can be read.
  const auto partial = ReportOf(created->name());
  ASSERT_TRUE(partial.ok());
  EXPECT_FALSE(partial->complete());
  ASSERT_TRUE(client_->RetryEvaluation(created->name()).ok());
  const v1::Evaluation end = Await(created->name());
  EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED);
  EXPECT_EQ(Outcomes(created->name()).size(), 128u);
}

// Another model's tasks find it out of room on the device: the least recently used engine makes
// way.
TEST_F(EvaluationTest, EnginesAreReusedAndMakeWay) {
  StartServer({"--max-engines", "2"});
  GeneratedData data(16, 3, 8, 4);
  const std::string dataset = Upload(data);
  for (const char* name : {"linear", "tiny_cnn", "linear", "softmax"}) {
    EXPECT_EQ(Run(Spec(Upload(name), dataset, {"clean"})).state(), v1::Evaluation::SUCCEEDED);
    EXPECT_LE(server_->Engines().size(), 2u);
  }
}

// The CPU stands in for two devices: an engine on each, and the same outcomes.
TEST_F(EvaluationTest, SeveralDevicesShareTheTasksOfAnEvaluation) {
  StartServer({"--devices", "cpu:0,cpu:1"});
  GeneratedData data(96, 3, 8, 4);
  const std::string model = Upload("slow"), dataset = Upload(data);
  const std::vector<std::string> conditions = {"clean", "attack/pgd:eps=0.0001,steps=60"};
  const auto created = client_->CreateEvaluation(Spec(model, dataset, conditions, 8), "");
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(Eventually([&] { return server_->Engines().size() == 2; }));
  const v1::Evaluation both = Await(created->name());
  ASSERT_EQ(both.state(), v1::Evaluation::SUCCEEDED) << both.failure().message();
  const auto expected = Outcomes(both.name());
  EXPECT_EQ(expected.size(), 2 * 96u);
  const std::string report = ReportText(both.name());
  ASSERT_EQ(server_->Terminate(), 0);
  StartServer();
  const v1::Evaluation one = Run(Spec(model, dataset, conditions, 8));
  ASSERT_EQ(one.state(), v1::Evaluation::SUCCEEDED);
  EXPECT_EQ(Outcomes(one.name()), expected);
  EXPECT_EQ(ReportText(one.name()), report);
}

TEST_F(EvaluationTest, LoadAndUnloadMoveTheModelThroughItsStates) {
  StartServer();
  const std::string model = Upload("tiny_cnn");
  EXPECT_EQ(client_->GetModel(model)->state(), v1::Model::UNLOADED);
  EXPECT_EQ(ReasonOf(client_->LoadModel(model, nullptr).status()), Reason::kInvalidArgument);
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(8);
  shape.set_width(8);
  const auto loaded = client_->LoadModel(model, &shape);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state(), v1::Model::READY);
  EXPECT_EQ(loaded->validation().num_classes(), 4);
  EXPECT_EQ(server_->Engines().size(), 1u);
  const auto unloaded = client_->UnloadModel(model);
  ASSERT_TRUE(unloaded.ok());
  EXPECT_EQ(unloaded->state(), v1::Model::UNLOADED);
  EXPECT_TRUE(server_->Engines().empty());
  // Validated once, the shape is known.
  EXPECT_TRUE(client_->LoadModel(model, nullptr).ok());

  const std::string broken = Upload("nan");
  EXPECT_EQ(ReasonOf(client_->LoadModel(broken, &shape).status()), Reason::kModelNotFinite);
  EXPECT_EQ(client_->GetModel(broken)->state(), v1::Model::UNAVAILABLE);
  EXPECT_THAT(client_->GetModel(broken)->state_reason(), HasSubstr("not finite"));
}

TEST_F(EvaluationTest, MetricsShowTheWorkAndTheRobustness) {
  StartServer();
  EXPECT_EQ(server_->Http("/healthz"), "ok\n");
  EXPECT_EQ(server_->Http("/readyz"), "ready\n");
  GeneratedData data(32, 3, 8, 4);
  const v1::Evaluation end = Run(Spec(Upload("linear"), Upload(data), {"clean"}));
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED);
  ASSERT_TRUE(Eventually([&] {
    return server_->Http("/metrics").find("assay_class_accuracy_ratio{") != std::string::npos;
  }));
  const std::string metrics = server_->Http("/metrics");
  for (const char* expected :
       {"assay_samples_total{kind=\"clean\"} 32", "assay_evaluations{state=\"SUCCEEDED\"} 1",
        "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"CreateEvaluation\","
        "grpc_service=\"assay.v1.EvaluationService\",grpc_type=\"unary\"} 1",
        "assay_accuracy_ratio{model=\"linear-", "condition=\"clean\"", "assay_build_info",
        "process_resident_memory_bytes", "assay_upload_bytes_total"}) {
    EXPECT_NE(metrics.find(expected), std::string::npos) << expected;
  }
  ASSERT_TRUE(client_->DeleteEvaluation(end.name()).ok());
  EXPECT_EQ(server_->Http("/metrics").find("assay_accuracy_ratio{"), std::string::npos);
}

}  // namespace
}  // namespace assay::testing
