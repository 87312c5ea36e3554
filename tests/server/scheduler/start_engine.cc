// start_engine ENGINE FD plain|closed: starts an engine, writes its process id to a descriptor and
// waits to be killed, as the parent whose death an engine must notice. "closed": without standard
// input, output and error.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "server/scheduler/engine_process.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  if (std::strcmp(argv[3], "closed") == 0) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(fd);
  }
  const auto engine = assay::scheduler::EngineProcess::Start({argv[1], "", 1, {}});
  if (!engine.ok()) return 1;
  // An answer shows that the engine is up and not about to notice a parent that died earlier.
  assay::engine_rpc::v1::LoadRequest request;
  request.set_model_path("/dev/null");
  assay::engine_rpc::v1::LoadResponse response;
  if (!(*engine)
           ->Load(
               request, 60, [] { return false; }, &response)
           .ok())
    return 1;
  const int pid = (*engine)->pid();
  if (write(std::atoi(argv[2]), &pid, sizeof(pid)) != sizeof(pid)) return 1;
  while (true) pause();
}
