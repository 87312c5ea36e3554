// Slices from the command line to the report, over a real server: upload, stream, restart, gates.
#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"

namespace assay::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kSamples = 120;

class SlicesTest : public CommandFixture {
 protected:
  // Images grow brighter, so that brightness is known: sample i has pixels of 2 i.
  void SetUp() override {
    std::string pixels;
    std::vector<int32_t> labels;
    std::ofstream csv(Path("m.csv"), std::ios::binary);
    // As a spreadsheet writes it.
    csv << "\xef\xbb\xbf"
        << "lighting,age,\"<b>\"\r\n";
    for (int i = 0; i < kSamples; ++i) {
      pixels.append(192, static_cast<char>(2 * i));
      labels.push_back(i % 4);
      csv << (i % 3 == 0   ? "night"
              : i % 3 == 1 ? "\"day, sunny\""
                           : "")
          << "," << 10 + i % 50 << ",\"<i>\"\r\n";
    }
    WriteImages(pixels, labels);
  }

  // To the server, with metadata.
  int EvaluateThere(const std::string& arguments) {
    return Evaluate(absl::StrCat("--server ", server_->address(), " --metadata ", Path("m.csv"),
                                 " ", arguments));
  }
  // The slices of a condition of the JSON that was printed.
  json Slices(size_t condition = 0) const {
    return json::parse(Text("out")).at("conditions").at(condition).at("slices");
  }
};

TEST_F(SlicesTest, EveryWayOfEvaluatingHasTheSame) {
  StartServer();
  const std::string conditions =
      "-c clean attack/pgd:eps=8/255,steps=2 --metadata-edges age=20,40 -o json ";
  ASSERT_EQ(EvaluateThere(conditions), 0) << Text("err");
  const json uploaded = Slices(1);
  ASSERT_EQ(uploaded.size(), 6u);
  std::vector<std::string> names;
  for (const json& column : uploaded) names.push_back(column.at("name"));
  EXPECT_THAT(names, ElementsAre("lighting", "age", "<b>", "brightness", "contrast", "confidence"));
  EXPECT_EQ(uploaded[0].at("slices").size(), 3u);
  for (const json& slice : uploaded[0].at("slices")) EXPECT_EQ(slice.at("samples"), 40);
  // 10 to 59: ages below 20 are those of i % 50 < 10.
  for (const json& slice : uploaded[1].at("slices")) {
    if (slice.at("value") == "..20") {
      EXPECT_EQ(slice.at("samples"), 30);
    }
    EXPECT_TRUE(slice.contains("success_rate"));
  }
  // Quartiles of 0, 2, ..., 238 of 255: 59.5, 119 and 178.5, of which 60, 120 and 180 come next.
  std::vector<double> starts;
  for (const json& slice : uploaded[3].at("slices")) {
    EXPECT_EQ(slice.at("samples"), 30);
    starts.push_back(slice.at("from").get<double>() * 255);
  }
  std::sort(starts.begin(), starts.end());
  ASSERT_EQ(starts.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(starts[i], 60.0 * static_cast<double>(i), 1e-4);
  EXPECT_EQ(uploaded[4].at("slices").size(), 1u);

  ASSERT_EQ(EvaluateThere(conditions + "--stream"), 0) << Text("err");
  EXPECT_EQ(Slices(1), uploaded);
  ASSERT_EQ(
      Evaluate(absl::StrCat("--local --threads 1 --metadata ", Path("m.csv"), " ", conditions)), 0)
      << Text("err");
  EXPECT_EQ(Slices(1), uploaded);
}

TEST_F(SlicesTest, AreStoredAndStayTheSameAfterARestart) {
  StartServer();
  ASSERT_EQ(Assay(absl::StrCat("dataset upload ", Path("x.npy"), " --id d --server ",
                               server_->address(), " --metadata ", Path("m.csv"))),
            0)
      << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("lighting, age, <b>"));
  const auto evaluate = [&](const std::string& more) {
    return Assay(absl::StrCat("evaluate -m " ASSAY_BINARY_DIR "/tests/zoo/linear.pt -d datasets/d ",
                              "--server ", server_->address(), " -c clean ", more));
  };
  ASSERT_EQ(evaluate("--id e -o json"), 0) << Text("err");
  const std::string before = Text("out");
  EXPECT_EQ(Slices().size(), 6u);
  EXPECT_EQ(evaluate(absl::StrCat("--metadata ", Path("m.csv"))), 2);
  EXPECT_THAT(Text("err"), HasSubstr("--metadata"));

  server_->Kill();
  StartServer();
  const std::string report = absl::StrCat("evaluation report e --server ", server_->address(), " ");
  ASSERT_EQ(Assay(report + "-o json"), 0) << Text("err");
  EXPECT_EQ(Text("out"), before);

  ASSERT_EQ(Assay(report), 0);
  EXPECT_THAT(Text("out"), HasSubstr("; --all-slices shows all"));
  ASSERT_EQ(Assay(report + "--all-slices"), 0);
  EXPECT_THAT(Text("out"), HasSubstr("lighting=day, sunny"));
  EXPECT_THAT(Text("out"), HasSubstr("lighting=(missing)"));
  ASSERT_EQ(Assay(report + "-o html"), 0);
  EXPECT_THAT(Text("out"), HasSubstr("&lt;b&gt;=&lt;i&gt;"));
  EXPECT_THAT(Text("out"), Not(HasSubstr("<b>=")));
  ASSERT_EQ(Assay(report + "-o csv"), 0);
  EXPECT_THAT(Text("out"), HasSubstr("\nclean,,lighting=night,accuracy,"));

  // Gates on what the report has, before and after.
  EXPECT_EQ(Assay(report + "--require 'slice_accuracy(clean, lighting=night) >= 0'"), 0)
      << Text("err");
  EXPECT_EQ(Assay(report + "--require 'slice_accuracy(clean, \"lighting=day, sunny\") > 99.9%'"),
            1);
  EXPECT_EQ(Assay(report + "--require 'slice_accuracy(clean, lightning=night) >= 0'"), 2);
  EXPECT_THAT(Text("err"), HasSubstr("did you mean 'lighting'?"));
  EXPECT_EQ(Assay(report + "--require 'slice_accuracy(clean, lighting=nigth) >= 0'"), 2);
  EXPECT_THAT(Text("err"), HasSubstr("did you mean 'night'?"));
}

TEST_F(SlicesTest, GatesAreCheckedBeforeAnythingIsUploaded) {
  const std::string local =
      absl::StrCat("--local --threads 1 -c clean --metadata ", Path("m.csv"), " ");
  EXPECT_EQ(Evaluate(local + "--require 'slice_accuracy(clean, lighting=nigth) >= 0'"), 2);
  EXPECT_THAT(Text("err"), HasSubstr("did you mean 'night'?"));
  EXPECT_THAT(Text("err"), Not(HasSubstr("uploaded")));
  EXPECT_EQ(Evaluate(local + "--require 'slice_accuracy(clean, age=10..20) >= 0' "
                             "--metadata-edges age=20"),
            2);
  EXPECT_THAT(Text("err"), HasSubstr("column 'age' has no value '10..20'"));
  EXPECT_EQ(Evaluate(local + "--require 'slice_accuracy(clean, age=..20) >= 0' "
                             "--metadata-edges age=20"),
            0)
      << Text("err");
}

TEST_F(SlicesTest, FilesThatDoNotFitAreToldBeforeAnythingIsUploaded) {
  StartServer();
  const auto refused = [&](const std::string& csv, const std::string& more = "") {
    std::ofstream(Path("bad.csv"), std::ios::binary) << csv;
    EXPECT_NE(Evaluate(absl::StrCat("--server ", server_->address(), " -c clean --metadata ",
                                    Path("bad.csv"), " ", more)),
              0);
    return Text("err");
  };
  EXPECT_THAT(refused("a\n1\n2\n"), HasSubstr("has 2 rows below its header, but there are 120"));
  EXPECT_THAT(refused("a\n1\n2\n", "--limit 2"), HasSubstr("there are 120 samples"));
  EXPECT_THAT(refused("a,a\n1,2\n"), HasSubstr("both called 'a'"));
  EXPECT_THAT(refused("a,b\n1\n"), HasSubstr("line 2 has 1 value"));
  EXPECT_THAT(refused("a\nnan\n"), HasSubstr("line 2, column 'a': 'nan'"));
  const auto models = client_->ListModels();
  ASSERT_TRUE(models.ok());
  EXPECT_TRUE(models->empty());
}

TEST_F(SlicesTest, ALimitTakesTheRowsOfItsSamples) {
  StartServer();
  ASSERT_EQ(EvaluateThere("-c clean --limit 30 -o json"), 0) << Text("err");
  const json slices = Slices();
  for (const json& slice : slices[0].at("slices")) EXPECT_EQ(slice.at("samples"), 10);
  // Both samples of that age are beyond it.
  double oldest = 0;
  for (const json& slice : slices[1].at("slices")) {
    oldest = std::max(oldest, slice.at("to").get<double>());
  }
  EXPECT_EQ(oldest, 39);
}

}  // namespace
}  // namespace assay::testing
