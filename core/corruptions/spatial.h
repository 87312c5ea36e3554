// Changes of position, size and direction, and of what can be seen: the evaluation-time counterpart
// of editing an image's attributes. Sampling is bilinear, results are rounded to the nearest grey
// level; a change by nothing changes no byte.
#ifndef ASSAY_CORE_CORRUPTIONS_SPATIAL_H_
#define ASSAY_CORE_CORRUPTIONS_SPATIAL_H_

#include "core/corruptions/corruption.h"

namespace assay::corruptions {

// What comes in from beyond the edge: the image mirrored (b a | a b c), its edge repeated, or 0.
enum class Fill { kReflect, kEdge, kBlack };

// Counterclockwise about the centre.
void Rotate(double degrees, Fill fill, Image& image);
// To the right and down, as shares of width and height.
void Translate(double x, double y, Fill fill, Image& image);
// Enlarges (factor > 1) or shrinks the content about the centre; the image keeps its size.
void Scale(double factor, Fill fill, Image& image);
// Keeps a window of `keep` (0 to 1] times the sides, whose upper left corner is at the shares `x`
// and `y`, 0 to 1, of the room that is left, and stretches it over the whole image.
void Crop(double keep, double x, double y, Image& image);
void Flip(bool horizontal, bool vertical, Image& image);

// A square of the image in one colour.
enum class Cover { kGrey, kBlack, kWhite, kMean };  // kMean: mean of each channel
// Part of an image in pixels: rows [top, bottom), columns [left, right).
struct Area {
  int top;
  int bottom;
  int left;
  int right;
};
void Occlude(Cover cover, const Area& area, Image& image);
// Cell `cell` of a grid of `grid` x `grid` cells, row by row. Empty when the image has fewer pixels
// than the grid has cells.
Area GridCell(int grid, int cell, const Image& image);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_SPATIAL_H_
