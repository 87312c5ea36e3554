// Numbers as people read them, and as programs do. Independent of the locale.
#ifndef ASSAY_CLIENT_RENDER_NUMBERS_H_
#define ASSAY_CLIENT_RENDER_NUMBERS_H_

#include <cstdint>
#include <string>

#include "assay/v1/reports.pb.h"

namespace assay::render {

// What an undefined number looks like.
inline constexpr char kUndefined[] = "-";

// 1234567 -> "1,234,567".
std::string Count(int64_t count);
// 0.4567 -> "45.7".
std::string Percent(double share);
// "45.7", or "-" for an undefined rate.
std::string Percent(const v1::Rate& rate);
// "45.7 [42.1, 49.3]", or "-".
std::string PercentWithInterval(const v1::Rate& rate);
// `digits` significant digits: 0.031372549 -> "0.03137"; "-" when not finite.
std::string Significant(double value, int digits = 4);
// 3251245 -> "3.1 MiB".
std::string Bytes(int64_t bytes);
// 3725 -> "1:02:05", 42 -> "0:42".
std::string Duration(double seconds);

// The shortest text that reads back as the same number; empty when not finite.
std::string Exact(double value);
std::string Exact(float value);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_NUMBERS_H_
