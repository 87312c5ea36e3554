// `assay model load`.
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/base/models.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

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
