#include "tests/client/render/made_up_examples.h"

#include <algorithm>
#include <random>

#include "core/conditions/families.h"

namespace assay::render {

Examples MadeUpExamples(const v1::Report& report, int each, int channels, int side) {
  std::mt19937_64 random(5);
  const auto uniform = [&] { return static_cast<float>(random() >> 40) * 0x1p-24F; };
  const auto rounded = [](float value) {
    return static_cast<float>(static_cast<int>(std::clamp(value, 0.0F, 1.0F) * 255 + 0.5F)) / 255;
  };
  Examples examples;
  examples.shape.set_channels(channels);
  examples.shape.set_height(side);
  examples.shape.set_width(side);
  const auto elements = static_cast<size_t>(channels * side * side);
  const int classes = report.class_names_size();
  for (const auto& condition : report.conditions()) {
    if (!HasExamples(condition)) continue;
    ConditionExamples& own = examples.conditions[condition.id()];
    for (int i = 0; i < each; ++i) {
      Example& example = own.examples.emplace_back();
      example.outcome.set_sample(1000 + 7 * i);
      example.outcome.set_label(i % classes);
      example.outcome.set_prediction((i + 1) % classes);
      example.outcome.set_confidence(0.875F);
      const bool attack = condition.family() == kFamilyAttack;
      for (size_t k = 0; k < elements; ++k) {
        const float shade = 0.2F + 0.5F * static_cast<float>(k) / static_cast<float>(elements);
        example.clean.push_back(rounded(shade + 0.3F * (uniform() - 0.5F)));
        if (condition.family() == kFamilyClean) continue;
        const float step = attack ? (uniform() < 0.5F ? -8 : 8) / 255.0F : uniform() - 0.5F;
        example.changed.push_back(std::clamp(example.clean.back() + step, 0.0F, 1.0F));
      }
      if (condition.family() != kFamilyClean) example.before = {i % classes, 0.99};
      if (!attack) continue;
      example.outcome.mutable_attack()->set_success(true);
      example.outcome.mutable_attack()->set_distance(8.0 / 255);
      example.outcome.mutable_attack()->set_survives_rounding(i != 1);
    }
  }
  return examples;
}

}  // namespace assay::render
