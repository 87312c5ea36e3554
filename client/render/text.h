// Text that came from elsewhere (class names, error messages) on a terminal: harmless, and measured
// in columns.
#ifndef ASSAY_CLIENT_RENDER_TEXT_H_
#define ASSAY_CLIENT_RENDER_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace assay::render {

// `text` without control characters and invalid UTF-8, which '?' replaces: nothing in it can move a
// cursor.
std::string Printable(absl::string_view text);

// Terminal columns of UTF-8 text: East Asian wide characters take two, combining marks none.
size_t DisplayWidth(absl::string_view text);

// At most `width` columns; what is longer ends in an ellipsis.
std::string Shortened(absl::string_view text, size_t width);

// `text` and as many spaces as it lacks; before the text when `right`.
std::string Padded(absl::string_view text, size_t width, bool right);

// `text` in lines of at most `width` columns, broken at spaces; lines after the first are indented
// by two. Words are kept whole.
std::string Wrapped(absl::string_view text, size_t width);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_TEXT_H_
