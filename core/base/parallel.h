// Work on the slots of a batch in parallel. OpenMP, because LibTorch uses it: the two share one
// team of threads and never compete for cores.
#ifndef ASSAY_CORE_BASE_PARALLEL_H_
#define ASSAY_CORE_BASE_PARALLEL_H_

#include <cstddef>
#include <cstdint>

#ifdef ASSAY_SANITIZE_THREAD
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>
#endif

namespace assay {

// Calls body(i) for every i in [0, n), on up to `threads` threads. Bodies must not depend on each
// other. `item_work`: array elements that one body visits, roughly nanoseconds; what would take
// less time than waking a team (much less than when other processes want the cores too) stays on
// the calling thread.
template <typename Body>
void ParallelFor(int threads, size_t n, size_t item_work, const Body& body) {
  constexpr size_t kWorthATeam = 50'000;
  const auto end = static_cast<int64_t>(n);
  if (threads <= 1 || n * item_work < kWorthATeam) {
    for (size_t i = 0; i < n; ++i) body(i);
    return;
  }
#ifdef ASSAY_SANITIZE_THREAD
  // ThreadSanitizer cannot see the synchronisation of Debian's OpenMP library. These threads it
  // can, and so the bodies' races.
  std::atomic<int64_t> next = 0;
  std::vector<std::thread> team;
  for (int64_t t = 0; t < std::min<int64_t>(std::max(threads, 1), end); ++t) {
    team.emplace_back([&] {
      for (int64_t i = next++; i < end; i = next++) body(static_cast<size_t>(i));
    });
  }
  for (std::thread& thread : team) thread.join();
#else
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int64_t i = 0; i < end; ++i) body(static_cast<size_t>(i));
#endif
}

}  // namespace assay

#endif  // ASSAY_CORE_BASE_PARALLEL_H_
