#include "client/cli/base/resources.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/resource_names.h"

namespace assay::cli {

std::string FullName(const std::string& collection, const std::string& name) {
  return absl::StartsWith(name, collection + "/") ? name : ResourceName(collection, name);
}

bool IsFullName(absl::string_view collection, absl::string_view text) {
  return absl::ConsumePrefix(&text, collection) && absl::ConsumePrefix(&text, "/") &&
         IsValidId(text);
}

std::string ShapeText(const v1::ImageShape& shape) {
  return absl::StrCat(shape.channels(), "x", shape.height(), "x", shape.width());
}

NameArgument::NameArgument(Leaf& leaf, const char* collection)
    : collection_(collection), name_(std::make_shared<std::string>()) {
  leaf.Add("name", name_.get(), absl::StrCat(collection, "/ID, or the ID alone")).Required();
}

CommandRun Delete(Leaf& leaf, const char* collection,
                  absl::Status (client::Client::*call)(const std::string& name)) {
  return [name = NameArgument(leaf, collection), call](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_RETURN_IF_ERROR((client->*call)(name.full()));
    session.Say(absl::StrCat("deleted ", name.full()));
    return absl::OkStatus();
  };
}

}  // namespace assay::cli
