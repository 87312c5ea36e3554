// The C++ client of Assay: uploads, evaluations, watching, reports.
//
// Calls that can be repeated without harm are repeated when the server is UNAVAILABLE; uploads,
// watches and streams go on where they broke. Errors are absl::Status with the server's details
// (core/base/errors.h reads them). An Interrupt ends any call with kCancelled.
//
// Thread-safe: several threads may share a client.
//
// Example:
//   ASSAY_ASSIGN_OR_RETURN(auto client, Client::Connect({"127.0.0.1:8001"}));
//   ASSAY_ASSIGN_OR_RETURN(auto model, client->UploadModel("resnet.pt", "", {}));
//   v1::EvaluationSpec spec;
//   spec.set_model(model.resource.name());
//   ...
//   ASSAY_ASSIGN_OR_RETURN(auto evaluation, client->CreateEvaluation(spec, ""));
//   v1::WatchEvaluationRequest request;
//   request.set_name(evaluation.name());
//   ASSAY_ASSIGN_OR_RETURN(auto end, client->Watch(request, {}));
#ifndef ASSAY_CLIENT_LIB_CLIENT_H_
#define ASSAY_CLIENT_LIB_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/admin.pb.h"
#include "assay/v1/comparison.pb.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
#include "assay/v1/repository.pb.h"
#include "client/data/dataset_reader.h"
#include "client/lib/interrupt.h"
#include "client/lib/proxy.h"
#include "client/lib/retry.h"
#include "core/base/clock.h"
#include "core/base/labels.h"
#include "core/base/sample_metadata.h"

namespace assay::client {

inline constexpr char kDefaultAddress[] = "127.0.0.1:8001";

// Files in PEM. They are for servers with TLS, and not looked at otherwise.
struct TlsOptions {
  // Who signs the certificates of servers that are trusted; empty: those of the system.
  std::string ca_file;
  // What is shown to servers that ask for it; both or none.
  std::string cert_file;
  std::string key_file;
  // The name in the server's certificate; empty: the host of the address.
  std::string server_name;
};

struct ClientOptions {
  // host:port, or grpcs://host:port for TLS.
  std::string address = kDefaultAddress;
  TlsOptions tls;
  // A file with the bearer token that goes with every call; empty: none. It is sent by TLS or to
  // this machine, and refused for anything else.
  std::string token_file;
  // May be null; must outlive the client.
  Interrupt* interrupt = nullptr;
  RetryOptions retry;
};

// What an upload moved.
struct TransferStats {
  int64_t chunks = 0;
  int64_t sent_chunks = 0;
  int64_t bytes = 0;
  int64_t sent_bytes = 0;
};

template <typename Resource>
struct Uploaded {
  Resource resource;
  TransferStats stats;
};

enum class TransferPhase { kReading, kSending };
// Bytes that are done of all: read and digested, or present at the server.
using TransferListener = std::function<void(TransferPhase phase, int64_t done, int64_t total)>;

struct DatasetUpload {
  // The id's first part when `id` is empty: usually the file's name without its extension.
  std::string stem;
  std::string id;
  // Use the first `limit` samples; 0: all.
  int64_t limit = 0;
  // What is known of those samples, a row for each; null: nothing.
  const MetadataTable* metadata = nullptr;
};

struct WatchListener {
  std::function<void(const v1::EvaluationEvent&)> on_event;
  // The connection broke and is being made again.
  std::function<void(const absl::Status&)> on_interruption;
};

struct StreamListener : WatchListener {
  std::function<void(const v1::Evaluation&)> on_accepted;
  // Samples that are durable at the server, of all.
  std::function<void(int64_t done, int64_t total)> on_acknowledged;
};

class Client {
 public:
  // Makes the first contact, for which a server has 10 s, whatever goes wrong meanwhile.
  // kUnavailable when none answers, after 2 s already when connections are refused or the name does
  // not exist.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);
  ~Client();

  // The id of a model or dataset without one of its own is "<slug of the file's stem>-<first 12
  // digits of the digest>". What the server holds already is not sent again; the same content under
  // the same name is the same resource, on which `labels` are set in any case. The same file with
  // another interface is another model.
  absl::StatusOr<Uploaded<v1::Model>> UploadModel(const std::string& path, const std::string& id,
                                                  const TransferListener& listener,
                                                  const v1::ModelInterface& interface = {},
                                                  const Labels& labels = {});
  absl::StatusOr<v1::Model> GetModel(const std::string& name);
  absl::StatusOr<std::vector<v1::Model>> ListModels(v1::ListModelsRequest filter = {});
  absl::Status DeleteModel(const std::string& name);
  // `shape` may be null for a model that has been validated before.
  absl::StatusOr<v1::Model> LoadModel(const std::string& name, const v1::ImageShape* shape);
  absl::StatusOr<v1::Model> UnloadModel(const std::string& name);

  // The server's model repository: a look now, and what the last one found; of one model, or of all
  // where `model` is empty. kWrongState for a server without one.
  absl::StatusOr<v1::SyncModelRepositoryResponse> SyncModelRepository();
  absl::StatusOr<std::vector<v1::RepositoryVersion>> ListRepositoryModels(const std::string& model);

  // Reads the data twice: once for the digests, once more for the chunks that the server lacks.
  // Holds one chunk in memory.
  absl::StatusOr<Uploaded<v1::Dataset>> UploadDataset(DatasetReader& reader,
                                                      const DatasetUpload& upload,
                                                      const TransferListener& listener);
  absl::StatusOr<v1::Dataset> GetDataset(const std::string& name);
  absl::StatusOr<std::vector<v1::Dataset>> ListDatasets();
  absl::Status DeleteDataset(const std::string& name);
  // Images and labels at these positions, ascending; none: all. A break after the first batch is
  // final.
  absl::Status StreamSamples(
      const std::string& name, const std::vector<int64_t>& samples,
      const std::function<absl::Status(const v1::StreamSamplesResponse&)>& on_batch);

  absl::StatusOr<std::vector<v1::Condition>> ResolveConditions(
      const std::vector<std::string>& expressions);
  absl::StatusOr<v1::Evaluation> CreateEvaluation(const v1::EvaluationSpec& spec,
                                                  const std::string& id);
  absl::StatusOr<v1::Evaluation> GetEvaluation(const std::string& name);
  absl::StatusOr<std::vector<v1::Evaluation>> ListEvaluations(
      v1::ListEvaluationsRequest filter = {});
  absl::StatusOr<v1::Evaluation> CancelEvaluation(const std::string& name);
  absl::StatusOr<v1::Evaluation> RetryEvaluation(const std::string& name);
  absl::Status DeleteEvaluation(const std::string& name);

  // --- the operator's

  absl::StatusOr<v1::ServerStatus> GetServerStatus();
  // In one attempt, for who asks again anyway.
  absl::StatusOr<v1::ServerStatus> GetServerStatusOnce(double timeout_seconds);
  absl::StatusOr<v1::QueueControl> PauseQueue(const std::string& reason);
  // `instance`: of several assayds over one store; empty: the one that answers.
  absl::StatusOr<v1::QueueControl> DrainServer(bool release_running,
                                               const std::string& instance = "");
  absl::StatusOr<v1::QueueControl> ResumeServer();
  absl::StatusOr<v1::CollectGarbageResponse> CollectGarbage();
  // Newest first, at most so many.
  absl::StatusOr<std::vector<v1::AuditEntry>> ListAuditEntries(v1::ListAuditEntriesRequest filter,
                                                               size_t most);
  // Until the check has ended, or `on_message` fails.
  absl::Status CheckStorage(
      bool repair, const std::function<absl::Status(const v1::CheckStorageResponse&)>& on_message);

  // Until the evaluation has ended, whatever the end is: the last event. Goes on with the resume
  // token when the connection breaks, and gives up after RetryOptions::patience_seconds without an
  // event.
  absl::StatusOr<v1::EvaluationEvent> Watch(v1::WatchEvaluationRequest request,
                                            const WatchListener& listener);
  absl::StatusOr<v1::Report> GetReport(const v1::GetReportRequest& request);
  absl::StatusOr<v1::Comparison> CompareEvaluations(const v1::CompareEvaluationsRequest& request);
  // Every outcome, by condition and sample. A break after the first batch is final: the caller
  // starts again.
  absl::Status StreamOutcomes(
      const std::string& name, const std::vector<std::string>& conditions,
      const std::function<absl::Status(const v1::StreamOutcomesResponse&)>& on_batch);

  // Every adversarial example that was kept, by condition and sample; likewise.
  absl::Status StreamAdversarials(
      const std::string& name, const std::vector<std::string>& conditions,
      const std::function<absl::Status(const v1::StreamAdversarialsResponse&)>& on_batch);

  // Every vector of this kind that was kept, by condition and sample; likewise.
  absl::Status StreamVectors(
      const std::string& name, const std::vector<std::string>& conditions, v1::VectorKind kind,
      const std::function<absl::Status(const v1::StreamVectorsResponse&)>& on_batch);

  // Evaluate: streams `start` and the reader's samples (the first `limit`; 0: all) and returns the
  // last event. Shape, type and class names of `start` are filled in from the reader, and so is an
  // evaluation id if it has none. A broken stream goes on after the last batch that the server
  // holds. When the data cannot be read the evaluation is cancelled. `metadata` is of those samples
  // (null: none) and is sent first.
  absl::StatusOr<v1::EvaluationEvent> Evaluate(v1::EvaluateRequest::Start start,
                                               DatasetReader& reader, int64_t limit,
                                               const StreamListener& listener,
                                               const MetadataTable* metadata = nullptr);

 private:
  struct Stubs;
  struct ChunkSet;
  struct Streaming;

  // What follows from the options.
  struct Target;

  Client(ClientOptions options, Target target);

  absl::Status FirstContact();
  // What is wrong with TLS or its certificates, when that is why there is no connection: trying
  // again is of no use then. OK otherwise.
  absl::Status TlsProblem() const;
  // Why the channel could not connect last; empty if that is unknown.
  std::string ConnectionFailure();
  // That no server has answered for `seconds`.
  absl::Status NoAnswer(const std::string& cause, int64_t seconds) const;
  // Whether a call may be made again when it is unknown what became of it.
  enum class Repeat {
    kWhenUnavailable,
    kNever,
    kNeverNorWait,  // for a connection that is just being made again
  };
  template <typename Response, typename Stub, typename Method, typename Request>
  absl::StatusOr<Response> Call(Stub& stub, Method method, const Request& request,
                                double timeout_seconds, Repeat repeat = Repeat::kWhenUnavailable);
  template <typename Item, typename Request, typename Response, typename Stub, typename Method>
  absl::StatusOr<std::vector<Item>> ListAll(
      Stub& stub, Method method, google::protobuf::RepeatedPtrField<Item>* (Response::*items)(),
      Request request = {});
  // Whether the server has the bytes of a resource that it has; whoever may not ask takes it for
  // granted. Bytes that it has lost are brought again by the next upload.
  absl::StatusOr<bool> HasAll(const std::vector<std::string>& digests);
  absl::StatusOr<std::vector<std::string>> FindMissing(const std::vector<std::string>& digests,
                                                       const std::string& upload_id);
  // Brings every chunk to the server that is not there yet.
  absl::StatusOr<TransferStats> Transfer(const ChunkSet& chunks, const TransferListener& listener);
  // Brings the canonical CSV of a table of `samples` rows to the server.
  absl::StatusOr<v1::SampleMetadata> SendMetadata(const MetadataTable& table, int64_t samples);
  absl::Status SendChunks(const ChunkSet& chunks, const std::vector<size_t>& wanted,
                          const std::function<void(int64_t)>& on_sent);
  absl::Status EvaluateOnce(Streaming& streaming);
  // Reads a stream to its end; until the first message a break is tried again.
  template <typename Response, typename Stub, typename Method, typename Request>
  absl::Status ReadStream(Stub& stub, Method method, const Request& request,
                          const std::function<absl::Status(const Response&)>& on_batch);
  template <typename Response, typename Request, typename Method>
  absl::Status ReadResults(Method method, Request request, const std::string& name,
                           const std::vector<std::string>& conditions,
                           const std::function<absl::Status(const Response&)>& on_batch);

  SystemClock system_clock_;
  Interrupt never_;
  // Constant after construction, and complete: no null in it.
  ClientOptions options_;
  const std::unique_ptr<const Target> target_;
  const std::optional<Proxy> proxy_;
  std::unique_ptr<Stubs> stubs_;
};

// Whether an evaluation in this state will not change by itself any more.
bool HasEnded(v1::Evaluation::State state);
// A failed or cancelled evaluation as an error (kEvaluationFailed, kCancelled); OK otherwise.
absl::Status EndStatus(const v1::Evaluation& evaluation);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_LIB_CLIENT_H_
