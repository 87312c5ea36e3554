#include "server/engine/attacks/norms.h"

#include <cmath>

#include "server/engine/attacks/array_kernels.h"

namespace assay::engine {

Norm NormNamed(const std::string& name) {
  if (name == "l2") return Norm::kL2;
  if (name == "l1") return Norm::kL1;
  return name == "l0" ? Norm::kL0 : Norm::kLinf;
}

double Distance(Norm norm, const float* a, const float* b, size_t n) {
  switch (norm) {
    case Norm::kLinf:
      return Largest(a, b, n);
    case Norm::kL2:
      return std::sqrt(SquaredSum(a, b, n));
    case Norm::kL1:
      return AbsoluteSum(a, b, n);
    case Norm::kL0: {
      size_t count = 0;
      for (size_t i = 0; i < n; ++i) count += a[i] != b[i] ? 1 : 0;
      return static_cast<double>(count);
    }
    case Norm::kNone:
      break;
  }
  return 0;
}

double Length(Norm norm, const float* x, size_t n) {
  if (norm == Norm::kLinf) return Largest(x, n);
  return norm == Norm::kL1 ? AbsoluteSum(x, n) : std::sqrt(SquaredSum(x, n));
}

double DualLength(Norm norm, const float* g, size_t n) {
  if (norm == Norm::kLinf) return Length(Norm::kL1, g, n);
  return Length(norm == Norm::kL1 ? Norm::kLinf : norm, g, n);
}

}  // namespace assay::engine
