#include "server/engine/memory.h"

#include <malloc.h>

#include <limits>

namespace assay::engine {

void KeepFreedMemory() {
  // The largest that glibc accepts: blocks up to 32 MiB come from the heap.
  constexpr int kHeapBlock = 32 << 20;
  mallopt(M_MMAP_THRESHOLD, kHeapBlock);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  // The heaps of further threads are small and returned whole; one heap serves the few that
  // compute.
  mallopt(M_ARENA_MAX, 1);
}

}  // namespace assay::engine
