#include "client/cli/base/outcomes.h"

#include <algorithm>

#include "client/cli/base/output_file.h"
#include "client/render/outcome_csv.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
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
                           const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  v1::Dataset dataset;
  if (std::any_of(evaluation.conditions().begin(), evaluation.conditions().end(),
                  CertifiesByDataset)) {
    if (evaluation.spec().dataset().empty()) {
      return Error(
          Reason::kWrongState,
          "certificates of this evaluation depend on its dataset, which is still arriving");
    }
    ASSAY_ASSIGN_OR_RETURN(dataset, client->GetDataset(evaluation.spec().dataset()));
  }
  const int64_t samples = LimitedSamples(dataset.manifest(), evaluation.spec().limit());
  ASSAY_ASSIGN_OR_RETURN(
      const render::OutcomeCsv csv,
      render::OutcomeCsv::Create({evaluation.conditions().begin(), evaluation.conditions().end()},
                                 samples, dataset.manifest().shape()));
  ASSAY_ASSIGN_OR_RETURN(const auto file, OutputFile::Open(path));
  ASSAY_RETURN_IF_ERROR(file->Write(render::OutcomeCsv::Header()));
  ASSAY_RETURN_IF_ERROR(client->StreamOutcomes(
      evaluation.name(), {},
      [&](const v1::StreamOutcomesResponse& batch) { return file->Write(csv.Rows(batch)); }));
  return file->Close();
}

}  // namespace assay::cli
