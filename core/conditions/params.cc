#include "core/conditions/params.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/rational.h"
#include "core/conditions/table.h"

namespace assay {

std::optional<std::string> Params::Find(const std::string& name) const {
  const auto it = condition_.parameters().find(name);
  if (it != condition_.parameters().end()) return it->second;
  if (const conditions::Method* method = conditions::MethodOf(condition_)) {
    for (const conditions::Parameter& p : method->parameters) {
      if (p.name == name) return p.implied;
    }
  }
  return std::nullopt;
}

std::string Params::Text(const std::string& name) {
  if (auto text = Find(name)) return *std::move(text);
  status_ = Error(Reason::kInvalidCondition,
                  absl::StrCat(condition_.id(), " lacks the parameter '", name, "'"));
  return "";
}

double Params::Number(const std::string& name) {
  const auto number = Rational::Parse(Text(name));
  if (!number.ok()) {
    if (status_.ok()) status_ = number.status();
    return 0;
  }
  return number->ToDouble();
}

int64_t Params::Integer(const std::string& name) {
  const auto number = Rational::Parse(Text(name));
  if (!number.ok() || number->denominator() != 1) {
    if (status_.ok()) {
      status_ = Error(Reason::kInvalidCondition,
                      absl::StrCat("'", name, "' of ", condition_.id(), " is not an integer"));
    }
    return 0;
  }
  return number->numerator();
}

}  // namespace assay
