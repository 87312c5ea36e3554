// What the process does with memory that has been freed.
#ifndef ASSAY_SERVER_ENGINE_MEMORY_H_
#define ASSAY_SERVER_ENGINE_MEMORY_H_

namespace assay::engine {

// Makes the allocator keep it. A pass of a model allocates megabytes for every layer and frees
// them; by default they go back to the system each time, and the next pass waits for the kernel to
// hand the same pages out again, zeroed. Call it before other threads start.
void KeepFreedMemory();

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_MEMORY_H_
