// Reports as evaluations give them, of outcomes that are made up: core/report computes all of it.
#ifndef ASSAY_TESTS_CLIENT_RENDER_MADE_UP_REPORT_H_
#define ASSAY_TESTS_CLIENT_RENDER_MADE_UP_REPORT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "assay/v1/outcomes.pb.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"
#include "core/report/report_input.h"

namespace assay::render {

struct MadeUp {
  std::string model = "models/resnet-0f3c12";
  int64_t samples = 1000;
  std::vector<std::string> class_names;
  std::vector<std::string> conditions;
  uint64_t seed = 7;
};

// The ten of CIFAR-10, under 20 conditions of every family.
MadeUp Cifar();
// A thousand classes under five conditions.
MadeUp ManyClasses();

// A few classes whose names, like the model's, are long, without a space, and markup.
MadeUp Hostile();

// Some classes are harder than others, and are taken for their neighbours. The same every time.
report::ReportInput MadeUpInput(const MadeUp& what);
v1::Report MadeUpReport(const MadeUp& what);
// The outcomes that it is made of, one condition after the other.
void ForEachCondition(
    const MadeUp& what,
    const std::function<void(const v1::Condition&, std::vector<v1::Outcome>)>& take);

}  // namespace assay::render

#endif  // ASSAY_TESTS_CLIENT_RENDER_MADE_UP_REPORT_H_
