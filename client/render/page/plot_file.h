// Plots as files of their own: SVG that brings the colours which a page would give it.
#ifndef ASSAY_CLIENT_RENDER_PAGE_PLOT_FILE_H_
#define ASSAY_CLIENT_RENDER_PAGE_PLOT_FILE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/render/plot/markup.h"

namespace assay::render {

// On white, on dark, and black on whatever is below: nothing is painted behind it.
enum class PlotColours { kLight, kDark, kPrint };
// "light", "dark", "print", in that order.
const std::vector<std::string>& PlotColourNames();
std::optional<PlotColours> PlotColoursNamed(absl::string_view name);

// A document of SVG 1.1, its styles those of pages with every variable put in, which not all
// programs know. `plot` is one of the pictures of client/render/plot.
std::string PlotFile(plot::Markup plot, PlotColours colours);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_PAGE_PLOT_FILE_H_
