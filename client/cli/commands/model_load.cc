// `assay model load`.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/base/models.h"
#include "client/cli/base/resources.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {
namespace {

// "3x32x32".
absl::StatusOr<v1::ImageShape> ParseShape(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, 'x');
  int32_t sides[3];
  bool valid = parts.size() == 3;
  for (size_t i = 0; i < 3 && valid; ++i) {
    valid = absl::SimpleAtoi(parts[i], &sides[i]) && sides[i] > 0;
  }
  if (!valid) {
    return InvalidFields(
        {{"--shape", absl::StrCat("must be channels x height x width, for example 3x32x32; got '",
                                  text, "'")}});
  }
  v1::ImageShape shape;
  shape.set_channels(sides[0]);
  shape.set_height(sides[1]);
  shape.set_width(sides[2]);
  return shape;
}

}  // namespace

CommandRun ModelLoad(Leaf& leaf) {
  const NameArgument name(leaf, kModels);
  const auto text = std::make_shared<std::string>();
  leaf.Add("--shape", text.get(), "Shape of the images that it will see").TypeName("CxHxW");
  return [name, text](Session& session) -> absl::Status {
    std::optional<v1::ImageShape> shape;
    if (!text->empty()) {
      ASSAY_ASSIGN_OR_RETURN(shape, ParseShape(*text));
    }
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    session.Say(absl::StrCat("loading ", name.full(), " ..."));
    ASSAY_ASSIGN_OR_RETURN(const v1::Model model,
                           client->LoadModel(name.full(), shape ? &*shape : nullptr));
    return PrintModel(session, model);
  };
}

}  // namespace assay::cli
