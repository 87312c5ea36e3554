// Whether bytes are text.
#ifndef ASSAY_CORE_BASE_UTF8_H_
#define ASSAY_CORE_BASE_UTF8_H_

#include <string>

namespace assay {

bool IsUtf8(const std::string& text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_UTF8_H_
