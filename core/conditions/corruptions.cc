// Common corruptions, spatial changes, occlusion, and sequences of growing change.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

constexpr int kMaxGrid = 16;

// A number of which both ends are allowed.
Parameter From(std::string name, std::string default_text, double minimum, double maximum,
               std::string summary) {
  Parameter p =
      Real(std::move(name), std::move(default_text), minimum, maximum, std::move(summary));
  p.above = false;
  return p;
}

Parameter Severity(std::string default_text, double minimum, std::string summary) {
  return Headline(
      Expanding(From("severity", std::move(default_text), minimum, 5, std::move(summary))));
}

Parameter Table() {
  return Choice("table", {"auto", "32", "64", "224", "299"},
                "parameter table, by image side; auto: the nearest");
}

Parameter FillBeyondEdge() {
  return Choice("fill", {"reflect", "edge", "black"}, "what comes in from beyond the edge");
}

// Which part of the image is changed: all of it, or one cell after the other.
std::vector<Parameter> GridAndCell() {
  return {Integer("grid", 1, 1, kMaxGrid, "cells along each side, of which one is changed"),
          Expanding(WithDefault(
              Integer("cell", 0, 0, kMaxGrid * kMaxGrid - 1, "cells to change, row by row"),
              [](const Values& values) {
                const int64_t grid = Number(values, "grid").numerator();
                return grid == 1 ? std::string("0") : absl::StrCat("0-", grid * grid - 1);
              },
              "every cell"))};
}

std::string CheckCell(const Values& values) {
  const int64_t grid = Number(values, "grid").numerator();
  if (Number(values, "cell").numerator() < grid * grid) return "";
  return absl::StrCat("cell=", values.at("cell"), " is outside a grid of ", grid, " x ", grid,
                      " (cells 0 to ", grid * grid - 1, ")");
}

std::string CheckSeverityAndCell(const Values& values) {
  const double severity = Number(values, "severity").ToDouble();
  if (severity > 0 && severity < 1) {
    return absl::StrCat("severity=", values.at("severity"),
                        " is below the published tables: from 1 to 5, or 0 for the image itself");
  }
  return CheckCell(values);
}

double OnePass(Params&) { return 1.2; }

Method CorruptionMethod(const std::string& name, const std::string& summary) {
  Method method{
      kFamilyCorruption,
      name,
      summary,
      {Severity("1-5", 0, "severity of the published table, or between two; 0: the image itself"),
       Table()},
      CheckSeverityAndCell,
      OnePass};
  for (Parameter& p : GridAndCell()) method.parameters.push_back(std::move(p));
  return method;
}

Method Spatial(const std::string& name, const std::string& summary,
               std::vector<Parameter> parameters) {
  return {kFamilyCorruption, name, summary, std::move(parameters), nullptr, OnePass};
}

Method Occlusion() {
  Method method{kFamilyCorruption,
                "occlusion",
                "a square of one colour",
                {Choice("color", {"grey", "black", "white", "mean"},
                        "colour of the square; mean: of each channel"),
                 Expanding(Real("size", "0.25", 0, 1,
                                "side of a square at a random place, as a share of the smaller "
                                "side; with a grid the square is the cell"))},
                [](const Values& values) {
                  if (values.at("grid") != "1" && values.at("size") != "0.25") {
                    return std::string("with a grid the square is the cell: leave size out");
                  }
                  return CheckCell(values);
                },
                OnePass};
  for (Parameter& p : GridAndCell()) method.parameters.push_back(std::move(p));
  return method;
}

// `compare`: what each frame's prediction is compared with.
Method Sequence(const std::string& name, const std::string& summary,
                std::vector<Parameter> parameters, bool to_first = false) {
  parameters.push_back(Integer("frames", 31, 2, 200, "frames, the image itself included"));
  parameters.push_back(Choice("compare",
                              to_first ? std::vector<std::string>{"first", "previous"}
                                       : std::vector<std::string>{"previous", "first"},
                              "the frame that each frame is compared with"));
  return {kFamilySequence, name, summary, std::move(parameters), nullptr, [](Params& params) {
            return 1.2 * static_cast<double>(params.Integer("frames"));
          }};
}

}  // namespace

std::vector<Method> Corruptions() {
  const std::string grows = ", growing from severity 1 to 5";
  const auto constant = [] {
    return std::vector<Parameter>{Severity("1", 1, "severity of every frame"), Table()};
  };
  return {
      CorruptionMethod("gaussian_noise", "Gaussian noise on every channel value"),
      CorruptionMethod("shot_noise", "Poisson noise of a low photon count"),
      CorruptionMethod("impulse_noise", "salt and pepper on channel values"),
      CorruptionMethod("defocus_blur", "blur by a disk, as of a lens out of focus"),
      CorruptionMethod("glass_blur", "neighbouring pixels shuffled, as seen through frosted glass"),
      CorruptionMethod("motion_blur", "blur along a random direction"),
      CorruptionMethod("zoom_blur", "average of the image at growing zoom"),
      CorruptionMethod("snow", "falling flakes over a whitened image"),
      CorruptionMethod("frost", "the published frost photographs, from --frost-directory"),
      CorruptionMethod("frost-procedural",
                       "ice crystals drawn by Assay; not the published frost photographs"),
      CorruptionMethod("fog", "plasma fractal fog"),
      CorruptionMethod("brightness", "value raised in HSV"),
      CorruptionMethod("contrast", "contrast reduced towards the mean of each channel"),
      CorruptionMethod("elastic_transform", "small affine and elastic distortion"),
      CorruptionMethod("pixelate", "resized down and up again"),
      CorruptionMethod("jpeg_compression", "JPEG at a low quality"),
      CorruptionMethod("speckle_noise", "Gaussian noise that grows with the value"),
      CorruptionMethod("gaussian_blur", "blur by a Gaussian"),
      CorruptionMethod("spatter", "drops of water or mud"),
      CorruptionMethod("saturate", "saturation changed in HSV"),
      Spatial("rotate", "turned about the centre",
              {Headline(Expanding(From("degrees", "-30+-15+15+30", -180, 180,
                                       "counterclockwise; takes a list or range"))),
               FillBeyondEdge()}),
      Spatial(
          "translate", "shifted",
          {Headline(Expanding(From("x", "0.1", -1, 1, "to the right, as a share of the width"))),
           Headline(Expanding(From("y", "0", -1, 1, "down, as a share of the height"))),
           FillBeyondEdge()}),
      Spatial("scale", "content enlarged or shrunk about the centre",
              {Headline(Expanding(From("factor", "0.7+1.4", 0.05, 20, "above 1 enlarges"))),
               FillBeyondEdge()}),
      Spatial("crop", "a window of the image, stretched over the whole",
              {Headline(Expanding(From("keep", "0.8", 0.05, 1, "sides of the window, as a share"))),
               Choice("at",
                      {"center", "top-left", "top-right", "bottom-left", "bottom-right", "random"},
                      "where the window is")}),
      Spatial("flip", "mirrored",
              {Headline(Choice("axis", {"horizontal", "vertical", "both"},
                               "horizontal: left and right change places"))}),
      Occlusion(),
      Sequence("gaussian_noise", "new Gaussian noise in every frame", constant(), true),
      Sequence("shot_noise", "new Poisson noise in every frame", constant(), true),
      Sequence("impulse_noise", "new salt and pepper in every frame", constant(), true),
      Sequence("speckle_noise", "new multiplicative noise in every frame", constant(), true),
      Sequence("motion_blur", "blur along one random direction" + grows, {Table()}),
      Sequence("zoom_blur", "blur towards the edges" + grows, {Table()}),
      Sequence("gaussian_blur", "blur by a Gaussian" + grows, {Table()}),
      Sequence("snow", "the same flakes" + grows, {Table()}),
      Sequence("fog", "the same fog" + grows, {Table()}),
      Sequence("brightness", "value raised" + grows, {Table()}),
      Sequence("contrast", "contrast reduced" + grows, {Table()}),
      Sequence("rotate", "turning about the centre",
               {Headline(Expanding(From("degrees", "30", -180, 180, "of the last frame"))),
                FillBeyondEdge()}),
      Sequence("translate", "moving to the right",
               {Headline(Expanding(
                    From("x", "0.3", -1, 1, "of the last frame, as a share of the width"))),
                FillBeyondEdge()}),
      Sequence("scale", "growing or shrinking about the centre",
               {Headline(Expanding(From("factor", "1.5", 0.05, 20, "of the last frame"))),
                FillBeyondEdge()}),
  };
}

}  // namespace assay::conditions
