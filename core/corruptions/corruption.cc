#include "core/corruptions/corruption.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::corruptions {
namespace {

SeverityTable TableNamed(const std::string& name, const v1::ImageShape& shape) {
  if (name == "32") return SeverityTable::k32;
  if (name == "64") return SeverityTable::k64;
  if (name == "224") return SeverityTable::k224;
  if (name == "299") return SeverityTable::k299;
  return NearestTable(shape.height(), shape.width());
}

// Severity 1 in the first frame that is changed, 5 in the last.
double Growing(const Progress& progress) {
  const double steps = std::max(1.0, progress.last - 1.0);
  return std::min(5.0, 1 + 4 * (progress.frame - 1) / steps);
}

}  // namespace

SeverityTable NearestTable(int height, int width) {
  constexpr std::pair<int, SeverityTable> kSides[] = {{32, SeverityTable::k32},
                                                      {64, SeverityTable::k64},
                                                      {224, SeverityTable::k224},
                                                      {299, SeverityTable::k299}};
  const int side = std::min(height, width);
  // Of two equally near, the first.
  return std::min_element(std::begin(kSides), std::end(kSides),
                          [&](const auto& a, const auto& b) {
                            return std::abs(a.first - side) < std::abs(b.first - side);
                          })
      ->second;
}

absl::StatusOr<Step> BySeverity(const std::function<SeverityFunction>& corrupt, Params& params,
                                const Setting& setting) {
  return PreparedBySeverity(
      [corrupt](const CorruptionContext& context) {
        return [corrupt, context](RandomStream& random, Image& image) {
          corrupt(context, random, image);
        };
      },
      params, setting);
}

absl::StatusOr<Step> PreparedBySeverity(
    const std::function<PreparedCorruption(const CorruptionContext& context)>& prepare,
    Params& params, const Setting& setting) {
  const SeverityTable table = TableNamed(params.Text("table"), setting.shape);
  const bool grows = params.Has("frames") && !params.Has("severity");
  const double severity = grows ? 5 : params.Number("severity");
  ASSAY_RETURN_IF_ERROR(params.status());
  if (!(severity >= 1 && severity <= 5) && severity != 0) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(params.condition().id(),
                              ": severities are from 1 to 5, or 0 for the image itself"))
        .ToStatus();
  }
  if (severity == 0) return Step([](const Progress&, RandomStream&, Image&) {});
  if (grows) {
    return Step([=](const Progress& progress, RandomStream& random, Image& image) {
      prepare({table, Growing(progress)})(random, image);
    });
  }
  return Step([corrupt = prepare({table, severity})](const Progress&, RandomStream& random,
                                                     Image& image) { corrupt(random, image); });
}

uint8_t TruncateToByte(double unit_value) {
  return static_cast<uint8_t>(std::clamp(unit_value, 0.0, 1.0) * 255.0);
}

}  // namespace assay::corruptions
