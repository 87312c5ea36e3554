// Events of one evaluation for one reader: built when something changed and the reader is ready, so
// a slow reader gets merged progress and never holds anything up.
#ifndef ASSAY_SERVER_API_EVENT_PUMP_H_
#define ASSAY_SERVER_API_EVENT_PUMP_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "assay/v1/evaluations.pb.h"
#include "server/api/context.h"

namespace assay::api {

bool HasEnded(const v1::Evaluation& evaluation);

// The stored evaluation with the progress of running tasks added.
absl::StatusOr<store::EvaluationRecord> CurrentEvaluation(Context& context,
                                                          const std::string& name);

// A page of the same.
absl::StatusOr<store::Listing<store::EvaluationRecord>> CurrentEvaluations(Context& context,
                                                                           const store::Page& page);

class EventPump : public std::enable_shared_from_this<EventPump> {
 public:
  // An event, and whether it is the last one; or an error, which ends the pump.
  using Deliver = std::function<void(absl::StatusOr<v1::EvaluationEvent> event, bool last)>;

  // `deliver` is called on the executor, one call at a time, the first maybe before Start returns;
  // after each, the next one comes once Ready has been called.
  static absl::StatusOr<std::shared_ptr<EventPump>> Start(Context& context,
                                                          const std::string& evaluation,
                                                          const std::string& resume_token,
                                                          bool interim_reports, Deliver deliver);
  ~EventPump();
  void Ready();
  // Waits for a running `deliver`; afterwards there are no more. Must not be called from `deliver`.
  // Must be called before the last reference goes.
  void Detach();

 private:
  EventPump(Context& context, std::string evaluation, bool interim_reports, Deliver deliver);
  void Schedule();
  void Step();
  // The next event, if there is something new to tell.
  absl::StatusOr<std::optional<v1::EvaluationEvent>> Next();

  Context& context_;
  const std::string evaluation_;
  const bool interim_reports_;
  const Deliver deliver_;
  int64_t subscription_ = 0;

  Mutex mutex_;
  std::condition_variable idle_;
  bool detached_ ABSL_GUARDED_BY(mutex_) = false;
  bool ready_ ABSL_GUARDED_BY(mutex_) = true;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the step at work only.
  int64_t sequence_ = 0;
  bool resumed_ = false;
  int64_t told_revision_ = -1;
  double told_work_ = -1;
  int64_t reported_tasks_ = 0;
  std::chrono::steady_clock::time_point last_report_{};
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EVENT_PUMP_H_
