// What gates said of an evaluation, for the gauges.
#ifndef ASSAY_SERVER_MONITORING_JUDGED_GATES_H_
#define ASSAY_SERVER_MONITORING_JUDGED_GATES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace assay::monitoring {

struct JudgedGates {
  struct Gate {
    std::string expression;
    // Whether what is gated may go on.
    bool holds = false;
    bool undecided = false;
  };
  // What it is a version of, and which: a newer one takes its place.
  std::string series;
  int64_t version = 0;
  // Full names.
  std::string evaluation;
  std::string model;
  std::string dataset;
  // When the evaluation ended.
  int64_t end_time_micros = 0;
  std::vector<Gate> gates;
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_JUDGED_GATES_H_
