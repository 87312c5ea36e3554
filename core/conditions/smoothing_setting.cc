#include "core/conditions/smoothing_setting.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"
#include "core/base/rational.h"
#include "core/conditions/condition.h"

namespace assay {
namespace {

// Reads the parameters of one condition; the first problem stays.
class Reader {
 public:
  explicit Reader(const v1::Condition& condition) : condition_(condition) {}

  // A number of at least `minimum`, or above it.
  double Number(const std::string& name, double minimum, bool above) {
    const Rational value = Rational::Parse(Text(name, "")).value_or(Rational(-1, 1));
    const double number = value.ToDouble();
    if (number < minimum || (above && number <= minimum)) Bad(name);
    return number;
  }

  int64_t Integer(const std::string& name, int64_t minimum) {
    const Rational value = Rational::Parse(Text(name, "")).value_or(Rational(-1, 1));
    if (value.denominator() != 1 || value.numerator() < minimum) Bad(name);
    return value.numerator();
  }

  std::string Text(const std::string& name, const std::string& fallback) const {
    const auto found = condition_.parameters().find(name);
    return found == condition_.parameters().end() ? fallback : found->second;
  }

  // One of `names`; the first where there is none.
  template <typename T>
  T Choice(const std::string& name, const std::vector<std::pair<std::string, T>>& choices) {
    const std::string text = Text(name, choices.front().first);
    for (const auto& [known, value] : choices) {
      if (text == known) return value;
    }
    Bad(name);
    return choices.front().second;
  }

  void Bad(const std::string& name) {
    if (!status_.ok()) return;
    status_ = Error(Reason::kInternal, absl::StrCat("condition '", condition_.id(),
                                                    "' has no usable parameter '", name, "'"));
  }

  const absl::Status& status() const { return status_; }

 private:
  const v1::Condition& condition_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<SmoothingSetting> ParseSmoothingSetting(const v1::Condition& condition) {
  SmoothingSetting setting;
  Reader reader(condition);
  std::optional<SmoothingNoise> noise;
  for (const SmoothingNoise known :
       {SmoothingNoise::kGaussian, SmoothingNoise::kUniform, SmoothingNoise::kLaplace}) {
    if (condition.method() == Name(known)) noise = known;
  }
  if (!noise.has_value()) {
    return Error(Reason::kInternal, absl::StrCat("unknown noise '", condition.method(), "'"));
  }
  setting.noise = *noise;
  const bool gaussian = setting.noise == SmoothingNoise::kGaussian;
  setting.scale = reader.Number(gaussian ? "sigma" : "lambda", 0, true);
  setting.alpha = reader.Number("alpha", 0, true);
  if (setting.alpha >= 1) reader.Bad("alpha");
  setting.mode = reader.Choice<SmoothingMode>("mode", {{"fixed", SmoothingMode::kFixed},
                                                       {"anytime", SmoothingMode::kAnytime},
                                                       {"predict", SmoothingMode::kPredict}});
  setting.n0 = reader.Integer("n0", setting.mode == SmoothingMode::kPredict ? 0 : 1);
  setting.n = reader.Integer("n", 1);
  setting.norm = reader.Choice<RadiusNorm>(
      "norm", {{gaussian ? "l2" : "l1", gaussian ? RadiusNorm::kL2 : RadiusNorm::kL1},
               {"linf", RadiusNorm::kLinf}});
  setting.sound = reader.Choice<bool>("sound", {{"no", false}, {"yes", true}});
  setting.per_dataset = reader.Choice<bool>("scope", {{"sample", false}, {"dataset", true}});
  for (absl::string_view text : absl::StrSplit(reader.Text("radii", ""), '+', absl::SkipEmpty())) {
    const auto radius = Rational::Parse(text);
    if (!radius.ok() || radius->numerator() < 0) reader.Bad("radii");
    setting.radii.push_back(radius.value_or(Rational()).ToDouble());
  }
  std::sort(setting.radii.begin(), setting.radii.end());
  ASSAY_RETURN_IF_ERROR(reader.status());
  return setting;
}

absl::Status CheckEnoughDraws(const v1::Condition& condition, int64_t samples) {
  if (condition.family() != kFamilySmoothing) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(SmoothingSetting setting, ParseSmoothingSetting(condition));
  if (!setting.per_dataset) return absl::OkStatus();
  setting.samples = std::max<int64_t>(1, samples);
  const int64_t smallest = SmallestUsefulN(setting);
  if (setting.n >= smallest) return absl::OkStatus();
  return Error(Reason::kInvalidCondition,
               absl::StrCat("n=", setting.n, " can only abstain where ", samples,
                            " samples share alpha=", setting.alpha,
                            "; the smallest n that can certify is ", smallest));
}

}  // namespace assay
