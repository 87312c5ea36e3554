// Gates as people and programs read them.
#include "client/render/gate_document.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/render/render.h"
#include "gmock/gmock.h"
#include "tests/client/render/sample_report.h"

namespace assay::render {
namespace {

using report::GateResult;
using report::GateVerdict;
using ::testing::HasSubstr;

GateResult Gate(GateVerdict verdict, const std::string& expression, const std::string& why) {
  GateResult gate;
  gate.expression = expression;
  gate.verdict = verdict;
  gate.holds = verdict == GateVerdict::kPassed;
  gate.why = why;
  return gate;
}

std::vector<GateResult> Gates() {
  GateResult passed =
      Gate(GateVerdict::kPassed, "accuracy(clean) >= 0.7", "the lower end is at least");
  passed.value = 0.8;
  passed.interval = Interval{0.779, 0.8205};
  passed.threshold = 0.7;
  GateResult undecided = Gate(GateVerdict::kUndecided, "accuracy(clean) >= baseline", "not sure");
  undecided.value = 0.8;
  undecided.interval = Interval{0.779, 0.8205};
  undecided.threshold = 0.81;
  undecided.baseline = 0.81;
  undecided.baseline_interval = Interval{0.79, 0.83};
  undecided.difference = -0.01;
  undecided.difference_interval = Interval{-0.02, 0.003};
  undecided.method = "paired";
  undecided.more_samples = 1234;
  return {passed, undecided, Gate(GateVerdict::kFailed, "check(clean, a)", "WARNING: \"x\""),
          Gate(GateVerdict::kError, "cfps(clean, '<&>') < 1", "no class '<&>'\n\x01\xff")};
}

// The elements of XML in their order, by a reader that knows no more than what is written here:
// "+name" and "-name", with attributes and texts decoded. "BAD ..." where it is not well-formed.
class XmlReader {
 public:
  explicit XmlReader(std::string text) : text_(std::move(text)) {}

  std::vector<std::string> Read() {
    Expect("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    while (at_ < text_.size() && good_) {
      if (text_[at_] == '<') {
        Tag();
      } else {
        Text('<');
      }
    }
    if (!open_.empty()) Bad("not closed");
    return events_;
  }

 private:
  void Bad(const std::string& why) {
    good_ = false;
    events_.push_back("BAD " + why + " at " + text_.substr(at_, 30));
  }
  void Expect(const std::string& what) {
    if (text_.compare(at_, what.size(), what) != 0) return Bad("expected " + what);
    at_ += what.size();
  }
  std::string Name() {
    std::string name;
    while (at_ < text_.size() && (isalnum(text_[at_]) || text_[at_] == '-' || text_[at_] == '_')) {
      name.push_back(text_[at_++]);
    }
    if (name.empty()) Bad("no name");
    return name;
  }
  // Up to `end`, which stays.
  std::string Text(char end) {
    std::string text;
    while (at_ < text_.size() && text_[at_] != end) {
      const unsigned char c = static_cast<unsigned char>(text_[at_]);
      if (c == '<' || (c < 0x20 && c != '\n')) {
        Bad("a character that must not be there");
        return text;
      }
      if (c != '&') {
        text.push_back(text_[at_++]);
        continue;
      }
      const std::pair<const char*, char> kEntities[] = {
          {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
      bool known = false;
      for (const auto& [entity, meaning] : kEntities) {
        if (known || !absl::StartsWith(absl::string_view(text_).substr(at_), entity)) continue;
        text.push_back(meaning);
        at_ += absl::string_view(entity).size();
        known = true;
      }
      if (!known) {
        Bad("an unknown entity");
        return text;
      }
    }
    return text;
  }
  void Tag() {
    Expect("<");
    if (text_[at_] == '/') {
      ++at_;
      const std::string name = Name();
      if (open_.empty() || open_.back() != name) return Bad("closes " + name);
      open_.pop_back();
      events_.push_back("-" + name);
      return Expect(">");
    }
    const std::string name = Name();
    std::string event = "+" + name;
    while (good_ && text_[at_] == ' ') {
      ++at_;
      absl::StrAppend(&event, " ", Name());
      Expect("=\"");
      absl::StrAppend(&event, "=", Text('"'));
      Expect("\"");
    }
    events_.push_back(event);
    if (text_[at_] == '/') {
      ++at_;
    } else {
      open_.push_back(name);
    }
    Expect(">");
  }

  const std::string text_;
  size_t at_ = 0;
  bool good_ = true;
  std::vector<std::string> open_;
  std::vector<std::string> events_;
};

TEST(GateDocument, TablesEndWithTheGates) {
  const std::string text = RenderReport(SampleReport(), Format::kTable, Gates());
  EXPECT_THAT(text, HasSubstr("\ngates  1 of 4 hold\n"));
  EXPECT_THAT(text,
              HasSubstr("PASSED     accuracy(clean) >= 0.7       0.8 [0.779, 0.8205]        0.7"
                        "  the lower end is at least\n"));
  EXPECT_THAT(text,
              HasSubstr("difference -0.01 [-0.02, 0.003] from the baseline's 0.81 [0.79, 0.83], "
                        "not sure\n"));
  EXPECT_EQ(RenderReport(SampleReport(), Format::kTable, {}),
            RenderReport(SampleReport(), Format::kTable));
}

TEST(GateDocument, NamesAreNoMarkup) {
  EXPECT_THAT(
      RenderReport(SampleReport(), Format::kMarkdown, Gates()),
      HasSubstr("| ERROR | cfps(clean, '\\<&\\>') \\< 1 | - | - | no class '\\<&\\>'??? |\n"));
}

TEST(GateDocument, JsonHasThemBesideTheFieldsOfTheReport) {
  const auto json = nlohmann::json::parse(RenderReport(SampleReport(), Format::kJson, Gates()));
  EXPECT_EQ(json["evaluation"], "evaluations/demo");
  EXPECT_EQ(json["gates"][0], nlohmann::json::parse(R"({"expression": "accuracy(clean) >= 0.7",
      "verdict": "PASSED", "holds": true, "value": 0.8, "lower": 0.779, "upper": 0.8205,
      "threshold": 0.7, "why": "the lower end is at least"})"));
  EXPECT_EQ(json["gates"][1]["more_samples"], 1234);
  EXPECT_EQ(json["gates"][1]["baseline"]["upper"], 0.83);
  EXPECT_EQ(json["gates"][1]["difference"],
            nlohmann::json::parse(R"({"value": -0.01, "lower": -0.02, "upper": 0.003,
                                      "method": "paired"})"));
  EXPECT_FALSE(json["gates"][2].contains("value"));
}

TEST(GateDocument, JunitHasACaseForEach) {
  const std::vector<std::string> expected = {
      "+testsuites tests=4 failures=2 errors=1 time=0",
      "+testsuite name=evaluations/demo tests=4 failures=2 errors=1 time=0 skipped=0",
      "+properties",
      "+property name=model value=models/m",
      "+property name=dataset value=datasets/d",
      "+property name=seed value=7",
      "+property name=confidence_level value=0.95",
      "-properties",
      "+testcase name=accuracy(clean) >= 0.7 classname=evaluations/demo time=0",
      "+system-out",
      "-system-out",
      "-testcase",
      "+testcase name=accuracy(clean) >= baseline classname=evaluations/demo time=0",
      "+failure message=not sure type=undecided",
      "-failure",
      "-testcase",
      "+testcase name=check(clean, a) classname=evaluations/demo time=0",
      "+failure message=WARNING: \"x\" type=failed",
      "-failure",
      "-testcase",
      "+testcase name=cfps(clean, '<&>') < 1 classname=evaluations/demo time=0",
      "+error message=no class '<&>'??? type=error",
      "-error",
      "-testcase",
      "-testsuite",
      "-testsuites"};
  EXPECT_EQ(XmlReader(RenderReport(SampleReport(), Format::kJunit, Gates())).Read(), expected);
}

TEST(GateDocument, UndecidedIsNoFailureWhereItPasses) {
  std::vector<GateResult> gates = Gates();
  gates[1].holds = true;
  const std::string xml = GatesJunit(SampleReport(), gates);
  EXPECT_THAT(xml, HasSubstr("tests=\"4\" failures=\"1\" errors=\"1\""));
  EXPECT_THAT(xml, HasSubstr("<system-out>UNDECIDED accuracy(clean) &gt;= baseline: "));
}

TEST(GateDocument, NoNameBreaksTheXml) {
  v1::Report report = SampleReport();
  report.set_evaluation("\"/><x>]]>&amp;&#0;<!-- \x1b[2J \xef\xbf\xbf");
  for (const std::string hostile :
       {"]]><![CDATA[", "</failure>", "<!-- --", "&#x0;", "\"'<>&", "\xc3", "\xed\xa0\x80"}) {
    const std::string xml = GatesJunit(report, {Gate(GateVerdict::kFailed, hostile, hostile)});
    for (const std::string& event : XmlReader(xml).Read()) {
      EXPECT_FALSE(absl::StartsWith(event, "BAD")) << hostile << ": " << event;
    }
  }
}

}  // namespace
}  // namespace assay::render
