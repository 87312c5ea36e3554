// Single samples that the page of a report shows: which ones, and what is known of each.
#ifndef ASSAY_CLIENT_RENDER_EXAMPLES_H_
#define ASSAY_CLIENT_RENDER_EXAMPLES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "assay/v1/outcomes.pb.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"

namespace assay::render {

// What a model says of an image; the confidence is the softmax of the prediction.
struct Judgement {
  int32_t prediction = 0;
  double confidence = 0;
};

// A sample that the model gets wrong under a condition. Images are channels x height x width in
// [0, 1].
struct Example {
  v1::Outcome outcome;
  std::vector<float> clean;
  // As the condition made it; empty where that is the image as it is.
  std::vector<float> changed;
  // Of the clean image, where it was evaluated.
  std::optional<Judgement> before;
};

struct ConditionExamples {
  std::vector<Example> examples;
  // Why there are none, in a sentence; empty where there are some.
  std::string none;
};

struct Examples {
  v1::ImageShape shape;
  // By the id of the condition in the report.
  std::map<std::string, ConditionExamples> conditions;
  // Why there are none at all, in a sentence.
  std::string none;
};

// Whether examples of this condition can be shown: of clean images, attacks and corruptions.
bool HasExamples(const v1::ConditionReport& condition);

// Which samples are shown of a condition: mistakes (of attacks: successes), the first of each class
// in the order of the dataset, classes with the lowest accuracy first; when every class with
// mistakes has one and there is room, their second ones, and so on.
class ExampleChoice {
 public:
  // At most `most`. `budget`: examples that are farther away do not count.
  ExampleChoice(const v1::ConditionReport& condition, int most,
                std::optional<double> budget = std::nullopt);

  // Outcomes are offered in the order of the dataset, until it is complete.
  void Offer(const v1::Outcome& outcome);
  bool complete() const { return missing_ == 0; }
  // In the order in which they are shown.
  std::vector<v1::Outcome> Chosen() const;

 private:
  // Of one class: its place among the shown, and how many of it are wanted still.
  struct Slot {
    size_t rank = 0;
    int wanted = 0;
    std::vector<v1::Outcome> chosen = {};
  };
  bool IsMistake(const v1::Outcome& outcome) const;

  const bool is_attack_;
  const std::optional<double> budget_;
  std::map<int32_t, Slot> slots_;
  int missing_ = 0;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_EXAMPLES_H_
