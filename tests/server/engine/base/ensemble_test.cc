// The mean of several models against the arithmetic of linear ones.
#include "server/engine/base/ensemble.h"

#include <cmath>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/losses.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{2, 3, 5};
constexpr int kClasses = 4;
constexpr int kBatch = 3;

// Three linear models that differ.
struct Members {
  LinearClassifier a{kShape, kClasses, kBatch}, b{kShape, kClasses, kBatch},
      c{kShape, kClasses, kBatch};
  Members() {
    b.SetRow(2, [](int row, int column) { return static_cast<float>(row - column); });
    c.SetRow(1, [](int row, int column) { return 0.5F * static_cast<float>(row * column); });
  }
  std::vector<Classifier*> all() { return {&a, &b, &c}; }
};

std::vector<float> Images() {
  std::vector<float> images(kBatch * kShape.size());
  for (size_t i = 0; i < images.size(); ++i) {
    images[i] = 0.5F + 0.5F * std::sin(static_cast<float>(i));
  }
  return images;
}

TEST(Ensemble, LogitsAreTheMeanOfTheMembers) {
  Members members;
  const auto ensemble = EnsembleClassifier::Create(members.all());
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  const std::vector<float> images = Images();
  std::vector<float> logits(kBatch * kClasses), a(kClasses), b(kClasses), c(kClasses);
  ASSERT_TRUE((*ensemble)->Forward(images.data(), kBatch, logits.data()).ok());
  for (size_t slot = 0; slot < kBatch; ++slot) {
    const float* image = &images[slot * kShape.size()];
    members.a.Logits(image, a.data());
    members.b.Logits(image, b.data());
    members.c.Logits(image, c.data());
    for (size_t k = 0; k < kClasses; ++k) {
      EXPECT_NEAR(logits[slot * kClasses + k], (a[k] + b[k] + c[k]) / 3, 1e-5);
    }
  }
}

// The cross-entropy of the mean is not the mean of the cross-entropies, so this tells the two
// apart.
TEST(Ensemble, GradientIsThatOfTheLossOfTheMean) {
  Members members;
  const auto ensemble = EnsembleClassifier::Create(members.all());
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  const std::vector<float> images = Images();
  const int label = 2;
  std::vector<float> logits(kBatch * kClasses), gradient(images.size());
  int calls = 0;
  ASSERT_TRUE((*ensemble)
                  ->ForwardBackward(
                      images.data(), kBatch,
                      [&](const float* z, float* derivative) {
                        ++calls;
                        for (int slot = 0; slot < kBatch; ++slot) {
                          CrossEntropy(&z[slot * kClasses], kClasses, label,
                                       &derivative[slot * kClasses]);
                        }
                      },
                      logits.data(), gradient.data())
                  .ok());
  EXPECT_EQ(calls, 1);
  std::vector<float> plain(logits.size()), derivative(kClasses);
  ASSERT_TRUE((*ensemble)->Forward(images.data(), kBatch, plain.data()).ok());
  EXPECT_EQ(logits, plain);
  for (size_t slot = 0; slot < kBatch; ++slot) {
    CrossEntropy(&logits[slot * kClasses], kClasses, label, derivative.data());
    for (size_t i = 0; i < kShape.size(); ++i) {
      double expected = 0;
      for (int k = 0; k < kClasses; ++k) {
        const double weight =
            (members.a.row(k)[i] + members.b.row(k)[i] + members.c.row(k)[i]) / 3.0;
        expected += static_cast<double>(derivative[static_cast<size_t>(k)]) * weight;
      }
      EXPECT_NEAR(gradient[slot * kShape.size() + i], expected, 1e-5);
    }
  }
}

TEST(Ensemble, APassCostsOnePassOfEveryMember) {
  Members members;
  const auto ensemble = EnsembleClassifier::Create(members.all());
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  const std::vector<float> images = Images();
  std::vector<float> logits(kBatch * kClasses), gradient(images.size());
  ASSERT_TRUE((*ensemble)->Forward(images.data(), kBatch, logits.data()).ok());
  ASSERT_TRUE(
      (*ensemble)
          ->ForwardBackward(
              images.data(), kBatch, [](const float*, float*) {}, logits.data(), gradient.data())
          .ok());
  for (const Classifier* member : members.all()) {
    EXPECT_EQ(member->usage().forward_batches, 2);
    EXPECT_EQ(member->usage().backward_batches, 1);
  }
}

TEST(Ensemble, OfOneModelIsThatModel) {
  Members members;
  const auto ensemble = EnsembleClassifier::Create({&members.b});
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  const std::vector<float> images = Images();
  std::vector<float> expected(kBatch * kClasses), logits(kBatch * kClasses);
  ASSERT_TRUE(members.b.Forward(images.data(), kBatch, expected.data()).ok());
  ASSERT_TRUE((*ensemble)->Forward(images.data(), kBatch, logits.data()).ok());
  EXPECT_EQ(logits, expected);
}

class FailingClassifier final : public LinearClassifier {
 public:
  using LinearClassifier::LinearClassifier;
  absl::Status RunForwardBackward(const float* /*images*/, int /*rows*/,
                                  const LogitGradient& /*logit_gradient*/, float* /*logits*/,
                                  float* /*gradient*/) override {
    return Error(Reason::kModelFailed, "the model raised an error");
  }
};

TEST(Ensemble, AMembersErrorIsTheEnsembles) {
  Members members;
  FailingClassifier failing(kShape, kClasses, kBatch);
  const auto ensemble = EnsembleClassifier::Create({&members.a, &failing, &members.c});
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  const std::vector<float> images = Images();
  std::vector<float> logits(kBatch * kClasses), gradient(images.size());
  const absl::Status status = (*ensemble)->ForwardBackward(
      images.data(), kBatch, [](const float*, float*) {}, logits.data(), gradient.data());
  EXPECT_EQ(ReasonOf(status), Reason::kModelFailed);
}

TEST(Ensemble, RefusesMembersThatDoNotFitTogether) {
  LinearClassifier model(kShape, kClasses, kBatch);
  LinearClassifier more_classes(kShape, kClasses + 1, kBatch);
  LinearClassifier larger({2, 3, 6}, kClasses, kBatch);
  LinearClassifier other_batch(kShape, kClasses, kBatch + 1);
  for (const std::vector<Classifier*>& members : {std::vector<Classifier*>{},
                                                  {&model, &model},
                                                  {&model, &more_classes},
                                                  {&model, &larger},
                                                  {&model, &other_batch}}) {
    const auto ensemble = EnsembleClassifier::Create(members);
    EXPECT_EQ(ReasonOf(ensemble.status()), Reason::kInvalidCondition) << members.size();
  }
  const auto ensemble = EnsembleClassifier::Create({&model, &more_classes});
  EXPECT_THAT(ensemble.status().message(), ::testing::HasSubstr("4 classes"));
  EXPECT_THAT(ensemble.status().message(), ::testing::HasSubstr("model 2 of the ensemble has"));
  EXPECT_THAT(ensemble.status().message(), ::testing::HasSubstr("5 classes"));
}

}  // namespace
}  // namespace assay::engine
