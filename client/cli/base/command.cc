#include "client/cli/base/command.h"

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace assay::cli {

Option& Option::Required() {
  option_->required();
  return *this;
}

Option& Option::TypeName(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::OneOf(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

Option& Option::OneAtATime() {
  option_->allow_extra_args(false);
  return *this;
}

Option& Option::Positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Option& Option::From(int first, int last) {
  option_->check(CLI::Range(first, last));
  return *this;
}

Option& Option::Share(const std::string& example) {
  option_->check([example](const std::string& text) -> std::string {
    double share = 0;
    if (absl::SimpleAtod(text, &share) && share > 0 && share < 1) return "";
    return absl::StrCat("must be between 0 and 1, for example ", example);
  });
  return *this;
}

Option& Option::Needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}

Option& Option::Excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option Leaf::Add(const std::string& names, std::string* value, const std::string& text) {
  return Option(app_.add_option(names, *value, text));
}

Option Leaf::Add(const std::string& names, std::vector<std::string>* value,
                 const std::string& text) {
  return Option(app_.add_option(names, *value, text));
}

Option Leaf::Add(const std::string& names, int32_t* value, const std::string& text) {
  return Option(app_.add_option(names, *value, text));
}

Option Leaf::Add(const std::string& names, int64_t* value, const std::string& text) {
  return Option(app_.add_option(names, *value, text));
}

Option Leaf::Add(const std::string& names, double* value, const std::string& text) {
  return Option(app_.add_option(names, *value, text));
}

Option Leaf::Add(const std::string& names, bool* value, const std::string& text) {
  return Option(app_.add_flag(names, *value, text));
}

Option Leaf::Common(const std::string& name) const { return Option(root().get_option(name)); }

void Leaf::Footer(const std::string& text) { app_.footer(text); }

CLI::App& Leaf::root() const {
  CLI::App* app = &app_;
  while (app->get_parent() != nullptr) app = app->get_parent();
  return *app;
}

}  // namespace assay::cli
