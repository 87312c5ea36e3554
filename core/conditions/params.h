// Typed access to the canonical parameters of a resolved condition.
#ifndef ASSAY_CORE_CONDITIONS_PARAMS_H_
#define ASSAY_CORE_CONDITIONS_PARAMS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "assay/v1/types.pb.h"

namespace assay {

// Reads parameters by name. One that the condition lacks, as it was stored before there was the
// parameter, has the value that was implied then. Any other missing or malformed one leaves an
// error in status() and gives zero, so that a caller reads everything first and checks once.
class Params {
 public:
  explicit Params(const v1::Condition& condition) : condition_(condition) {}

  double Number(const std::string& name);
  int64_t Integer(const std::string& name);
  std::string Text(const std::string& name);
  // Whether there is such a parameter, by itself or implied: for code that serves several methods.
  bool Has(const std::string& name) const { return Find(name).has_value(); }
  const absl::Status& status() const { return status_; }
  const v1::Condition& condition() const { return condition_; }

 private:
  std::optional<std::string> Find(const std::string& name) const;

  const v1::Condition& condition_;
  absl::Status status_;
};

}  // namespace assay

#endif  // ASSAY_CORE_CONDITIONS_PARAMS_H_
