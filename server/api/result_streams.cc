#include "server/api/result_streams.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "server/api/pulled_stream.h"

namespace assay::api {
namespace {

struct Results {
  store::EvaluationRecord evaluation;
  // Of the wanted conditions.
  store::OutcomeReader next_task;

  const std::string& ConditionOf(const store::TaskOutcomes& task) const {
    return evaluation.proto.conditions(task.condition).id();
  }
};

// `wanted_ids`: of conditions; empty: all.
absl::StatusOr<std::shared_ptr<Results>> ReadResults(
    Context& context, const std::string& name,
    const google::protobuf::RepeatedPtrField<std::string>& wanted_ids) {
  ASSAY_RETURN_IF_ERROR(ParseResourceName(kEvaluations, name, "name").status());
  auto results = std::make_shared<Results>();
  ASSAY_ASSIGN_OR_RETURN(results->evaluation, context.evaluations.GetEvaluation(name));
  std::map<std::string, int> indices;
  const auto& conditions = results->evaluation.proto.conditions();
  for (int i = 0; i < conditions.size(); ++i) indices.emplace(conditions[i].id(), i);
  std::set<int> wanted;
  // In the order of the ids, for the message.
  for (const std::string& id : std::set<std::string>(wanted_ids.begin(), wanted_ids.end())) {
    const auto found = indices.find(id);
    if (found == indices.end()) {
      return InvalidFields(
          {{"conditions", absl::StrCat("'", id, "' is not a condition of this evaluation")}});
    }
    wanted.insert(found->second);
  }
  ASSAY_ASSIGN_OR_RETURN(results->next_task, context.evaluations.ReadOutcomes(name, wanted));
  return results;
}

absl::StatusOr<Source<v1::StreamOutcomesResponse>> OpenOutcomes(
    Context& context, const v1::StreamOutcomesRequest& request) {
  ASSAY_ASSIGN_OR_RETURN(const auto results,
                         ReadResults(context, request.name(), request.conditions()));
  return [results](v1::StreamOutcomesResponse* message) -> absl::StatusOr<bool> {
    ASSAY_ASSIGN_OR_RETURN(auto task, results->next_task());
    if (!task) return false;
    message->set_condition(results->ConditionOf(*task));
    message->mutable_outcomes()->Swap(task->outcomes.mutable_outcomes());
    return true;
  };
}

// Walks over the kept examples of the tasks, one blob in memory at a time.
class AdversarialSource {
 public:
  AdversarialSource(Context& context, std::shared_ptr<Results> results, v1::ImageShape shape)
      : context_(context), results_(std::move(results)), shape_(std::move(shape)) {}

  absl::StatusOr<bool> operator()(v1::StreamAdversarialsResponse* message) {
    while (sample_ == Kept().samples_size()) {
      ASSAY_ASSIGN_OR_RETURN(auto task, results_->next_task());
      if (!task) return false;
      task_ = *std::move(task);
      sample_ = 0;
    }
    if (sample_ == 0) {
      ASSAY_ASSIGN_OR_RETURN(bytes_, context_.blobs.Read(Kept().digest()));
    }
    const auto image_bytes =
        static_cast<size_t>(SampleBytes(shape_, v1::FLOAT32) - int64_t{sizeof(int32_t)});
    if (bytes_.size() != image_bytes * static_cast<size_t>(Kept().samples_size())) {
      return Error(Reason::kInternal,
                   absl::StrCat("the kept examples of ", results_->ConditionOf(task_),
                                " from sample ", task_.first_sample, " on have the wrong size"));
    }
    // Within gRPC's default limit of a message, unless one image alone is over it.
    constexpr size_t kMessageBytes = 2 << 20;
    const int count = std::min(Kept().samples_size() - sample_,
                               static_cast<int>(std::max<size_t>(1, kMessageBytes / image_bytes)));
    message->set_condition(results_->ConditionOf(task_));
    *message->mutable_shape() = shape_;
    for (int i = 0; i < count; ++i) message->add_samples(Kept().samples(sample_ + i));
    message->set_images(bytes_.substr(static_cast<size_t>(sample_) * image_bytes,
                                      static_cast<size_t>(count) * image_bytes));
    sample_ += count;
    return true;
  }

 private:
  const v1::OutcomeBatch::Adversarials& Kept() const { return task_.outcomes.adversarials(); }

  Context& context_;
  const std::shared_ptr<Results> results_;
  const v1::ImageShape shape_;
  store::TaskOutcomes task_;
  // Of the task: the next sample of the next message.
  int sample_ = 0;
  // Of the task.
  std::string bytes_;
};

absl::StatusOr<Source<v1::StreamAdversarialsResponse>> OpenAdversarials(
    Context& context, const v1::StreamAdversarialsRequest& request) {
  ASSAY_ASSIGN_OR_RETURN(auto results, ReadResults(context, request.name(), request.conditions()));
  const v1::EvaluationSpec& spec = results->evaluation.proto.spec();
  if (!spec.keep_adversarials()) {
    return Error(Reason::kWrongState,
                 absl::StrCat(request.name(),
                              " did not keep its adversarial examples; create it "
                              "with keep_adversarials"));
  }
  v1::ImageShape shape;
  if (spec.dataset().empty()) {
    ASSAY_ASSIGN_OR_RETURN(const auto manifest,
                           context.evaluations.GetStreamManifest(request.name()));
    shape = manifest.shape();
  } else {
    ASSAY_ASSIGN_OR_RETURN(const auto dataset, context.catalog.GetDataset(spec.dataset()));
    shape = dataset.manifest().shape();
  }
  return AdversarialSource(context, std::move(results), std::move(shape));
}

}  // namespace

grpc::ServerWriteReactor<v1::StreamOutcomesResponse>* NewOutcomeStream(
    Context& context, const v1::StreamOutcomesRequest& request) {
  return OpenStream<PulledStream<v1::StreamOutcomesResponse>>(
      context, [&context, request] { return OpenOutcomes(context, request); });
}

grpc::ServerWriteReactor<v1::StreamAdversarialsResponse>* NewAdversarialStream(
    Context& context, const v1::StreamAdversarialsRequest& request) {
  return OpenStream<PulledStream<v1::StreamAdversarialsResponse>>(
      context, [&context, request] { return OpenAdversarials(context, request); });
}

}  // namespace assay::api
