#include "core/base/utf8.h"

#include "nlohmann/json.hpp"

namespace assay {

bool IsUtf8(const std::string& text) {
  using Json = nlohmann::json;
  const std::string kept = Json(text).dump(-1, ' ', false, Json::error_handler_t::ignore);
  return Json::parse(kept).get<std::string>() == text;
}

}  // namespace assay
