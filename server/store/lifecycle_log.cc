#include "server/store/lifecycle_log.h"

#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace assay::store {

void LogCreated(const v1::Model& model) {
  LogInfo("model created", {{"model", model.name()},
                            {"digest", model.digest()},
                            {"bytes", int64_t{model.size_bytes()}}});
}

void LogCreated(const v1::Dataset& dataset) {
  LogInfo("dataset created", {{"dataset", dataset.name()},
                              {"digest", dataset.digest()},
                              {"samples", int64_t{dataset.samples()}}});
}

void LogCreated(const v1::Evaluation& evaluation) {
  LogInfo("evaluation created", {{"evaluation", evaluation.name()},
                                 {"model", evaluation.spec().model()},
                                 {"dataset", evaluation.spec().dataset()},
                                 {"conditions", evaluation.conditions_size()}});
}

void LogDeleted(absl::string_view kind, const std::string& name) {
  LogInfo(absl::StrCat(kind, " deleted"), {{kind, name}});
}

void LogRetried(const std::string& evaluation) {
  LogInfo("evaluation retried", {{"evaluation", evaluation}});
}

void LogEnded(const std::string& evaluation, v1::Evaluation::State state,
              const v1::Failure& failure) {
  const bool failed = state == v1::Evaluation::FAILED;
  Log(failed ? LogLevel::kWarning : LogLevel::kInfo,
      failed                               ? "evaluation failed"
      : state == v1::Evaluation::CANCELLED ? "evaluation cancelled"
                                           : "evaluation succeeded",
      {{"evaluation", evaluation}, {"reason", failure.reason()}, {"error", failure.message()}});
}

}  // namespace assay::store
