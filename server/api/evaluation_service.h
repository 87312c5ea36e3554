// EvaluationService.
#ifndef ASSAY_SERVER_API_EVALUATION_SERVICE_H_
#define ASSAY_SERVER_API_EVALUATION_SERVICE_H_

#include "assay/v1/evaluations.grpc.pb.h"
#include "server/api/context.h"

namespace assay::api {

class EvaluationServiceImpl final : public v1::EvaluationService::CallbackService {
 public:
  explicit EvaluationServiceImpl(Context& context) : context_(context) {}
  grpc::ServerUnaryReactor* CreateEvaluation(grpc::CallbackServerContext* call,
                                             const v1::CreateEvaluationRequest* request,
                                             v1::Evaluation* response) override;
  grpc::ServerUnaryReactor* GetEvaluation(grpc::CallbackServerContext* call,
                                          const v1::GetEvaluationRequest* request,
                                          v1::Evaluation* response) override;
  grpc::ServerUnaryReactor* ListEvaluations(grpc::CallbackServerContext* call,
                                            const v1::ListEvaluationsRequest* request,
                                            v1::ListEvaluationsResponse* response) override;
  grpc::ServerUnaryReactor* CancelEvaluation(grpc::CallbackServerContext* call,
                                             const v1::CancelEvaluationRequest* request,
                                             v1::Evaluation* response) override;
  grpc::ServerUnaryReactor* RetryEvaluation(grpc::CallbackServerContext* call,
                                            const v1::RetryEvaluationRequest* request,
                                            v1::Evaluation* response) override;
  grpc::ServerUnaryReactor* DeleteEvaluation(grpc::CallbackServerContext* call,
                                             const v1::DeleteEvaluationRequest* request,
                                             google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* GetReport(grpc::CallbackServerContext* call,
                                      const v1::GetReportRequest* request,
                                      v1::Report* response) override;
  grpc::ServerUnaryReactor* CompareEvaluations(grpc::CallbackServerContext* call,
                                               const v1::CompareEvaluationsRequest* request,
                                               v1::Comparison* response) override;
  grpc::ServerUnaryReactor* ResolveConditions(grpc::CallbackServerContext* call,
                                              const v1::ResolveConditionsRequest* request,
                                              v1::ResolveConditionsResponse* response) override;
  grpc::ServerWriteReactor<v1::EvaluationEvent>* WatchEvaluation(
      grpc::CallbackServerContext* call, const v1::WatchEvaluationRequest* request) override;
  grpc::ServerWriteReactor<v1::StreamOutcomesResponse>* StreamOutcomes(
      grpc::CallbackServerContext* call, const v1::StreamOutcomesRequest* request) override;
  grpc::ServerWriteReactor<v1::StreamAdversarialsResponse>* StreamAdversarials(
      grpc::CallbackServerContext* call, const v1::StreamAdversarialsRequest* request) override;
  grpc::ServerWriteReactor<v1::StreamVectorsResponse>* StreamVectors(
      grpc::CallbackServerContext* call, const v1::StreamVectorsRequest* request) override;
  grpc::ServerBidiReactor<v1::EvaluateRequest, v1::EvaluateResponse>* Evaluate(
      grpc::CallbackServerContext* call) override;

 private:
  Context& context_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EVALUATION_SERVICE_H_
