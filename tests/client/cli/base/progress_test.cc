#include "client/cli/base/progress.h"

#include <sstream>

#include "gmock/gmock.h"
#include "tests/manual_clock.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ProgressPoint Point(double fraction, double samples) {
  ProgressPoint point;
  point.label = "clean";
  point.fraction = fraction;
  point.done = samples;
  point.amount = "some samples";
  point.rate_unit = "samples/s";
  return point;
}

class ProgressTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  std::ostringstream out_;
};

TEST_F(ProgressTest, PlainLinesComeEveryFewSeconds) {
  Progress progress(Terminal{}, false, clock_, out_);
  for (int second = 0; second <= 20; ++second) {
    progress.Update(Point(second / 40.0, second * 10));
    clock_.AdvanceSeconds(1);
  }
  EXPECT_EQ(out_.str(),
            "12 %  clean  some samples  10 samples/s  0:35 left\n"
            "25 %  clean  some samples  10 samples/s  0:30 left\n"
            "38 %  clean  some samples  10 samples/s  0:25 left\n"
            "50 %  clean  some samples  10 samples/s  0:20 left\n");
}

TEST_F(ProgressTest, RatesCountFromTheFirstPointSeen) {
  // Half was done before this watch began.
  Progress progress(Terminal{}, false, clock_, out_);
  progress.Update(Point(0.5, 500));
  clock_.AdvanceSeconds(10);
  progress.Update(Point(0.75, 600));
  EXPECT_EQ(out_.str(), "75 %  clean  some samples  10 samples/s  0:10 left\n");
}

// What is left is told as soon as it can be, and never as hours for a minute of work.
TEST_F(ProgressTest, LoadingAndTheFirstBatchSayNothingOfTheRest) {
  Progress progress(Terminal{}, false, clock_, out_);
  // 20 s of loading, then a first batch that takes 10 s.
  for (int second = 0; second < 30; ++second) {
    progress.Update(Point(0, 0));
    clock_.AdvanceSeconds(1);
  }
  EXPECT_THAT(out_.str(), Not(HasSubstr("left")));
  // From now on 1 % a second.
  for (int second = 0; second <= 50; ++second) {
    progress.Update(Point(0.001 + second / 100.0, 1 + second * 10));
    clock_.AdvanceSeconds(1);
  }
  EXPECT_THAT(out_.str(), HasSubstr("5 %  clean  some samples  10 samples/s  1:35 left\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("2:")));
}

TEST_F(ProgressTest, AThousandthOfTheWorkDoesNotTellTheRest) {
  Progress progress(Terminal{}, false, clock_, out_);
  progress.Update(Point(0, 0));
  clock_.AdvanceSeconds(1);
  progress.Update(Point(0.0001, 1));
  // Clean samples, a small part of the work, pass slowly.
  for (int second = 1; second <= 60; ++second) {
    clock_.AdvanceSeconds(1);
    progress.Update(Point(0.0001 + second * 0.0001, 1 + second * 10));
  }
  EXPECT_THAT(out_.str(), HasSubstr("samples/s"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("left")));
  clock_.AdvanceSeconds(5);
  progress.Update(Point(0.5, 1000));
  EXPECT_THAT(out_.str(), HasSubstr("50 %  clean  some samples  15.4 samples/s  1:05 left\n"));
}

TEST_F(ProgressTest, WhatIsLostIsMeasuredAnew) {
  Progress progress(Terminal{}, false, clock_, out_);
  progress.Update(Point(0.5, 500));
  clock_.AdvanceSeconds(10);
  progress.Update(Point(0.6, 600));
  EXPECT_THAT(out_.str(), HasSubstr("0:40 left"));
  // The engine died and its task begins again.
  clock_.AdvanceSeconds(10);
  progress.Update(Point(0.4, 400));
  out_.str("");
  clock_.AdvanceSeconds(10);
  progress.Update(Point(0.5, 500));
  EXPECT_EQ(out_.str(), "50 %  clean  some samples  10 samples/s  0:50 left\n");
}

TEST_F(ProgressTest, TerminalBarIsDrawnOverAndTakenAway) {
  {
    Terminal terminal;
    terminal.redraw = true;
    Progress progress(terminal, false, clock_, out_);
    progress.Update(Point(0, 0));
    clock_.AdvanceSeconds(0.05);
    progress.Update(Point(0.1, 1));
    EXPECT_EQ(out_.str(), "");
    clock_.AdvanceSeconds(1);
    progress.Update(Point(0.5, 5));
    EXPECT_THAT(out_.str(), HasSubstr("\r\x1b[K██████████░░░░░░░░░░  50 %  clean"));
    progress.Note("a line");
    EXPECT_THAT(out_.str(), HasSubstr("\r\x1b[Ka line\n"));
    clock_.AdvanceSeconds(1);
    progress.Update(Point(0.6, 6));
  }
  EXPECT_TRUE(out_.str().size() > 4 && out_.str().substr(out_.str().size() - 4) == "\r\x1b[K");
}

TEST_F(ProgressTest, QuietSaysNothing) {
  Progress progress(Terminal{}, true, clock_, out_);
  clock_.AdvanceSeconds(100);
  progress.Update(Point(0.5, 5));
  progress.Note("a line");
  EXPECT_EQ(out_.str(), "");
}

}  // namespace
}  // namespace assay::cli
