#include "client/render/text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace assay::render {
namespace {

constexpr char32_t kInvalid = 0xffffffff;

// Takes the first character off `text`.
char32_t NextCharacter(absl::string_view& text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  size_t length = 1;
  char32_t code = first;
  if (first >= 0x80) {
    length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    code = first & (0x7fu >> length);
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
      text.remove_prefix(1);
      return kInvalid;
    }
    for (size_t i = 1; i < length; ++i) {
      if ((byte(i) & 0xc0) != 0x80) {
        text.remove_prefix(1);
        return kInvalid;
      }
      code = (code << 6) | (byte(i) & 0x3f);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = kInvalid;
  }
  text.remove_prefix(length);
  return code;
}

bool IsCombining(char32_t c) {
  return (c >= 0x300 && c < 0x370) || (c >= 0x1ab0 && c < 0x1b00) || (c >= 0x1dc0 && c < 0x1e00) ||
         (c >= 0x200b && c < 0x2010) || (c >= 0x20d0 && c < 0x2100) ||
         (c >= 0xfe00 && c < 0xfe10) || (c >= 0xfe20 && c < 0xfe30);
}

bool IsWide(char32_t c) {
  return (c >= 0x1100 && c < 0x1160) || (c >= 0x2e80 && c < 0xa4d0 && c != 0x303f) ||
         (c >= 0xac00 && c < 0xd7a4) || (c >= 0xf900 && c < 0xfb00) ||
         (c >= 0xfe30 && c < 0xfe70) || (c >= 0xff00 && c < 0xff61) ||
         (c >= 0xffe0 && c < 0xffe7) || (c >= 0x1f300 && c < 0x1f650) ||
         (c >= 0x1f900 && c < 0x1fa00) || (c >= 0x20000 && c < 0x40000);
}

// C0, DEL, C1, and the marks that reorder what is shown.
bool IsControl(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c < 0x202f) || (c >= 0x2066 && c < 0x206a);
}

size_t Width(char32_t c) { return IsCombining(c) ? 0 : IsWide(c) ? 2 : 1; }

}  // namespace

std::string Printable(absl::string_view text) {
  std::string result;
  while (!text.empty()) {
    const absl::string_view before = text;
    const char32_t c = NextCharacter(text);
    if (c == kInvalid || IsControl(c)) {
      result.push_back('?');
    } else {
      absl::StrAppend(&result, before.substr(0, before.size() - text.size()));
    }
  }
  return result;
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  while (!text.empty()) width += Width(NextCharacter(text));
  return width;
}

std::string Shortened(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  absl::string_view rest = text;
  size_t used = 1;  // the ellipsis
  size_t kept = 0;
  while (!rest.empty()) {
    used += Width(NextCharacter(rest));
    if (used > width) break;
    kept = text.size() - rest.size();
  }
  return absl::StrCat(text.substr(0, kept), "…");
}

std::string Padded(absl::string_view text, size_t width, bool right) {
  const size_t own = DisplayWidth(text);
  const std::string spaces(width > own ? width - own : 0, ' ');
  return right ? absl::StrCat(spaces, text) : absl::StrCat(text, spaces);
}

std::string Wrapped(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string out;
  size_t used = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    const size_t own = DisplayWidth(word);
    const bool first = out.empty();
    if (!first && used + 1 + own > width) {
      absl::StrAppend(&out, "\n  ", word);
      used = 2 + own;
    } else {
      absl::StrAppend(&out, first ? "" : " ", word);
      used += own + (first ? 0 : 1);
    }
  }
  return out;
}

}  // namespace assay::render
