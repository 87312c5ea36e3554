// What every service needs, and how it answers unary calls.
#ifndef ASSAY_SERVER_API_CONTEXT_H_
#define ASSAY_SERVER_API_CONTEXT_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "net/grpc_status.h"
#include "server/access/calls.h"
#include "server/api/call_log.h"
#include "server/api/executor.h"
#include "server/api/report_cache.h"
#include "server/api/write_limits.h"
#include "server/monitoring/disk_usage.h"
#include "server/monitoring/metrics.h"
#include "server/scheduler/engine_pool.h"
#include "server/scheduler/hub.h"
#include "server/scheduler/work_control.h"
#include "server/store/blob_store.h"
#include "server/store/blob_sweeper.h"
#include "server/store/catalog.h"
#include "server/store/evaluations.h"
#include "server/store/task_queue.h"

namespace assay::api {

class Retention;

// Room for the reports that the gauges show and those that are being watched.
constexpr ReportCache::Limits kReportLimits{/*reports=*/256, /*bytes=*/64 << 20};

// Reports, comparisons and executor come last: what runs there uses the rest.
struct Context {
  Context(store::Catalog& models_and_datasets, store::Evaluations& stored, store::TaskQueue& queue,
          store::BlobStore& bytes, scheduler::EnginePool& engines, scheduler::Hub& changes,
          monitoring::Metrics& counters, const Clock& time, int threads, size_t max_waiting_calls)
      : catalog(models_and_datasets),
        evaluations(stored),
        tasks(queue),
        blobs(bytes),
        pool(engines),
        hub(changes),
        metrics(counters),
        clock(time),
        start_micros(time.NowMicros()),
        control(time),
        reports(catalog, evaluations, blobs, kReportLimits),
        comparisons(executor, std::max(1, threads / 4), max_waiting_calls),
        executor(threads, max_waiting_calls),
        background(/*threads=*/1, /*max_queue=*/8, YieldToOthers) {}

  store::Catalog& catalog;
  store::Evaluations& evaluations;
  store::TaskQueue& tasks;
  store::BlobStore& blobs;
  scheduler::EnginePool& pool;
  scheduler::Hub& hub;
  monitoring::Metrics& metrics;
  const Clock& clock;
  const int64_t start_micros;
  // Stored evaluations that are not finished; more are refused.
  std::atomic<int64_t> max_queued_evaluations = 1000;
  // Who may call what; nullptr: anybody anything.
  access::Calls* access = nullptr;
  // Hears of deletions; nullptr: nobody sweeps.
  store::BlobSweeper* sweeper = nullptr;
  // Deletes old evaluations; nullptr: nobody does.
  Retention* retention = nullptr;
  // What the disk has and holds; nullptr: nobody knows.
  const monitoring::DataDirectoryUsage* disk = nullptr;
  // Blobs and database together may have so many bytes; 0: any number.
  std::atomic<int64_t> disk_quota_bytes = 0;
  // Path of the store's SQLite file, or URI of its PostgreSQL; empty: CheckStorage cannot be had.
  std::string database;
  // Pauses, drains and what workers are at.
  scheduler::WorkControl control;
  // Set when the server stops: new work is refused.
  std::atomic<bool> draining = false;
  WriteLimits writes;
  ReportCache reports;
  LongCalls comparisons;
  Executor executor;
  // For what takes long and has time.
  Executor background;

  // Whether a call may be served. Asked before anything else, by AnswerUnary and Stream.
  absl::Status Admit(const grpc::CallbackServerContext& call) const {
    return access == nullptr ? absl::OkStatus() : access->Admit(call);
  }
  // Who makes a call that was admitted.
  std::shared_ptr<const access::Caller> CallerOf(const grpc::CallbackServerContext& call) const {
    return access == nullptr ? std::make_shared<access::Caller>() : access->CallerOf(call);
  }
  absl::Status CheckTakesWork() const {
    if (!draining && control.draining()) {
      return Error(Reason::kShuttingDown,
                   "the server is being drained for maintenance and takes no new work until "
                   "`assay admin resume`")
          .RetryAfterSeconds(30);
    }
    if (!draining) return absl::OkStatus();
    return Error(Reason::kShuttingDown, "the server is stopping").RetryAfterSeconds(5);
  }
  // To be called when blobs may have lost their last user.
  void FreeSpaceSoon() const {
    if (sweeper != nullptr) sweeper->SweepSoon();
  }
  // For what frees space or ends work, so that it can be done on a full disk.
  absl::Status WithReserve(const std::function<absl::Status()>& change) const {
    return sweeper != nullptr ? sweeper->WithReserve(change) : change();
  }
};

// Who holds the blobs of an upload: the upload itself where it says who it is, else its connection.
std::string UploadHolder(const std::string& upload_id, const grpc::CallbackServerContext& call);

// The refusal of a name that other content has, for validate_only; the store says it otherwise.
absl::Status NameTaken(absl::string_view collection, const std::string& name);

// The refusal of a call that finds too many others waiting.
absl::Status TooManyCalls();

// For the log: errors that the client is not told about in full.
void LogIfInternal(const absl::Status& status);

// Answers a unary call that is admitted with the status of `body`, which fills in the response. It
// runs where `calls`, an Executor or LongCalls, lets it.
template <typename Calls, typename Body>
grpc::ServerUnaryReactor* AnswerWhere(Context& context, Calls& calls,
                                      grpc::CallbackServerContext* call, Body body) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  const absl::Status admitted = context.Admit(*call);
  if (!admitted.ok()) {
    reactor->Finish(ToGrpcStatus(admitted));
    return reactor;
  }
  const bool queued = calls.Submit([reactor, body = std::move(body), fields = CallFields(*call)] {
    const LogScope scope(fields);
    const absl::Status status = body();
    LogIfInternal(status);
    reactor->Finish(ToGrpcStatus(status));
  });
  if (!queued) reactor->Finish(ToGrpcStatus(TooManyCalls()));
  return reactor;
}

// The same on the executor.
template <typename Body>
grpc::ServerUnaryReactor* AnswerUnary(Context& context, grpc::CallbackServerContext* call,
                                      Body body) {
  return AnswerWhere(context, context.executor, call, std::move(body));
}

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_CONTEXT_H_
