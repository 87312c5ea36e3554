#include "client/cli/base/picture_file.h"

#include <cairo-pdf.h>
#include <cairo.h>
#include <librsvg/rsvg.h>

#include <cmath>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

constexpr double kPointsPerUnit = 72.0 / 96;
constexpr double kMostPixels = 20000;

struct Deleter {
  void operator()(RsvgHandle* handle) const { g_object_unref(handle); }
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};
template <typename Object>
using Owned = std::unique_ptr<Object, Deleter>;

absl::Status Failed(absl::string_view what) {
  return Error(Reason::kInternal, absl::StrCat("cannot draw the picture: ", what));
}

absl::Status Failed(GError* error) {
  const absl::Status status = Failed(error != nullptr ? error->message : "unknown");
  g_clear_error(&error);
  return status;
}

cairo_status_t Append(void* bytes, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

absl::Status Check(cairo_status_t status) {
  return status == CAIRO_STATUS_SUCCESS ? absl::OkStatus() : Failed(cairo_status_to_string(status));
}

// On all of the surface, `width` x `height` of its units.
absl::Status Draw(RsvgHandle* handle, cairo_surface_t* surface, double width, double height) {
  const Owned<cairo_t> context(cairo_create(surface));
  const RsvgRectangle all{0, 0, width, height};
  GError* error = nullptr;
  if (!rsvg_handle_render_document(handle, context.get(), &all, &error)) return Failed(error);
  return Check(cairo_status(context.get()));
}

absl::StatusOr<std::string> Png(RsvgHandle* handle, double width, double height) {
  if (std::max(width, height) > kMostPixels) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("a picture of ", std::lround(width), " x ", std::lround(height),
                              " pixels; at most ", kMostPixels, " on a side"));
  }
  const Owned<cairo_surface_t> surface(
      cairo_image_surface_create(CAIRO_FORMAT_ARGB32, static_cast<int>(std::lround(width)),
                                 static_cast<int>(std::lround(height))));
  ASSAY_RETURN_IF_ERROR(Draw(handle, surface.get(), width, height));
  std::string bytes;
  ASSAY_RETURN_IF_ERROR(Check(cairo_surface_write_to_png_stream(surface.get(), Append, &bytes)));
  return bytes;
}

absl::StatusOr<std::string> Pdf(RsvgHandle* handle, double width, double height) {
  std::string bytes;
  const Owned<cairo_surface_t> surface(
      cairo_pdf_surface_create_for_stream(Append, &bytes, width, height));
  // Otherwise the time of writing, which would make every file another one.
  cairo_pdf_surface_set_metadata(surface.get(), CAIRO_PDF_METADATA_CREATE_DATE, "");
  ASSAY_RETURN_IF_ERROR(Draw(handle, surface.get(), width, height));
  cairo_surface_finish(surface.get());
  ASSAY_RETURN_IF_ERROR(Check(cairo_surface_status(surface.get())));
  return bytes;
}

}  // namespace

absl::StatusOr<PictureFormat> PictureFormatOf(const std::string& option, const std::string& path) {
  const std::string name = absl::AsciiStrToLower(path);
  if (absl::EndsWith(name, ".svg")) return PictureFormat::kSvg;
  if (absl::EndsWith(name, ".png")) return PictureFormat::kPng;
  if (absl::EndsWith(name, ".pdf")) return PictureFormat::kPdf;
  return InvalidFields(
      {{option, absl::StrCat("must be a file that ends in .svg, .png or .pdf; got '", path, "'")}});
}

absl::StatusOr<std::string> PictureBytes(const std::string& svg, PictureFormat format,
                                         double scale) {
  if (format == PictureFormat::kSvg) return svg;
  GError* error = nullptr;
  const Owned<RsvgHandle> handle(
      rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(svg.data()), svg.size(), &error));
  if (handle == nullptr) return Failed(error);
  double width = 0, height = 0;
  if (!rsvg_handle_get_intrinsic_size_in_pixels(handle.get(), &width, &height)) {
    return Failed("it has no size");
  }
  if (format == PictureFormat::kPng) return Png(handle.get(), width * scale, height * scale);
  return Pdf(handle.get(), width * scale * kPointsPerUnit, height * scale * kPointsPerUnit);
}

}  // namespace assay::cli
