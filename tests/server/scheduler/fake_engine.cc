// A stand-in for assay-engine: the same protocol over the same inherited socket, without LibTorch.
// How it behaves stands in the model file, anywhere in it, as one line of words:
//   fake-engine: load=ok run=ok name=a
// load= and run= take
//   ok          answers at once (the prediction of a sample is its label)
//   abort       the process dies of a signal;  kill  of SIGKILL;  exit:N  it exits with status N
//   hang        never answers, and ignores cancellation
//   error       MODEL_FAILED;  nan  MODEL_NOT_FINITE
// and run= also
//   abort-once:FILE  dies and leaves FILE; with FILE there, ok
//   wait:FILE        progress, then waits for FILE or for cancellation
//   drip:FILE        as wait, with progress all the time
//   half-kill:FILE   a checkpoint of the first half of what is to be computed, then it leaves FILE
//                    and dies of SIGKILL; with FILE there, ok
//   half-wait:FILE   such a checkpoint, then it waits for FILE or for cancellation
//   short            one outcome too few;  busy  gets stuck so deep that nothing answers any more
// With probes=WORD that is what the probes gave.
// Finished samples that it is given are not computed again, if they are of its numerics.
// With wrong=N every N-th sample, from the first, is predicted as the next of ten classes.
// What it was given (environment, descriptors, requests) goes to standard error, and print=WORD to
// standard output at every load.
#include <dirent.h>
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "assay/engine/v1/engine.grpc.pb.h"
#include "core/base/errors.h"
#include "net/grpc_status.h"

extern char** environ;

namespace assay {
namespace {

namespace rpc = ::assay::engine_rpc::v1;
constexpr auto kTick = std::chrono::milliseconds(5);
constexpr char kMarker[] = "fake-engine:";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// The words of the model file.
std::map<std::string, std::string> ParseBehaviour(const std::string& bytes) {
  std::map<std::string, std::string> behaviour = {{"load", "ok"}, {"run", "ok"}};
  const size_t at = bytes.find(kMarker);
  if (at == std::string::npos) return behaviour;
  const size_t start = at + std::strlen(kMarker);
  const std::string line = bytes.substr(start, bytes.find('\n', start) - start);
  for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(word, absl::MaxSplits('=', 1));
    behaviour[pair.first] = pair.second;
  }
  return behaviour;
}

// What all calls can do: die, hang or fail.
absl::Status Behave(const std::string& how) {
  if (how == "abort") std::abort();
  if (how == "kill") raise(SIGKILL);
  if (absl::StartsWith(how, "exit:")) std::_Exit(std::atoi(how.c_str() + 5));
  while (how == "hang") std::this_thread::sleep_for(kTick);
  if (how == "error") return Error(Reason::kModelFailed, "the model raised an error: boom");
  if (how == "nan") return Error(Reason::kModelNotFinite, "logits that are not finite");
  return absl::OkStatus();
}

class FakeEngine final : public rpc::EngineService::Service {
 public:
  grpc::Status Load(grpc::ServerContext* /*context*/, const rpc::LoadRequest* request,
                    rpc::LoadResponse* response) override {
    std::fprintf(stderr, "load %s batch=%d\n", request->device().c_str(), request->batch_size());
    if (!Exists(request->model_path())) std::abort();
    behaviour_ = ParseBehaviour(ReadFile(request->model_path()));
    std::printf("%s\n", behaviour_["print"].c_str());
    std::fflush(stdout);
    const absl::Status status = Behave(behaviour_["load"]);
    if (!status.ok()) return ToGrpcStatus(status);
    v1::ModelValidation& validation = *response->mutable_validation();
    *validation.mutable_input_shape() = request->input_shape();
    validation.set_num_classes(10);
    validation.set_deterministic(true);
    v1::NumericsFingerprint& numerics = *validation.mutable_numerics();
    numerics.set_device(request->device());
    numerics.set_threads(request->threads());
    // "Measured": no two processes choose the same.
    numerics.set_batch_size(request->batch_size() > 0 ? request->batch_size() : getpid());
    numerics.set_probes(behaviour_["probes"]);
    numerics_ = numerics;
    return grpc::Status::OK;
  }

  grpc::Status Run(grpc::ServerContext* context, const rpc::RunRequest* request,
                   grpc::ServerWriter<rpc::RunEvent>* writer) override {
    running_ = true;
    const absl::Status status = DoRun(*context, *request, *writer);
    running_ = false;
    return ToGrpcStatus(status);
  }

  grpc::Status Idle(grpc::ServerContext* /*context*/, const rpc::IdleRequest* /*request*/,
                    rpc::IdleResponse* response) override {
    response->set_idle(!running_);
    return grpc::Status::OK;
  }

 private:
  // The same vector for every sample but number 3 of each 5, plus the sample's position in the
  // first number of features; two events.
  static void WriteVectors(const rpc::RunEvent& outcomes, v1::VectorKind kind,
                           std::vector<float> vector, grpc::ServerWriter<rpc::RunEvent>& writer) {
    const float first = vector[0];
    rpc::RunEvent event;
    for (const v1::Outcome& outcome : outcomes.outcomes().outcomes()) {
      if (outcome.sample() % 5 == 3) continue;
      if (kind == v1::FEATURES) vector[0] = first + static_cast<float>(outcome.sample());
      rpc::RunEvent::Vectors& part = *event.mutable_vectors();
      part.set_kind(kind);
      part.set_size(static_cast<int32_t>(vector.size()));
      part.add_samples(outcome.sample());
      part.mutable_values()->append(reinterpret_cast<const char*>(vector.data()),
                                    vector.size() * sizeof(float));
      if (part.samples_size() < 3) continue;
      writer.Write(event);
      event.Clear();
    }
    if (event.has_vectors()) writer.Write(event);
  }

  void WriteHalf(const std::vector<v1::Outcome>& computed,
                 grpc::ServerWriter<rpc::RunEvent>& writer) const {
    rpc::RunEvent event;
    rpc::RunEvent::Checkpoint& checkpoint = *event.mutable_checkpoint();
    for (size_t i = 0; i < computed.size() / 2; ++i) {
      *checkpoint.mutable_outcomes()->add_outcomes() = computed[i];
    }
    checkpoint.mutable_outcomes()->mutable_passes()->set_forwards(
        static_cast<int64_t>(computed.size() / 2));
    *checkpoint.mutable_numerics() = numerics_;
    checkpoint.set_model_seconds(0.5);
    writer.Write(event);
    event.mutable_progress()->set_samples_done(static_cast<int64_t>(computed.size() / 2));
    event.mutable_progress()->set_fraction(0.5);
    writer.Write(event);
  }

  absl::Status DoRun(const grpc::ServerContext& context, const rpc::RunRequest& request,
                     grpc::ServerWriter<rpc::RunEvent>& writer) {
    rpc::RunEvent progress;
    progress.mutable_progress()->set_samples_done(1);
    progress.mutable_progress()->set_fraction(0.5);
    writer.Write(progress);

    std::string how = behaviour_["run"];
    if (absl::StartsWith(how, "abort-once:")) {
      const std::string file = how.substr(std::strlen("abort-once:"));
      how = Exists(file) ? "ok" : "abort";
      close(open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    // At one sample, under one condition.
    if (absl::StartsWith(how, "abort-at:")) {
      const int64_t sample = std::atoll(how.c_str() + std::strlen("abort-at:"));
      if (request.condition().method() == "gaussian_noise" && request.first_sample() <= sample &&
          sample < request.first_sample() + request.samples()) {
        std::abort();
      }
    }
    if (how == "busy") raise(SIGSTOP);
    ASSAY_RETURN_IF_ERROR(Behave(how));
    const bool drips = absl::StartsWith(how, "drip:");
    if (drips || absl::StartsWith(how, "wait:")) {
      const std::string file = how.substr(5);
      while (!Exists(file)) {
        if (context.IsCancelled()) return Error(Reason::kCancelled, "cancelled");
        if (drips) writer.Write(progress);
        std::this_thread::sleep_for(kTick);
      }
    }
    std::map<int64_t, v1::Outcome> there;
    const bool used =
        request.finished().outcomes_size() > 0 &&
        request.finished_numerics().SerializeAsString() == numerics_.SerializeAsString();
    if (used) {
      for (const auto& outcome : request.finished().outcomes()) there[outcome.sample()] = outcome;
    }
    std::vector<v1::Outcome> computed;
    rpc::RunEvent outcomes;
    for (const auto& chunk : request.chunks()) {
      const std::string bytes = ReadFile(chunk.path());
      for (int32_t i = 0; i < chunk.samples(); ++i) {
        const int64_t sample = chunk.first_sample() + i;
        if (sample < request.first_sample() ||
            sample >= request.first_sample() + request.samples()) {
          continue;
        }
        v1::Outcome& outcome = *outcomes.mutable_outcomes()->add_outcomes();
        outcome.set_sample(sample);
        int32_t label = -1;
        if (bytes.size() >= (static_cast<size_t>(i) + 1) * sizeof(label)) {
          std::memcpy(&label, bytes.data() + static_cast<size_t>(i) * sizeof(label), sizeof(label));
        }
        outcome.set_label(label);
        const int64_t every = std::atoll(behaviour_["wrong"].c_str());
        outcome.set_prediction(every > 0 && sample % every == 0 ? (label + 1) % 10 : label);
        if (const auto found = there.find(sample); found != there.end()) {
          outcome = found->second;
        } else {
          computed.push_back(outcome);
        }
      }
    }
    std::fprintf(stderr, "run %zu of %d\n", computed.size(), request.samples());
    if (absl::StartsWith(how, "half-")) {
      const std::string file = how.substr(std::strlen("half-kill:"));
      const bool kills = absl::StartsWith(how, "half-kill:");
      if (!kills || !Exists(file)) {
        if (request.checkpoint_seconds() > 0) WriteHalf(computed, writer);
        if (kills) {
          close(open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
          raise(SIGKILL);
        }
        while (!Exists(file)) {
          if (context.IsCancelled()) return Error(Reason::kCancelled, "cancelled");
          std::this_thread::sleep_for(kTick);
        }
      }
    }
    if (how == "short") outcomes.mutable_outcomes()->mutable_outcomes()->RemoveLast();
    if (request.keep_probabilities())
      WriteVectors(outcomes, v1::PROBABILITIES, {0.25F, 0.75F}, writer);
    if (!request.keep_features().empty()) {
      WriteVectors(outcomes, v1::FEATURES, {1.0F / 3, -2, how == "large" ? 1e6F : 1}, writer);
    }
    writer.Write(outcomes);
    rpc::RunEvent done;
    *done.mutable_done()->mutable_numerics() = numerics_;
    done.mutable_done()->mutable_passes()->set_forwards(static_cast<int64_t>(computed.size()));
    done.mutable_done()->mutable_passes()->set_needed_forwards(
        static_cast<int64_t>(computed.size()));
    done.mutable_done()->set_used_finished(used);
    writer.Write(done);
    return absl::OkStatus();
  }

  std::map<std::string, std::string> behaviour_;
  v1::NumericsFingerprint numerics_;
  std::atomic<bool> running_ = false;
};

void TellSurroundings() {
  for (char** variable = environ; *variable != nullptr; ++variable) {
    std::fprintf(stderr, "env %s\n", *variable);
  }
  DIR* directory = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != dirfd(directory)) {
      std::fprintf(stderr, "fd %s\n", entry->d_name);
    }
  }
  closedir(directory);
}

int Main(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], "--fd") != 0) return 2;
  TellSurroundings();
  FakeEngine service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  grpc::AddInsecureChannelFromFd(server.get(), std::atoi(argv[2]));
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  std::_Exit(0);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
