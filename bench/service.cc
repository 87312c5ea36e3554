// How one assayd bears many clients:
//
//   bench_service [ROUNDS]
//
// Starts the assayd beside it on a directory of its own, with 50 evaluations in a paused queue, so
// that what is measured is the service and no model, and a plain gRPC server of the same calls, the
// echo, which answers from memory and keeps nothing. Compares GetEvaluation, uploads and watchers
// of the two in turns; then loads assayd with watchers, uploads, clients that stall and clients
// that do not read, one after the other and all at once, while it goes on asking both for
// evaluations. Says latencies, CPU seconds and memory, who was dropped, and whether memory grew
// from round to round.
#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "assay/v1/admin.grpc.pb.h"
#include "assay/v1/chunks.grpc.pb.h"
#include "assay/v1/datasets.grpc.pb.h"
#include "assay/v1/evaluations.grpc.pb.h"
#include "assay/v1/models.grpc.pb.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "net/grpc_status.h"
#include "server/monitoring/system_usage.h"
#include "tests/core/models/fake_models.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kEvaluations = 50;
constexpr int kWatchers = 1000;
constexpr int kWatchersAConnection = 20;
constexpr int kUploaders = 200;
constexpr int kChunksOfEach = 2;
constexpr size_t kChunkBytes = 1 << 20;
constexpr int kStalled = 100;
constexpr int kDeaf = 20;
// Within which assayd, by its flags here, drops the latter two, and how long they are kept.
constexpr int kHandshakeSeconds = 10;
constexpr int kWriteSeconds = 5;
constexpr int kDropSeconds = 14;
constexpr double kGoalMilliseconds = 50;
constexpr int kImages = 4096;
constexpr int kImageBytes = 3 * 64 * 64;

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

double MiB(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

double CpuSecondsOf(pid_t pid) {
  const auto usage = monitoring::ReadProcess(pid);
  return usage ? usage->cpu_seconds : 0;
}

double MemoryOf(pid_t pid) {
  const auto usage = monitoring::ReadProcess(pid);
  return usage ? MiB(usage->resident_bytes) : 0;
}

// Of each connection its own.
std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

struct Latencies {
  std::vector<double> milliseconds;
  double At(double share) {
    if (milliseconds.empty()) return 0;
    std::sort(milliseconds.begin(), milliseconds.end());
    const auto index = static_cast<size_t>(share * static_cast<double>(milliseconds.size() - 1));
    return milliseconds[index];
  }
};

// --- the servers

// Writes one event, and keeps the call open until its client goes.
class EchoWatch final : public grpc::ServerWriteReactor<v1::EvaluationEvent> {
 public:
  explicit EchoWatch(const v1::Evaluation& evaluation) {
    *event_.mutable_evaluation() = evaluation;
    StartWrite(&event_);
  }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  v1::EvaluationEvent event_;
};

// Takes what comes and drops it.
class EchoUpload final : public grpc::ServerReadReactor<v1::UploadChunksRequest> {
 public:
  EchoUpload() { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (ok) {
      StartRead(&request_);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

 private:
  v1::UploadChunksRequest request_;
};

class EchoChunks final : public v1::ChunkService::CallbackService {
 public:
  grpc::ServerReadReactor<v1::UploadChunksRequest>* UploadChunks(
      grpc::CallbackServerContext* /*call*/, v1::UploadChunksResponse* /*response*/) override {
    return new EchoUpload;
  }
};

// Answers with what it was given, from memory.
class Echo final : public v1::EvaluationService::CallbackService {
 public:
  explicit Echo(const std::string& answer) { answer_.ParseFromString(answer); }
  grpc::ServerWriteReactor<v1::EvaluationEvent>* WatchEvaluation(
      grpc::CallbackServerContext* /*call*/,
      const v1::WatchEvaluationRequest* /*request*/) override {
    return new EchoWatch(answer_);
  }
  grpc::ServerUnaryReactor* GetEvaluation(grpc::CallbackServerContext* call,
                                          const v1::GetEvaluationRequest* /*request*/,
                                          v1::Evaluation* response) override {
    *response = answer_;
    grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  v1::Evaluation answer_;
};

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(fd, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

// A process that waits for the answer it is to give on its standard input, and then writes its
// port. Made before this process has used gRPC, which does not survive a fork.
class EchoProcess {
 public:
  EchoProcess() {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(in[1]);
      close(out[0]);
      Echo echo(ReadAll(in[0]));
      EchoChunks chunks;
      int port = 0;
      grpc::ServerBuilder builder;
      builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
      builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000);
      builder.RegisterService(&echo);
      builder.RegisterService(&chunks);
      const auto server = builder.BuildAndStart();
      const std::string text = std::to_string(port);
      if (write(out[1], text.data(), text.size()) < 0) _exit(1);
      close(out[1]);
      server->Wait();
      _exit(0);
    }
    close(in[0]);
    close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
  ~EchoProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(out_);
  }
  void Start(const v1::Evaluation& answer) {
    const std::string bytes = answer.SerializeAsString();
    if (write(in_, bytes.data(), bytes.size()) < 0) std::abort();
    close(in_);
    address_ = "127.0.0.1:" + ReadAll(out_);
  }
  pid_t pid() const { return pid_; }
  // Once started.
  const std::string& address() const { return address_; }

 private:
  std::string address_;
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
};

class ServerProcess {
 public:
  explicit ServerProcess(const std::string& directory) {
    const std::string binary = fs::read_symlink("/proc/self/exe").parent_path() / "assayd";
    const std::string data = directory + "/data", port_file = directory + "/port";
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execl(binary.c_str(), binary.c_str(), "--listen", "127.0.0.1:0", "--metrics-port", "0",
            "--devices", "cpu", "--data-dir", data.c_str(), "--port-file", port_file.c_str(),
            "--handshake-seconds", std::to_string(kHandshakeSeconds).c_str(), "--write-seconds",
            std::to_string(kWriteSeconds).c_str(), nullptr);
      _exit(127);
    }
    for (int i = 0; i < 600 && port_ == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      std::ifstream(port_file) >> port_;
      siginfo_t ended{};
      if (waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
          ended.si_pid != 0) {
        break;
      }
    }
  }
  ~ServerProcess() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool serves() const { return port_ != 0; }
  int port() const { return port_; }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  // From now on: the most memory since.
  void ForgetPeak() const { std::ofstream(absl::StrCat("/proc/", pid_, "/clear_refs")) << "5"; }
  double PeakMiB() const {
    std::ifstream status(absl::StrCat("/proc/", pid_, "/status"));
    std::string word;
    while (status >> word) {
      double kib = 0;
      if (word == "VmHWM:" && status >> kib) return kib / 1024;
    }
    return 0;
  }

 private:
  pid_t pid_ = -1;
  int port_ = 0;
};

// --- the work

template <typename Stub, typename Request, typename Response>
absl::Status Call(Stub& stub,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
  return FromGrpcStatus((stub.*method)(&context, request, response));
}

absl::Status Upload(v1::ChunkService::Stub& stub, const std::vector<std::string>& chunks) {
  grpc::ClientContext context;
  v1::UploadChunksResponse response;
  const auto writer = stub.UploadChunks(&context, &response);
  for (const std::string& chunk : chunks) {
    v1::UploadChunksRequest request;
    request.mutable_header()->set_digest(Sha256Hex(chunk));
    request.mutable_header()->set_size_bytes(static_cast<int64_t>(chunk.size()));
    bool sent = writer->Write(request);
    for (size_t at = 0; sent && at < chunk.size(); at += kChunkBytes) {
      request.set_data(chunk.substr(at, kChunkBytes));
      sent = writer->Write(request);
    }
    if (!sent) break;
  }
  writer->WritesDone();
  return FromGrpcStatus(writer->Finish());
}

// A model, a dataset of 48 MiB and 50 evaluations of them in a queue that is paused.
absl::Status Fill(const std::shared_ptr<grpc::Channel>& channel) {
  const auto admin = v1::AdminService::NewStub(channel);
  v1::QueueControl control;
  ASSAY_RETURN_IF_ERROR(
      Call(*admin, &v1::AdminService::Stub::PauseQueue, v1::PauseQueueRequest(), &control));
  const auto chunks = v1::ChunkService::NewStub(channel);
  const std::string file = FakeTorchScript("");
  std::string images(size_t{kImages} * sizeof(int32_t), '\0');
  images.append(size_t{kImages} * kImageBytes, 'x');
  ASSAY_RETURN_IF_ERROR(Upload(*chunks, {file, images}));
  const auto models = v1::ModelService::NewStub(channel);
  v1::CreateModelRequest model;
  model.set_model_id("m");
  model.set_digest(Sha256Hex(file));
  model.add_chunks(model.digest());
  v1::Model stored;
  ASSAY_RETURN_IF_ERROR(Call(*models, &v1::ModelService::Stub::CreateModel, model, &stored));
  const auto datasets = v1::DatasetService::NewStub(channel);
  v1::CreateDatasetRequest dataset;
  dataset.set_dataset_id("d");
  dataset.mutable_manifest()->mutable_shape()->set_channels(3);
  dataset.mutable_manifest()->mutable_shape()->set_height(64);
  dataset.mutable_manifest()->mutable_shape()->set_width(64);
  dataset.mutable_manifest()->set_pixel_type(v1::UINT8);
  dataset.mutable_manifest()->add_chunks()->set_digest(Sha256Hex(images));
  dataset.mutable_manifest()->mutable_chunks(0)->set_samples(kImages);
  v1::Dataset made;
  ASSAY_RETURN_IF_ERROR(Call(*datasets, &v1::DatasetService::Stub::CreateDataset, dataset, &made));
  const auto evaluations = v1::EvaluationService::NewStub(channel);
  for (int i = 0; i < kEvaluations; ++i) {
    v1::CreateEvaluationRequest request;
    request.set_evaluation_id(absl::StrCat("e", i));
    request.mutable_spec()->set_model("models/m");
    request.mutable_spec()->set_dataset("datasets/d");
    for (const char* condition :
         {"clean", "attack/pgd:eps=2/255+4/255+8/255", "corruption/fog:severity=1+3+5"}) {
      request.mutable_spec()->add_conditions(condition);
    }
    v1::Evaluation evaluation;
    ASSAY_RETURN_IF_ERROR(
        Call(*evaluations, &v1::EvaluationService::Stub::CreateEvaluation, request, &evaluation));
  }
  return absl::OkStatus();
}

v1::GetEvaluationRequest Named(int number) {
  v1::GetEvaluationRequest request;
  request.set_name(absl::StrCat("evaluations/e", number % kEvaluations));
  return request;
}

// Asks for evaluations from `threads` threads for so long, as fast as it is answered.
struct Measured {
  Latencies latencies;
  double calls_a_second = 0;
  double cpu_microseconds_a_call = 0;  // of the server
};
Measured Ask(const std::string& address, pid_t pid, int threads, double seconds) {
  Measured measured;
  std::mutex mutex;
  std::vector<std::thread> all;
  const double cpu = CpuSecondsOf(pid);
  const auto start = Clock::now();
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      const auto stub = v1::EvaluationService::NewStub(Connect(address));
      std::vector<double> own;
      for (int i = t; Seconds(start) < seconds; ++i) {
        const auto begin = Clock::now();
        v1::Evaluation evaluation;
        if (!Call(*stub, &v1::EvaluationService::Stub::GetEvaluation, Named(i), &evaluation).ok()) {
          std::cerr << "GetEvaluation failed\n";
          return;
        }
        own.push_back(Seconds(begin) * 1e3);
      }
      const std::lock_guard<std::mutex> lock(mutex);
      measured.latencies.milliseconds.insert(measured.latencies.milliseconds.end(), own.begin(),
                                             own.end());
    });
  }
  for (std::thread& thread : all) thread.join();
  const auto calls = static_cast<double>(measured.latencies.milliseconds.size());
  measured.calls_a_second = calls / Seconds(start);
  measured.cpu_microseconds_a_call = (CpuSecondsOf(pid) - cpu) / std::max(1.0, calls) * 1e6;
  return measured;
}

// The servers, and what was seen of assayd in all phases.
struct Bench {
  const ServerProcess& server;
  const EchoProcess& echo;
  Latencies all;
  double worst_p99 = 0;
  std::string worst_phase;
  double peak_mib = 0;
};

// Asks assayd and the echo for one evaluation each, in turns, every 10 ms while `load` does
// something, and says how that went.
void Probe(const std::string& what, Bench& bench, const std::function<void()>& load) {
  std::atomic<bool> stop = false;
  Latencies ours, theirs;
  const ServerProcess& server = bench.server;
  server.ForgetPeak();
  const double cpu = CpuSecondsOf(server.pid());
  const double own_cpu = CpuSecondsOf(getpid());
  const auto start = Clock::now();
  std::thread prober([&] {
    const auto assayd = v1::EvaluationService::NewStub(Connect(server.address()));
    const auto echo = v1::EvaluationService::NewStub(Connect(bench.echo.address()));
    for (int i = 0; !stop; ++i) {
      for (const auto& [stub, latencies] :
           {std::make_pair(assayd.get(), &ours), std::make_pair(echo.get(), &theirs)}) {
        const auto begin = Clock::now();
        v1::Evaluation evaluation;
        const auto status =
            Call(*stub, &v1::EvaluationService::Stub::GetEvaluation, Named(i), &evaluation);
        if (!status.ok()) std::cerr << "GetEvaluation: " << status.message() << "\n";
        latencies->milliseconds.push_back(Seconds(begin) * 1e3);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  load();
  stop = true;
  prober.join();
  const double seconds = Seconds(start);
  const double p99 = ours.At(0.99);
  if (p99 > bench.worst_p99) {
    bench.worst_p99 = p99;
    bench.worst_phase = what;
  }
  bench.peak_mib = std::max(bench.peak_mib, server.PeakMiB());
  std::cout << absl::StreamFormat(
                   "%-34s p50 %6.2f  p99 %7.2f  worst %7.2f ms (echo %6.2f %7.2f %7.2f)   CPU "
                   "seconds %6.2f of %5.1f, clients %6.2f   memory %6.1f, peak %6.1f MiB\n",
                   what, ours.At(0.5), p99, ours.At(1), theirs.At(0.5), theirs.At(0.99),
                   theirs.At(1), CpuSecondsOf(server.pid()) - cpu, seconds,
                   CpuSecondsOf(getpid()) - own_cpu, MemoryOf(server.pid()), server.PeakMiB())
            << std::flush;
  bench.all.milliseconds.insert(bench.all.milliseconds.end(), ours.milliseconds.begin(),
                                ours.milliseconds.end());
}

// Of all watchers: how many have heard something, have heard of the end of their evaluation and
// were left by the server then, and have lost their call otherwise.
struct Heard {
  std::atomic<int> first = 0;
  std::atomic<int> end = 0;
  std::atomic<int> lost = 0;
};

// Reads what comes.
class Watcher final : public grpc::ClientReadReactor<v1::EvaluationEvent> {
 public:
  Watcher(v1::EvaluationService::Stub& stub, int number, Heard& heard) : heard_(heard) {
    request_.set_name(Named(number).name());
    stub.async()->WatchEvaluation(&context_, &request_, this);
    StartRead(&event_);
    StartCall();
  }
  ~Watcher() override {
    leaving_ = true;
    context_.TryCancel();
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (!first_) ++heard_.first;
    first_ = true;
    ended_ = event_.evaluation().state() == v1::Evaluation::CANCELLED;
    StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override {
    if (!leaving_) ++(status.ok() && ended_ ? heard_.end : heard_.lost);
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

 private:
  Heard& heard_;
  grpc::ClientContext context_;
  v1::WatchEvaluationRequest request_;
  v1::EvaluationEvent event_;
  bool first_ = false;
  bool ended_ = false;
  std::atomic<bool> leaving_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

// Asks for all images and reads none of them.
class Deaf final : public grpc::ClientReadReactor<v1::StreamSamplesResponse> {
 public:
  explicit Deaf(const std::string& address) : stub_(v1::DatasetService::NewStub(Connect(address))) {
    request_.set_name("datasets/d");
    stub_->async()->StreamSamples(&context_, &request_, this);
    // Holds the call open without a read.
    AddHold();
    StartCall();
  }
  ~Deaf() override {
    context_.TryCancel();
    RemoveHold();
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }
  void OnDone(const grpc::Status& /*status*/) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

 private:
  const std::unique_ptr<v1::DatasetService::Stub> stub_;
  grpc::ClientContext context_;
  v1::StreamSamplesRequest request_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

// Connections that send the first bytes of HTTP/2, one every now and then.
class SlowLoris {
 public:
  explicit SlowLoris(int port) {
    for (int i = 0; i < kStalled; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
        sockets_.push_back(fd);
      } else {
        close(fd);
      }
    }
  }
  ~SlowLoris() {
    for (const int fd : sockets_) close(fd);
  }
  size_t size() const { return sockets_.size(); }
  // Those that the server has closed.
  int Dropped() const {
    int dropped = 0;
    for (const int fd : sockets_) {
      char buffer[512];
      ssize_t count = 0;
      while ((count = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) continue;
      if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) ++dropped;
    }
    return dropped;
  }
  void SendOne() {
    constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (sent_ + 1 >= sizeof(kPreface) - 1) return;
    for (const int fd : sockets_) (void)!send(fd, kPreface + sent_, 1, MSG_NOSIGNAL);
    ++sent_;
  }

 private:
  std::vector<int> sockets_;
  size_t sent_ = 0;
};

void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// Calls of a method that are open at assayd.
int64_t OpenCalls(const ServerProcess& server, const std::string& method) {
  const auto stub = v1::AdminService::NewStub(Connect(server.address()));
  v1::ServerStatus status;
  if (!Call(*stub, &v1::AdminService::Stub::GetServerStatus, v1::GetServerStatusRequest(), &status)
           .ok()) {
    return -1;
  }
  const auto found = status.open_calls().find(method);
  return found == status.open_calls().end() ? 0 : found->second;
}

void CompareCalls(const Bench& bench) {
  for (const int threads : {1, 8}) {
    Latencies ours, theirs;
    double our_calls = 0, their_calls = 0, our_cpu = 0, their_cpu = 0;
    constexpr int kTurns = 5;
    for (int turn = 0; turn < kTurns; ++turn) {
      const auto add = [](Measured measured, Latencies* latencies, double* calls, double* cpu) {
        latencies->milliseconds.insert(latencies->milliseconds.end(),
                                       measured.latencies.milliseconds.begin(),
                                       measured.latencies.milliseconds.end());
        *calls += measured.calls_a_second / kTurns;
        *cpu += measured.cpu_microseconds_a_call / kTurns;
      };
      add(Ask(bench.server.address(), bench.server.pid(), threads, 2), &ours, &our_calls, &our_cpu);
      add(Ask(bench.echo.address(), bench.echo.pid(), threads, 2), &theirs, &their_calls,
          &their_cpu);
    }
    const auto print = [&](const char* what, Latencies& latencies, double calls, double cpu) {
      std::cout << absl::StreamFormat(
          "%d callers, %-6s  %7.0f calls/s   p50 %5.2f  p99 %5.2f ms   %4.0f us of CPU a call\n",
          threads, what, calls, latencies.At(0.5), latencies.At(0.99), cpu);
    };
    print("assayd", ours, our_calls, our_cpu);
    print("echo", theirs, their_calls, their_cpu);
    std::cout
        << absl::StreamFormat(
               "%d callers, ratio   %.2f of the calls, %.2f of the CPU, %.2f of the p50, %.2f "
               "of the p99\n",
               threads, our_calls / their_calls, our_cpu / their_cpu, ours.At(0.5) / theirs.At(0.5),
               ours.At(0.99) / theirs.At(0.99))
        << std::flush;
  }
}

// 200 clients at once, each on a connection of its own; what they send has not been sent before.
struct Uploads {
  int failed = 0;
  double mib_a_second = 0;
};
Uploads UploadAtOnce(const std::string& address) {
  static std::atomic<int> uploaded = 0;
  std::atomic<int> failed = 0;
  const int number = ++uploaded;
  const auto start = Clock::now();
  std::vector<std::thread> uploaders;
  for (int i = 0; i < kUploaders; ++i) {
    uploaders.emplace_back([&, i] {
      std::vector<std::string> chunks;
      for (int c = 0; c < kChunksOfEach; ++c) {
        chunks.emplace_back(kChunkBytes, static_cast<char>(c));
        const std::string own = absl::StrCat(number, "/", i, "/", c);
        chunks.back().replace(0, own.size(), own);
      }
      const auto stub = v1::ChunkService::NewStub(Connect(address));
      if (const auto status = Upload(*stub, chunks); !status.ok()) {
        ++failed;
        std::cerr << status.message() << "\n";
      }
    });
  }
  for (std::thread& uploader : uploaders) uploader.join();
  return {failed, kUploaders * kChunksOfEach * MiB(kChunkBytes) / Seconds(start)};
}

void CompareUploads(const Bench& bench) {
  const auto upload = [](const std::string& address, pid_t pid, double* cpu) {
    const double before = CpuSecondsOf(pid);
    const double speed = UploadAtOnce(address).mib_a_second;
    *cpu = CpuSecondsOf(pid) - before;
    return speed;
  };
  double our_cpu = 0, their_cpu = 0;
  const double theirs = upload(bench.echo.address(), bench.echo.pid(), &their_cpu);
  const double ours = upload(bench.server.address(), bench.server.pid(), &our_cpu);
  std::cout
      << absl::StreamFormat(
             "uploads at once: assayd, verified and durable, %.0f MiB/s and %.2f CPU seconds; "
             "echo, dropped, %.0f MiB/s and %.2f; ratio %.2f of the speed, %.2f of the CPU\n",
             ours, our_cpu, theirs, their_cpu, ours / theirs, our_cpu / their_cpu)
      << std::flush;
}

// Watchers over all evaluations.
class Watchers {
 public:
  explicit Watchers(const std::string& address) {
    for (int i = 0; i < kWatchers; ++i) {
      if (i % kWatchersAConnection == 0) {
        stubs_.push_back(v1::EvaluationService::NewStub(Connect(address)));
      }
      watchers_.push_back(std::make_unique<Watcher>(*stubs_.back(), i, heard_));
    }
  }
  // Until `count` of all has come, or for a minute.
  void Await(const std::atomic<int>& count) {
    for (int i = 0; i < 60'000 && count < kWatchers; ++i) Sleep(0.001);
  }
  void AwaitFirst() { Await(heard_.first); }
  const Heard& heard() const { return heard_; }

 private:
  Heard heard_;
  std::vector<std::unique_ptr<v1::EvaluationService::Stub>> stubs_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

void CompareWatchers(const Bench& bench) {
  const auto watch = [](const std::string& address, pid_t pid, double* cpu, double* kib) {
    const double cpu_before = CpuSecondsOf(pid), before = MemoryOf(pid);
    const auto start = Clock::now();
    Watchers watchers(address);
    watchers.AwaitFirst();
    const double seconds = Seconds(start);
    *cpu = CpuSecondsOf(pid) - cpu_before;
    *kib = (MemoryOf(pid) - before) * 1024 / kWatchers;
    return seconds;
  };
  double our_cpu = 0, our_kib = 0, their_cpu = 0, their_kib = 0;
  const double theirs = watch(bench.echo.address(), bench.echo.pid(), &their_cpu, &their_kib);
  const double ours = watch(bench.server.address(), bench.server.pid(), &our_cpu, &our_kib);
  std::cout << absl::StreamFormat(
                   "%d watchers have their first event: assayd %.2f s, %.2f CPU seconds, %.1f KiB "
                   "each; echo %.2f s, %.2f, %.1f KiB; ratio %.2f of the time, %.2f of the CPU\n",
                   kWatchers, ours, our_cpu, our_kib, theirs, their_cpu, their_kib, ours / theirs,
                   our_cpu / their_cpu)
            << std::flush;
}

// Every evaluation is cancelled, which its watchers hear of; RetryAll queues them again.
absl::Status CancelAll(const ServerProcess& server) {
  const auto stub = v1::EvaluationService::NewStub(Connect(server.address()));
  v1::Evaluation evaluation;
  for (int i = 0; i < kEvaluations; ++i) {
    v1::CancelEvaluationRequest request;
    request.set_name(Named(i).name());
    ASSAY_RETURN_IF_ERROR(
        Call(*stub, &v1::EvaluationService::Stub::CancelEvaluation, request, &evaluation));
  }
  return absl::OkStatus();
}

absl::Status RetryAll(const ServerProcess& server) {
  const auto stub = v1::EvaluationService::NewStub(Connect(server.address()));
  v1::Evaluation evaluation;
  for (int i = 0; i < kEvaluations; ++i) {
    v1::RetryEvaluationRequest request;
    request.set_name(Named(i).name());
    ASSAY_RETURN_IF_ERROR(
        Call(*stub, &v1::EvaluationService::Stub::RetryEvaluation, request, &evaluation));
  }
  return absl::OkStatus();
}

void StallFor(SlowLoris& loris, int seconds) {
  for (int i = 0; i < seconds; ++i) {
    loris.SendOne();
    Sleep(1);
  }
}

constexpr char kSamplesMethod[] = "assay.v1.DatasetService/StreamSamples";

// Gives the memory that is used when nothing is going on any more.
absl::StatusOr<double> Round(Bench& bench, int round) {
  const ServerProcess& server = bench.server;
  std::cout << "round " << round + 1 << "\n";
  Probe("idle", bench, [] { Sleep(5); });
  Uploads uploads;
  Probe(absl::StrCat(kUploaders, " upload ", kChunksOfEach, " MiB at once"), bench,
        [&] { uploads = UploadAtOnce(server.address()); });
  std::cout << absl::StreamFormat("  %.0f MiB/s durable, %d of %d failed\n", uploads.mib_a_second,
                                  uploads.failed, kUploaders);
  {
    SlowLoris loris(server.port());
    Probe(absl::StrCat(loris.size(), " connections a byte a second"), bench,
          [&] { StallFor(loris, kDropSeconds); });
    std::cout << absl::StreamFormat("  %d of %d were dropped\n", loris.Dropped(), loris.size());
  }
  {
    std::vector<std::unique_ptr<Deaf>> deaf;
    Probe(absl::StrCat(kDeaf, " ask for 48 MiB, read nothing"), bench, [&] {
      for (int i = 0; i < kDeaf; ++i) deaf.push_back(std::make_unique<Deaf>(server.address()));
      Sleep(kDropSeconds);
    });
    std::cout << absl::StreamFormat("  %d of %d calls are still open\n",
                                    OpenCalls(server, kSamplesMethod), kDeaf);
  }
  {
    std::unique_ptr<Watchers> watchers;
    Probe(absl::StrCat(kWatchers, " watchers come"), bench, [&] {
      watchers = std::make_unique<Watchers>(server.address());
      watchers->AwaitFirst();
    });
    const Heard& heard = watchers->heard();
    if (heard.first < kWatchers) {
      return absl::InternalError(
          absl::StrCat("only ", heard.first.load(), " watchers were answered"));
    }
    Probe(absl::StrCat(kWatchers, " watchers stay"), bench, [] { Sleep(10); });
    {
      SlowLoris loris(server.port());
      std::vector<std::unique_ptr<Deaf>> deaf;
      Probe("all of it at once", bench, [&] {
        for (int i = 0; i < kDeaf; ++i) deaf.push_back(std::make_unique<Deaf>(server.address()));
        std::thread stalled([&] { StallFor(loris, kDropSeconds); });
        uploads = UploadAtOnce(server.address());
        stalled.join();
      });
      std::cout << absl::StreamFormat(
          "  %.0f MiB/s durable, %d of %d failed; %d of %d watchers lost; dropped: %d of %d that "
          "stall, %d of %d that do not read\n",
          uploads.mib_a_second, uploads.failed, kUploaders, heard.lost.load(), kWatchers,
          loris.Dropped(), loris.size(), kDeaf - OpenCalls(server, kSamplesMethod), kDeaf);
    }
    absl::Status cancelled;
    double seconds = 0;
    Probe("all evaluations are cancelled", bench, [&] {
      const auto start = Clock::now();
      cancelled = CancelAll(server);
      watchers->Await(heard.end);
      seconds = Seconds(start);
    });
    ASSAY_RETURN_IF_ERROR(cancelled);
    ASSAY_RETURN_IF_ERROR(RetryAll(server));
    std::cout << absl::StreamFormat(
        "  %d of %d watchers heard of the end, the last %.2f s after the first of %d calls began\n",
        heard.end.load(), kWatchers, seconds, kEvaluations);
  }
  Probe("idle again", bench, [] { Sleep(5); });
  return MemoryOf(server.pid());
}

absl::Status Run(int argc, char** argv) {
  int rounds = 3;
  if (argc > 2 || (argc == 2 && !absl::SimpleAtoi(argv[1], &rounds))) {
    return absl::InvalidArgumentError("bench_service [ROUNDS]");
  }
  std::string folder = (fs::temp_directory_path() / "assay-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return absl::InternalError("no temporary folder");
  const std::unique_ptr<const std::string, void (*)(const std::string*)> cleaner(
      &folder, [](const std::string* made) { fs::remove_all(*made); });
  EchoProcess echo;
  const ServerProcess server(folder);
  if (!server.serves()) return absl::InternalError("assayd, beside this program, does not start");
  {
    const auto channel = Connect(server.address());
    ASSAY_RETURN_IF_ERROR(Fill(channel));
    const auto stub = v1::EvaluationService::NewStub(channel);
    v1::Evaluation evaluation;
    ASSAY_RETURN_IF_ERROR(
        Call(*stub, &v1::EvaluationService::Stub::GetEvaluation, Named(0), &evaluation));
    std::cout << "an evaluation has " << evaluation.ByteSizeLong() << " bytes\n";
    echo.Start(evaluation);
  }
  Bench bench{server, echo, {}, 0, "", 0};
  CompareCalls(bench);
  for (int turn = 0; turn < 2; ++turn) {
    CompareUploads(bench);
    CompareWatchers(bench);
  }
  std::vector<double> memory;
  for (int round = 0; round < rounds; ++round) {
    ASSAY_ASSIGN_OR_RETURN(const double mib, Round(bench, round));
    memory.push_back(mib);
  }
  std::cout << absl::StreamFormat(
      "GetEvaluation over all of this: p50 %.2f  p99 %.2f  worst %.2f ms; the worst p99 of a phase "
      "%.2f ms (%s), goal %.0f\n",
      bench.all.At(0.5), bench.all.At(0.99), bench.all.At(1), bench.worst_p99, bench.worst_phase,
      kGoalMilliseconds);
  std::cout << "memory of assayd after each round, MiB:";
  for (const double mib : memory) std::cout << absl::StreamFormat(" %.1f", mib);
  std::cout << absl::StreamFormat("; at most %.1f\n", bench.peak_mib);
  return absl::OkStatus();
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  const absl::Status status = assay::bench::Run(argc, argv);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
