// The assayds that work on one store: what each of them says of itself, what it is asked to do, and
// whether tasks are begun at all.
//
// Times are the store's clock, in microseconds since the Unix epoch. Thread-safe. What a call has
// acknowledged is durable.
#ifndef ASSAY_SERVER_STORE_INSTANCES_H_
#define ASSAY_SERVER_STORE_INSTANCES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/admin.pb.h"
#include "assay/v1/models.pb.h"

namespace assay::store {

struct InstanceRecord {
  std::string name;
  // When it was last heard of, and how long ago that is.
  int64_t heartbeat_micros = 0;
  int64_t silent_micros = 0;
  // As it said: workers, engines, devices, control.
  v1::ServerStatus status;
  // Models with a state other than UNLOADED: name, state, reason.
  v1::ListModelsResponse models;
};

struct InstanceOrder {
  // Stored as these numbers.
  enum class Kind { kDrain = 1, kDrainAndRelease = 2, kResume = 3, kLoad = 4, kUnload = 5 };
  int64_t id = 0;  // given by the store
  std::string instance;
  Kind kind = Kind::kDrain;
  // Of kLoad; of kUnload the name.
  v1::LoadModelRequest model;
};

struct Pause {
  int64_t since_micros = 0;
  std::string reason;
};

class Instances {
 public:
  virtual ~Instances() = default;

  // --- which there are

  // To be called by a process before its first heartbeat: forgets an earlier one of that name with
  // its orders, and all that have been silent for `forget_micros`.
  virtual absl::Status RegisterInstance(const std::string& name, int64_t forget_micros) = 0;
  // A heartbeat.
  virtual absl::Status UpdateInstance(const std::string& name, const v1::ServerStatus& status,
                                      const v1::ListModelsResponse& models) = 0;
  // At its end. OK when it is not there.
  virtual absl::Status RemoveInstance(const std::string& name) = 0;
  // Those that were heard of in the last `silent_micros`, by name.
  virtual absl::StatusOr<std::vector<InstanceRecord>> ListInstances(int64_t silent_micros) = 0;

  // --- what they are asked to do

  // The id of the order; kNotFound when there is no such instance.
  virtual absl::StatusOr<int64_t> AddOrder(const InstanceOrder& order) = 0;
  // Those of one instance that it has not done, in the order in which they came.
  virtual absl::StatusOr<std::vector<InstanceOrder>> ListOrders(const std::string& instance) = 0;
  virtual absl::Status RemoveOrder(int64_t id) = 0;

  // --- pauses

  // No task is claimed once this has returned. Pausing again replaces the reason.
  virtual absl::StatusOr<Pause> PauseClaims(const std::string& reason) = 0;
  virtual absl::Status ResumeClaims() = 0;
  virtual absl::StatusOr<std::optional<Pause>> GetPause() = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_INSTANCES_H_
