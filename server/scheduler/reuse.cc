#include "server/scheduler/reuse.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/conditions/condition.h"

namespace assay::scheduler {
namespace {

// Of the keys. A new one makes everything that is stored unknown.
constexpr char kScheme[] = "assay content 1";

// A digest over parts, each with its length, so that no two lists of parts are the same bytes.
class Parts {
 public:
  Parts& Add(absl::string_view part) {
    sha_.Update(absl::StrCat(part.size(), ":"));
    sha_.Update(part);
    return *this;
  }
  Parts& Add(int64_t number) { return Add(absl::StrCat(number)); }
  std::string Digest() { return sha_.HexDigest(); }

 private:
  Sha256 sha_;
};

// Whether a condition takes gradients of the model.
bool TakesGradients(const v1::Condition& condition) {
  return condition.family() == kFamilyAttack && !IsBlackBox(condition);
}

// Whether the engine computes the same bits again, whatever else it computes beside.
bool Repeats(const v1::ModelValidation& validation, const v1::Condition& condition) {
  if (!validation.deterministic() || validation.numerics().batch_difference() != 0) return false;
  const bool gradients = TakesGradients(condition);
  if (gradients && validation.gradient_repeat_difference() != 0) return false;
  return std::all_of(validation.nondeterministic_operators().begin(),
                     validation.nondeterministic_operators().end(), [&](const std::string& name) {
                       return !gradients && absl::StrContains(name, "backward");
                     });
}

// All that outcomes depend on, but for the samples.
std::string ContextOf(const TaskContent& content) {
  Parts parts;
  parts.Add(kScheme).Add(ASSAY_VERSION).Add(content.model_digest);
  parts.Add(static_cast<int64_t>(content.others.size()));
  for (const v1::Model& other : content.others) parts.Add(other.digest());
  const v1::Condition& condition = content.condition;
  parts.Add(condition.id()).Add(condition.family()).Add(condition.method());
  const std::map<std::string, std::string> parameters(condition.parameters().begin(),
                                                      condition.parameters().end());
  parts.Add(static_cast<int64_t>(parameters.size()));
  for (const auto& [name, value] : parameters) parts.Add(name).Add(value);
  parts.Add(content.seed);
  const v1::ImageShape& shape = content.manifest.shape();
  parts.Add(shape.channels()).Add(shape.height()).Add(shape.width());
  parts.Add(static_cast<int64_t>(content.manifest.pixel_type()));
  const v1::NumericsFingerprint& numerics = content.validation.numerics();
  parts.Add(numerics.SerializeAsString());
  // Models that are run at one batch size get it by the size of the evaluation, and other models of
  // the condition have numerics that nobody writes down.
  const bool by_samples = numerics.probes().empty() || !content.others.empty();
  parts.Add(by_samples ? content.evaluation_samples : 0);
  return parts.Digest();
}

// Greatest number of samples, and the places that have them: of overlapping ranges as few as it
// takes, as nobody wants to read the same outcomes many times.
std::vector<store::ContentPlace> Cover(std::vector<store::ContentPlace> places) {
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.range.first_sample, -a.range.samples) <
           std::make_pair(b.range.first_sample, -b.range.samples);
  });
  std::vector<store::ContentPlace> chosen;
  int64_t end = -1;
  for (auto next = places.begin(); next != places.end();) {
    // Of those that begin before the gap, the one that goes farthest; else the next one.
    auto best = next;
    for (; next != places.end() && (next == best || next->range.first_sample <= end); ++next) {
      if (next->range.first_sample + next->range.samples >
          best->range.first_sample + best->range.samples) {
        best = next;
      }
    }
    const int64_t reach = best->range.first_sample + best->range.samples;
    if (reach <= end) continue;
    end = reach;
    chosen.push_back(*best);
  }
  return chosen;
}

// The outcomes of a place that are wanted, by position; false when it has gone.
absl::StatusOr<bool> Read(store::Evaluations& evaluations, const store::ContentPlace& place,
                          const std::set<int64_t>& wanted, v1::NumericsFingerprint* numerics,
                          std::map<int64_t, v1::Outcome>* found) {
  ASSAY_ASSIGN_OR_RETURN(auto read, evaluations.ReadContent(place.task));
  if (!read) return false;
  *numerics = read->numerics;
  const int64_t end = place.range.first_sample + place.range.samples;
  for (v1::Outcome& outcome : *read->outcomes.mutable_outcomes()) {
    const int64_t sample = outcome.sample();
    if (sample < place.range.first_sample || sample >= end || wanted.count(sample) == 0) continue;
    found->emplace(sample, std::move(outcome));
  }
  return true;
}

std::set<int64_t> SamplesOf(const TaskContent& content) {
  if (!content.positions.empty()) return {content.positions.begin(), content.positions.end()};
  std::set<int64_t> samples;
  for (int64_t i = 0; i < content.task.samples; ++i) {
    samples.insert(samples.end(), content.task.first_sample + i);
  }
  return samples;
}

}  // namespace

std::optional<ContentKeys> KeysOf(const TaskContent& content) {
  if (!Repeats(content.validation, content.condition)) return std::nullopt;
  for (const v1::Model& other : content.others) {
    // One that was never loaded by itself is not known.
    if (!Repeats(other.validation(), content.condition)) return std::nullopt;
  }
  const std::string context = ContextOf(content);
  const std::set<int64_t> samples = SamplesOf(content);
  ContentKeys keys;
  Parts whole;
  whole.Add(context).Add("whole").Add(static_cast<int64_t>(samples.size()));
  for (const int64_t sample : content.positions) whole.Add(sample);
  if (content.positions.empty()) whole.Add(content.task.first_sample);
  int64_t first = 0;
  for (const auto& chunk : content.manifest.chunks()) {
    const int64_t end = first + chunk.samples();
    const auto begins = samples.lower_bound(first), ends = samples.lower_bound(end);
    if (begins != ends) {
      whole.Add(chunk.digest()).Add(first);
      // The chunk has labels and images.
      keys.chunks.push_back(
          {Parts().Add(context).Add("chunk").Add(chunk.digest()).Add(first).Digest(), *begins,
           *std::prev(ends) + 1 - *begins});
    }
    first = end;
  }
  keys.whole = {whole.Digest(), content.task.first_sample, content.task.samples};
  if (NeedsWholeDataset(content.condition)) keys.chunks.clear();
  keys.own.push_back(keys.whole);
  if (content.positions.empty()) {
    keys.own.insert(keys.own.end(), keys.chunks.begin(), keys.chunks.end());
  }
  return keys;
}

absl::StatusOr<std::optional<FoundOutcomes>> FindOutcomes(store::Evaluations& evaluations,
                                                          const TaskContent& content,
                                                          const ContentKeys& keys,
                                                          const v1::NumericsFingerprint* wanted) {
  const auto fits = [&](const v1::NumericsFingerprint& numerics) {
    return wanted == nullptr || numerics.SerializeAsString() == wanted->SerializeAsString();
  };
  const std::set<int64_t> samples = SamplesOf(content);
  ASSAY_ASSIGN_OR_RETURN(const auto same, evaluations.FindContent({keys.whole.key}));
  for (const store::ContentPlace& place : same) {
    ASSAY_ASSIGN_OR_RETURN(auto read, evaluations.ReadContent(place.task));
    if (!read || read->outcomes.outcomes_size() != content.task.samples) continue;
    FoundOutcomes found;
    found.whole = true;
    // Not what was kept, nor what it took.
    found.outcomes.mutable_outcomes()->Swap(read->outcomes.mutable_outcomes());
    found.numerics = read->numerics;
    return found;
  }
  if (keys.chunks.empty()) return std::nullopt;

  std::vector<std::string> chunk_keys;
  std::map<std::string, const store::ContentRange*> ranges;
  for (const store::ContentRange& range : keys.chunks) {
    chunk_keys.push_back(range.key);
    ranges[range.key] = &range;
  }
  ASSAY_ASSIGN_OR_RETURN(const auto places, evaluations.FindContent(chunk_keys));
  std::map<int64_t, std::vector<store::ContentPlace>> by_numerics;
  for (const store::ContentPlace& place : places) {
    const store::ContentRange& range = *ranges.at(place.range.key);
    // Of these samples there.
    const auto begins = samples.lower_bound(std::max(range.first_sample, place.range.first_sample));
    if (begins == samples.end() ||
        *begins >= std::min(range.first_sample + range.samples,
                            place.range.first_sample + place.range.samples)) {
      continue;
    }
    by_numerics[place.fingerprint].push_back(place);
  }
  // Outcomes of one task have one fingerprint: that of which there are the most.
  FoundOutcomes best;
  for (auto& [fingerprint, all] : by_numerics) {
    std::map<int64_t, v1::Outcome> found;
    v1::NumericsFingerprint numerics;
    for (const store::ContentPlace& place : Cover(std::move(all))) {
      ASSAY_RETURN_IF_ERROR(Read(evaluations, place, samples, &numerics, &found).status());
      if (!found.empty() && !fits(numerics)) break;
    }
    if (found.empty() || !fits(numerics) ||
        static_cast<int>(found.size()) <= best.outcomes.outcomes_size()) {
      continue;
    }
    best = FoundOutcomes();
    best.numerics = numerics;
    for (auto& [sample, outcome] : found) *best.outcomes.add_outcomes() = std::move(outcome);
  }
  if (best.outcomes.outcomes_size() == 0) return std::nullopt;
  // Of an attack something is found out when all samples are there, by an engine.
  best.whole = best.outcomes.outcomes_size() == content.task.samples &&
               content.condition.family() != kFamilyAttack;
  return best;
}

}  // namespace assay::scheduler
