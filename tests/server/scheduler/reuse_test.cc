#include "server/scheduler/reuse.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduler/planner.h"
#include "tests/server/store/store_test_util.h"

namespace assay::scheduler {
namespace {

using store::IsOk;
using ::testing::ElementsAre;

v1::Condition Parse(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_THAT(conditions, IsOk());
  return conditions->at(0);
}

// A task of 30 samples over three chunks of ten, of which a test changes something.
struct Subject {
  std::string model = "model";
  std::vector<v1::Model> others;
  v1::Condition condition = Parse("attack/pgd");
  int64_t seed = 1;
  v1::DatasetManifest manifest = store::MakeDataset("d", {"a", "b", "c"}).manifest();
  v1::ModelValidation validation;
  int64_t evaluation_samples = 30;
  store::Task task;
  std::vector<int64_t> positions;

  Subject() {
    validation.set_deterministic(true);
    validation.set_num_classes(10);
    validation.mutable_numerics()->set_device("cpu");
    validation.mutable_numerics()->set_probes("probes");
    task.samples = 30;
  }
  TaskContent content() const {
    return {model, others,   condition, seed, manifest, validation, evaluation_samples,
            task,  positions};
  }
  std::optional<ContentKeys> keys() const { return KeysOf(content()); }
};

// A model that repeats.
v1::Model Other(const std::string& content) {
  v1::Model model = store::MakeModel("other", content);
  model.mutable_validation()->set_deterministic(true);
  return model;
}

using Change = std::function<void(Subject&)>;

std::vector<std::string> ChunkKeys(const ContentKeys& keys) {
  std::vector<std::string> found;
  for (const auto& chunk : keys.chunks) found.push_back(chunk.key);
  return found;
}

TEST(ReuseTest, TheSameHasTheSameKeys) {
  const auto keys = Subject().keys();
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(keys->whole.key, Subject().keys()->whole.key);
  ASSERT_EQ(keys->chunks.size(), 3u);
  EXPECT_EQ(keys->chunks[1].first_sample, 10);
  EXPECT_EQ(keys->chunks[1].samples, 10);
  EXPECT_EQ(keys->own.size(), 4u);
  const std::vector<std::string> all = ChunkKeys(*keys);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 3u);
}

TEST(ReuseTest, WhateverOutcomesDependOnChangesEveryKey) {
  const std::vector<std::pair<std::string, Change>> changes = {
      {"model", [](Subject& s) { s.model = "other"; }},
      {"other model", [](Subject& s) { s.others = {Other("surrogate")}; }},
      {"seed", [](Subject& s) { s.seed = 2; }},
      {"eps", [](Subject& s) { s.condition = Parse("attack/pgd:eps=4/255"); }},
      {"a parameter that the id has not",
       [](Subject& s) { (*s.condition.mutable_parameters())["new"] = "1"; }},
      {"method", [](Subject& s) { s.condition.set_method("apgd-ce"); }},
      {"id, by which draws are keyed", [](Subject& s) { s.condition.set_id("attack/other"); }},
      {"pixels", [](Subject& s) { s.manifest.set_pixel_type(v1::FLOAT32); }},
      {"shape",
       [](Subject& s) {
         s.manifest.mutable_shape()->set_height(16);
         s.manifest.mutable_shape()->set_width(64);
       }},
      {"numerics", [](Subject& s) { s.validation.mutable_numerics()->set_probes("others"); }},
      {"device", [](Subject& s) { s.validation.mutable_numerics()->set_device("GPU"); }},
  };
  const ContentKeys before = *Subject().keys();
  for (const auto& [what, change] : changes) {
    Subject changed;
    change(changed);
    const auto keys = changed.keys();
    ASSERT_TRUE(keys.has_value()) << what;
    EXPECT_NE(keys->whole.key, before.whole.key) << what;
    for (size_t i = 0; i < 3; ++i) EXPECT_NE(keys->chunks[i].key, before.chunks[i].key) << what;
  }
}

// A label is in its chunk.
TEST(ReuseTest, AnotherChunkOrAnotherPlaceOfItIsAnotherKey) {
  const ContentKeys before = *Subject().keys();
  Subject changed;
  changed.manifest.mutable_chunks(1)->set_digest(Sha256Hex("other labels"));
  ContentKeys keys = *changed.keys();
  EXPECT_NE(keys.whole.key, before.whole.key);
  EXPECT_THAT(ChunkKeys(keys), ElementsAre(before.chunks[0].key, testing::Ne(before.chunks[1].key),
                                           before.chunks[2].key));
  Subject moved;
  moved.manifest.mutable_chunks(0)->set_samples(9);
  moved.manifest.mutable_chunks(0)->set_digest(Sha256Hex("shorter"));
  moved.task.samples = 29;
  keys = *moved.keys();
  for (size_t i = 0; i < 3; ++i) EXPECT_NE(keys.chunks[i].key, before.chunks[i].key) << i;
}

TEST(ReuseTest, WhatOutcomesDoNotDependOnChangesNone) {
  const ContentKeys before = *Subject().keys();
  Subject changed;
  changed.manifest.set_class_names(0, "tiger");
  changed.evaluation_samples = 1000;
  changed.validation.add_warnings("saved in training mode");
  EXPECT_EQ(changed.keys()->whole.key, before.whole.key);
  EXPECT_EQ(ChunkKeys(*changed.keys()), ChunkKeys(before));
}

// A batch size that follows the number of samples, and models that nobody has looked at.
TEST(ReuseTest, TheNumberOfSamplesMattersWhereBatchesFollowIt) {
  for (const bool others : {false, true}) {
    Subject subject;
    if (others) {
      subject.others = {Other("surrogate")};
    } else {
      subject.validation.mutable_numerics()->clear_probes();
    }
    const std::string before = subject.keys()->whole.key;
    subject.evaluation_samples = 1000;
    EXPECT_NE(subject.keys()->whole.key, before);
  }
}

TEST(ReuseTest, WhatDoesNotRepeatHasNoKeys) {
  const std::vector<Change> changes = {
      [](Subject& s) { s.validation.set_deterministic(false); },
      [](Subject& s) { s.validation.mutable_numerics()->set_batch_difference(1e-3); },
      [](Subject& s) { s.validation.set_gradient_repeat_difference(1e-9); },
      [](Subject& s) { s.validation.add_nondeterministic_operators("pool2d_backward_cuda"); },
      [](Subject& s) { s.validation.add_nondeterministic_operators("cumsum_cuda"); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Subject subject;
    changes[i](subject);
    EXPECT_FALSE(subject.keys().has_value()) << i;
    // Gradients are nothing to those that take none.
    for (const char* expression : {"clean", "attack/square", "smoothing/gaussian"}) {
      subject.condition = Parse(expression);
      EXPECT_EQ(subject.keys().has_value(), i == 2 || i == 3) << i << expression;
    }
  }
}

TEST(ReuseTest, OtherModelsMustBeKnownToRepeat) {
  Subject subject;
  subject.others = {Other("a"), Other("b")};
  const std::string before = subject.keys()->whole.key;
  subject.others[1] = Other("c");
  EXPECT_NE(subject.keys()->whole.key, before);
  std::swap(subject.others[0], subject.others[1]);
  EXPECT_NE(subject.keys()->whole.key, before);
  subject.others[1].mutable_validation()->set_deterministic(false);
  EXPECT_FALSE(subject.keys().has_value());
  subject.others[1].clear_validation();
  EXPECT_FALSE(subject.keys().has_value());
}

TEST(ReuseTest, WhatDependsOnAllSamplesIsOfAllOrNothing) {
  Subject subject;
  subject.condition = Parse("attack/universal");
  EXPECT_TRUE(subject.keys()->chunks.empty());
  EXPECT_EQ(subject.keys()->own.size(), 1u);
  const std::string before = subject.keys()->whole.key;
  subject.task.samples = 29;
  EXPECT_NE(subject.keys()->whole.key, before);
}

TEST(ReuseTest, SamplesOfARandomOrderAreLookedForInChunksAndFoundAsAWhole) {
  Subject subject;
  subject.task.first_sample = 10;  // of the random order
  subject.task.samples = 2;
  subject.positions = {3, 27};
  const ContentKeys keys = *subject.keys();
  EXPECT_THAT(ChunkKeys(keys),
              ElementsAre(Subject().keys()->chunks[0].key, Subject().keys()->chunks[2].key));
  EXPECT_EQ(keys.own.size(), 1u);
  subject.positions = {3, 28};
  EXPECT_NE(subject.keys()->whole.key, keys.whole.key);
}

// --- what is found

class FindOutcomesTest : public store::JobStoreTest {
 protected:
  // Commits samples [first, first + samples) of the subject as another evaluation.
  void Commit(const std::string& id, Subject subject, int64_t first, int32_t samples,
              const std::string& device = "cpu") {
    subject.task.first_sample = first;
    subject.task.samples = samples;
    Create(id, {subject.task});
    const store::ClaimedTask claim = Claim();
    v1::OutcomeBatch outcomes = store::MakeOutcomes(claim.task);
    outcomes.mutable_passes()->set_forwards(7);
    outcomes.mutable_adversarials()->set_digest(Sha256Hex("kept"));
    outcomes.add_vectors()->set_digest(Sha256Hex("kept vectors"));
    EXPECT_THAT(store_->CommitTask(claim, outcomes, store::MakeNumerics(device),
                                   {"1.0.0", 0, 0, 0.0, 0, subject.keys()->own}),
                IsOk());
  }
  std::optional<FoundOutcomes> Find(const Subject& subject,
                                    const v1::NumericsFingerprint* wanted = nullptr) {
    auto found = FindOutcomes(*store_, subject.content(), *subject.keys(), wanted);
    EXPECT_THAT(found, IsOk());
    return *found;
  }
  static std::string Samples(const std::optional<FoundOutcomes>& found) {
    if (!found) return "none";
    std::string text = found->whole ? "whole" : "";
    for (const auto& outcome : found->outcomes.outcomes()) {
      absl::StrAppend(&text, text.empty() ? "" : " ", outcome.sample());
    }
    return text;
  }
};

TEST_F(FindOutcomesTest, AWholeTaskIsFoundWithoutWhatWasKept) {
  Subject subject;
  subject.task.samples = 4;
  EXPECT_FALSE(Find(subject).has_value());
  Commit("e", subject, 0, 4);
  const auto found = Find(subject);
  EXPECT_EQ(Samples(found), "whole 0 1 2 3");
  EXPECT_FALSE(found->outcomes.has_passes());
  EXPECT_FALSE(found->outcomes.has_adversarials());
  EXPECT_EQ(found->outcomes.vectors_size(), 0);
  EXPECT_EQ(found->numerics.device(), "cpu");
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  EXPECT_FALSE(Find(subject).has_value());
}

TEST_F(FindOutcomesTest, PartsAreFoundInAnyCut) {
  Subject subject;
  Commit("first", subject, 2, 3);
  EXPECT_EQ(Samples(Find(subject)), "2 3 4");
  Commit("second", subject, 8, 4);
  EXPECT_EQ(Samples(Find(subject)), "2 3 4 8 9 10 11");
  Commit("overlaps", subject, 4, 5);
  EXPECT_EQ(Samples(Find(subject)), "2 3 4 5 6 7 8 9 10 11");
  // A task in the middle of one.
  subject.task.first_sample = 9;
  subject.task.samples = 2;
  EXPECT_EQ(Samples(Find(subject)), "9 10") << "all, but an attack is not done with that";
  subject.condition = Parse("clean");
  Commit("clean", subject, 0, 30);
  EXPECT_EQ(Samples(Find(subject)), "whole 9 10");
}

// A chunk that differs is left out, although the same task has it.
TEST_F(FindOutcomesTest, OnlyChunksThatAreTheSameAreTaken) {
  Commit("e", Subject(), 5, 20);
  Subject changed;
  changed.manifest.mutable_chunks(1)->set_digest(Sha256Hex("other labels"));
  EXPECT_EQ(Samples(Find(changed)), "5 6 7 8 9 20 21 22 23 24");
}

TEST_F(FindOutcomesTest, OutcomesAreOfOneNumerics) {
  Subject subject;
  Commit("cpu", subject, 0, 3);
  Commit("gpu", subject, 2, 6, "GPU");
  auto found = Find(subject);
  EXPECT_EQ(Samples(found), "2 3 4 5 6 7") << "those of which there are the most";
  EXPECT_EQ(found->numerics.device(), "GPU");
  const v1::NumericsFingerprint cpu = store::MakeNumerics("cpu"), other = store::MakeNumerics("x");
  EXPECT_EQ(Samples(Find(subject, &cpu)), "0 1 2");
  EXPECT_EQ(Samples(Find(subject, &other)), "none");
}

TEST_F(FindOutcomesTest, SamplesOfARandomOrderAreTakenFromRanges) {
  Commit("e", Subject(), 0, 15);
  Subject subject;
  subject.task.samples = 3;
  subject.positions = {4, 14, 22};
  EXPECT_EQ(Samples(Find(subject)), "4 14");
}

}  // namespace
}  // namespace assay::scheduler
