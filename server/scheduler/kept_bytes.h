// What an engine keeps of a task beside its outcomes, between its events and the blobs of the
// commit.
#ifndef ASSAY_SERVER_SCHEDULER_KEPT_BYTES_H_
#define ASSAY_SERVER_SCHEDULER_KEPT_BYTES_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "assay/engine/v1/engine.pb.h"
#include "assay/v1/outcomes.pb.h"

namespace assay::scheduler {

class KeptBytes {
 public:
  // Takes what an event brings: the bytes here, what they are into `outcomes`.
  void Add(const engine_rpc::v1::RunEvent::Adversarials& event, v1::OutcomeBatch* outcomes);
  void Add(const engine_rpc::v1::RunEvent::Vectors& event, v1::OutcomeBatch* outcomes);
  // After the last event: the bytes become what is stored. kInternal where they are not what the
  // events said.
  absl::Status Finish(const v1::OutcomeBatch& outcomes);
  // Hands each blob to `put`, which sets its digest.
  absl::Status Put(
      const std::function<absl::Status(const std::string& bytes, std::string* digest)>& put,
      v1::OutcomeBatch* outcomes) const;

 private:
  std::string adversarials_;
  std::map<v1::VectorKind, std::string> vectors_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_KEPT_BYTES_H_
