#include "client/cli/base/adversarials.h"

#include "absl/strings/str_cat.h"
#include "client/cli/base/kept_files.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"

namespace assay::cli {

absl::Status WriteAdversarials(Session& session, const std::string& evaluation,
                               const std::string& directory) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(KeptFiles files, KeptFiles::In(directory, ""));
  ASSAY_RETURN_IF_ERROR(
      client->StreamAdversarials(evaluation, {}, [&](const v1::StreamAdversarialsResponse& batch) {
        const v1::ImageShape& shape = batch.shape();
        return files.Append(batch.condition(), {shape.channels(), shape.height(), shape.width()},
                            batch.images(), batch.samples());
      }));
  ASSAY_RETURN_IF_ERROR(files.Finish());
  session.Say(absl::StrCat(render::Count(files.items()), " adversarial examples in ", directory));
  return absl::OkStatus();
}

}  // namespace assay::cli
