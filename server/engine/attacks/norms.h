// The norms of budgets.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_NORMS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_NORMS_H_

#include <cstddef>
#include <string>

namespace assay::engine {

// kNone: the budget is no ball; the attack measures it by itself.
enum class Norm { kLinf, kL2, kL1, kL0, kNone };

// "linf", "l2", "l1" or "l0", as condition.cc has checked.
Norm NormNamed(const std::string& name);

// ||a - b|| in double precision; kL0: the number of values that differ; kNone: 0.
double Distance(Norm norm, const float* a, const float* b, size_t n);

// ||x|| in double precision, for linf, l2 and l1.
double Length(Norm norm, const float* x, size_t n);

// Of a gradient g, in the norm dual to `norm`: what a small step of that norm can gain along g, for
// each unit of its length. For linf, l2 and l1.
double DualLength(Norm norm, const float* g, size_t n);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_NORMS_H_
