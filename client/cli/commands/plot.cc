// `assay plot`: one plot of a report as a file.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/base/output_file.h"
#include "client/cli/base/picture_file.h"
#include "client/cli/base/resources.h"
#include "client/render/page/plot_file.h"
#include "client/render/plot_kinds.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {
namespace {

// Of a PNG: as sharp in a column of a paper as it is printed.
constexpr double kScaleOfPng = 3;

struct PlotOptions {
  std::string kind;
  std::string path;
  std::string part;
  std::string colours = "light";
  double scale = 0;
  double confidence_level = 0.95;
};

absl::Status CheckScale(const PlotOptions& options, PictureFormat format) {
  if (options.scale == 0) return absl::OkStatus();
  if (format == PictureFormat::kSvg) {
    return InvalidFields({{"--scale", "goes with PNG and PDF: SVG has any size"}});
  }
  // The negation also refuses NaN.
  if (!(options.scale >= 0.1 && options.scale <= 50)) {
    return InvalidFields(
        {{"--scale", absl::StrCat("must be from 0.1 to 50; got ", options.scale)}});
  }
  return absl::OkStatus();
}

}  // namespace

CommandRun Plot(Leaf& leaf) {
  const auto options = std::make_shared<PlotOptions>();
  leaf.Add("kind", &options->kind, absl::StrJoin(render::PlotKindNames(), ", ")).Required();
  const NameArgument evaluation(leaf, kEvaluations);
  leaf.Add("-o,--output", &options->path, "File that ends in .svg, .png or .pdf")
      .Required()
      .TypeName("FILE");
  leaf.Add("--of", &options->part,
           "Which one, where there are several: a norm (budget, certified) or a condition (pa)")
      .TypeName("NAME");
  leaf.Add("--colours", &options->colours,
           "light (default), dark, or print: black on nothing, to be put on paper")
      .OneOf(render::PlotColourNames());
  leaf.Add("--scale", &options->scale,
           "Size: pixels of a PNG for each of 440 or 640 units of width (default 3), or times 1/96 "
           "inch of a PDF (default 1)")
      .TypeName("N");
  leaf.Add("--confidence-level", &options->confidence_level,
           "Level of the intervals (default 0.95)")
      .Share("0.95")
      .TypeName("LEVEL");
  std::string footer = "Kinds:\n";
  for (const render::PlotKind& kind : render::PlotKinds()) {
    absl::StrAppend(&footer, "  ", kind.name, ": ", kind.summary, "\n");
  }
  leaf.Footer(absl::StrCat(footer, "Example: assay plot budget resnet-77 -o budget.pdf"));
  return [evaluation, options](Session& session) -> absl::Status {
    ASSAY_RETURN_IF_ERROR(render::CheckPlotKind(options->kind));
    ASSAY_ASSIGN_OR_RETURN(const PictureFormat format, PictureFormatOf("--output", options->path));
    ASSAY_RETURN_IF_ERROR(CheckScale(*options, format));
    ASSAY_RETURN_IF_ERROR(CheckWritable("--output", options->path));
    v1::GetReportRequest request;
    request.set_name(evaluation.full());
    request.set_confidence_level(options->confidence_level);
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::Report report, client->GetReport(request));
    ASSAY_ASSIGN_OR_RETURN(plot::Markup plot,
                           render::PlotOfKind(report, options->kind, options->part));
    const std::string svg =
        render::PlotFile(std::move(plot), *render::PlotColoursNamed(options->colours));
    double scale = options->scale;
    if (scale == 0) scale = format == PictureFormat::kPng ? kScaleOfPng : 1;
    ASSAY_ASSIGN_OR_RETURN(const std::string bytes, PictureBytes(svg, format, scale));
    return WriteOutput(options->path, bytes);
  };
}

}  // namespace assay::cli
