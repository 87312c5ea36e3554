#include "client/render/plot/frame.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace assay::plot {
namespace {

constexpr double kSwatch = 34;
constexpr double kGap = 16;

double EntryWidth(const LegendEntry& entry) {
  return kSwatch + static_cast<double>(Characters(entry.name)) * kCharacterWidth + kGap;
}

// The left end and the line of every entry.
struct Place {
  double x;
  int line;
};
std::vector<Place> Places(const std::vector<LegendEntry>& entries, double width) {
  std::vector<Place> places;
  double used = 0;
  int line = 0;
  for (const LegendEntry& entry : entries) {
    const double own = EntryWidth(entry);
    if (used > 0 && used + own - kGap > width) {
      used = 0;
      ++line;
    }
    places.push_back({used, line});
    used += own;
  }
  return places;
}

bool BeginsCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

// Where character number `index` begins.
size_t ByteOf(const std::string& text, size_t index) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (BeginsCharacter(text[i]) && seen++ == index) return i;
  }
  return text.size();
}

}  // namespace

void OpenPicture(double width, double height, const std::string& title,
                 const std::string& description, Markup& out) {
  out.Open("svg", {{"class", "plot"},
                   {"viewBox", absl::StrCat("0 0 ", Coordinate(width), " ", Coordinate(height))},
                   {"width", width},
                   {"height", height},
                   {"role", "img"},
                   {"aria-label", absl::StrCat(title, ". ", description)}});
  out.Element("title", {}, title);
}

void DrawXAxis(const Scale& x, double top, double bottom, const std::string& title, Markup& out) {
  const std::vector<double> ticks = RoundTicks(x.numbers(), 8);
  const std::vector<std::string> labels = TickLabels(ticks);
  out.Open("g", {{"class", "axis"}});
  for (size_t i = 0; i < ticks.size(); ++i) {
    const double at = x(ticks[i]);
    out.Empty("line", {{"x1", at}, {"x2", at}, {"y1", top}, {"y2", bottom}});
    out.Element("text", {{"x", at}, {"y", bottom + 15}, {"text-anchor", "middle"}}, labels[i]);
  }
  const Range& ends = x.positions();
  out.Empty(
      "line",
      {{"class", "base"}, {"x1", ends.low}, {"x2", ends.high}, {"y1", bottom}, {"y2", bottom}});
  out.Element("text",
              {{"class", "name"},
               {"x", (ends.low + ends.high) / 2},
               {"y", bottom + 32},
               {"text-anchor", "middle"}},
              title);
  out.Close().Break();
}

void DrawYAxis(const Scale& y, double left, double right, const std::string& title, Markup& out) {
  const std::vector<double> ticks = RoundTicks(y.numbers(), 6);
  const std::vector<std::string> labels = TickLabels(ticks);
  out.Open("g", {{"class", "axis"}});
  for (size_t i = 0; i < ticks.size(); ++i) {
    const double at = y(ticks[i]);
    out.Empty("line", {{"x1", left}, {"x2", right}, {"y1", at}, {"y2", at}});
    out.Element("text", {{"x", left - 6}, {"y", at + 4}, {"text-anchor", "end"}}, labels[i]);
  }
  const Range& ends = y.positions();
  out.Empty("line",
            {{"class", "base"}, {"x1", left}, {"x2", left}, {"y1", ends.low}, {"y2", ends.high}});
  const double middle = (ends.low + ends.high) / 2;
  out.Element("text",
              {{"class", "name"},
               {"transform", absl::StrCat("translate(12 ", Coordinate(middle), ") rotate(-90)")},
               {"text-anchor", "middle"}},
              title);
  out.Close().Break();
}

std::string SeriesClass(size_t index) { return absl::StrCat("s", index % kSeriesClasses); }

std::string SeriesDashes(size_t index) {
  static constexpr const char* kDashes[] = {"", "7 3", "2 3", "9 3 2 3", "5 2"};
  return kDashes[index % std::size(kDashes)];
}

void DrawMarker(size_t index, double x, double y, const std::string& tip, Markup& out) {
  // Relative to the point, of about the same area.
  static constexpr const char* kShapes[] = {"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
                                            "m-3.5 -3.5h7v7h-7z",
                                            "m0 -5l4.5 8h-9z",
                                            "m0 -5l5 5l-5 5l-5 -5z",
                                            "m0 5l4.5 -8h-9z",
                                            "m-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z"};
  const std::string path =
      absl::StrCat("M", Coordinate(x), " ", Coordinate(y), kShapes[index % std::size(kShapes)]);
  if (tip.empty()) {
    out.Empty("path", {{"class", "mark"}, {"d", path}});
  } else {
    out.Open("path", {{"class", "mark"}, {"d", path}}).Element("title", {}, tip).Close();
  }
}

int LegendLines(const std::vector<LegendEntry>& entries, double width) {
  return entries.empty() ? 0 : Places(entries, width).back().line + 1;
}

void DrawLegend(const std::vector<LegendEntry>& entries, double left, double top, double width,
                Markup& out) {
  const std::vector<Place> places = Places(entries, width);
  for (size_t i = 0; i < entries.size(); ++i) {
    const double x = left + places[i].x;
    const double y = top + (places[i].line + 0.5) * kLineHeight;
    out.Open("g", {{"class", SeriesClass(entries[i].series)}});
    Markup::Attributes line = {
        {"class", "line"}, {"x1", x}, {"x2", x + kSwatch - 8}, {"y1", y}, {"y2", y}};
    const std::string dashes = SeriesDashes(entries[i].series);
    if (!dashes.empty()) line.emplace_back("stroke-dasharray", dashes);
    out.Empty("line", line);
    DrawMarker(entries[i].series, x + (kSwatch - 8) / 2, y, "", out);
    out.Element("text", {{"class", "key"}, {"x", x + kSwatch - 2}, {"y", y + 4}}, entries[i].name);
    out.Close().Break();
  }
}

size_t Characters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

std::string MiddleCut(const std::string& text, size_t most) {
  const size_t own = Characters(text);
  if (own <= most) return text;
  const size_t tail = (most - 1) / 2;
  const size_t head = most - 1 - tail;
  return absl::StrCat(text.substr(0, ByteOf(text, head)), "…",
                      text.substr(ByteOf(text, own - tail)));
}

}  // namespace assay::plot
