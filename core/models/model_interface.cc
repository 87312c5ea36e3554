#include "core/models/model_interface.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace assay {
namespace {

using v1::ModelInterface;

constexpr int kLargestSide = 4096;
constexpr int kMostChannels = 64;
// Of PyTorch's and torchvision's models of ImageNet.
constexpr char kImageNet[] = "mean=0.485,0.456,0.406,std=0.229,0.224,0.225";

class Parser {
 public:
  explicit Parser(const ModelInterfaceOptions& options) : options_(options) {}

  absl::StatusOr<ModelInterface> Parse() {
    Range();
    Normalize();
    if (options_.channels == "bgr") {
      interface_.set_channels(ModelInterface::BGR);
    } else if (!options_.channels.empty() && options_.channels != "rgb") {
      Wrong("--channels", "rgb or bgr", options_.channels);
    }
    if (options_.layout == "nhwc") {
      interface_.set_layout(ModelInterface::NHWC);
    } else if (!options_.layout.empty() && options_.layout != "nchw") {
      Wrong("--layout", "nchw or nhwc", options_.layout);
    }
    Resize();
    Output();
    if (options_.precision == "tf32") {
      interface_.set_precision(ModelInterface::TF32);
    } else if (options_.precision == "bf16") {
      interface_.set_precision(ModelInterface::BF16);
    } else if (!options_.precision.empty() && options_.precision != "fp32") {
      Wrong("--precision", "fp32, tf32 or bf16", options_.precision);
    }
    if (violations_.empty()) {
      for (FieldViolation& violation : CheckModelInterface(interface_, "")) {
        violations_.push_back(std::move(violation));
      }
    }
    if (!violations_.empty()) return InvalidFields(std::move(violations_));
    return interface_;
  }

 private:
  void Wrong(const char* option, const std::string& right, const std::string& got) {
    violations_.push_back({option, absl::StrCat("must be ", right, "; got '", got, "'")});
  }

  void Range() {
    if (options_.input_range.empty()) return;
    const std::vector<std::string> ends = absl::StrSplit(options_.input_range, "..");
    float low = 0;
    float high = 0;
    if (ends.size() != 2 || !absl::SimpleAtof(ends[0], &low) || !absl::SimpleAtof(ends[1], &high)) {
      return Wrong("--input-range", "LOW..HIGH, such as 0..255 or -1..1", options_.input_range);
    }
    interface_.set_range_low(low);
    interface_.set_range_high(high);
  }

  void Normalize() {
    if (options_.normalize.empty()) return;
    const std::string text = options_.normalize == "imagenet" ? kImageNet : options_.normalize;
    google::protobuf::RepeatedField<float>* list = nullptr;
    for (absl::string_view part : absl::StrSplit(text, ',')) {
      if (absl::ConsumePrefix(&part, "mean=")) {
        list = interface_.mutable_mean();
      } else if (absl::ConsumePrefix(&part, "std=")) {
        list = interface_.mutable_std();
      }
      float value = 0;
      if (list == nullptr || !absl::SimpleAtof(part, &value)) {
        list = nullptr;
        break;
      }
      list->Add(value);
    }
    if (list == nullptr || interface_.mean().empty() || interface_.std().empty()) {
      Wrong("--normalize",
            absl::StrCat("imagenet, or means and standard deviations of the channels, such as ",
                         kImageNet),
            options_.normalize);
    }
  }

  void Resize() {
    if (options_.resize.empty()) return;
    const std::vector<std::string> sides = absl::StrSplit(options_.resize, 'x');
    int height = 0;
    int width = 0;
    // 0 would mean that nothing is resized.
    if (sides.size() > 2 || !absl::SimpleAtoi(sides.front(), &height) ||
        !absl::SimpleAtoi(sides.back(), &width) || height < 1 || width < 1) {
      return Wrong("--resize", "SIDE or HEIGHTxWIDTH, such as 224 or 224x192", options_.resize);
    }
    interface_.set_resize_height(height);
    interface_.set_resize_width(width);
  }

  void Output() {
    if (options_.output.empty()) return;
    for (absl::string_view part : absl::StrSplit(options_.output, ',')) {
      int index = 0;
      if (absl::ConsumePrefix(&part, "key=")) {
        interface_.set_output_key(std::string(part));
      } else if (absl::ConsumePrefix(&part, "index=") && absl::SimpleAtoi(part, &index)) {
        interface_.set_output_index(index);
      } else if (part == "logits") {
        interface_.set_output(ModelInterface::LOGITS);
      } else if (part == "probabilities") {
        interface_.set_output(ModelInterface::PROBABILITIES);
      } else if (part == "log-probabilities") {
        interface_.set_output(ModelInterface::LOG_PROBABILITIES);
      } else if (part == "binary-logit") {
        interface_.set_output(ModelInterface::BINARY_LOGIT);
      } else {
        return Wrong("--model-output",
                     "logits, probabilities, log-probabilities or binary-logit, and key=NAME or "
                     "index=I where there are several outputs",
                     options_.output);
      }
    }
  }

  const ModelInterfaceOptions& options_;
  ModelInterface interface_;
  std::vector<FieldViolation> violations_;
};

bool AllFinite(const google::protobuf::RepeatedField<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<ModelInterface> ParseModelInterface(const ModelInterfaceOptions& options) {
  return Parser(options).Parse();
}

std::vector<FieldViolation> CheckModelInterface(const ModelInterface& interface,
                                                const std::string& prefix) {
  std::vector<FieldViolation> violations;
  const auto need = [&](bool right, const char* field, const char* text) {
    if (!right) violations.push_back({absl::StrCat(prefix, field), text});
  };
  const auto side = [](int value) { return value >= 1 && value <= kLargestSide; };
  need((interface.resize_height() == 0 && interface.resize_width() == 0) ||
           (side(interface.resize_height()) && side(interface.resize_width())),
       "resize", "height and width must be from 1 to 4096, both or neither");
  need(interface.has_range_low() == interface.has_range_high() &&
           std::isfinite(interface.range_low()) && std::isfinite(interface.range_high()) &&
           (!interface.has_range_low() || interface.range_low() < interface.range_high()),
       "range", "must be two finite numbers, the smaller first, both or neither");
  need(interface.mean_size() == interface.std_size() && interface.mean_size() <= kMostChannels,
       "mean", "there must be as many means as standard deviations, one a channel or one for all");
  need(AllFinite(interface.mean()), "mean", "must be finite");
  bool positive = AllFinite(interface.std());
  for (const float value : interface.std()) positive = positive && value > 0;
  need(positive, "std", "standard deviations must be above 0 and finite");
  need(ModelInterface::Channels_IsValid(interface.channels()), "channels",
       "is not known to this version");
  need(ModelInterface::Layout_IsValid(interface.layout()), "layout",
       "is not known to this version");
  need(ModelInterface::Output_IsValid(interface.output()), "output",
       "is not known to this version");
  need(ModelInterface::Precision_IsValid(interface.precision()), "precision",
       "is not known to this version");
  need(!interface.has_output_key() || !interface.has_output_index(), "output_key",
       "a key or an index chooses the output, not both");
  need(!interface.has_output_key() || !interface.output_key().empty(), "output_key",
       "must not be empty");
  need(interface.output_index() >= 0, "output_index", "must not be negative");
  return violations;
}

std::string ModelInterfaceText(const ModelInterface& interface) {
  std::vector<std::string> parts;
  if (interface.resize_height() > 0) {
    parts.push_back(
        absl::StrCat("resized to ", interface.resize_height(), "x", interface.resize_width()));
  }
  if (interface.has_range_low()) {
    parts.push_back(absl::StrCat("range ", interface.range_low(), "..", interface.range_high()));
  }
  if (!interface.mean().empty()) {
    parts.push_back(absl::StrCat("mean ", absl::StrJoin(interface.mean(), " "), ", std ",
                                 absl::StrJoin(interface.std(), " ")));
  }
  if (interface.channels() == ModelInterface::BGR) parts.push_back("BGR");
  if (interface.layout() == ModelInterface::NHWC) parts.push_back("NHWC");
  if (interface.has_output_key()) {
    parts.push_back(absl::StrCat("output '", interface.output_key(), "'"));
  }
  if (interface.has_output_index()) {
    parts.push_back(absl::StrCat("output ", interface.output_index()));
  }
  if (interface.output() == ModelInterface::PROBABILITIES) parts.push_back("probabilities");
  if (interface.output() == ModelInterface::LOG_PROBABILITIES) {
    parts.push_back("log-probabilities");
  }
  if (interface.output() == ModelInterface::BINARY_LOGIT) parts.push_back("one logit");
  if (interface.precision() == ModelInterface::TF32) parts.push_back("in TF32");
  if (interface.precision() == ModelInterface::BF16) parts.push_back("in bfloat16");
  return absl::StrJoin(parts, ", ");
}

}  // namespace assay
