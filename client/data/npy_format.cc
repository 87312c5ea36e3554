#include "client/data/npy_format.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr int64_t kMaxHeaderBytes = 64 << 10;
constexpr size_t kAlignment = 64;

// Reads the header's Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  explicit HeaderParser(absl::string_view text) : rest_(text) {}

  bool Consume(absl::string_view token) {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    if (!absl::StartsWith(rest_, token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  std::optional<std::string> String() {
    const absl::string_view quote = Consume("'") ? "'" : Consume("\"") ? "\"" : "";
    if (quote.empty()) return std::nullopt;
    const size_t end = rest_.find(quote);
    if (end == absl::string_view::npos) return std::nullopt;
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return text;
  }

  // Up to 18 digits, which cannot overflow; Python 2 wrote an L after them.
  std::optional<int64_t> Integer() {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    int64_t value = 0;
    size_t digits = 0;
    while (digits < rest_.size() &&
           absl::ascii_isdigit(static_cast<unsigned char>(rest_[digits]))) {
      if (digits == 18) return std::nullopt;
      value = value * 10 + (rest_[digits] - '0');
      ++digits;
    }
    if (digits == 0) return std::nullopt;
    rest_.remove_prefix(digits);
    if (!rest_.empty() && rest_[0] == 'L') rest_.remove_prefix(1);
    return value;
  }

  std::optional<std::vector<int64_t>> Tuple() {
    if (!Consume("(")) return std::nullopt;
    std::vector<int64_t> values;
    while (!Consume(")")) {
      const std::optional<int64_t> value = Integer();
      if (!value.has_value() || values.size() == kMaxNpyDimensions) return std::nullopt;
      values.push_back(*value);
      if (Consume(",")) continue;
      if (!Consume(")")) return std::nullopt;
      break;
    }
    return values;
  }

  bool AtEnd() { return absl::StripLeadingAsciiWhitespace(rest_).empty(); }

 private:
  absl::string_view rest_;
};

struct Header {
  std::optional<std::string> dtype;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;
};

// Empty when the text is not a header.
std::optional<Header> ParseHeader(absl::string_view text) {
  HeaderParser parser(text);
  Header header;
  if (!parser.Consume("{")) return std::nullopt;
  while (!parser.Consume("}")) {
    const std::optional<std::string> key = parser.String();
    if (!key.has_value() || !parser.Consume(":")) return std::nullopt;
    if (*key == "descr" && !header.dtype.has_value()) {
      header.dtype = parser.String();
      if (!header.dtype.has_value()) return std::nullopt;
    } else if (*key == "fortran_order" && !header.fortran_order.has_value()) {
      header.fortran_order = parser.Consume("True");
      if (!*header.fortran_order && !parser.Consume("False")) return std::nullopt;
    } else if (*key == "shape" && !header.shape.has_value()) {
      header.shape = parser.Tuple();
      if (!header.shape.has_value()) return std::nullopt;
    } else {
      return std::nullopt;
    }
    if (parser.Consume(",")) continue;
    if (!parser.Consume("}")) return std::nullopt;
    break;
  }
  if (!parser.AtEnd() || !header.dtype.has_value() || !header.fortran_order.has_value() ||
      !header.shape.has_value()) {
    return std::nullopt;
  }
  return header;
}

// Splits "<f4"; false for anything that is not a byte order, a letter and a size.
bool ParseDtype(NpyArray* array) {
  constexpr size_t kMostDigits = 9;
  const std::string& text = array->dtype;
  if (text.size() < 3 || text.size() > 2 + kMostDigits ||
      !absl::StrContains("<>|=", text.substr(0, 1)) ||
      !absl::ascii_isalpha(static_cast<unsigned char>(text[1]))) {
    return false;
  }
  array->big_endian = text[0] == '>';
  array->kind = text[1];
  array->item_bytes = 0;
  for (const char digit : text.substr(2)) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(digit))) return false;
    array->item_bytes = array->item_bytes * 10 + (digit - '0');
  }
  // Text: the number is that of the characters, which have four bytes each.
  constexpr int kMaxCharacters = 100'000'000;
  if (array->kind == 'U') {
    if (array->item_bytes > kMaxCharacters) return false;
    array->item_bytes *= 4;
  }
  return array->item_bytes > 0;
}

}  // namespace

std::string NpyShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("(", absl::StrJoin(shape, ", "), shape.size() == 1 ? ",)" : ")");
}

std::string NpyArray::ShapeText() const { return NpyShapeText(shape); }

absl::StatusOr<NpyArray> OpenNpyArray(ByteSource source) {
  const std::string name = source.name();
  ASSAY_ASSIGN_OR_RETURN(const std::string head, source.Head(12));
  if (head.size() < 10 || !absl::StartsWith(head, kNpyMagic)) {
    return Unreadable(name, absl::StartsWith(head, "PK")
                                ? "is a zip archive, not an NPY array; use --format npz"
                                : "does not begin as an NPY array; save it with numpy.save");
  }
  const int version = static_cast<unsigned char>(head[6]);
  int64_t header_offset = 10;
  int64_t header_size = LoadLittle<uint16_t>(&head[8]);
  if (version == 2 || version == 3) {
    if (head.size() < 12) return Unreadable(name, "is truncated within its header; save it again");
    header_offset = 12;
    header_size = LoadLittle<uint32_t>(&head[8]);
  } else if (version != 1) {
    return Unreadable(name, absl::StrCat("is NPY version ", version,
                                         ", but 1 to 3 are known; save it with numpy.save"));
  }
  if (header_size > kMaxHeaderBytes) {
    return Unreadable(name, absl::StrCat("has a header of ", header_size,
                                         " bytes, which no array of images needs; it is damaged"));
  }
  if (header_size > source.size() - header_offset) {
    return Unreadable(name, "is truncated within its header; save or fetch it again");
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string text, source.ReadAt(header_offset, header_size));
  std::optional<Header> header = ParseHeader(text);
  if (!header.has_value()) {
    return Unreadable(name,
                      "has a header that is not that of a plain array (structured types are not "
                      "read); save a plain array with numpy.save");
  }
  if (*header->fortran_order) {
    return Unreadable(name,
                      "is in Fortran order, which is not read; save "
                      "numpy.ascontiguousarray(array) instead");
  }
  NpyArray array(std::move(source));
  array.dtype = *std::move(header->dtype);
  array.shape = *std::move(header->shape);
  array.data_offset = header_offset + header_size;
  // A pickle follows, whose size is not known.
  if (array.dtype == kNpyObjects) {
    array.kind = 'O';
    return array;
  }
  if (!ParseDtype(&array)) {
    return Unreadable(name, absl::StrCat("holds elements of type '", array.dtype,
                                         "', which are not numbers; save integers or floats"));
  }
  int64_t bytes = array.item_bytes;
  for (const int64_t dimension : array.shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) {
      return Unreadable(name, absl::StrCat("claims the shape ", array.ShapeText(),
                                           ", which no file can hold; it is damaged"));
    }
  }
  const int64_t present = array.source.size() - array.data_offset;
  if (present != bytes) {
    return Unreadable(
        name, absl::StrCat("should hold ", bytes, " bytes of data (", array.ShapeText(), " of ",
                           array.dtype, "), but has ", present, "; it is ",
                           present < bytes ? "truncated" : "damaged", ": save or fetch it again"));
  }
  return array;
}

std::string FormatNpyHeader(absl::string_view dtype, const std::vector<int64_t>& shape,
                            size_t min_bytes) {
  const std::string text = absl::StrCat(
      "{'descr': '", dtype, "', 'fortran_order': False, 'shape': ", NpyShapeText(shape), ", }");
  const size_t used = 10 + text.size() + 1;
  size_t total = (used + kAlignment - 1) / kAlignment * kAlignment;
  if (total < min_bytes) total = (min_bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t size = total - 10;
  std::string header = absl::StrCat(kNpyMagic, absl::string_view("\x01\x00", 2));
  header += static_cast<char>(size & 0xff);
  header += static_cast<char>(size >> 8);
  absl::StrAppend(&header, text, std::string(total - used, ' '), "\n");
  return header;
}

}  // namespace assay::client
