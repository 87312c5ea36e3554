// Events of one evaluation for one reader: built when something changed and the reader is ready, so
// a slow reader gets merged progress and never holds anything up.
#ifndef ASSAY_SERVER_API_EVENT_PUMP_H_
#define ASSAY_SERVER_API_EVENT_PUMP_H_

#include <chrono>
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
absl::StatusOr<store::Listing<store::EvaluationRecord>> CurrentEvaluations(
    Context& context, const store::Page& page, const store::EvaluationFilter& filter);

// Made, kept by its owner, then begun: nothing is delivered to an owner who does not have it yet.
class EventPump : public std::enable_shared_from_this<EventPump> {
 public:
  // An event, and whether it is the last one; or an error, which is the last, too.
  using Deliver = std::function<void(absl::StatusOr<v1::EvaluationEvent> event, bool last)>;

  // `deliver` is called on the executor, one call at a time, the first maybe before Begin returns;
  // after each, the next one comes once Ready has been called.
  static std::shared_ptr<EventPump> Create(Context& context, Deliver deliver);
  // To be called once. Reads the store. After Detach it does nothing.
  absl::Status Begin(const std::string& evaluation, const std::string& resume_token,
                     bool interim_reports);
  void Ready();
  // No `deliver` begins after this; one that runs already is not waited for. Must be called before
  // the last reference goes.
  void Detach();

 private:
  EventPump(Context& context, Deliver deliver);
  void Schedule();
  void Step();
  // The next event, if there is something new to tell.
  absl::StatusOr<std::optional<v1::EvaluationEvent>> Next();

  Context& context_;
  const Deliver deliver_;
  // Constant after Begin.
  std::string evaluation_;
  bool interim_reports_ = false;

  Mutex mutex_;
  int64_t subscription_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none
  bool detached_ ABSL_GUARDED_BY(mutex_) = false;
  bool ready_ ABSL_GUARDED_BY(mutex_) = true;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the step at work only.
  int64_t sequence_ = 0;
  bool resumed_ = false;
  int64_t told_revision_ = -1;
  double told_work_ = -1;
  std::string told_waiting_;
  std::string told_condition_;
  int64_t reported_tasks_ = 0;
  std::chrono::steady_clock::time_point last_report_{};
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EVENT_PUMP_H_
