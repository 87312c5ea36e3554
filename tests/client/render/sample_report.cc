#include "tests/client/render/sample_report.h"

#include <initializer_list>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace assay::render {
namespace {

constexpr char kHead[] = R"pb(
  evaluation: "evaluations/demo"
  model: "models/m"
  dataset: "datasets/d"
  seed: 7
  confidence_level: 0.95
  complete: true
  class_names: [ "cat", "dog", "frog" ]
  numerics {
    device: "cpu"
    batch_size: 64
    threads: 2
    libtorch_version: "1.13.1"
    capability: "AVX2"
    memory_format: "nchw"
    frozen: true
    digest: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
)pb";

constexpr char kClean[] = R"pb(
  id: "clean"
  family: "clean"
  samples: 9007199254740993
  correct: 1200
  undecided: 1
  accuracy { value: 0.8 lower: 0.779 upper: 0.8205 numerator: 1200 denominator: 1500 }
  classes {
    index: 0
    name: "cat"
    samples: 1000
    correct: 750
    accuracy { value: 0.75 lower: 0.722 upper: 0.7766 numerator: 750 denominator: 1000 }
    cfps { value: 0.1 lower: 0.068 upper: 0.14 numerator: 30 denominator: 300 }
    false_positives: 30
    precision { value: 0.9615 lower: 0.94 upper: 0.97 numerator: 750 denominator: 780 }
    strongest_confusion {
      index: 1
      name: "dog"
      count: 200
      share { value: 0.2 }
    }
    roles: "weak"
  }
  classes {
    index: 1
    name: "dog"
    samples: 400
    correct: 380
    undecided: 1
    accuracy { value: 0.95 lower: 0.92 upper: 0.97 numerator: 380 denominator: 400 }
    cfps { value: 0.9 lower: 0.86 upper: 0.93 numerator: 270 denominator: 300 }
    false_positives: 270
    precision { value: 0.5846 lower: 0.54 upper: 0.62 numerator: 380 denominator: 650 }
    strongest_confusion {
      index: 0
      name: "cat"
      count: 20
      share { value: 0.05 }
    }
    roles: [ "strong", "sink" ]
  }
  classes {
    index: 2
    name: "frog"
    accuracy { undefined_reason: "no samples" }
    cfps { value: 0 lower: 0 upper: 0.0122 denominator: 300 }
    precision { undefined_reason: "never predicted" }
  }
  confusion_matrix { counts: [ 750, 200, 0 ] }
  confusion_matrix { counts: [ 20, 380, 0 ] }
  confusion_matrix { counts: [ 0, 0, 0 ] }
  disparity { max_minus_min: 0.2 standard_deviation: 0.1 best_class: 1 worst_class: 0 }
  significant_differences { first: 0 second: 1 accuracy_difference: -0.2 adjusted_p_value: 1e-9 }
)pb";

constexpr char kAttack[] = R"pb(
  id: "attack/pgd/linf/8-255"
  family: "attack"
  method: "pgd"
  samples: 10
  correct: 4
  accuracy { value: 0.4 lower: 0.122 upper: 0.738 numerator: 4 denominator: 10 }
  classes {
    index: 0
    name: "cat"
    samples: 10
    correct: 4
    accuracy { value: 0.4 lower: 0.122 upper: 0.738 numerator: 4 denominator: 10 }
    cfps { undefined_reason: "no errors" }
    precision { value: 1 lower: 0.4 upper: 1 numerator: 4 denominator: 4 }
    attack {
      attacked: 8
      successes: 4
      success_rate { value: 0.5 lower: 0.157 upper: 0.843 numerator: 4 denominator: 8 }
      adversarial_false_positives: 3
    }
  }
  attack {
    clean_accuracy { value: 0.8 lower: 0.444 upper: 0.975 numerator: 8 denominator: 10 }
    success_rate { value: 0.5 lower: 0.157 upper: 0.843 numerator: 4 denominator: 8 }
    attacked: 8
    successes: 4
    survives_rounding { value: 0.75 lower: 0.194 upper: 0.994 numerator: 3 denominator: 4 }
    max_distance: 0.031372549
    mean_distance: 0.03
    median_distance: 0.031
    forwards: 1234567
    backwards: 800
    forwards_per_survivor: 102
    backwards_per_survivor: 100
    zero_gradients: 5
  }
)pb";

constexpr char kSmoothing[] = R"pb(
  id: "smoothing/gaussian/0.25"
  family: "smoothing"
  method: "gaussian"
  samples: 20
  missing: 5
  correct: 10
  accuracy { value: 0.5 lower: 0.272 upper: 0.728 numerator: 10 denominator: 20 }
  classes {
    index: 0
    name: "cat"
    samples: 20
    correct: 10
    accuracy { value: 0.5 lower: 0.272 upper: 0.728 numerator: 10 denominator: 20 }
    cfps { undefined_reason: "no errors" }
    precision { undefined_reason: "none" }
    certification {
      average_certified_radius: 0.3
      median_radius: 0.25
      abstentions: 2
      abstention_rate { value: 0.1 lower: 0.012 upper: 0.317 numerator: 2 denominator: 20 }
      pa_true_class {
        points { pa: 0.5 cumulative: 0.5 }
        points { pa: 0.9 cumulative: 1 }
        mean: 0.7
        median: 0.5
      }
    }
  }
  certification {
    sigma: 0.25
    n0: 100
    n: 10000
    alpha: 0.001
    curve {
      radius: 0
      accuracy { value: 0.5 lower: 0.272 upper: 0.728 numerator: 10 denominator: 20 }
      simultaneous_lower: 0.2
    }
    curve {
      radius: 0.25
      accuracy { value: 0.25 lower: 0.087 upper: 0.491 }
      simultaneous_lower: 0
    }
    abstentions: 2
    abstention_rate { value: 0.1 lower: 0.012 upper: 0.317 numerator: 2 denominator: 20 }
    average_certified_radius: 0.3
    radius_cap: 0.79964
    share_at_cap { value: 0.05 lower: 0.001 upper: 0.249 numerator: 1 denominator: 20 }
    acr_bands { lower: 0 upper: 0.5 samples: 8 acr_contribution: 0 }
    acr_bands { lower: 0.5 upper: 0.9 samples: 12 acr_contribution: 1 }
    acr_notice: "ACR alone misleads"
    median_radius: 0.25
    pa_true_class {
      points { pa: 0.5 cumulative: 0.5 }
      points { pa: 0.9 cumulative: 1 }
      mean: 0.7
      median: 0.5
    }
    pa_top_class {
      points { pa: 0.8 cumulative: 1 }
      mean: 0.8
      median: 0.8
    }
    draws: 202000
    tied_draws: 3
  }
)pb";

}  // namespace

v1::Report SampleReport() {
  v1::Report report;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kHead, &report));
  for (const char* text : {kClean, kAttack, kSmoothing}) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, report.add_conditions()));
  }
  return report;
}

}  // namespace assay::render
