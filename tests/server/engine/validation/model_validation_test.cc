// The admission checks, on models in closed form: one that behaves, and the ways not to.
#include "server/engine/validation/model_validation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr Shape kShape{1, 2, 3};
constexpr int kClasses = 3;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// logits = W x, with hooks for misbehaviour.
class Model {
 public:
  // Called with the images and logits of a pass.
  std::function<void(const float* images, int rows, float* logits)> change;
  // Likewise with the gradient.
  std::function<void(int rows, float* gradient)> change_gradient;
  // Refuses some numbers of images, first and last.
  std::function<absl::Status(int rows)> refuse = [](int) { return absl::OkStatus(); };
  absl::Status no_gradient;
  // What it returns for so many images.
  std::function<OutputForm(int rows)> form = [](int rows) {
    return OutputForm{{rows, kClasses}, "CPUFloatType"};
  };

  ModelPasses passes() {
    return {[this](const float*, int rows) -> absl::StatusOr<OutputForm> {
              ASSAY_RETURN_IF_ERROR(refuse(rows));
              return form(rows);
            },
            [this](const float* images, int rows, float* logits) {
              return Forward(images, rows, logits);
            },
            [this](const float* images, int rows, const Classifier::LogitGradient& logit_gradient,
                   float* logits, float* gradient) {
              return ForwardBackward(images, rows, logit_gradient, logits, gradient);
            }};
  }

  static float Weight(int k, size_t i) {
    return std::sin(static_cast<float>(k + 3) * (1.5F + static_cast<float>(i)));
  }

 private:
  absl::Status Forward(const float* images, int rows, float* logits) {
    ASSAY_RETURN_IF_ERROR(refuse(rows));
    for (int row = 0; row < rows; ++row) {
      for (int k = 0; k < kClasses; ++k) {
        float& logit = logits[row * kClasses + k];
        logit = 0;
        for (size_t i = 0; i < kShape.size(); ++i) {
          logit += Weight(k, i) * images[static_cast<size_t>(row) * kShape.size() + i];
        }
      }
    }
    if (change) change(images, rows, logits);
    return absl::OkStatus();
  }

  absl::Status ForwardBackward(const float* images, int rows,
                               const Classifier::LogitGradient& logit_gradient, float* logits,
                               float* gradient) {
    ASSAY_RETURN_IF_ERROR(no_gradient);
    ASSAY_RETURN_IF_ERROR(Forward(images, rows, logits));
    std::vector<float> derivative(static_cast<size_t>(rows) * kClasses);
    logit_gradient(logits, derivative.data());
    for (int row = 0; row < rows; ++row) {
      for (size_t i = 0; i < kShape.size(); ++i) {
        float& g = gradient[static_cast<size_t>(row) * kShape.size() + i];
        g = 0;
        for (int k = 0; k < kClasses; ++k) {
          g += derivative[static_cast<size_t>(row * kClasses + k)] * Weight(k, i);
        }
      }
    }
    if (change_gradient) change_gradient(rows, gradient);
    return absl::OkStatus();
  }
};

// All checks in their order. `freeze` changes the model in place, and `thaw` takes it back where
// the check asks for that.
struct Verdict {
  absl::Status status;
  v1::ModelValidation validation;
  int fixed_batch = 0;
  std::string warnings() const { return absl::StrJoin(validation.warnings(), "\n"); }
};

Verdict Validate(
    Model& model, const std::function<absl::Status()>& freeze = [] { return absl::OkStatus(); },
    bool trains = false) {
  Verdict verdict;
  ModelValidator validator(kShape, model.passes(), &verdict.validation);
  verdict.status = [&] {
    ASSAY_RETURN_IF_ERROR(validator.CheckForm());
    verdict.fixed_batch = validator.fixed_batch();
    ASSAY_RETURN_IF_ERROR(validator.CheckLogits());
    const Model original = model;
    ASSAY_RETURN_IF_ERROR(validator.CheckFreezing(freeze));
    if (!verdict.validation.frozen()) model = original;
    ASSAY_RETURN_IF_ERROR(validator.CheckBatchDependence(trains));
    return validator.CheckGradient();
  }();
  return verdict;
}

absl::Status Failed(const std::string& text) { return Error(Reason::kModelFailed, text); }

// Adds `value` to logit 0 of every image for which `which` is true.
std::function<void(const float*, int, float*)> Adding(
    float value, const std::function<bool(const float* image)>& which) {
  return [=](const float* images, int rows, float* logits) {
    for (int row = 0; row < rows; ++row) {
      if (which(&images[static_cast<size_t>(row) * kShape.size()])) {
        logits[row * kClasses] += value;
      }
    }
  };
}
bool IsAny(const float*) { return true; }
// The first probe is uniform.
bool IsUniform(const float* image) {
  return std::all_of(image, image + kShape.size(), [&](float pixel) { return pixel == image[0]; });
}

TEST(ModelValidation, AModelThatBehavesGetsNoWarning) {
  Model model;
  const Verdict verdict = Validate(model);
  ASSERT_TRUE(verdict.status.ok()) << verdict.status;
  const v1::ModelValidation& found = verdict.validation;
  EXPECT_THAT(found.warnings(), IsEmpty());
  EXPECT_EQ(verdict.fixed_batch, 0);
  EXPECT_EQ(found.num_classes(), kClasses);
  EXPECT_EQ(found.input_shape().channels(), 1);
  EXPECT_EQ(found.input_shape().height(), 2);
  EXPECT_EQ(found.input_shape().width(), 3);
  EXPECT_TRUE(found.deterministic());
  EXPECT_FALSE(found.softmax_output());
  EXPECT_TRUE(found.frozen());
  EXPECT_EQ(found.frozen_max_difference(), 0);
  EXPECT_GE(found.frozen_tolerance(), 1e-4);
  EXPECT_TRUE(found.numerics().has_batch_difference());
  EXPECT_EQ(found.numerics().batch_difference(), 0);
  EXPECT_TRUE(found.differentiable());
  EXPECT_LT(found.gradient_relative_error(), 1e-3);
}

// --- the form of the output

TEST(ModelValidation, LogitsAreAMatrixOfFloatingPointNumbersWithARowForEachImage) {
  struct Row {
    std::function<OutputForm(int rows)> form;
    const char* text;
  };
  for (const Row& row : {
           Row{[](int rows) {
                 return OutputForm{{rows, 2, 2}, "CPUFloatType"};
               },
               "for 4 images the model returns a tensor of 4 x 2 x 2; it must return logits of 4 x "
               "K with K >= 2 classes"},
           Row{[](int rows) {
                 return OutputForm{{rows - 1, 4}, "CPUFloatType"};
               },
               "a tensor of 3 x 4;"},
           Row{[](int rows) {
                 return OutputForm{{rows, 1}, "CPUFloatType"};
               },
               "of 4 x 1;"},
           Row{[](int) {
                 return OutputForm{{}, "CPUFloatType"};
               },
               "a tensor of ;"},
           Row{[](int rows) {
                 return OutputForm{{rows, 3}, "CPULongType", false, false};
               },
               "the model returns CPULongType; logits must be floating-point numbers"},
       }) {
    Model model;
    model.form = row.form;
    const Verdict verdict = Validate(model);
    EXPECT_EQ(ReasonOf(verdict.status), Reason::kModelOutputInvalid);
    EXPECT_THAT(verdict.status.message(), HasSubstr(row.text));
  }
  Model precise;
  precise.form = [](int rows) {
    return OutputForm{{rows, kClasses}, "CPUDoubleType", true, false};
  };
  const Verdict verdict = Validate(precise);
  EXPECT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_THAT(verdict.validation.warnings(),
              ElementsAre("returns CPUDoubleType; logits are converted to float32"));
}

TEST(ModelValidation, ABatchSizeThatIsBuiltInIsFoundAndKept) {
  for (const int only : {1, 3, 8, 50}) {
    Model model;
    bool found = false;
    model.refuse = [&](int rows) {
      found = found || rows == only;
      EXPECT_TRUE(!found || rows == only) << rows;
      return rows == only ? absl::OkStatus() : Failed("wrong size");
    };
    const Verdict verdict = Validate(model);
    ASSERT_TRUE(verdict.status.ok()) << only << ": " << verdict.status;
    EXPECT_EQ(verdict.fixed_batch, only);
    ASSERT_EQ(verdict.validation.warnings_size(), 1) << verdict.warnings();
    EXPECT_THAT(verdict.warnings(),
                HasSubstr(only == 1 ? "batches of exactly 1 image,"
                                    : absl::StrCat("exactly ", only, " images,")));
    EXPECT_TRUE(verdict.validation.frozen());
    EXPECT_TRUE(verdict.validation.differentiable());
    EXPECT_LT(verdict.validation.gradient_relative_error(), 1e-3);
  }
}

TEST(ModelValidation, WhatTheFirstPassRaisesIsReturned) {
  Model model;
  model.refuse = [](int) { return Failed("always raises"); };
  EXPECT_EQ(Validate(model).status, Failed("always raises"));
  // With less memory than a probe needs no other size is tried.
  int passes = 0;
  model.refuse = [&](int) {
    ++passes;
    return Error(Reason::kOutOfMemory, "no memory").ToStatus();
  };
  EXPECT_EQ(ReasonOf(Validate(model).status), Reason::kOutOfMemory);
  EXPECT_EQ(passes, 1);
  // And none beyond the first that needs more than there is.
  passes = 0;
  model.refuse = [&](int) {
    return ++passes == 1 ? Failed("wrong size") : Error(Reason::kOutOfMemory, "no memory");
  };
  EXPECT_EQ(Validate(model).status, Failed("wrong size"));
  EXPECT_EQ(passes, 2);
}

// --- logits

TEST(ModelValidation, LogitsThatAreNeverFiniteAreRefusedAndWhereSomeAreItIsSaid) {
  for (const float value : {kNan, kInfinity, -kInfinity}) {
    Model never;
    never.change = Adding(value, IsAny);
    EXPECT_EQ(ReasonOf(Validate(never).status), Reason::kModelNotFinite);
    Model sometimes;
    sometimes.change = Adding(value, IsUniform);
    const Verdict verdict = Validate(sometimes);
    EXPECT_TRUE(verdict.status.ok()) << verdict.status;
    EXPECT_THAT(verdict.validation.warnings(),
                ElementsAre("logits are not finite on some grey or random images; such samples are "
                            "undecided"));
    EXPECT_TRUE(verdict.validation.frozen());
    EXPECT_EQ(verdict.validation.numerics().batch_difference(), 0);
  }
}

TEST(ModelValidation, RandomLogitsAreFoundAndExcuseOtherDifferences) {
  Model model;
  int pass = 0;
  model.change = [&](const float*, int rows, float* logits) {
    ++pass;
    for (int i = 0; i < rows * kClasses; ++i) logits[i] += static_cast<float>(pass);
  };
  const Verdict verdict = Validate(model);
  EXPECT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_FALSE(verdict.validation.deterministic());
  EXPECT_FALSE(verdict.validation.frozen());
  EXPECT_FALSE(verdict.validation.numerics().has_batch_difference());
  EXPECT_THAT(verdict.validation.warnings(),
              ElementsAre("passes of the same images gave different logits; outcomes are not "
                          "reproducible"));
  // The last of the passes that are compared is enough.
  pass = 0;
  model.change = [&](const float*, int, float* logits) { logits[0] += ++pass == 5 ? 1e-5F : 0.0F; };
  EXPECT_FALSE(Validate(model).validation.deterministic());
}

TEST(ModelValidation, ASoftmaxIsRecognised) {
  Model model;
  model.change = [](const float*, int rows, float* logits) {
    for (int row = 0; row < rows; ++row) {
      float* z = &logits[row * kClasses];
      float sum = 0;
      for (int k = 0; k < kClasses; ++k) sum += std::exp(z[k]);
      for (int k = 0; k < kClasses; ++k) z[k] = std::exp(z[k]) / sum;
    }
  };
  const Verdict verdict = Validate(model);
  EXPECT_TRUE(verdict.validation.softmax_output());
  EXPECT_THAT(verdict.warnings(), HasSubstr("outputs look like probabilities"));
  // Shares that do not add up are none.
  model.change = [](const float*, int rows, float* logits) {
    for (int i = 0; i < rows * kClasses; ++i) logits[i] = 1 / (1 + std::exp(-logits[i]));
  };
  EXPECT_FALSE(Validate(model).validation.softmax_output());
}

// --- freezing

TEST(ModelValidation, AFrozenModelIsUsedWhereItAgreesWithTheOriginal) {
  for (const float moved : {0.0F, 5e-5F, 1e-3F, 2.0F}) {
    Model model;
    const Verdict verdict = Validate(model, [&] {
      model.change = Adding(moved, IsAny);
      return absl::OkStatus();
    });
    ASSERT_TRUE(verdict.status.ok()) << verdict.status;
    const bool agrees = moved < 1e-4F;
    EXPECT_EQ(verdict.validation.frozen(), agrees) << moved;
    EXPECT_NEAR(verdict.validation.frozen_max_difference(), moved, 1e-6);
    if (agrees) {
      EXPECT_THAT(verdict.validation.warnings(), IsEmpty());
    } else {
      EXPECT_THAT(verdict.validation.warnings(),
                  ElementsAre("freezing changes its logits; it is run as given, more slowly"));
    }
  }
}

TEST(ModelValidation, AFrozenModelIsNotUsedWhereItsGradientsAreOthers) {
  for (const float scale : {1.0F, 1.005F, 1.05F, 0.0F, NAN}) {
    Model model;
    const Verdict verdict = Validate(model, [&] {
      model.change_gradient = [scale](int rows, float* gradient) {
        for (size_t i = 0; i < static_cast<size_t>(rows) * kShape.size(); ++i) gradient[i] *= scale;
      };
      return absl::OkStatus();
    });
    ASSERT_TRUE(verdict.status.ok()) << verdict.status;
    const bool agrees = scale > 0.99F && scale < 1.01F;
    EXPECT_EQ(verdict.validation.frozen(), agrees) << scale;
    EXPECT_EQ(verdict.warnings(),
              agrees ? "" : "freezing changes its gradients; it is run as given, more slowly");
  }
}

TEST(ModelValidation, GradientsThatDifferFromPassToPassAreTold) {
  Model model;
  EXPECT_EQ(Validate(model).validation.gradient_repeat_difference(), 0);
  int passes = 0;
  // As atomic additions in an order of their own do.
  model.change_gradient = [&passes](int, float* gradient) {
    gradient[0] *= 1 + 1e-4F * static_cast<float>(passes++);
  };
  const Verdict verdict = Validate(model);
  ASSERT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_GT(verdict.validation.gradient_repeat_difference(), 0);
  EXPECT_LT(verdict.validation.gradient_repeat_difference(), 1e-3);
  EXPECT_THAT(verdict.warnings(), HasSubstr("gradients of the same images differ"));
  EXPECT_TRUE(verdict.validation.deterministic());
}

TEST(ModelValidation, APrecisionThatAModelCannotHaveIsRefused) {
  for (const float moved : {0.0F, 0.01F, std::numeric_limits<float>::infinity()}) {
    Model model;
    v1::ModelValidation validation;
    ModelValidator validator(kShape, model.passes(), &validation);
    ASSERT_TRUE(validator.CheckForm().ok() && validator.CheckLogits().ok());
    const absl::Status status =
        validator.CheckPrecision([&] { model.change = Adding(moved, IsAny); });
    EXPECT_EQ(status.ok(), std::isfinite(moved)) << status;
    if (status.ok()) {
      EXPECT_NEAR(validation.precision_difference(), moved, 1e-6);
    } else {
      EXPECT_EQ(ReasonOf(status), Reason::kModelNotFinite);
    }
  }
  Model model;
  v1::ModelValidation validation;
  ModelValidator validator(kShape, model.passes(), &validation);
  ASSERT_TRUE(validator.CheckForm().ok() && validator.CheckLogits().ok());
  const absl::Status status = validator.CheckPrecision(
      [&] { model.refuse = [](int) { return Failed("no such kernel"); }; });
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidModel);
  EXPECT_THAT(std::string(status.message()), HasSubstr("(no such kernel); use --precision fp32"));
}

TEST(ModelValidation, AModelThatCannotBeFrozenIsRunAsGiven) {
  Model model;
  const Verdict unfreezable = Validate(model, [] { return Failed("cannot"); });
  EXPECT_TRUE(unfreezable.status.ok()) << unfreezable.status;
  EXPECT_FALSE(unfreezable.validation.frozen());
  EXPECT_EQ(unfreezable.validation.frozen_max_difference(), 0);
  EXPECT_THAT(unfreezable.validation.warnings(),
              ElementsAre("it cannot be frozen and is run as given, more slowly (cannot)"));
  const Verdict raises = Validate(model, [&] {
    model.refuse = [](int) { return Failed("frozen stiff"); };
    return absl::OkStatus();
  });
  EXPECT_TRUE(raises.status.ok()) << raises.status;
  EXPECT_FALSE(raises.validation.frozen());
  EXPECT_THAT(raises.warnings(), HasSubstr("more slowly (frozen stiff)"));
}

// --- company

TEST(ModelValidation, DependenceOnTheRestOfTheBatchIsMeasured) {
  Model model;
  const auto minus_mean = [](const float*, int rows, float* logits) {
    float sum = 0;
    for (int row = 0; row < rows; ++row) sum += logits[row * kClasses];
    for (int row = 0; row < rows; ++row) logits[row * kClasses] -= sum / static_cast<float>(rows);
  };
  model.change = minus_mean;
  const Verdict verdict = Validate(model);
  EXPECT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_GT(verdict.validation.numerics().batch_difference(), 0.01);
  EXPECT_THAT(verdict.warnings(), HasSubstr("with the other images of the batch, so outcomes"));
  EXPECT_THAT(verdict.warnings(), Not(HasSubstr("eval()")));
  EXPECT_THAT(Validate(
                  model, [] { return absl::OkStatus(); }, /*trains=*/true)
                  .warnings(),
              HasSubstr("the order of the data; call model.eval() before exporting it"));
  // Likewise in a batch whose size is built in.
  model.refuse = [](int rows) { return rows == 8 ? absl::OkStatus() : Failed("not 8"); };
  EXPECT_GT(Validate(model).validation.numerics().batch_difference(), 0.01);
}

TEST(ModelValidation, LogitsThatAreLostInOtherCompanyDependOnIt) {
  Model model;
  model.change = [](const float* images, int rows, float* logits) {
    // A bright image spoils the one before it.
    for (int row = 0; row + 1 < rows; ++row) {
      if (images[static_cast<size_t>(row + 1) * kShape.size()] == 0.75F) {
        logits[row * kClasses] = kNan;
      }
    }
  };
  const Verdict verdict = Validate(model);
  EXPECT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_EQ(verdict.validation.numerics().batch_difference(), kInfinity);
}

TEST(ModelValidation, ImagesAloneMayBeRoundedOtherwiseOrNotTakenAtAll) {
  for (const float moved : {1e-3F, 1.0F}) {
    Model model;
    model.change = [&](const float*, int rows, float* logits) {
      if (rows == 1) logits[0] += moved;
    };
    const bool dependent = moved > 0.5F;
    EXPECT_EQ(Validate(model).validation.numerics().batch_difference() > 0, dependent);
  }
  Model model;
  model.refuse = [](int rows) { return rows == 1 ? Failed("squeezed") : absl::OkStatus(); };
  const Verdict verdict = Validate(model);
  EXPECT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_THAT(verdict.validation.warnings(), IsEmpty());
}

TEST(ModelValidation, ThePlaceInABatchIsCompanyToo) {
  Model model;
  model.change = [](const float*, int rows, float* logits) {
    for (int row = 0; row < rows; ++row) logits[row * kClasses] += static_cast<float>(row % 2);
  };
  model.refuse = [](int rows) { return rows == 1 ? Failed("squeezed") : absl::OkStatus(); };
  EXPECT_NEAR(Validate(model).validation.numerics().batch_difference(), 1, 1e-5);
}

// --- logits that are infinite on a probe are no excuse for the others

TEST(ModelValidation, AnInfiniteLogitLeavesTheToleranceOfTheOthersAsItIs) {
  const auto infinite = Adding(kInfinity, IsUniform);
  const auto moved = [&](const float* images, int rows, float* logits) {
    infinite(images, rows, logits);
    for (int row = 0; row < rows; ++row) logits[row * kClasses + 1] += 0.5F;
  };
  Model model;
  model.change = infinite;
  Verdict verdict = Validate(model, [&] {
    model.change = moved;
    return absl::OkStatus();
  });
  EXPECT_FALSE(verdict.validation.frozen());
  EXPECT_LT(verdict.validation.frozen_tolerance(), 1e-2);
  EXPECT_NEAR(verdict.validation.frozen_max_difference(), 0.5, 1e-5);

  // Frozen, it has a finite value.
  model.change = infinite;
  verdict = Validate(model, [&] {
    model.change = nullptr;
    return absl::OkStatus();
  });
  EXPECT_FALSE(verdict.validation.frozen());

  // Alone, it has other logits.
  model.change = [&](const float* images, int rows, float* logits) {
    (rows == 1 ? moved : infinite)(images, rows, logits);
  };
  verdict = Validate(model);
  EXPECT_NEAR(verdict.validation.numerics().batch_difference(), 0.5, 1e-5);
}

// --- gradients

TEST(ModelValidation, AWrongGradientIsComparedWithFiniteDifferences) {
  Model model;
  model.change_gradient = [](int rows, float* gradient) {
    for (size_t i = 0; i < static_cast<size_t>(rows) * kShape.size(); ++i) gradient[i] *= 2;
  };
  const Verdict verdict = Validate(model);
  EXPECT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_TRUE(verdict.validation.differentiable());
  EXPECT_NEAR(verdict.validation.gradient_relative_error(), 0.5, 1e-3);
  EXPECT_THAT(verdict.warnings(), HasSubstr("its gradient differs from finite differences by "));
}

TEST(ModelValidation, TheGradientOfMostProbesCounts) {
  for (const size_t wrong : {1, 2}) {
    Model model;
    model.change_gradient = [&](int, float* gradient) {
      for (size_t i = 0; i < wrong * kShape.size(); ++i) gradient[kShape.size() + i] *= 2;
    };
    EXPECT_NEAR(Validate(model).validation.gradient_relative_error(), wrong == 2 ? 0.5 : 0, 1e-3);
  }
}

TEST(ModelValidation, AKinkNearAProbeIsNoWrongGradient) {
  // Logit 2 grows faster from a little beyond each probe: within the longest step of the
  // differences, beyond the others.
  const std::vector<float> probes = ProbeImages(kShape, 4);
  Model model;
  model.change = [&](const float* images, int rows, float* logits) {
    for (int row = 0; row < rows; ++row) {
      const float* image = &images[static_cast<size_t>(row) * kShape.size()];
      float nearest = kInfinity, beyond = 0;
      for (size_t probe = 0; probe < 4; ++probe) {
        float distance = 0, growth = 0;
        for (size_t i = 0; i < kShape.size(); ++i) {
          const float moved = image[i] - probes[probe * kShape.size() + i];
          distance += moved * moved;
          growth += Model::Weight(2, i) * moved;
        }
        if (distance < nearest) beyond = growth - 0.02F;
        nearest = std::min(nearest, distance);
      }
      if (beyond > 0) logits[row * kClasses + 2] += 20 * beyond;
    }
  };
  const Verdict verdict = Validate(model);
  EXPECT_TRUE(verdict.status.ok()) << verdict.status;
  EXPECT_LT(verdict.validation.gradient_relative_error(), 0.01);
  EXPECT_THAT(verdict.validation.warnings(), IsEmpty());
}

TEST(ModelValidation, WithoutAGradientAttacksWillFail) {
  for (const float value : {0.0F, kNan, kInfinity}) {
    Model model;
    model.change_gradient = [&](int rows, float* gradient) {
      std::fill_n(gradient, static_cast<size_t>(rows) * kShape.size(), value);
    };
    const Verdict verdict = Validate(model);
    EXPECT_TRUE(verdict.status.ok()) << verdict.status;
    EXPECT_FALSE(verdict.validation.differentiable());
    EXPECT_THAT(verdict.validation.warnings(),
                ElementsAre("its gradient is zero or not finite on random images; gradient attacks "
                            "will fail (see docs/checks.md)"));
  }
  Model model;
  model.no_gradient = Failed("detached");
  EXPECT_THAT(Validate(model).validation.warnings(),
              ElementsAre("has no usable gradient (detached); gradient attacks will fail"));
  model.no_gradient = Error(Reason::kOutOfMemory, "no memory");
  EXPECT_EQ(ReasonOf(Validate(model).status), Reason::kOutOfMemory);
}

}  // namespace
}  // namespace assay::engine
