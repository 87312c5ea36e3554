// Writes elements of SVG and HTML. Text and the values of attributes come out escaped, so that no
// name of a class or a model can become markup. What goes in must be printable UTF-8
// (client/render/text.h).
#ifndef ASSAY_CLIENT_RENDER_PLOT_MARKUP_H_
#define ASSAY_CLIENT_RENDER_PLOT_MARKUP_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace assay::plot {

// `text` as it may stand between tags and in quoted attributes.
std::string Escaped(absl::string_view text);

// A position or a length: a tenth is finer than any screen shows. "12.3", "7".
std::string Coordinate(double value);

class Markup {
 public:
  struct Attribute {
    Attribute(absl::string_view attribute, std::string its_value)
        : name(attribute), value(std::move(its_value)) {}
    Attribute(absl::string_view attribute, double coordinate)
        : name(attribute), value(Coordinate(coordinate)) {}
    absl::string_view name;
    std::string value;
  };
  using Attributes = std::vector<Attribute>;

  Markup& Open(absl::string_view tag, const Attributes& attributes = {});
  // The element that was opened last.
  Markup& Close();
  Markup& Text(absl::string_view text);
  // Opened, filled and closed.
  Markup& Element(absl::string_view tag, const Attributes& attributes, absl::string_view text);
  // An element without content.
  Markup& Empty(absl::string_view tag, const Attributes& attributes);
  // Elements that are complete.
  Markup& Append(const Markup& other);
  // As it is: for the constants of a page, never for what came from elsewhere.
  Markup& Verbatim(absl::string_view text);
  Markup& Break() { return Verbatim("\n"); }

  // Everything is closed then.
  std::string Take() &&;
  bool empty() const { return out_.empty(); }

 private:
  void Tag(absl::string_view tag, const Attributes& attributes);

  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace assay::plot

#endif  // ASSAY_CLIENT_RENDER_PLOT_MARKUP_H_
