// Rows of comma-separated values (RFC 4180, with plain line feeds).
#ifndef ASSAY_CLIENT_RENDER_CSV_H_
#define ASSAY_CLIENT_RENDER_CSV_H_

#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assay::render {

class CsvRow {
 public:
  // Quoted where it must be.
  CsvRow& Add(absl::string_view text);
  CsvRow& Add(double value);
  CsvRow& Add(float value);
  // 0 or 1 for booleans.
  template <typename Integer, std::enable_if_t<std::is_integral_v<Integer>, int> = 0>
  CsvRow& Add(Integer value) {
    return Add(absl::string_view(absl::StrCat(static_cast<int64_t>(value))));
  }
  CsvRow& AddEmpty(int count = 1);
  // The row so far and a line feed.
  std::string Line() const;

 private:
  std::string line_;
  bool begun_ = false;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_CSV_H_
