#include "server/engine/example/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace assay::example {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr std::array<const char*, kShapeClasses> kNames = {
    "circle",   "ellipse", "square", "diamond", "triangle",
    "pentagon", "hexagon", "star",   "ring",    "cross"};

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
// 2014), started anew for every picture.
class Random {
 public:
  Random(uint64_t seed, int64_t index) : state_(seed) {
    state_ = Bits() ^ static_cast<uint64_t>(index);
  }

  uint64_t Bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double Uniform(double lower, double upper) {
    return lower + (upper - lower) * (static_cast<double>(Bits() >> 11) * 0x1.0p-53);
  }
  // Nearly normal, mean 0 and variance 1: the sum of four uniform numbers of 16 bits each.
  double Noise() {
    const uint64_t bits = Bits();
    const uint64_t sum =
        (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
    return (static_cast<double>(sum) * 0x1.0p-16 - 2) * std::sqrt(3.0);
  }

 private:
  uint64_t state_;
};

struct Point {
  double x, y;
};

// Each distance is negative inside, positive outside, and grows by about one per pixel near the
// edge.

// A regular polygon with its corners at `radius`.
double PolygonDistance(Point p, int corners, double radius) {
  const double sector = 2 * kPi / corners;
  const double angle = std::atan2(p.y, p.x);
  const double from_middle = angle - sector * std::floor(angle / sector) - sector / 2;
  return std::hypot(p.x, p.y) * std::cos(from_middle) - radius * std::cos(sector / 2);
}

double EllipseDistance(Point p, double a, double b) {
  const double level = std::hypot(p.x / a, p.y / b);
  const double slope = std::hypot(p.x / (a * a), p.y / (b * b));
  return slope > 0 ? level * (level - 1) / slope : -std::min(a, b);
}

// A rhombus with its corners at (+-a, 0) and (0, +-b).
double RhombusDistance(Point p, double a, double b) {
  return (std::abs(p.x) * b + std::abs(p.y) * a - a * b) / std::hypot(a, b);
}

// A star of five points, `inner` deep.
double StarDistance(Point p, double radius, double inner) {
  const double sector = 2 * kPi / 5;
  const double angle = std::atan2(p.y, p.x);
  // Folded into the half sector between a point (angle 0) and a notch (angle sector / 2).
  const double folded = std::abs(angle - sector * std::round(angle / sector));
  const double r = std::hypot(p.x, p.y);
  const Point q{r * std::cos(folded), r * std::sin(folded)};
  const Point notch{inner * std::cos(sector / 2), inner * std::sin(sector / 2)};
  const Point edge{notch.x - radius, notch.y};
  return ((q.x - radius) * -edge.y + q.y * edge.x) / -std::hypot(edge.x, edge.y);
}

double BoxDistance(Point p, double half_width, double half_height) {
  return std::max(std::abs(p.x) - half_width, std::abs(p.y) - half_height);
}

// What varies between pictures of one class.
struct Figure {
  int label;
  double radius;
  double aspect;  // of the ellipse and the diamond
  double
      depth;  // of the star's notches, the ring's and the cross's thickness: a share of the radius
};

double Distance(const Figure& figure, Point p) {
  const double r = figure.radius;
  switch (figure.label) {
    case 0:
      return std::hypot(p.x, p.y) - 0.9 * r;
    case 1:
      return EllipseDistance(p, r, r / figure.aspect);
    case 2:
      return BoxDistance(p, 0.78 * r, 0.78 * r);
    case 3:
      return RhombusDistance(p, 1.15 * r, 1.15 * r / figure.aspect);
    case 4:
      return PolygonDistance(p, 3, 1.15 * r);
    case 5:
      return PolygonDistance(p, 5, r);
    case 6:
      return PolygonDistance(p, 6, r);
    case 7:
      return StarDistance(p, 1.15 * r, (0.35 + 0.4 * figure.depth) * r);
    case 8:
      return std::abs(std::hypot(p.x, p.y) - 0.75 * r) - figure.depth * r / 2;
    default:
      return std::min(BoxDistance(p, r, figure.depth * r), BoxDistance(p, figure.depth * r, r));
  }
}

using Color = std::array<double, kShapeChannels>;

Color RandomColor(Random& random, double lower, double upper) {
  Color color;
  for (double& channel : color) channel = random.Uniform(lower, upper);
  return color;
}

double Brightness(const Color& color) {
  return std::accumulate(color.begin(), color.end(), 0.0) / static_cast<double>(color.size());
}

}  // namespace

const char* ShapeName(int label) { return kNames[static_cast<size_t>(label)]; }

int ShapeLabel(int64_t index) { return static_cast<int>(index % kShapeClasses); }

void DrawShape(uint64_t seed, int64_t index, uint8_t* pixels) {
  Random random(seed, index);

  Figure figure;
  figure.label = ShapeLabel(index);
  figure.radius = random.Uniform(9, 12.5);
  figure.aspect = random.Uniform(1.15, 1.6);
  figure.depth = random.Uniform(0.22, 0.34);
  // Corners reach 1.15 radii far, and out of the picture by at most half a pixel.
  const double room = kShapeSide / 2.0 + 0.5 - 1.15 * figure.radius;
  const Point centre{kShapeSide / 2.0 + random.Uniform(-room, room),
                     kShapeSide / 2.0 + random.Uniform(-room, room)};
  const double rotation = random.Uniform(0, 2 * kPi);
  const double cosine = std::cos(rotation), sine = std::sin(rotation);

  // The figure is the brighter one.
  const Color ground = RandomColor(random, 0.05, 0.5);
  Color paint;
  do {
    paint = RandomColor(random, 0.3, 0.95);
  } while (Brightness(paint) - Brightness(ground) < 0.2);

  // The background's texture: two plane waves, each moving the colour in a direction of its own.
  struct Wave {
    Color color;
    double x, y, phase;
  };
  std::array<Wave, 2> waves;
  for (Wave& wave : waves) {
    wave.color = RandomColor(random, -0.06, 0.06);
    const double direction = random.Uniform(0, 2 * kPi);
    const double frequency = 2 * kPi / random.Uniform(6, 40);
    wave.x = frequency * std::cos(direction);
    wave.y = frequency * std::sin(direction);
    wave.phase = random.Uniform(0, 2 * kPi);
  }
  const double noise = random.Uniform(0.005, 0.025);

  for (int y = 0; y < kShapeSide; ++y) {
    for (int x = 0; x < kShapeSide; ++x) {
      const Point at{x + 0.5 - centre.x, y + 0.5 - centre.y};
      const Point turned{cosine * at.x + sine * at.y, cosine * at.y - sine * at.x};
      const double cover = std::clamp(0.5 - Distance(figure, turned), 0.0, 1.0);
      std::array<double, 2> heights;
      for (size_t w = 0; w < waves.size(); ++w) {
        heights[w] = std::sin(waves[w].x * x + waves[w].y * y + waves[w].phase);
      }
      for (size_t c = 0; c < ground.size(); ++c) {
        const double behind =
            ground[c] + heights[0] * waves[0].color[c] + heights[1] * waves[1].color[c];
        const double value = behind + cover * (paint[c] - behind) + noise * random.Noise();
        *pixels++ = static_cast<uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
      }
    }
  }
}

}  // namespace assay::example
