// The plots of a report by name, for those who want one of them and not the page.
#ifndef ASSAY_CLIENT_RENDER_PLOT_KINDS_H_
#define ASSAY_CLIENT_RENDER_PLOT_KINDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/reports.pb.h"
#include "client/render/plot/markup.h"

namespace assay::render {

struct PlotKind {
  const char* name;
  const char* summary;
  // What an evaluation must have for it, for the message where it does not.
  const char* needs;
};

// In the order of the page.
const std::vector<PlotKind>& PlotKinds();
std::vector<std::string> PlotKindNames();

// kInvalidField with the nearest name for a kind that is none.
absl::Status CheckPlotKind(const std::string& kind);

// The plot of that kind. Where there are several, of norms or of conditions, `part` says which;
// empty: the only one. kWrongState where the report has none, saying what condition it needs;
// kInvalidField for a part that is not there, or where one must be named, with those that are
// there.
absl::StatusOr<plot::Markup> PlotOfKind(const v1::Report& report, const std::string& kind,
                                        const std::string& part);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_PLOT_KINDS_H_
