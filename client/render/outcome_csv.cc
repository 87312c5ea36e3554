#include "client/render/outcome_csv.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/render/csv.h"
#include "client/render/evaluation_record.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::render {
namespace {

template <typename Counts>
int64_t CountOf(const Counts& counts, int32_t index) {
  for (const auto& count : counts) {
    if (count.index() == index) return count.count();
  }
  return 0;
}

template <typename Counts>
int64_t Total(const Counts& counts) {
  int64_t total = 0;
  for (const auto& count : counts) total += count.count();
  return total;
}

// Columns certified, margin, tightness.
void AddBounds(const v1::Outcome& outcome, CsvRow* row) {
  if (!outcome.has_bounds()) {
    row->AddEmpty(3);
    return;
  }
  row->Add(outcome.bounds().certified()).Add(outcome.bounds().margin());
  outcome.bounds().has_tightness() ? row->Add(outcome.bounds().tightness()) : row->AddEmpty();
}

// Columns score_prediction, score_true.
void AddScores(const v1::Outcome& outcome, CsvRow* row) {
  const auto& scores = outcome.conformal().scores();
  for (const int32_t label : {outcome.prediction(), outcome.label()}) {
    const bool known = label >= 0 && label < scores.size();
    known ? row->Add(scores[label]) : row->AddEmpty();
  }
}

}  // namespace

absl::StatusOr<OutcomeCsv> OutcomeCsv::Create(const std::vector<v1::Condition>& conditions,
                                              int64_t samples, const v1::ImageShape& shape) {
  OutcomeCsv csv;
  for (const v1::Condition& condition : conditions) {
    if (condition.family() != kFamilySmoothing) continue;
    ASSAY_ASSIGN_OR_RETURN(SmoothingSetting setting, ParseSmoothingSetting(condition));
    setting.samples = std::max<int64_t>(1, samples);
    setting.dimension = int64_t{shape.channels()} * shape.height() * shape.width();
    csv.smoothing_[condition.id()] = std::move(setting);
  }
  return csv;
}

std::string OutcomeCsv::Header() {
  return "condition,sample,label,prediction,correct,confidence,tie,undecided,attacked,success,norm,"
         "forwards,backwards,survives_rounding,radius,draws,count_top,count_true,certified,margin,"
         "tightness,score_prediction,score_true,outcome_record,evaluation_record\n";
}

void OutcomeCsv::Carry(std::string record, int64_t rows) {
  // Below the limit of a field in Python's csv module.
  constexpr size_t kPiece = 64 << 10;
  const auto count = static_cast<size_t>(std::max<int64_t>(1, rows));
  record_ = std::move(record);
  carried_ = 0;
  piece_ = std::max(kPiece, (record_.size() + count - 1) / count);
}

std::string OutcomeCsv::Rows(const v1::StreamOutcomesResponse& batch) {
  std::string out;
  for (const v1::Outcome& outcome : batch.outcomes()) {
    const absl::string_view piece =
        absl::string_view(record_).substr(std::min(carried_, record_.size()), piece_);
    carried_ += piece.size();
    absl::StrAppend(&out, Row(batch.condition(), outcome, piece));
  }
  return out;
}

std::string OutcomeCsv::Row(const std::string& condition, const v1::Outcome& outcome,
                            absl::string_view piece) const {
  CsvRow row;
  const auto settings = smoothing_.find(condition);
  row.Add(condition).Add(outcome.sample()).Add(outcome.label());
  if (outcome.has_smoothing() && settings != smoothing_.end()) {
    const auto& smoothing = outcome.smoothing();
    const Certificate certificate = Certify(smoothing, settings->second);
    row.Add(certificate.prediction).Add(certificate.prediction == outcome.label());
    // confidence, tie, undecided and everything about attacks
    row.AddEmpty(9);
    row.Add(certificate.radius);
    row.Add(Total(smoothing.selection()) + Total(smoothing.estimation()) +
            smoothing.undecided_draws() + smoothing.tied_draws());
    row.Add(CountOf(smoothing.estimation(), certificate.top_class));
    row.Add(CountOf(smoothing.estimation(), outcome.label()));
    row.AddEmpty(5);
  } else {
    const bool correct =
        outcome.prediction() == outcome.label() && !outcome.tie() && !outcome.undecided();
    row.Add(outcome.prediction()).Add(correct);
    row.Add(outcome.confidence()).Add(outcome.tie()).Add(outcome.undecided());
    if (outcome.has_attack()) {
      const auto& attack = outcome.attack();
      row.Add(attack.attacked()).Add(attack.success());
      attack.success() ? row.Add(attack.distance()) : row.AddEmpty();
      row.Add(attack.forwards()).Add(attack.backwards());
      attack.success() ? row.Add(attack.survives_rounding()) : row.AddEmpty();
    } else {
      row.AddEmpty(6);
    }
    row.AddEmpty(4);
    AddBounds(outcome, &row);
    AddScores(outcome, &row);
  }
  row.Add(absl::string_view(OutcomeRecord(outcome))).Add(piece);
  return row.Line();
}

}  // namespace assay::render
