#include "client/render/plot/markup.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace assay::plot {

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string Coordinate(double value) {
  const double tenths = std::round(value * 10);
  // No "-0".
  std::string text = absl::StrFormat("%.1f", tenths == 0 ? 0 : tenths / 10);
  if (absl::EndsWith(text, ".0")) text.resize(text.size() - 2);
  return text;
}

void Markup::Tag(absl::string_view tag, const Attributes& attributes) {
  absl::StrAppend(&out_, "<", tag);
  for (const Attribute& attribute : attributes) {
    absl::StrAppend(&out_, " ", attribute.name, "=\"", Escaped(attribute.value), "\"");
  }
}

Markup& Markup::Open(absl::string_view tag, const Attributes& attributes) {
  Tag(tag, attributes);
  out_.push_back('>');
  open_.emplace_back(tag);
  return *this;
}

Markup& Markup::Close() {
  absl::StrAppend(&out_, "</", open_.back(), ">");
  open_.pop_back();
  return *this;
}

Markup& Markup::Text(absl::string_view text) {
  out_ += Escaped(text);
  return *this;
}

Markup& Markup::Element(absl::string_view tag, const Attributes& attributes,
                        absl::string_view text) {
  return Open(tag, attributes).Text(text).Close();
}

Markup& Markup::Empty(absl::string_view tag, const Attributes& attributes) {
  Tag(tag, attributes);
  out_ += "/>";
  return *this;
}

Markup& Markup::Append(const Markup& other) { return Verbatim(other.out_); }

Markup& Markup::Verbatim(absl::string_view text) {
  absl::StrAppend(&out_, text);
  return *this;
}

std::string Markup::Take() && {
  while (!open_.empty()) Close();
  return std::move(out_);
}

}  // namespace assay::plot
