#include "server/access/rpc_scopes.h"

namespace assay::access {

const std::vector<RpcRule>& AllRpcRules() {
  static const auto* const rules = new std::vector<RpcRule>{
      // Probes have no tokens.
      {"/grpc.health.v1.Health/Check", kScopeNone},
      {"/grpc.health.v1.Health/Watch", kScopeNone},
      {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kScopeRead},

      {"/assay.v1.ChunkService/FindMissingChunks", kScopeUpload},
      {"/assay.v1.ChunkService/UploadChunks", kScopeUpload, /*uploads=*/true},

      {"/assay.v1.ModelService/CreateModel", kScopeUpload},
      {"/assay.v1.ModelService/GetModel", kScopeRead},
      {"/assay.v1.ModelService/ListModels", kScopeRead},
      {"/assay.v1.ModelService/DeleteModel", kScopeAdmin},
      {"/assay.v1.ModelService/LoadModel", kScopeSubmit},
      {"/assay.v1.ModelService/UnloadModel", kScopeSubmit},

      {"/assay.v1.DatasetService/CreateDataset", kScopeUpload},
      {"/assay.v1.DatasetService/GetDataset", kScopeRead},
      {"/assay.v1.DatasetService/ListDatasets", kScopeRead},
      {"/assay.v1.DatasetService/DeleteDataset", kScopeAdmin},
      {"/assay.v1.DatasetService/StreamSamples", kScopeRead},

      {"/assay.v1.EvaluationService/CreateEvaluation", kScopeSubmit},
      {"/assay.v1.EvaluationService/GetEvaluation", kScopeRead},
      {"/assay.v1.EvaluationService/ListEvaluations", kScopeRead},
      {"/assay.v1.EvaluationService/CancelEvaluation", kScopeSubmit},
      {"/assay.v1.EvaluationService/RetryEvaluation", kScopeSubmit},
      {"/assay.v1.EvaluationService/DeleteEvaluation", kScopeAdmin},
      {"/assay.v1.EvaluationService/WatchEvaluation", kScopeRead},
      {"/assay.v1.EvaluationService/GetReport", kScopeRead},
      {"/assay.v1.EvaluationService/CompareEvaluations", kScopeRead},
      {"/assay.v1.EvaluationService/ResolveConditions", kScopeRead},
      {"/assay.v1.EvaluationService/StreamOutcomes", kScopeRead},
      {"/assay.v1.EvaluationService/StreamAdversarials", kScopeRead},
      {"/assay.v1.EvaluationService/StreamVectors", kScopeRead},
      // Its data becomes a dataset.
      {"/assay.v1.EvaluationService/Evaluate", kScopeSubmit | kScopeUpload, /*uploads=*/true},

      {"/assay.v1.RepositoryService/ListRepositoryModels", kScopeRead},
      {"/assay.v1.RepositoryService/SyncModelRepository", kScopeSubmit},

      {"/assay.v1.AdminService/GetServerStatus", kScopeRead},
      {"/assay.v1.AdminService/PauseQueue", kScopeAdmin},
      {"/assay.v1.AdminService/DrainServer", kScopeAdmin},
      {"/assay.v1.AdminService/ResumeServer", kScopeAdmin},
      {"/assay.v1.AdminService/CollectGarbage", kScopeAdmin},
      {"/assay.v1.AdminService/CheckStorage", kScopeAdmin},
      {"/assay.v1.AdminService/ListAuditEntries", kScopeAdmin},
  };
  return *rules;
}

const RpcRule* RuleOf(absl::string_view method) {
  for (const RpcRule& rule : AllRpcRules()) {
    if (method == rule.method) return &rule;
  }
  return nullptr;
}

}  // namespace assay::access
