#include "server/access/resource_of.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace assay::access {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxNames = 10;

// "models/resnet" of model_id: "resnet".
std::string NameOfId(absl::string_view field, const std::string& id) {
  return absl::StrCat(field.substr(0, field.size() - 3), "s/", id);
}

void Look(const Message& message, bool parts, NamedResource& found) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  std::string by_id;
  for (const FieldDescriptor* field : fields) {
    const std::string& name = field->name();
    if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      // "start" of a stream, "header" of a chunk; not what has been asked for in detail.
      if (parts && !field->is_repeated() && field->containing_oneof() != nullptr) {
        Look(reflection.GetMessage(message, field), false, found);
      }
      continue;
    }
    if (field->type() != FieldDescriptor::TYPE_STRING) continue;
    if (field->is_repeated()) {
      if (name != "names" && name != "evaluations") continue;
      std::string all;
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        if (static_cast<size_t>(i) == kMaxNames) break;
        absl::StrAppend(&all, all.empty() ? "" : " ",
                        reflection.GetRepeatedString(message, field, i));
      }
      if (found.name.empty()) found.name = all;
    } else if (name == "request_id") {
      found.request_id = reflection.GetString(message, field);
    } else if (name == "name" || name == "parent") {
      found.name = reflection.GetString(message, field);
    } else if (absl::EndsWith(name, "_id")) {
      by_id = NameOfId(name, reflection.GetString(message, field));
    }
  }
  if (found.name.empty()) found.name = by_id;
}

}  // namespace

NamedResource ResourceOf(const Message& message) {
  NamedResource found;
  Look(message, true, found);
  return found;
}

}  // namespace assay::access
