// The built-in data set: small pictures of ten shapes, drawn by a program, so that Assay can be
// tried and tested without downloading anything. One shape lies on a textured, noisy background, at
// random position, size, rotation and colours, with smooth edges. Some classes resemble each other
// on purpose (circle and ellipse, square and diamond, pentagon and hexagon), so that class-wise
// accuracies differ.
//
//   std::vector<uint8_t> image(kShapeBytes);
//   DrawShape(/*seed=*/1, /*index=*/42, image.data());   // a ShapeName(ShapeLabel(42))
#ifndef ASSAY_SERVER_ENGINE_EXAMPLE_SHAPES_H_
#define ASSAY_SERVER_ENGINE_EXAMPLE_SHAPES_H_

#include <cstddef>
#include <cstdint>

namespace assay::example {

inline constexpr int kShapeClasses = 10;
inline constexpr int kShapeSide = 32;
inline constexpr int kShapeChannels = 3;
inline constexpr size_t kShapeBytes = size_t{kShapeSide} * kShapeSide * kShapeChannels;

// The name of a class, 0 <= label < kShapeClasses.
const char* ShapeName(int label);

// The class of picture `index` >= 0: the classes take turns, so any ten pictures in a row hold each
// class once.
int ShapeLabel(int64_t index);

// Draws picture `index` of the endless set `seed` into pixels[0, kShapeBytes): rows, columns,
// red-green-blue. A function of its arguments only; thread-safe.
void DrawShape(uint64_t seed, int64_t index, uint8_t* pixels);

}  // namespace assay::example

#endif  // ASSAY_SERVER_ENGINE_EXAMPLE_SHAPES_H_
