#include "client/render/plot_points.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {

plot::Point RatePoint(double x, const v1::Rate& rate, const std::string& what) {
  const double y = rate.value() * 100;
  return {x, y, rate.has_lower() ? rate.lower() * 100 : y,
          rate.has_upper() ? rate.upper() * 100 : y,
          absl::StrCat(what, ": ", PercentWithInterval(rate), " %")};
}

std::string NormName(const std::string& norm) {
  std::string name = Printable(norm);
  if (!name.empty()) name[0] = absl::ascii_toupper(static_cast<unsigned char>(name[0]));
  return name;
}

std::string SeriesNames(const plot::LinePlot& plot) {
  std::string names;
  for (const plot::Series& series : plot.series) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", series.name);
  }
  return names;
}

}  // namespace assay::render
