// Outcomes by what they are outcomes of: a key stands for all that they depend on.
#ifndef ASSAY_SERVER_STORE_CONTENT_H_
#define ASSAY_SERVER_STORE_CONTENT_H_

#include <cstdint>
#include <string>

namespace assay::store {

// Samples whose outcomes can be found by what they are outcomes of.
struct ContentRange {
  std::string key;
  int64_t first_sample = 0;
  int64_t samples = 0;
};

// Where some are.
struct ContentPlace {
  ContentRange range;
  int64_t task = 0;
  // Equal numbers are equal numerics.
  int64_t fingerprint = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_CONTENT_H_
