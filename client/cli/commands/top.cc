// `assay top`.
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cli/base/command.h"
#include "client/cli/base/screen.h"
#include "client/cli/base/server_status.h"
#include "client/cli/base/terminal.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/base/json.h"

namespace assay::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kKeyInterval = std::chrono::milliseconds(100);
// For one answer; short, because no key is heard meanwhile.
constexpr double kAnswerSeconds = 2;
constexpr size_t kWidthOfFiles = 120;

struct TopOptions {
  double seconds = 2;
  bool once = false;
};

std::vector<std::string> Coloured(const std::vector<FrameLine>& lines, bool colour) {
  std::vector<std::string> texts;
  for (const FrameLine& line : lines) {
    const char* begin = "";
    if (colour && line.style == FrameLine::Style::kTitle) begin = "\x1b[1m";
    if (colour && line.style == FrameLine::Style::kHead) begin = "\x1b[7m";
    if (colour && line.style == FrameLine::Style::kNotice) begin = "\x1b[33m";
    texts.push_back(absl::StrCat(begin, line.text, *begin != '\0' ? "\x1b[0m" : ""));
  }
  return texts;
}

absl::Status PrintOnce(Session& session, client::Client& client) {
  ASSAY_ASSIGN_OR_RETURN(const v1::ServerStatus status, client.GetServerStatus());
  if (session.format() != render::Format::kTable) {
    return session.PrintTable(StatusTable(status), ToJson(status));
  }
  Frame frame;
  frame.width = kWidthOfFiles;
  frame.height = 0;
  frame.address = session.address();
  std::string text;
  for (const FrameLine& line : TopFrame(status, nullptr, frame)) {
    absl::StrAppend(&text, line.text, "\n");
  }
  return session.Print(text);
}

// Whether it may be over by itself.
bool IsAway(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

absl::Status Watch(Session& session, client::Client& client, double seconds) {
  const bool colour = DetectTerminal().colour;
  const auto interval = std::chrono::duration<double>(seconds);
  v1::ServerStatus status, before;
  auto last_answer = SteadyClock::now();
  Screen screen;
  while (!session.interrupt().triggered()) {
    auto answer = client.GetServerStatusOnce(kAnswerSeconds);
    if (session.interrupt().triggered()) break;
    if (!answer.ok() && !IsAway(answer.status())) return answer.status();
    Frame frame;
    frame.address = session.address();
    if (answer.ok()) {
      before.Swap(&status);
      status.Swap(&*answer);
      last_answer = SteadyClock::now();
    } else {
      const std::chrono::duration<double> silent = SteadyClock::now() - last_answer;
      frame.trouble = absl::StrCat("no answer for ", render::Duration(silent.count()),
                                   ", trying again: ", answer.status().message());
    }
    ScreenSize drawn{0, 0};
    const auto next = SteadyClock::now() + interval;
    do {
      if (const ScreenSize size = screen.size(); !(size == drawn)) {
        drawn = size;
        frame.width = size.width;
        frame.height = size.height;
        const auto lines = TopFrame(status, before.has_time() ? &before : nullptr, frame);
        // Nobody looks any more.
        if (!screen.Draw(Coloured(lines, colour))) return absl::OkStatus();
      }
      const char key = screen.Key(kKeyInterval);
      if (key == 'q' || key == 'Q') return absl::OkStatus();
    } while (!session.interrupt().triggered() && SteadyClock::now() < next);
  }
  // That is how it is ended.
  return absl::OkStatus();
}

}  // namespace

CommandRun Top(Leaf& leaf) {
  const auto options = std::make_shared<TopOptions>();
  leaf.Add("-d,--delay", &options->seconds, "Seconds between two looks (default 2)")
      .TypeName("SECONDS")
      .Positive();
  leaf.Add("--once", &options->once, "Print one frame, as without a terminal");
  leaf.Footer("q or Ctrl-C ends it.");
  return [options](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    if (options->once || !Screen::Available() || session.format() != render::Format::kTable) {
      return PrintOnce(session, *client);
    }
    return Watch(session, *client, options->seconds);
  };
}

}  // namespace assay::cli
