// The number of threads that libraries use. OpenMP keeps it for each thread apart, so each thread
// that computes sets its own.
#ifndef ASSAY_SERVER_ENGINE_BASE_THREADS_H_
#define ASSAY_SERVER_ENGINE_BASE_THREADS_H_

namespace assay::engine {

// Sets it for the calling thread.
void UseThreads(int threads);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_THREADS_H_
