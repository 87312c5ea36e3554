// assay-engine: the only process that runs models. Started by assayd with one end of a socketpair,
// over which it serves proto/assay/engine/v1; ends when its standard input does, that is, with
// assayd.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "server/engine/engine_service.h"
#include "server/engine/memory.h"

namespace {

constexpr char kHelp[] =
    "assay-engine: runs models for assayd, which starts it. Not meant to be started by "
    "hand.\n"
    "  --fd N           serve proto/assay/engine/v1 on this inherited, non-blocking socket\n"
    "  --list-devices   print the devices of this machine, one a line: name, kind, LibTorch\n";

int Serve(int fd) {
  assay::engine::EngineService service;
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  grpc::AddInsecureChannelFromFd(server.get(), fd);
  // Standard input is a pipe that assayd holds open: its end means that assayd is gone, however it
  // went.
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  // Nothing here is worth an orderly end, and a model may be looping for ever.
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list-devices") == 0) {
    for (const std::string& device : assay::engine::AvailableDevices()) {
      const assay::engine::NumericsOrigin origin = assay::engine::OriginOf(device);
      std::printf("%s\t%s\t%s\n", device.c_str(), origin.device_kind.c_str(),
                  origin.libtorch_version.c_str());
    }
    return 0;
  }
  if (argc == 3 && std::strcmp(argv[1], "--fd") == 0) {
    // What a model prints goes into the log line by line, so that a crash loses nothing of it.
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    // A model may write into a file of limited size; that must fail quietly.
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    assay::engine::KeepFreedMemory();
    return Serve(std::atoi(argv[2]));
  }
  std::fputs(kHelp, stderr);
  return argc == 2 && std::strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
