#include "client/cli/base/examples.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/corruptions/plan.h"

namespace assay::cli {
namespace {

using render::ConditionExamples;
using render::Example;

// Reads a stream until `enough` says so: what it gives after that is not asked for.
template <typename Response>
absl::Status ReadUntil(
    const std::function<absl::Status(const std::function<absl::Status(const Response&)>&)>& stream,
    const std::function<void(const Response&)>& take, const std::function<bool()>& enough) {
  if (enough()) return absl::OkStatus();
  bool ended = false;
  const absl::Status status = stream([&](const Response& batch) -> absl::Status {
    take(batch);
    ended = enough();
    return ended ? absl::CancelledError("enough") : absl::OkStatus();
  });
  return ended ? absl::OkStatus() : status;
}

// The entry of the report that stands for a condition of the evaluation: of several budgets, the
// largest.
struct Entry {
  const v1::Condition* condition;
  const v1::ConditionReport* report;
  std::optional<double> budget;
};

class ExampleFetcher {
 public:
  ExampleFetcher(client::Client& client, const v1::Evaluation& evaluation, const v1::Report& report,
                 int most)
      : client_(client), evaluation_(evaluation), report_(report), most_(most) {}

  // An error: what came between.
  absl::Status Fetch(render::Examples* examples) {
    const std::string& dataset = evaluation_.spec().dataset();
    if (dataset.empty()) {
      return Error(Reason::kWrongState, "the images of this evaluation are still arriving");
    }
    ASSAY_ASSIGN_OR_RETURN(const v1::Dataset found, client_.GetDataset(dataset));
    shape_ = examples->shape = found.manifest().shape();
    if (shape_.channels() != 1 && shape_.channels() != 3) {
      return Error(Reason::kWrongState,
                   absl::StrCat("images of ", shape_.channels(),
                                " channels cannot be shown, only those of 1 or 3"));
    }
    for (const v1::Condition& condition : evaluation_.conditions()) {
      const std::optional<Entry> entry = EntryOf(condition);
      if (!entry.has_value() || !render::HasExamples(*entry->report)) continue;
      ConditionExamples& own = examples->conditions[entry->report->id()];
      ASSAY_RETURN_IF_ERROR(Choose(*entry, &own));
    }
    ASSAY_RETURN_IF_ERROR(AddClean(examples));
    for (const v1::Condition& condition : evaluation_.conditions()) {
      const std::optional<Entry> entry = EntryOf(condition);
      if (!entry.has_value() || !render::HasExamples(*entry->report)) continue;
      ConditionExamples& own = examples->conditions[entry->report->id()];
      const absl::Status changed = AddChanged(condition, &own);
      if (changed.ok()) continue;
      own.examples.clear();
      own.none = absl::StrCat("Not to be had: ", changed.message(), ".");
    }
    return absl::OkStatus();
  }

 private:
  std::optional<Entry> EntryOf(const v1::Condition& condition) const {
    std::string id = condition.id();
    std::optional<double> budget;
    if (IsMinimumNorm(condition)) {
      const v1::Condition largest = AtEachBudget(condition).back();
      id = largest.id();
      budget = Params(largest).Number("eps");
    }
    for (const auto& entry : report_.conditions()) {
      if (entry.id() == id) return Entry{&condition, &entry, budget};
    }
    return std::nullopt;
  }

  bool AttackNotKept(const v1::Condition& condition) const {
    return condition.family() == kFamilyAttack && !evaluation_.spec().keep_adversarials();
  }

  absl::Status Choose(const Entry& entry, ConditionExamples* own) {
    if (AttackNotKept(*entry.condition)) {
      own->none =
          "The adversarial examples were not kept: `assay evaluate --keep-adversarials DIR` keeps "
          "them.";
      return absl::OkStatus();
    }
    render::ExampleChoice choice(*entry.report, most_, entry.budget);
    ASSAY_RETURN_IF_ERROR(ReadUntil<v1::StreamOutcomesResponse>(
        [&](const auto& on_batch) {
          return client_.StreamOutcomes(evaluation_.name(), {entry.condition->id()}, on_batch);
        },
        [&](const v1::StreamOutcomesResponse& batch) {
          for (const v1::Outcome& outcome : batch.outcomes()) choice.Offer(outcome);
        },
        [&] { return choice.complete(); }));
    for (v1::Outcome& outcome : choice.Chosen()) {
      Example& example = own->examples.emplace_back();
      example.outcome = std::move(outcome);
    }
    if (own->examples.empty()) {
      own->none = entry.report->family() == kFamilyAttack ? "None: the attack fooled no sample."
                                                          : "None: the model made no mistake.";
    }
    return absl::OkStatus();
  }

  // The images as they are, and what the model says of them where that was evaluated.
  absl::Status AddClean(render::Examples* examples) {
    std::map<int64_t, std::vector<Example*>> wanted;
    for (auto& [id, own] : examples->conditions) {
      for (Example& example : own.examples) wanted[example.outcome.sample()].push_back(&example);
    }
    // No positions would mean all of them.
    if (wanted.empty()) return absl::OkStatus();
    std::vector<int64_t> samples;
    for (const auto& [sample, users] : wanted) samples.push_back(sample);
    ASSAY_RETURN_IF_ERROR(client_.StreamSamples(
        evaluation_.spec().dataset(), samples, [&](const v1::StreamSamplesResponse& batch) {
          for (int i = 0; i < batch.samples_size(); ++i) {
            const std::vector<float> planes =
                PlanesAt(batch.images(), batch.pixel_type(), static_cast<size_t>(i));
            for (Example* example : wanted[batch.samples(i)]) example->clean = planes;
          }
          return absl::OkStatus();
        }));
    for (const v1::Condition& condition : evaluation_.conditions()) {
      if (condition.family() == kFamilyClean) return AddBefore(condition.id(), wanted);
    }
    return absl::OkStatus();
  }

  absl::Status AddBefore(const std::string& clean,
                         const std::map<int64_t, std::vector<Example*>>& wanted) {
    const int64_t last_wanted = wanted.rbegin()->first;
    int64_t last_seen = -1;
    return ReadUntil<v1::StreamOutcomesResponse>(
        [&](const auto& on_batch) {
          return client_.StreamOutcomes(evaluation_.name(), {clean}, on_batch);
        },
        [&](const v1::StreamOutcomesResponse& batch) {
          for (const v1::Outcome& outcome : batch.outcomes()) {
            last_seen = outcome.sample();
            const auto found = wanted.find(outcome.sample());
            if (found == wanted.end() || outcome.undecided()) continue;
            for (Example* example : found->second) {
              example->before = {outcome.prediction(), outcome.confidence()};
            }
          }
        },
        [&] { return last_seen >= last_wanted; });
  }

  // What the condition made of the images.
  absl::Status AddChanged(const v1::Condition& condition, ConditionExamples* own) {
    if (own->examples.empty()) return absl::OkStatus();
    if (condition.family() == kFamilyAttack) return AddAdversarial(condition, own);
    if (condition.family() == kFamilyCorruption) return AddCorrupted(condition, own);
    for (Example& example : own->examples) example.before.reset();
    return absl::OkStatus();
  }

  absl::Status AddAdversarial(const v1::Condition& condition, ConditionExamples* own) {
    std::map<int64_t, Example*> wanted;
    for (Example& example : own->examples) wanted[example.outcome.sample()] = &example;
    ASSAY_RETURN_IF_ERROR(ReadUntil<v1::StreamAdversarialsResponse>(
        [&](const auto& on_batch) {
          return client_.StreamAdversarials(evaluation_.name(), {condition.id()}, on_batch);
        },
        [&](const v1::StreamAdversarialsResponse& batch) {
          for (int i = 0; i < batch.samples_size(); ++i) {
            const auto found = wanted.find(batch.samples(i));
            if (found == wanted.end()) continue;
            found->second->changed = PlanesAt(batch.images(), v1::FLOAT32, static_cast<size_t>(i));
            wanted.erase(found);
          }
        },
        [&] { return wanted.empty(); }));
    if (wanted.empty()) return absl::OkStatus();
    return Error(Reason::kWrongState, absl::StrCat("the adversarial example of sample ",
                                                   wanted.begin()->first, " was not kept"));
  }

  absl::Status AddCorrupted(const v1::Condition& condition, ConditionExamples* own) const {
    // Photographs for frost are the server's.
    ASSAY_ASSIGN_OR_RETURN(const auto plan,
                           corruptions::CorruptionPlan::Make(condition, shape_, nullptr));
    const RandomKey key(evaluation_.spec().seed(), condition.id());
    for (Example& example : own->examples) {
      corruptions::Image image = corruptions::ImageFromPlanes(example.clean.data(), shape_);
      plan.Apply(key, example.outcome.sample(), image);
      example.changed.resize(example.clean.size());
      corruptions::ImageToPlanes(image, example.changed.data());
    }
    return absl::OkStatus();
  }

  // Image number `i` of those that stand one behind the other.
  std::vector<float> PlanesAt(const std::string& images, v1::PixelType type, size_t i) const {
    const auto elements = static_cast<size_t>(shape_.channels()) *
                          static_cast<size_t>(shape_.height()) *
                          static_cast<size_t>(shape_.width());
    const size_t bytes = type == v1::FLOAT32 ? elements * sizeof(float) : elements;
    std::vector<float> planes(elements);
    if (images.size() < (i + 1) * bytes) return planes;
    const char* const first = images.data() + i * bytes;
    if (type == v1::FLOAT32) {
      std::memcpy(planes.data(), first, bytes);
      return planes;
    }
    for (size_t k = 0; k < elements; ++k) {
      planes[k] = static_cast<float>(static_cast<uint8_t>(first[k])) / 255.0F;
    }
    return planes;
  }

  client::Client& client_;
  const v1::Evaluation& evaluation_;
  const v1::Report& report_;
  const int most_;
  v1::ImageShape shape_;
};

}  // namespace

absl::StatusOr<render::Examples> FetchExamples(Session& session, const v1::Evaluation& evaluation,
                                               const v1::Report& report, int most) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  render::Examples examples;
  const absl::Status status = ExampleFetcher(*client, evaluation, report, most).Fetch(&examples);
  ASSAY_RETURN_IF_ERROR(session.interrupt().Check());
  if (!status.ok()) {
    examples.conditions.clear();
    examples.none = absl::StrCat("There are none: ", status.message(), ".");
    session.Say(absl::StrCat("note: the page has no example images: ", status.message()));
  }
  return examples;
}

}  // namespace assay::cli
