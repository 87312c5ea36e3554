// The published severity parameters of every corruption: four tables of five severities. Sources:
// make_cifar_c.py (32 px), make_tinyimagenet_c.py and make_imagenet_64_c.py (64 px, alike),
// make_imagenet_c.py (224 px) and make_imagenet_c_inception.py (299 px) of Hendrycks and
// Dietterich. What the numbers mean is documented with each corruption.
#ifndef ASSAY_CORE_CORRUPTIONS_TABLES_H_
#define ASSAY_CORE_CORRUPTIONS_TABLES_H_

#include <array>
#include <cmath>
#include <cstddef>

#include "core/corruptions/corruption.h"

namespace assay::corruptions {

// One parameter set for each table (in the order of SeverityTable) and severity.
template <typename T>
using Tables = std::array<std::array<T, 5>, 4>;

// Between two rows: numbers linearly, whole numbers rounded (halves up).
inline double Between(double low, double high, double share) { return low + share * (high - low); }
inline int Between(int low, int high, double share) {
  return static_cast<int>(std::floor(Between(double{1} * low, double{1} * high, share) + 0.5));
}

// The row of a severity in [1, 5], or the parameters between two rows.
template <typename T>
T Select(const Tables<T>& tables, const CorruptionContext& context) {
  const auto& rows = tables[static_cast<size_t>(context.table)];
  const double position = context.severity - 1;
  const auto low = static_cast<size_t>(position);
  const double share = position - static_cast<double>(low);
  return share == 0 ? rows[low] : Between(rows[low], rows[low + 1], share);
}

extern const Tables<double> kGaussianNoise;  // standard deviation
extern const Tables<double> kShotNoise;      // photons of a white element
extern const Tables<double> kImpulseNoise;   // share of elements hit
extern const Tables<double> kSpeckleNoise;   // standard deviation of the factor
extern const Tables<double> kGaussianBlur;   // sigma in pixels
extern const Tables<double> kBrightness;     // added to V
extern const Tables<double> kContrast;       // factor around the mean
extern const Tables<int> kJpegQuality;
extern const Tables<double> kPixelate;  // scale of the side

struct SaturationParameters {
  double factor;
  double offset;
};
SaturationParameters Between(const SaturationParameters& low, const SaturationParameters& high,
                             double share);
extern const Tables<SaturationParameters> kSaturate;

struct DiskParameters {
  double radius;
  double alias_sigma;
};
DiskParameters Between(const DiskParameters& low, const DiskParameters& high, double share);
extern const Tables<DiskParameters> kDefocusBlur;

struct GlassParameters {
  double sigma;
  int max_shift;
  int passes;
};
GlassParameters Between(const GlassParameters& low, const GlassParameters& high, double share);
extern const Tables<GlassParameters> kGlassBlur;

struct MotionParameters {
  double radius;
  double sigma;
};
MotionParameters Between(const MotionParameters& low, const MotionParameters& high, double share);
extern const Tables<MotionParameters> kMotionBlur;

// Factors 1, 1 + step, ...: `count` of them. The last ones of 32 px severities 1 and 2 are there
// because of rounding in the original's arange.
struct ZoomParameters {
  double step;
  int count;
};
ZoomParameters Between(const ZoomParameters& low, const ZoomParameters& high, double share);
extern const Tables<ZoomParameters> kZoomBlur;

struct FogParameters {
  double weight;
  double decay;
};
FogParameters Between(const FogParameters& low, const FogParameters& high, double share);
extern const Tables<FogParameters> kFog;

struct FrostParameters {
  double image_weight;
  double frost_weight;
};
FrostParameters Between(const FrostParameters& low, const FrostParameters& high, double share);
extern const Tables<FrostParameters> kFrost;

struct SnowParameters {
  double mean;
  double deviation;
  double zoom;
  double threshold;
  double radius;
  double sigma;
  double mix;
};
SnowParameters Between(const SnowParameters& low, const SnowParameters& high, double share);
extern const Tables<SnowParameters> kSnow;

struct SpatterParameters {
  double mean;
  double deviation;
  double sigma;
  double threshold;
  double strength;
  bool mud;
};
// Water and mud have nothing between them: the nearer row.
SpatterParameters Between(const SpatterParameters& low, const SpatterParameters& high,
                          double share);
extern const Tables<SpatterParameters> kSpatter;

// In units of kElasticSide of the table.
struct ElasticParameters {
  double alpha;
  double sigma;
  double affine;
};
ElasticParameters Between(const ElasticParameters& low, const ElasticParameters& high,
                          double share);
extern const Tables<ElasticParameters> kElasticTransform;
// The side that the published scripts multiply with; 244 and 360 are what they say.
extern const std::array<double, 4> kElasticSide;

// The side of the square that fog is drawn on; larger images get the next power of two.
extern const std::array<int, 4> kFogMap;

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_TABLES_H_
