// What the process does with memory: mimalloc is its allocator, for which linking this is enough.
//
// A pass of a model allocates megabytes for every layer and frees them. The C library gives each
// thread but the first small heaps that are returned to the system whole, so that the next pass
// waits for the kernel to hand the same pages out again, zeroed; with one heap for all, lanes wait
// for each other. mimalloc has heaps for each thread, without locks.
#ifndef ASSAY_SERVER_ENGINE_MEMORY_H_
#define ASSAY_SERVER_ENGINE_MEMORY_H_

namespace assay::engine {

// Makes the allocator keep what is freed.
void KeepFreedMemory();

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_MEMORY_H_
