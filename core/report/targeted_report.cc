#include <cstdint>
#include <utility>
#include <vector>

#include "core/report/sections.h"

namespace assay::report {
namespace {

// Of a thousand classes the matrix would be a million rates.
constexpr int kMaxMatrixClasses = 200;

struct Cell {
  int64_t reached = 0;
  int64_t aimed = 0;
};

}  // namespace

void FillTargeted(const ResolvedCondition& condition, RateMaker& rates, v1::AttackReport* attack) {
  const int classes = condition.num_classes;
  const auto at = [classes](int s, int t) {
    return static_cast<size_t>(s) * static_cast<size_t>(classes) + static_cast<size_t>(t);
  };
  std::vector<Cell> cells(static_cast<size_t>(classes) * static_cast<size_t>(classes));
  bool any = false;
  for (const ResolvedSample& sample : condition.samples) {
    // The attack of an undecided sample broke off, which says nothing of the targets still to come.
    if (sample.undecided) continue;
    for (const v1::TargetOutcome& target : sample.outcome->attack().targets()) {
      Cell& cell = cells[at(sample.label(), target.target())];
      ++cell.aimed;
      cell.reached += target.success() ? 1 : 0;
      any = true;
    }
  }
  if (!any) return;

  v1::TargetedReport& report = *attack->mutable_targeted();
  // Sums of the defined rates of a class, as source and as target.
  struct Sum {
    double total = 0;
    int count = 0;
    void AddTo(int index, google::protobuf::RepeatedPtrField<v1::ClassMean>* means) const {
      v1::ClassMean& mean = *means->Add();
      mean.set_index(index);
      if (count > 0) mean.set_mean(total / count);
    }
  };
  std::vector<Sum> leaving(static_cast<size_t>(classes)), reaching(static_cast<size_t>(classes));
  for (int s = 0; s < classes; ++s) {
    v1::TargetedReport::Row row;
    for (int t = 0; t < classes; ++t) {
      const Cell& cell = cells[at(s, t)];
      const v1::Rate rate =
          rates.Make(cell.reached, cell.aimed,
                     s == t ? "the class itself is no target" : "no sample was aimed there");
      if (classes <= kMaxMatrixClasses) *row.add_targets() = rate;
      if (!rate.has_value()) continue;
      for (Sum* sum : {&leaving[static_cast<size_t>(s)], &reaching[static_cast<size_t>(t)]}) {
        sum->total += rate.value();
        ++sum->count;
      }
    }
    if (classes <= kMaxMatrixClasses) *report.add_success() = std::move(row);
  }
  for (int c = 0; c < classes; ++c) {
    leaving[static_cast<size_t>(c)].AddTo(c, report.mutable_leaving());
    reaching[static_cast<size_t>(c)].AddTo(c, report.mutable_reaching());
  }
}

}  // namespace assay::report
