#include "core/report/comparability.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"

namespace assay::report {
namespace {

std::optional<int> PositionOf(const std::string& id, const v1::Evaluation& evaluation) {
  for (int i = 0; i < evaluation.conditions_size(); ++i) {
    if (evaluation.conditions(i).id() == id) return i;
  }
  return std::nullopt;
}

std::string Field(size_t index) { return absl::StrCat("names[", index, "]"); }

absl::Status CheckStates(const std::vector<Candidate>& candidates) {
  std::vector<std::string> others;
  for (const Candidate& candidate : candidates) {
    const v1::Evaluation& evaluation = candidate.evaluation;
    if (evaluation.state() == v1::Evaluation::SUCCEEDED) continue;
    others.push_back(
        absl::StrCat(evaluation.name(), " is ", v1::Evaluation::State_Name(evaluation.state())));
  }
  if (others.empty()) return absl::OkStatus();
  return Error(Reason::kWrongState,
               absl::StrCat(absl::StrJoin(others, ", "),
                            "; only evaluations that have SUCCEEDED can be compared"));
}

std::string SamplesText(const Candidate& candidate) {
  return candidate.evaluation.decision().stopped_early()
             ? absl::StrCat("the first ", candidate.samples, " samples of a random order")
             : absl::StrCat(candidate.samples, " samples");
}

// What differs from the first, but for conditions.
std::vector<FieldViolation> Differences(const std::vector<Candidate>& candidates) {
  std::vector<FieldViolation> violations;
  const Candidate& first = candidates[0];
  const v1::EvaluationSpec& spec = first.evaluation.spec();
  for (size_t i = 1; i < candidates.size(); ++i) {
    const Candidate& other = candidates[i];
    const v1::EvaluationSpec& own = other.evaluation.spec();
    const auto differs = [&](const std::string& here, const std::string& there,
                             const std::string& remedy) {
      violations.push_back(
          {Field(i), absl::StrCat(other.evaluation.name(), " has ", here, ", ",
                                  first.evaluation.name(), " has ", there, "; ", remedy)});
    };
    if (other.data_digest != first.data_digest) {
      differs(absl::StrCat("the data of ", own.dataset()), absl::StrCat("that of ", spec.dataset()),
              "only answers to the same images can be compared");
    } else if (other.evaluation.decision().stopped_early() !=
               first.evaluation.decision().stopped_early()) {
      differs(SamplesText(other), SamplesText(first),
              "one that stopped early has other samples; evaluate it to the end");
    } else if (other.samples != first.samples) {
      differs(SamplesText(other), absl::StrCat(first.samples),
              first.evaluation.decision().stopped_early() ? "evaluate both to the end"
                                                          : "evaluate both with the same limit");
    } else if (first.evaluation.decision().stopped_early() && own.limit() != spec.limit()) {
      differs(absl::StrCat("a limit of ", own.limit()), absl::StrCat(spec.limit()),
              "their random orders are not the same; evaluate both to the end");
    }
    if (own.seed() != spec.seed()) {
      differs(absl::StrCat("seed ", own.seed()), absl::StrCat("seed ", spec.seed()),
              "random draws are the same with the same seed only");
    }
  }
  return violations;
}

std::string Listed(std::vector<std::string> ids) {
  constexpr size_t kShown = 3;
  const size_t more = ids.size() - std::min(ids.size(), kShown);
  ids.resize(ids.size() - more);
  return absl::StrCat(absl::StrJoin(ids, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

std::vector<std::string> Without(const v1::Evaluation& evaluation, const v1::Evaluation& other) {
  std::vector<std::string> ids;
  for (const v1::Condition& condition : evaluation.conditions()) {
    if (!PositionOf(condition.id(), other)) ids.push_back(condition.id());
  }
  return ids;
}

// Which conditions differ from those of the first.
std::vector<FieldViolation> OtherConditions(const std::vector<Candidate>& candidates) {
  std::vector<FieldViolation> violations;
  const v1::Evaluation& first = candidates[0].evaluation;
  for (size_t i = 1; i < candidates.size(); ++i) {
    const v1::Evaluation& other = candidates[i].evaluation;
    const auto lacks = [&](const v1::Evaluation& one, const std::vector<std::string>& ids) {
      if (ids.empty()) return;
      violations.push_back(
          {Field(i), absl::StrCat(one.name(), " lacks ", Listed(ids),
                                  "; --common (`common` in a request) leaves out what "
                                  "not all have")});
    };
    lacks(other, Without(first, other));
    lacks(first, Without(other, first));
  }
  return violations;
}

// Conditions that some lack, each once, in the order in which they turn up.
std::vector<v1::LeftOutCondition> LeftOut(const std::vector<Candidate>& candidates) {
  std::vector<v1::LeftOutCondition> left_out;
  for (const Candidate& candidate : candidates) {
    for (const v1::Condition& condition : candidate.evaluation.conditions()) {
      const auto known = std::any_of(left_out.begin(), left_out.end(),
                                     [&](const auto& one) { return one.id() == condition.id(); });
      if (known) continue;
      v1::LeftOutCondition entry;
      entry.set_id(condition.id());
      for (const Candidate& other : candidates) {
        if (PositionOf(condition.id(), other.evaluation)) {
          entry.add_evaluations(other.evaluation.name());
        }
      }
      if (entry.evaluations_size() < static_cast<int>(candidates.size())) {
        left_out.push_back(std::move(entry));
      }
    }
  }
  return left_out;
}

}  // namespace

absl::Status CheckRequest(const v1::CompareEvaluationsRequest& request) {
  std::vector<FieldViolation> violations;
  if (request.names_size() < 2 || request.names_size() > kMostCompared) {
    violations.push_back({"names", absl::StrCat(request.names_size(), " evaluations; from 2 to ",
                                                kMostCompared, " can be compared")});
  }
  const auto& names = request.names();
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (std::find(names.begin(), name, *name) == name) continue;
    violations.push_back({Field(static_cast<size_t>(name - names.begin())),
                          absl::StrCat(*name, " is there already; each can be compared once")});
  }
  if (!request.oracle().empty() &&
      std::find(names.begin(), names.end(), request.oracle()) == names.end()) {
    violations.push_back(
        {"oracle", absl::StrCat(request.oracle(), " is not among the compared evaluations (",
                                absl::StrJoin(names, ", "), ")")});
  }
  const double level = request.confidence_level();
  // The negation also refuses NaN. The proof of an interval gets long as the level falls.
  if (level != 0 && !(level >= 0.5 && level < 1)) {
    violations.push_back(
        {"confidence_level", absl::StrCat(level, " is not from 0.5 to 1 (usual: 0.95)")});
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields(std::move(violations));
}

absl::StatusOr<ComparedConditions> CheckComparable(const std::vector<Candidate>& candidates,
                                                   bool common) {
  ASSAY_RETURN_IF_ERROR(CheckStates(candidates));
  std::vector<FieldViolation> violations = Differences(candidates);
  if (!common) {
    for (FieldViolation& violation : OtherConditions(candidates)) {
      violations.push_back(std::move(violation));
    }
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  ComparedConditions compared;
  compared.left_out = LeftOut(candidates);
  for (const v1::Condition& condition : candidates[0].evaluation.conditions()) {
    std::vector<int> positions;
    for (const Candidate& candidate : candidates) {
      const std::optional<int> position = PositionOf(condition.id(), candidate.evaluation);
      if (position) positions.push_back(*position);
    }
    if (positions.size() == candidates.size()) compared.positions.push_back(std::move(positions));
  }
  if (compared.positions.empty()) {
    return InvalidFields({{"names", "no condition is common to all of them"}});
  }
  return compared;
}

}  // namespace assay::report
