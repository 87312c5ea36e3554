// What an evaluation is cut into: one condition x one contiguous range of samples, of the dataset
// or of the random order (core/base/sample_order.h) where it is to stop when its gates are decided.
#ifndef ASSAY_SERVER_STORE_TASK_H_
#define ASSAY_SERVER_STORE_TASK_H_

#include <cstdint>
#include <string>

namespace assay::store {

struct Task {
  int64_t id = 0;
  std::string evaluation;  // full name
  int condition = 0;       // index into the evaluation's conditions
  int64_t first_sample = 0;
  int32_t samples = 0;
  double work = 0;  // expected model passes
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_TASK_H_
