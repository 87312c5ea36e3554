#include "core/corruptions/tables.h"

namespace assay::corruptions {

// Rows: 32, 64, 224 and 299 px. Columns: severities 1 to 5.

const Tables<double> kGaussianNoise = {{{.04, .06, .08, .09, .10},
                                        {.04, .08, .12, .15, .18},
                                        {.08, .12, .18, .26, .38},
                                        {.09, .13, .19, .27, .40}}};

const Tables<double> kShotNoise = {
    {{500, 250, 100, 75, 50}, {250, 100, 50, 30, 15}, {60, 25, 12, 5, 3}, {50, 20, 10, 5, 3}}};

const Tables<double> kImpulseNoise = {{{.01, .02, .03, .05, .07},
                                       {.01, .02, .05, .08, .14},
                                       {.03, .06, .09, .17, .27},
                                       {.04, .07, .10, .18, .28}}};

const Tables<double> kSpeckleNoise = {{{.06, .1, .12, .16, .2},
                                       {.15, .2, .25, .3, .35},
                                       {.15, .2, .35, .45, .6},
                                       {.16, .21, .36, .46, .61}}};

const Tables<double> kGaussianBlur = {
    {{.4, .6, .7, .8, 1}, {.5, .75, 1, 1.25, 1.5}, {1, 2, 3, 4, 6}, {1.5, 2.5, 3.5, 4.5, 6.5}}};

const Tables<double> kBrightness = {
    {{.05, .1, .15, .2, .3}, {.1, .2, .3, .4, .5}, {.1, .2, .3, .4, .5}, {.1, .2, .3, .4, .5}}};

const Tables<double> kContrast = {
    {{.75, .5, .4, .3, .15}, {.4, .3, .2, .1, .05}, {.4, .3, .2, .1, .05}, {.4, .3, .2, .1, .05}}};

const Tables<int> kJpegQuality = {
    {{80, 65, 58, 50, 40}, {65, 58, 50, 40, 25}, {25, 18, 15, 10, 7}, {23, 16, 13, 8, 5}}};

const Tables<double> kPixelate = {
    {{.95, .9, .85, .75, .65}, {.9, .8, .7, .6, .5}, {.6, .5, .4, .3, .25}, {.5, .4, .3, .25, .2}}};

const Tables<SaturationParameters> kSaturate = {{{{{.3, 0}, {.1, 0}, {1.5, 0}, {2, .1}, {2.5, .2}}},
                                                 {{{.3, 0}, {.1, 0}, {2, 0}, {5, .1}, {30, .2}}},
                                                 {{{.3, 0}, {.1, 0}, {2, 0}, {5, .1}, {20, .2}}},
                                                 {{{.3, 0}, {.1, 0}, {2, 0}, {5, .1}, {20, .2}}}}};

const Tables<DiskParameters> kDefocusBlur = {{{{{.3, .4}, {.4, .5}, {.5, .6}, {1, .2}, {1.5, .1}}},
                                              {{{.5, .6}, {1, .1}, {1.5, .1}, {2.5, .01}, {3, .1}}},
                                              {{{3, .1}, {4, .5}, {6, .5}, {8, .5}, {10, .5}}},
                                              {{{4, .1}, {5, .5}, {7, .5}, {10, .5}, {12, .5}}}}};

const Tables<GlassParameters> kGlassBlur = {
    {{{{.05, 1, 1}, {.25, 1, 1}, {.4, 1, 1}, {.25, 1, 2}, {.4, 1, 2}}},
     {{{.1, 1, 1}, {.5, 1, 1}, {.6, 1, 2}, {.7, 2, 1}, {.9, 2, 2}}},
     {{{.7, 1, 2}, {.9, 2, 1}, {1, 2, 3}, {1.1, 3, 2}, {1.5, 4, 2}}},
     {{{.8, 1, 3}, {1, 3, 1}, {1.1, 2, 4}, {1.2, 4, 2}, {1.6, 5, 2}}}}};

const Tables<MotionParameters> kMotionBlur = {{{{{6, 1}, {6, 1.5}, {6, 2}, {8, 2}, {9, 2.5}}},
                                               {{{10, 1}, {10, 1.5}, {10, 2}, {10, 2.5}, {12, 3}}},
                                               {{{10, 3}, {15, 5}, {15, 8}, {15, 12}, {20, 15}}},
                                               {{{12, 4}, {17, 6}, {17, 9}, {17, 13}, {22, 16}}}}};

const Tables<ZoomParameters> kZoomBlur = {
    {{{{.01, 7}, {.01, 12}, {.01, 16}, {.01, 21}, {.01, 26}}},
     {{{.01, 7}, {.01, 12}, {.01, 16}, {.01, 21}, {.01, 26}}},
     {{{.01, 12}, {.01, 16}, {.02, 11}, {.02, 13}, {.03, 11}}},
     {{{.01, 12}, {.01, 16}, {.02, 11}, {.02, 13}, {.03, 11}}}}};

const Tables<FogParameters> kFog = {{{{{.2, 3}, {.5, 3}, {.75, 2.5}, {1, 2}, {1.5, 1.75}}},
                                     {{{.4, 3}, {.7, 3}, {1, 2.5}, {1.5, 2}, {2, 1.75}}},
                                     {{{1.5, 2}, {2, 2}, {2.5, 1.7}, {2.5, 1.5}, {3, 1.4}}},
                                     {{{1.5, 2}, {2, 2}, {2.5, 1.8}, {2.5, 1.6}, {3, 1.5}}}}};

const std::array<int, 4> kFogMap = {32, 64, 256, 512};

const Tables<FrostParameters> kFrost = {{{{{1, .2}, {1, .3}, {.9, .4}, {.85, .4}, {.75, .45}}},
                                         {{{1, .3}, {.9, .4}, {.8, .45}, {.75, .5}, {.7, .55}}},
                                         {{{1, .4}, {.8, .6}, {.7, .7}, {.65, .7}, {.6, .75}}},
                                         {{{1, .4}, {.8, .6}, {.7, .7}, {.65, .7}, {.6, .75}}}}};

const Tables<SnowParameters> kSnow = {{{{{.1, .2, 1, .6, 8, 3, .95},
                                         {.1, .2, 1, .5, 10, 4, .9},
                                         {.15, .3, 1.75, .55, 10, 4, .9},
                                         {.25, .3, 2.25, .6, 12, 6, .85},
                                         {.3, .3, 1.25, .65, 14, 12, .8}}},
                                       {{{.1, .2, 1, .6, 8, 3, .8},
                                         {.1, .2, 1, .5, 10, 4, .8},
                                         {.15, .3, 1.75, .55, 10, 4, .7},
                                         {.25, .3, 2.25, .6, 12, 6, .65},
                                         {.3, .3, 1.25, .65, 14, 12, .6}}},
                                       {{{.1, .3, 3, .5, 10, 4, .8},
                                         {.2, .3, 2, .5, 12, 4, .7},
                                         {.55, .3, 4, .9, 12, 8, .7},
                                         {.55, .3, 4.5, .85, 12, 8, .65},
                                         {.55, .3, 2.5, .85, 12, 12, .55}}},
                                       {{{.1, .3, 3, .5, 10, 4, .8},
                                         {.2, .3, 2, .5, 12, 4, .7},
                                         {.55, .3, 4, .9, 12, 8, .7},
                                         {.55, .3, 4.5, .85, 12, 8, .65},
                                         {.55, .3, 2.5, .85, 12, 12, .55}}}}};

const Tables<SpatterParameters> kSpatter = {{{{{.62, .1, .7, .7, .5, false},
                                               {.65, .1, .8, .7, .5, false},
                                               {.65, .3, 1, .69, .5, false},
                                               {.65, .1, .7, .69, .6, true},
                                               {.65, .1, .5, .68, .6, true}}},
                                             {{{.62, .1, .7, .7, .6, false},
                                               {.65, .1, .8, .7, .6, false},
                                               {.65, .3, 1, .69, .6, false},
                                               {.65, .1, .7, .68, .6, true},
                                               {.65, .1, .5, .67, .6, true}}},
                                             {{{.65, .3, 4, .69, .6, false},
                                               {.65, .3, 3, .68, .6, false},
                                               {.65, .3, 2, .68, .5, false},
                                               {.65, .3, 1, .65, 1.5, true},
                                               {.67, .4, 1, .65, 1.5, true}}},
                                             {{{.65, .3, 4, .69, .9, false},
                                               {.65, .3, 3.5, .68, .9, false},
                                               {.65, .3, 3, .68, .8, false},
                                               {.65, .3, 1.2, .65, 1.8, true},
                                               {.67, .4, 1.2, .65, 1.8, true}}}}};

const std::array<double, 4> kElasticSide = {32, 64, 244, 360};

const Tables<ElasticParameters> kElasticTransform = {
    {{{{0, 0, .08}, {.05, .2, .07}, {.08, .06, .06}, {.1, .04, .05}, {.1, .03, .03}}},
     {{{0, 0, .08}, {.05, .3, .06}, {.1, .08, .06}, {.1, .03, .03}, {.16, .03, .02}}},
     {{{2, .7, .1}, {2, .08, .2}, {.05, .01, .02}, {.07, .01, .02}, {.12, .01, .02}}},
     {{{2, .7, .1}, {2, .08, .2}, {.05, .01, .02}, {.07, .01, .02}, {.12, .01, .02}}}}};

SaturationParameters Between(const SaturationParameters& low, const SaturationParameters& high,
                             double share) {
  return {Between(low.factor, high.factor, share), Between(low.offset, high.offset, share)};
}

DiskParameters Between(const DiskParameters& low, const DiskParameters& high, double share) {
  return {Between(low.radius, high.radius, share),
          Between(low.alias_sigma, high.alias_sigma, share)};
}

GlassParameters Between(const GlassParameters& low, const GlassParameters& high, double share) {
  return {Between(low.sigma, high.sigma, share), Between(low.max_shift, high.max_shift, share),
          Between(low.passes, high.passes, share)};
}

MotionParameters Between(const MotionParameters& low, const MotionParameters& high, double share) {
  return {Between(low.radius, high.radius, share), Between(low.sigma, high.sigma, share)};
}

ZoomParameters Between(const ZoomParameters& low, const ZoomParameters& high, double share) {
  return {Between(low.step, high.step, share), Between(low.count, high.count, share)};
}

FogParameters Between(const FogParameters& low, const FogParameters& high, double share) {
  return {Between(low.weight, high.weight, share), Between(low.decay, high.decay, share)};
}

FrostParameters Between(const FrostParameters& low, const FrostParameters& high, double share) {
  return {Between(low.image_weight, high.image_weight, share),
          Between(low.frost_weight, high.frost_weight, share)};
}

SnowParameters Between(const SnowParameters& low, const SnowParameters& high, double share) {
  return {Between(low.mean, high.mean, share),     Between(low.deviation, high.deviation, share),
          Between(low.zoom, high.zoom, share),     Between(low.threshold, high.threshold, share),
          Between(low.radius, high.radius, share), Between(low.sigma, high.sigma, share),
          Between(low.mix, high.mix, share)};
}

SpatterParameters Between(const SpatterParameters& low, const SpatterParameters& high,
                          double share) {
  if (low.mud != high.mud) return share < 0.5 ? low : high;
  return {
      Between(low.mean, high.mean, share),         Between(low.deviation, high.deviation, share),
      Between(low.sigma, high.sigma, share),       Between(low.threshold, high.threshold, share),
      Between(low.strength, high.strength, share), low.mud};
}

ElasticParameters Between(const ElasticParameters& low, const ElasticParameters& high,
                          double share) {
  return {Between(low.alpha, high.alpha, share), Between(low.sigma, high.sigma, share),
          Between(low.affine, high.affine, share)};
}

}  // namespace assay::corruptions
