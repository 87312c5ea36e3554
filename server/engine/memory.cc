#include "server/engine/memory.h"

#include <mimalloc.h>

namespace assay::engine {

void KeepFreedMemory() {
#if MI_MALLOC_VERSION >= 210
  mi_option_set(mi_option_purge_delay, -1);
#else
  mi_option_disable(mi_option_allow_decommit);
#endif
}

}  // namespace assay::engine
