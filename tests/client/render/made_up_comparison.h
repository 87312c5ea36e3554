// Comparisons as servers give them, of outcomes and vectors that are made up: core/report computes
// all of it.
#ifndef ASSAY_TESTS_CLIENT_RENDER_MADE_UP_COMPARISON_H_
#define ASSAY_TESTS_CLIENT_RENDER_MADE_UP_COMPARISON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "assay/v1/comparison.pb.h"

namespace assay::render {

struct MadeUpModels {
  // Ids of models, and of their evaluations.
  std::vector<std::string> models;
  int64_t samples = 600;
  std::vector<std::string> class_names;
  std::vector<std::string> conditions;
  bool vectors = true;
  // The last model is the oracle.
  bool oracle = true;
};

// Two models of CIFAR-10's classes.
MadeUpModels TwoModels();
// Four, with attacks on each other.
MadeUpModels FourModels();
// Two of a thousand classes.
MadeUpModels TwoOfManyClasses();
// Names that are long, without a space, and markup.
MadeUpModels HostileModels();

// Later models are a little better, each under other conditions. The same every time.
v1::Comparison MadeUpComparison(const MadeUpModels& what);

}  // namespace assay::render

#endif  // ASSAY_TESTS_CLIENT_RENDER_MADE_UP_COMPARISON_H_
