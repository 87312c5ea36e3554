// Work on the slots of a batch in parallel. OpenMP, because LibTorch uses it: the two share one team of threads and never
// compete for cores.
#ifndef ASSAY_SERVER_ENGINE_PARALLEL_H_
#define ASSAY_SERVER_ENGINE_PARALLEL_H_

#include <cstddef>
#include <cstdint>

namespace assay::engine {

// Calls body(i) for every i in [0, n), on up to `threads` threads. Bodies must not depend on each other.
template <typename Body>
void ParallelFor(int threads, size_t n, const Body& body) {
  const auto end = static_cast<int64_t>(n);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int64_t i = 0; i < end; ++i) body(static_cast<size_t>(i));
}

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_PARALLEL_H_
