#include "client/render/examples.h"

#include <algorithm>
#include <tuple>

#include "core/conditions/families.h"

namespace assay::render {
namespace {

// Samples of the class that can be shown.
int64_t Mistakes(const v1::ConditionReport& condition, const v1::ClassReport& own) {
  if (condition.family() == kFamilyAttack) return own.attack().successes();
  if (own.index() >= condition.confusion_matrix_size()) return 0;
  const auto& counts = condition.confusion_matrix(own.index()).counts();
  int64_t mistakes = 0;
  for (int i = 0; i < counts.size(); ++i) mistakes += i == own.index() ? 0 : counts[i];
  return mistakes;
}

}  // namespace

bool HasExamples(const v1::ConditionReport& condition) {
  return condition.family() == kFamilyClean || condition.family() == kFamilyAttack ||
         condition.family() == kFamilyCorruption;
}

ExampleChoice::ExampleChoice(const v1::ConditionReport& condition, int most,
                             std::optional<double> budget)
    : is_attack_(condition.family() == kFamilyAttack), budget_(budget) {
  std::vector<const v1::ClassReport*> classes;
  std::map<int32_t, int64_t> mistakes;
  for (const auto& own : condition.classes()) {
    const int64_t count = Mistakes(condition, own);
    if (count == 0) continue;
    classes.push_back(&own);
    mistakes[own.index()] = count;
  }
  std::stable_sort(classes.begin(), classes.end(),
                   [](const v1::ClassReport* a, const v1::ClassReport* b) {
                     return a->accuracy().value() < b->accuracy().value();
                   });
  for (bool added = true; added && missing_ < most;) {
    added = false;
    for (size_t rank = 0; rank < classes.size() && missing_ < most; ++rank) {
      const int32_t index = classes[rank]->index();
      if (mistakes[index]-- <= 0) continue;
      Slot& slot = slots_[index];
      slot.rank = rank;
      ++slot.wanted;
      ++missing_;
      added = true;
    }
  }
}

bool ExampleChoice::IsMistake(const v1::Outcome& outcome) const {
  if (is_attack_) {
    return outcome.attack().success() && outcome.attack().distance() <= budget_.value_or(1e300);
  }
  return !outcome.undecided() && !outcome.tie() && outcome.prediction() != outcome.label();
}

void ExampleChoice::Offer(const v1::Outcome& outcome) {
  const auto slot = slots_.find(outcome.label());
  if (slot == slots_.end() || slot->second.wanted == 0 || !IsMistake(outcome)) return;
  slot->second.chosen.push_back(outcome);
  --slot->second.wanted;
  --missing_;
}

std::vector<v1::Outcome> ExampleChoice::Chosen() const {
  // Round, rank, and which.
  std::vector<std::tuple<size_t, size_t, const v1::Outcome*>> order;
  for (const auto& [label, slot] : slots_) {
    for (size_t i = 0; i < slot.chosen.size(); ++i) {
      order.emplace_back(i, slot.rank, &slot.chosen[i]);
    }
  }
  std::sort(order.begin(), order.end());
  std::vector<v1::Outcome> chosen;
  for (const auto& [round, rank, outcome] : order) chosen.push_back(*outcome);
  return chosen;
}

}  // namespace assay::render
