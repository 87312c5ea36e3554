// The corruptions by name, for the registry; each is documented in the file that defines it.
#ifndef ASSAY_CORE_CORRUPTIONS_METHODS_H_
#define ASSAY_CORE_CORRUPTIONS_METHODS_H_

#include "core/corruptions/corruption.h"

namespace assay::corruptions {

// noise.cc
void GaussianNoise(const CorruptionContext& context, RandomStream& random, Image& image);
void ShotNoise(const CorruptionContext& context, RandomStream& random, Image& image);
void ImpulseNoise(const CorruptionContext& context, RandomStream& random, Image& image);
void SpeckleNoise(const CorruptionContext& context, RandomStream& random, Image& image);
// blur.cc
void GaussianBlur(const CorruptionContext& context, RandomStream& random, Image& image);
void DefocusBlur(const CorruptionContext& context, RandomStream& random, Image& image);
void GlassBlur(const CorruptionContext& context, RandomStream& random, Image& image);
// motion.cc
void MotionBlur(const CorruptionContext& context, RandomStream& random, Image& image);
// zoom.cc
void ZoomBlur(const CorruptionContext& context, RandomStream& random, Image& image);
// snow.cc, frost.cc, frost_procedural.cc, fog.cc, spatter.cc
void Snow(const CorruptionContext& context, RandomStream& random, Image& image);
void Frost(const CorruptionContext& context, RandomStream& random, Image& image);
void FrostProcedural(const CorruptionContext& context, RandomStream& random, Image& image);
void Fog(const CorruptionContext& context, RandomStream& random, Image& image);
void Spatter(const CorruptionContext& context, RandomStream& random, Image& image);
// color.cc
void Brightness(const CorruptionContext& context, RandomStream& random, Image& image);
void Contrast(const CorruptionContext& context, RandomStream& random, Image& image);
void Saturate(const CorruptionContext& context, RandomStream& random, Image& image);
// elastic.cc
void ElasticTransform(const CorruptionContext& context, RandomStream& random, Image& image);
// pixelate.cc
void Pixelate(const CorruptionContext& context, RandomStream& random, Image& image);
// jpeg.cc
void JpegCompression(const CorruptionContext& context, RandomStream& random, Image& image);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_METHODS_H_
