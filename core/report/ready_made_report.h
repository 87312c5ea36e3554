// One report of a ready-made corrupted set (CIFAR-10-C, ImageNet-C), whose blocks were evaluated
// one by one: what the same corruptions give when an evaluation makes them itself.
#ifndef ASSAY_CORE_REPORT_READY_MADE_REPORT_H_
#define ASSAY_CORE_REPORT_READY_MADE_REPORT_H_

#include <string>
#include <vector>

#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"

namespace assay::report {

// The clean images under `clean`, or one block under `clean`; of one model, with one seed and one
// level. Reports of nothing else.
struct ReadyMadePart {
  // Empty, and 0: the clean images.
  std::string corruption;
  int severity = 0;
  v1::Report report;
};

// The id of a block's condition: "SET/fog/3".
std::string ReadyMadeId(const std::string& set, const std::string& corruption, int severity);

// The parts in their order: a condition for each block, "SET/fog/3" of the family corruption, which
// names its evaluation and dataset among its parameters, its classes named as the first part's; and
// the corruption summary (corruption_summary.h has `reference` and `shape`).
v1::Report CombineReadyMade(const std::string& set, const std::vector<ReadyMadePart>& parts,
                            const v1::ReferenceErrors* reference, const v1::ImageShape& shape);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_READY_MADE_REPORT_H_
