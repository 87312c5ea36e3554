#include "server/engine/base/threads.h"

#include <omp.h>

namespace assay::engine {

void UseThreads(int threads) { omp_set_num_threads(threads); }

}  // namespace assay::engine
