#include "server/api/result_streams.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"

namespace assay::api {
namespace {

// Makes the next message; false: there is none.
template <typename Response>
using Source = std::function<absl::StatusOr<bool>(Response*)>;

// Writes what its source makes, message by message, as fast as the reader takes them.
template <typename Response>
class PulledStream final : public grpc::ServerWriteReactor<Response> {
 public:
  explicit PulledStream(absl::StatusOr<Source<Response>> source) {
    if (source.ok()) {
      source_ = *std::move(source);
      WriteNext();
    } else {
      End(source.status());
    }
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      WriteNext();
    } else {
      this->Finish(grpc::Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

 private:
  void WriteNext() {
    message_.Clear();
    const absl::StatusOr<bool> made = source_(&message_);
    if (made.ok() && *made) {
      this->StartWrite(&message_);
    } else {
      End(made.status());
    }
  }

  void End(const absl::Status& status) {
    LogIfInternal(status);
    this->Finish(ToGrpcStatus(status));
  }

  Source<Response> source_;
  Response message_;
};

struct Results {
  store::EvaluationRecord evaluation;
  // Of the wanted conditions.
  std::vector<store::TaskOutcomes> tasks;

  const std::string& ConditionOf(const store::TaskOutcomes& task) const {
    return evaluation.proto.conditions(task.condition).id();
  }
};

// `wanted`: ids of conditions; empty: all.
absl::StatusOr<std::shared_ptr<Results>> ReadResults(
    Context& context, const std::string& name,
    const google::protobuf::RepeatedPtrField<std::string>& wanted_ids) {
  ASSAY_RETURN_IF_ERROR(ParseResourceName(kEvaluations, name, "name").status());
  auto results = std::make_shared<Results>();
  ASSAY_ASSIGN_OR_RETURN(results->evaluation, context.store.GetEvaluation(name));
  const std::set<std::string> wanted(wanted_ids.begin(), wanted_ids.end());
  std::set<std::string> known;
  for (const auto& condition : results->evaluation.proto.conditions()) known.insert(condition.id());
  for (const std::string& id : wanted) {
    if (known.count(id) == 0) {
      return InvalidFields(
          {{"conditions", absl::StrCat("'", id, "' is not a condition of this evaluation")}});
    }
  }
  ASSAY_ASSIGN_OR_RETURN(results->tasks, context.store.GetOutcomes(name));
  auto& tasks = results->tasks;
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(),
                             [&](const store::TaskOutcomes& task) {
                               return !wanted.empty() &&
                                      wanted.count(results->ConditionOf(task)) == 0;
                             }),
              tasks.end());
  return results;
}

absl::StatusOr<Source<v1::StreamOutcomesResponse>> Outcomes(
    Context& context, const v1::StreamOutcomesRequest& request) {
  ASSAY_ASSIGN_OR_RETURN(const auto results,
                         ReadResults(context, request.name(), request.conditions()));
  return [results,
          next = size_t{0}](v1::StreamOutcomesResponse* message) mutable -> absl::StatusOr<bool> {
    if (next == results->tasks.size()) return false;
    store::TaskOutcomes& task = results->tasks[next++];
    message->set_condition(results->ConditionOf(task));
    message->mutable_outcomes()->Swap(task.outcomes.mutable_outcomes());
    return true;
  };
}

// Walks over the kept examples of the tasks, one blob in memory at a time.
class AdversarialSource {
 public:
  AdversarialSource(Context& context, std::shared_ptr<Results> results, v1::ImageShape shape)
      : context_(context), results_(std::move(results)), shape_(std::move(shape)) {}

  absl::StatusOr<bool> operator()(v1::StreamAdversarialsResponse* message) {
    while (task_ < results_->tasks.size() && sample_ == Kept().samples_size()) {
      ++task_;
      sample_ = 0;
    }
    if (task_ == results_->tasks.size()) return false;
    if (sample_ == 0) {
      ASSAY_ASSIGN_OR_RETURN(bytes_, context_.blobs.Read(Kept().digest()));
    }
    const auto image_bytes =
        static_cast<size_t>(SampleBytes(shape_, v1::FLOAT32) - int64_t{sizeof(int32_t)});
    if (bytes_.size() != image_bytes * static_cast<size_t>(Kept().samples_size())) {
      return Error(Reason::kInternal,
                   absl::StrCat("the kept examples of task ", task_, " have the wrong size"));
    }
    // Within gRPC's default limit of a message, unless one image alone is over it.
    constexpr size_t kMessageBytes = 2 << 20;
    const int count = std::min(Kept().samples_size() - sample_,
                               static_cast<int>(std::max<size_t>(1, kMessageBytes / image_bytes)));
    message->set_condition(results_->ConditionOf(results_->tasks[task_]));
    *message->mutable_shape() = shape_;
    for (int i = 0; i < count; ++i) message->add_samples(Kept().samples(sample_ + i));
    message->set_images(bytes_.substr(static_cast<size_t>(sample_) * image_bytes,
                                      static_cast<size_t>(count) * image_bytes));
    sample_ += count;
    return true;
  }

 private:
  const v1::OutcomeBatch::Adversarials& Kept() const {
    return results_->tasks[task_].outcomes.adversarials();
  }

  Context& context_;
  const std::shared_ptr<Results> results_;
  const v1::ImageShape shape_;
  // The next sample of the next message.
  size_t task_ = 0;
  int sample_ = 0;
  // Of the task.
  std::string bytes_;
};

absl::StatusOr<Source<v1::StreamAdversarialsResponse>> Adversarials(
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
    ASSAY_ASSIGN_OR_RETURN(const auto manifest, context.store.GetStreamManifest(request.name()));
    shape = manifest.shape();
  } else {
    ASSAY_ASSIGN_OR_RETURN(const auto dataset, context.store.GetDataset(spec.dataset()));
    shape = dataset.proto.manifest().shape();
  }
  return AdversarialSource(context, std::move(results), std::move(shape));
}

}  // namespace

grpc::ServerWriteReactor<v1::StreamOutcomesResponse>* NewOutcomeStream(
    Context& context, const v1::StreamOutcomesRequest& request) {
  return new PulledStream<v1::StreamOutcomesResponse>(Outcomes(context, request));
}

grpc::ServerWriteReactor<v1::StreamAdversarialsResponse>* NewAdversarialStream(
    Context& context, const v1::StreamAdversarialsRequest& request) {
  return new PulledStream<v1::StreamAdversarialsResponse>(Adversarials(context, request));
}

}  // namespace assay::api
