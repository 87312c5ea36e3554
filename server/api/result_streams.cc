#include "server/api/result_streams.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "server/api/blob_pieces.h"
#include "server/api/decided_samples.h"
#include "server/api/pulled_stream.h"
#include "server/api/vectors.h"

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
  ASSAY_ASSIGN_OR_RETURN(
      results->next_task,
      ReadDecidedOutcomes(context.catalog, context.evaluations, results->evaluation.proto, wanted));
  return results;
}

// Of samples in a random order, as of others: by condition, then sample. Holds one condition.
class SortedOutcomes {
 public:
  explicit SortedOutcomes(std::shared_ptr<Results> results) : results_(std::move(results)) {}

  absl::StatusOr<bool> operator()(v1::StreamOutcomesResponse* message) {
    constexpr int kPerMessage = 1000;
    if (next_ == outcomes_.size()) ASSAY_RETURN_IF_ERROR(ReadCondition());
    if (outcomes_.empty()) return false;
    message->set_condition(results_->evaluation.proto.conditions(condition_).id());
    for (int i = 0; i < kPerMessage && next_ < outcomes_.size(); ++i) {
      message->add_outcomes()->Swap(&outcomes_[next_++]);
    }
    return true;
  }

 private:
  // Of the next condition that has any; none at the end.
  absl::Status ReadCondition() {
    outcomes_.clear();
    next_ = 0;
    while (true) {
      std::optional<store::TaskOutcomes> task = std::move(ahead_);
      ahead_.reset();
      if (!task) {
        ASSAY_ASSIGN_OR_RETURN(task, results_->next_task());
      }
      if (!task) break;
      if (!outcomes_.empty() && task->condition != condition_) {
        ahead_ = std::move(task);
        break;
      }
      condition_ = task->condition;
      for (auto& outcome : *task->outcomes.mutable_outcomes()) {
        outcomes_.push_back(std::move(outcome));
      }
    }
    std::sort(outcomes_.begin(), outcomes_.end(),
              [](const auto& a, const auto& b) { return a.sample() < b.sample(); });
    return absl::OkStatus();
  }

  const std::shared_ptr<Results> results_;
  // Of the condition after it.
  std::optional<store::TaskOutcomes> ahead_;
  int condition_ = 0;
  std::vector<v1::Outcome> outcomes_;
  size_t next_ = 0;
};

absl::StatusOr<Source<v1::StreamOutcomesResponse>> OpenOutcomes(
    Context& context, const v1::StreamOutcomesRequest& request) {
  ASSAY_ASSIGN_OR_RETURN(const auto results,
                         ReadResults(context, request.name(), request.conditions()));
  if (results->evaluation.proto.spec().has_stop_when_decided()) return SortedOutcomes(results);
  return [results](v1::StreamOutcomesResponse* message) -> absl::StatusOr<bool> {
    ASSAY_ASSIGN_OR_RETURN(auto task, results->next_task());
    if (!task) return false;
    message->set_condition(results->ConditionOf(*task));
    message->mutable_outcomes()->Swap(task->outcomes.mutable_outcomes());
    return true;
  };
}

// How many items of so many bytes fit into gRPC's default limit of a message; one, if it alone is
// over it.
int PerMessage(size_t item_bytes) {
  constexpr size_t kMessageBytes = 2 << 20;
  return static_cast<int>(std::max<size_t>(1, kMessageBytes / item_bytes));
}

// Walks over the kept examples of the tasks, one message of them in memory at a time.
class AdversarialSource {
 public:
  AdversarialSource(Context& context, std::shared_ptr<Results> results, v1::ImageShape shape,
                    DecidedSamples decided)
      : context_(context),
        results_(std::move(results)),
        shape_(std::move(shape)),
        decided_(std::move(decided)) {}

  absl::StatusOr<bool> operator()(v1::StreamAdversarialsResponse* message) {
    while (true) {
      while (sample_ == Kept().samples_size()) {
        ASSAY_ASSIGN_OR_RETURN(auto task, results_->next_task());
        if (!task) return false;
        task_ = *std::move(task);
        sample_ = 0;
      }
      ASSAY_RETURN_IF_ERROR(Fill(message));
      if (message->samples_size() > 0) return true;
    }
  }

 private:
  const v1::OutcomeBatch::Adversarials& Kept() const { return task_.outcomes.adversarials(); }

  // The next examples of the task, if there are any that the evaluation is about.
  absl::Status Fill(v1::StreamAdversarialsResponse* message) {
    if (sample_ == 0) {
      ASSAY_ASSIGN_OR_RETURN(images_, BlobPieces::Open(context_.blobs, Kept().digest()));
    }
    const int64_t image_bytes = SampleBytes(shape_, v1::FLOAT32) - int64_t{sizeof(int32_t)};
    if (images_.size() != image_bytes * Kept().samples_size()) {
      return Error(Reason::kInternal,
                   absl::StrCat("the kept examples of ", results_->ConditionOf(task_),
                                " from sample ", task_.first_sample, " on have the wrong size"));
    }
    message->set_condition(results_->ConditionOf(task_));
    *message->mutable_shape() = shape_;
    const int most = PerMessage(static_cast<size_t>(image_bytes));
    for (; sample_ < Kept().samples_size() && message->samples_size() < most; ++sample_) {
      if (!decided_.Has(Kept().samples(sample_))) continue;
      message->add_samples(Kept().samples(sample_));
      ASSAY_RETURN_IF_ERROR(
          images_.Append(sample_ * image_bytes, image_bytes, message->mutable_images()));
    }
    return absl::OkStatus();
  }

  Context& context_;
  const std::shared_ptr<Results> results_;
  const v1::ImageShape shape_;
  const DecidedSamples decided_;
  store::TaskOutcomes task_;
  // Of the task: the next sample of the next message.
  int sample_ = 0;
  // Of the task.
  BlobPieces images_;
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
  ASSAY_ASSIGN_OR_RETURN(const int64_t allowed, AllowedSamples(context.catalog, context.evaluations,
                                                               results->evaluation.proto));
  DecidedSamples decided(results->evaluation.proto, allowed);
  // Functions are copied, open files are not.
  const auto source = std::make_shared<AdversarialSource>(context, std::move(results),
                                                          std::move(shape), std::move(decided));
  return [source](v1::StreamAdversarialsResponse* message) { return (*source)(message); };
}

// Walks over the kept vectors of the tasks, one blob in memory at a time.
class VectorSource {
 public:
  VectorSource(Context& context, std::shared_ptr<Results> results, v1::VectorKind kind)
      : context_(context), results_(std::move(results)), kind_(kind) {}

  absl::StatusOr<bool> operator()(v1::StreamVectorsResponse* message) {
    while (sample_ == kept_.samples_size()) {
      ASSAY_ASSIGN_OR_RETURN(const auto task, results_->next_task());
      if (!task) return false;
      const v1::OutcomeBatch::Vectors* const kept = KeptOf(task->outcomes, kind_);
      if (kept == nullptr) continue;
      kept_ = *kept;
      condition_ = results_->ConditionOf(*task);
      ASSAY_ASSIGN_OR_RETURN(values_, ReadKept(context_.blobs, kept_));
      sample_ = 0;
    }
    const size_t size = static_cast<size_t>(kept_.size());
    const int count = std::min(kept_.samples_size() - sample_, PerMessage(size * sizeof(float)));
    message->set_condition(condition_);
    message->set_size(kept_.size());
    for (int i = 0; i < count; ++i) message->add_samples(kept_.samples(sample_ + i));
    message->set_values(&values_[static_cast<size_t>(sample_) * size],
                        static_cast<size_t>(count) * size * sizeof(float));
    sample_ += count;
    return true;
  }

 private:
  Context& context_;
  const std::shared_ptr<Results> results_;
  const v1::VectorKind kind_;
  // Of the task.
  v1::OutcomeBatch::Vectors kept_;
  std::string condition_;
  std::vector<float> values_;
  // The next sample of the next message.
  int sample_ = 0;
};

absl::StatusOr<Source<v1::StreamVectorsResponse>> OpenVectors(
    Context& context, const v1::StreamVectorsRequest& request) {
  if (request.kind() != v1::PROBABILITIES && request.kind() != v1::FEATURES) {
    return InvalidFields({{"kind", "must be PROBABILITIES or FEATURES"}});
  }
  ASSAY_ASSIGN_OR_RETURN(auto results, ReadResults(context, request.name(), request.conditions()));
  const v1::EvaluationSpec& spec = results->evaluation.proto.spec();
  const bool probabilities = request.kind() == v1::PROBABILITIES;
  if (probabilities ? !spec.keep_probabilities() : spec.keep_features().empty()) {
    return Error(
        Reason::kWrongState,
        absl::StrCat(request.name(), " did not keep ", probabilities ? "probabilities" : "features",
                     "; create it with ", probabilities ? "keep_probabilities" : "keep_features"));
  }
  return VectorSource(context, std::move(results), request.kind());
}

}  // namespace

grpc::ServerWriteReactor<v1::StreamOutcomesResponse>* NewOutcomeStream(
    Context& context, grpc::CallbackServerContext& call, const v1::StreamOutcomesRequest& request) {
  return OpenStream<PulledStream<v1::StreamOutcomesResponse>>(
      context, call, [&context, request] { return OpenOutcomes(context, request); });
}

grpc::ServerWriteReactor<v1::StreamAdversarialsResponse>* NewAdversarialStream(
    Context& context, grpc::CallbackServerContext& call,
    const v1::StreamAdversarialsRequest& request) {
  return OpenStream<PulledStream<v1::StreamAdversarialsResponse>>(
      context, call, [&context, request] { return OpenAdversarials(context, request); });
}

grpc::ServerWriteReactor<v1::StreamVectorsResponse>* NewVectorStream(
    Context& context, grpc::CallbackServerContext& call, const v1::StreamVectorsRequest& request) {
  return OpenStream<PulledStream<v1::StreamVectorsResponse>>(
      context, call, [&context, request] { return OpenVectors(context, request); });
}

}  // namespace assay::api
