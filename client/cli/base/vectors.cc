#include "client/cli/base/vectors.h"

#include "absl/strings/str_cat.h"
#include "client/cli/base/kept_files.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

absl::Status WriteKind(Session& session, const std::string& evaluation,
                       const std::string& directory, v1::VectorKind kind, const std::string& what) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(KeptFiles files, KeptFiles::In(directory, "." + what));
  ASSAY_RETURN_IF_ERROR(
      client->StreamVectors(evaluation, {}, kind, [&](const v1::StreamVectorsResponse& batch) {
        return files.Append(batch.condition(), {batch.size()}, batch.values(), batch.samples());
      }));
  ASSAY_RETURN_IF_ERROR(files.Finish());
  session.Say(absl::StrCat(what, " of ", render::Count(files.items()), " images in ", directory));
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteVectors(Session& session, const v1::Evaluation& evaluation,
                          const std::string& directory) {
  const v1::EvaluationSpec& spec = evaluation.spec();
  if (!spec.keep_probabilities() && spec.keep_features().empty()) {
    return Error(Reason::kWrongState,
                 absl::StrCat(evaluation.name(),
                              " kept neither probabilities nor features; "
                              "evaluate with --keep-probabilities or --keep-features"));
  }
  if (spec.keep_probabilities()) {
    ASSAY_RETURN_IF_ERROR(
        WriteKind(session, evaluation.name(), directory, v1::PROBABILITIES, "probabilities"));
  }
  if (spec.keep_features().empty()) return absl::OkStatus();
  return WriteKind(session, evaluation.name(), directory, v1::FEATURES, "features");
}

}  // namespace assay::cli
