#include "server/engine/corruptions/run.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/params.h"
#include "server/engine/corruptions/corruption.h"

namespace assay::engine {
namespace {

// NCHW floats in [0, 1] to interleaved bytes.
void ToImage(const float* pixels, const Shape& shape, Image* image) {
  image->height = shape.height;
  image->width = shape.width;
  image->channels = shape.channels;
  image->pixels.resize(shape.size());
  const auto plane = static_cast<size_t>(shape.height) * static_cast<size_t>(shape.width);
  const auto channels = static_cast<size_t>(shape.channels);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < plane; ++i) {
      image->pixels[i * channels + c] =
          static_cast<uint8_t>(std::lround(pixels[c * plane + i] * 255.0F));
    }
  }
}

void FromImage(const Image& image, float* pixels) {
  const auto plane = static_cast<size_t>(image.height) * static_cast<size_t>(image.width);
  const auto channels = static_cast<size_t>(image.channels);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < plane; ++i) {
      pixels[c * plane + i] = static_cast<float>(image.pixels[i * channels + c]) / 255.0F;
    }
  }
}

SeverityTable TableNamed(const std::string& name, const Shape& shape) {
  if (name == "32") return SeverityTable::k32;
  if (name == "64") return SeverityTable::k64;
  if (name == "224") return SeverityTable::k224;
  if (name == "299") return SeverityTable::k299;
  return NearestTable(shape.height, shape.width);
}

}  // namespace

absl::StatusOr<std::vector<v1::Outcome>> RunCorruption(const TaskContext& task) {
  const Corruption* corruption = FindCorruption(task.condition.method());
  if (corruption == nullptr) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat("this engine has no corruption '", task.condition.method(), "'"));
  }
  const Shape shape = task.classifier.shape();
  if (shape.channels != 3 && !(shape.channels == 1 && corruption->grayscale)) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(task.condition.id(), " needs RGB images",
                              corruption->grayscale ? " or one-channel images" : "",
                              "; these have ", shape.channels, " channels"));
  }
  Params params(task.condition);
  const CorruptionContext context{TableNamed(params.Text("table"), shape),
                                  static_cast<int>(params.Integer("severity"))};
  ASSAY_RETURN_IF_ERROR(params.status());
  const RandomKey key = task.random_key();

  std::vector<v1::Outcome> outcomes(task.samples.size());
  ASSAY_RETURN_IF_ERROR(ForwardAll(
      task, 64,
      [&](size_t i, float* pixels) {
        task.samples.ReadImage(i, pixels);
        Image image;
        ToImage(pixels, shape, &image);
        RandomStream random(key, task.samples.index(i), 0);
        corruption->apply(context, random, image);
        FromImage(image, pixels);
      },
      [&](size_t i, const float* logits) {
        outcomes[i] = MakeOutcome(task.samples.index(i), task.samples.label(i),
                                  Predict(logits, task.classifier.num_classes()));
      }));
  return outcomes;
}

}  // namespace assay::engine
