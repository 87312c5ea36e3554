// What a condition was stored as is what it means for ever
// (docs/decisions/0009-stored-means-the-same.md): its id, by which outcomes are found and random
// draws are keyed, and the values of its parameters. released_conditions.txt has a line for each of
// the expressions below and for every method's plain one: expression, id, parameters, with tabs
// between. To release, run this program with ASSAY_WRITE_RELEASED=1 and read the difference.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/smoothing_setting.h"
#include "core/conditions/table.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

constexpr char kReleased[] = ASSAY_SOURCE_DIR "/tests/core/conditions/released_conditions.txt";

v1::Condition ParseOne(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return conditions.ok() ? conditions->at(0) : v1::Condition();
}

std::vector<std::string> Expressions() {
  std::vector<std::string> all = {
      "attack/pgd:norm=l2,eps=0.5,steps=5,loss=dlr,eot=2",
      "attack/pgd:norm=l1,eps=12,target=every",
      "attack/apgd-t:norm=l1,eps=4",
      "attack/autoattack:norm=l2,version=plus",
      "attack/autoattack:version=custom,parts=apgd-ce+square",
      "attack/fmn:norm=l0,eps=1+5,restarts=0",
      "attack/cw:searches=3,polish=0",
      "corruption/fog+gaussian_noise:severity=2",
      "corruption/frost:severity=1.5,table=224",
      "smoothing/gaussian:sigma=0.5,mode=anytime,radii=0.25+0.5",
      "smoothing/gaussian:mode=predict,sound=yes",
      "smoothing/uniform:norm=linf,scope=dataset",
      "bounds/crown:eps=2/255,intermediate=ibp",
      "conformal/rscp:bound=hoeffding",
  };
  for (const MethodHelp& method : AllMethods()) {
    const bool wants_models =
        std::any_of(method.parameters.begin(), method.parameters.end(),
                    [](const ParameterHelp& p) { return p.name == "surrogates"; });
    all.push_back(wants_models ? method.expression + ":surrogates=m" : method.expression);
  }
  return all;
}

std::string LineOf(const std::string& expression) {
  const v1::Condition condition = ParseOne(expression);
  const std::map<std::string, std::string> sorted(condition.parameters().begin(),
                                                  condition.parameters().end());
  return absl::StrCat(expression, "\t", condition.id(), "\t",
                      absl::StrJoin(sorted, ",", absl::PairFormatter("=")));
}

// A line: what was written, and the condition as it was stored.
struct Released {
  std::string expression;
  v1::Condition stored;
};

std::vector<Released> ReadReleased() {
  std::vector<Released> all;
  std::ifstream file(kReleased);
  std::string line;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = absl::StrSplit(line, '\t');
    EXPECT_EQ(cells.size(), 3u) << line;
    if (cells.size() != 3) continue;
    Released released{cells[0], ParseOne(cells[0])};
    released.stored.set_id(cells[1]);
    released.stored.clear_parameters();
    for (absl::string_view assignment : absl::StrSplit(cells[2], ',', absl::SkipEmpty())) {
      const std::pair<std::string, std::string> had =
          absl::StrSplit(assignment, absl::MaxSplits('=', 1));
      (*released.stored.mutable_parameters())[had.first] = had.second;
    }
    all.push_back(std::move(released));
  }
  return all;
}

TEST(ReleasedConditions, HaveTheIdsAndParametersThatTheyHad) {
  if (std::getenv("ASSAY_WRITE_RELEASED") != nullptr) {
    std::ofstream file(kReleased);
    for (const std::string& expression : Expressions()) file << LineOf(expression) << "\n";
  }
  const std::vector<Released> all = ReadReleased();
  for (const auto& [expression, stored] : all) {
    const v1::Condition condition = ParseOne(expression);
    EXPECT_EQ(condition.id(), stored.id());
    for (const auto& [name, value] : stored.parameters()) {
      const auto found = condition.parameters().find(name);
      ASSERT_NE(found, condition.parameters().end()) << expression << " has lost " << name;
      EXPECT_EQ(found->second, value) << expression << " " << name;
    }
  }
  EXPECT_GT(all.size(), 80u);
}

// A parameter that came after the release must say what conditions without it meant.
TEST(ReleasedConditions, EveryParameterThatTheyLackIsImplied) {
  for (const auto& [expression, stored] : ReadReleased()) {
    Params params(stored);
    for (const conditions::Parameter& p : conditions::MethodOf(stored)->parameters) {
      params.Text(p.name);
    }
    EXPECT_TRUE(params.status().ok()) << expression << ": " << params.status();
  }
}

// Conditions as versions of November 2026 stored them, before there were these parameters.
TEST(StoredConditions, AMissingParameterHasTheValueThatWasImplied) {
  struct Case {
    const char* expression;
    std::map<std::string, std::string> later;
  };
  const std::vector<Case> cases = {
      {"attack/fmn:norm=l2", {{"restarts", "0"}, {"polish", "0"}}},
      {"attack/cw", {{"restarts", "0"}, {"polish", "0"}}},
      {"conformal/rscp", {{"bound", "hoeffding"}}},
      {"attack/pgd",
       {{"start", "random"}, {"momentum", "0"}, {"target", "none"}, {"loss", "ce"}, {"eot", "1"}}},
      {"attack/apgd-ce", {{"eot", "1"}, {"larger_eps", "no"}}},
      {"attack/fab-t", {{"restarts", "1"}}},
      {"attack/autoattack", {{"parts", ""}}},
      {"smoothing/gaussian",
       {{"mode", "fixed"},
        {"radii", ""},
        {"norm", "l2"},
        {"scope", "sample"},
        {"sound", "no"},
        {"ensemble", ""}}},
  };
  for (const Case& c : cases) {
    v1::Condition stored = ParseOne(c.expression);
    for (const auto& [name, value] : c.later) stored.mutable_parameters()->erase(name);
    Params params(stored);
    for (const auto& [name, value] : c.later) {
      EXPECT_EQ(params.Text(name), value) << c.expression << " " << name;
    }
    EXPECT_TRUE(params.status().ok()) << params.status();
    EXPECT_GT(WorkPerSample(stored), 0) << c.expression;
  }
  // Nothing is implied of the others.
  v1::Condition broken = ParseOne("attack/pgd");
  broken.mutable_parameters()->erase("steps");
  Params params(broken);
  params.Integer("steps");
  EXPECT_FALSE(params.status().ok());

  v1::Condition smoothing = ParseOne("smoothing/gaussian:sigma=0.5,n=1000");
  for (const auto& [name, value] : cases.back().later) smoothing.mutable_parameters()->erase(name);
  const auto setting = ParseSmoothingSetting(smoothing);
  ASSERT_TRUE(setting.ok()) << setting.status();
  EXPECT_EQ(setting->mode, SmoothingMode::kFixed);
  EXPECT_EQ(setting->norm, RadiusNorm::kL2);
}

}  // namespace
}  // namespace assay
