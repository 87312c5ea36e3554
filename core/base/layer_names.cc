#include "core/base/layer_names.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"

namespace assay {

std::string RefuseLayer(absl::string_view layer, std::vector<std::string> names, std::string why) {
  constexpr size_t kNamed = 40;
  std::string text =
      why.empty() ? absl::StrCat("the model has no layer '", layer, "'") : std::move(why);
  if (names.empty()) return absl::StrCat(text, "; no other layer of it has a name");
  const std::string nearest = Nearest(layer, names);
  absl::StrAppend(&text, nearest.empty() ? "; it has "
                                         : absl::StrCat("; did you mean '", nearest, "'? It has "));
  const size_t more = names.size() > kNamed ? names.size() - kNamed : 0;
  names.resize(names.size() - more);
  absl::StrAppend(&text, absl::StrJoin(names, ", "));
  if (more > 0) absl::StrAppend(&text, " and ", more, " more (assay model show)");
  return text;
}

}  // namespace assay
