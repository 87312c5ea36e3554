#include "core/base/json.h"

#include <cmath>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/time_util.h"

namespace assay {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using nlohmann::ordered_json;

// index < 0: the singular field.
ordered_json FieldValue(const Message& message, const FieldDescriptor* field, int index) {
  const auto* r = message.GetReflection();
  const bool repeated = index >= 0;
#define ASSAY_FIELD(Type) \
  (repeated ? r->GetRepeated##Type(message, field, index) : r->Get##Type(message, field))
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return ASSAY_FIELD(Int32);
    case FieldDescriptor::CPPTYPE_INT64:
      return ASSAY_FIELD(Int64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return ASSAY_FIELD(UInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return ASSAY_FIELD(UInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ASSAY_FIELD(Double);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return ASSAY_FIELD(Float);
    case FieldDescriptor::CPPTYPE_BOOL:
      return ASSAY_FIELD(Bool);
    case FieldDescriptor::CPPTYPE_STRING:
      return ASSAY_FIELD(String);
    case FieldDescriptor::CPPTYPE_ENUM:
      return ASSAY_FIELD(Enum)->name();
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(ASSAY_FIELD(Message));
  }
#undef ASSAY_FIELD
  return nullptr;
}

// Whether messages of this type are written as their only field, a list.
bool IsBareList(const Descriptor& type) {
  return absl::EndsWith(type.name(), "Row") && type.field_count() == 1;
}

// Brings what ToJson wrote into the form that protobuf reads: bare lists become messages again.
void WrapLists(const Descriptor& type, ordered_json* json) {
  if (IsBareList(type) && json->is_array()) {
    *json = ordered_json{{std::string(type.field(0)->name()), std::move(*json)}};
  }
  if (!json->is_object()) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field.is_map()) continue;
    const auto value = json->find(std::string(field.name()));
    if (value == json->end()) continue;
    if (!field.is_repeated()) {
      WrapLists(*field.message_type(), &*value);
    } else if (value->is_array()) {
      for (ordered_json& element : *value) WrapLists(*field.message_type(), &element);
    }
  }
}

}  // namespace

ordered_json ToJson(const Message& message) {
  const auto* descriptor = message.GetDescriptor();
  if (descriptor->full_name() == "google.protobuf.Timestamp") {
    google::protobuf::Timestamp time;
    time.CopyFrom(message);
    return google::protobuf::util::TimeUtil::ToString(time);
  }
  const auto* reflection = message.GetReflection();
  ordered_json object = ordered_json::object();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->is_map()) {
      ordered_json map = ordered_json::object();
      std::map<std::string, ordered_json> sorted;
      for (int j = 0; j < reflection->FieldSize(message, field); ++j) {
        const Message& entry = reflection->GetRepeatedMessage(message, field, j);
        const auto* entry_type = entry.GetDescriptor();
        const ordered_json key = FieldValue(entry, entry_type->map_key(), -1);
        sorted[key.is_string() ? key.get<std::string>() : key.dump()] =
            FieldValue(entry, entry_type->map_value(), -1);
      }
      for (auto& [key, value] : sorted) map[key] = std::move(value);
      object[field->name()] = std::move(map);
    } else if (field->is_repeated()) {
      ordered_json list = ordered_json::array();
      for (int j = 0; j < reflection->FieldSize(message, field); ++j) {
        list.push_back(FieldValue(message, field, j));
      }
      object[field->name()] = std::move(list);
    } else {
      const bool text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
      if (field->has_presence() && !reflection->HasField(message, field)) continue;
      if (text && !field->has_presence() && !reflection->HasField(message, field)) continue;
      object[field->name()] = FieldValue(message, field, -1);
    }
  }
  if (IsBareList(*descriptor)) return object.begin().value();
  return object;
}

absl::Status FromJson(absl::string_view text, Message* message) {
  ordered_json json = ordered_json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) {
    return Error(Reason::kInvalidArgument,
                 json.is_discarded() ? "it is no JSON" : "it is JSON, but no object");
  }
  WrapLists(*message->GetDescriptor(), &json);
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json.dump(), message, options);
  if (parsed.ok()) return absl::OkStatus();
  return Error(Reason::kInvalidArgument,
               absl::StrCat("it is JSON of another form: ", std::string(parsed.message())));
}

}  // namespace assay
