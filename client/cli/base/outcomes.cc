#include "client/cli/base/outcomes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "client/cli/base/evaluation_facts.h"
#include "client/cli/base/output_file.h"
#include "client/render/evaluation_record.h"
#include "client/render/outcome_csv.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"

namespace assay::cli {
namespace {

// Whether certificates depend on the number of pixels or of samples.
bool CertifiesByDataset(const v1::Condition& condition) {
  if (condition.family() != kFamilySmoothing) return false;
  const auto setting = ParseSmoothingSetting(condition);
  return setting.ok() &&
         (setting->norm == RadiusNorm::kLinf || setting->sound || setting->per_dataset);
}

}  // namespace

absl::Status WriteOutcomes(Session& session, const v1::Evaluation& evaluation,
                           const std::string& path, const v1::GetReportRequest& request) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  // Without these, which an evaluation has once it has ended, the file is readable, but no report
  // can be computed of it.
  std::optional<report::EvaluationFacts> facts;
  absl::StatusOr<report::EvaluationFacts> found = FactsOf(*client, evaluation, request);
  if (found.ok()) {
    facts = *std::move(found);
  } else if (ReasonOf(found.status()) != Reason::kWrongState) {
    return found.status();
  } else if (std::any_of(evaluation.conditions().begin(), evaluation.conditions().end(),
                         CertifiesByDataset)) {
    if (evaluation.spec().dataset().empty()) {
      return Error(
          Reason::kWrongState,
          "certificates of this evaluation depend on its dataset, which is still arriving");
    }
    facts.emplace();
    ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                           client->GetDataset(evaluation.spec().dataset()));
    facts->manifest = dataset.manifest();
    facts->samples = dataset.samples();
  }
  // The manifest has no chunks to count them by.
  int64_t samples = facts ? facts->samples : 0;
  if (evaluation.spec().limit() > 0) samples = std::min(samples, evaluation.spec().limit());
  ASSAY_ASSIGN_OR_RETURN(
      render::OutcomeCsv csv,
      render::OutcomeCsv::Create({evaluation.conditions().begin(), evaluation.conditions().end()},
                                 samples, facts ? facts->manifest.shape() : v1::ImageShape()));
  if (facts && !facts->evaluation.name().empty()) {
    csv.Carry(render::EvaluationRecord(*facts), render::OutcomesOf(evaluation));
  }
  ASSAY_ASSIGN_OR_RETURN(const auto file, OutputFile::Open(path));
  ASSAY_RETURN_IF_ERROR(file->Write(render::OutcomeCsv::Header()));
  ASSAY_RETURN_IF_ERROR(client->StreamOutcomes(
      evaluation.name(), {},
      [&](const v1::StreamOutcomesResponse& batch) { return file->Write(csv.Rows(batch)); }));
  return file->Close();
}

}  // namespace assay::cli
