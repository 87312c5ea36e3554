// The API only grows: everything that the last released version had is there, with its number, type
// and name (docs/decisions/0009-stored-means-the-same.md). released.txt lists it, a line for each
// field, value and call; to release, run this program with ASSAY_WRITE_RELEASED=1 and read the
// difference.
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "assay/v1/admin.pb.h"
#include "assay/v1/chunks.pb.h"
#include "assay/v1/comparison.pb.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
#include "assay/v1/outcomes.pb.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FileDescriptor;
using ::google::protobuf::MethodDescriptor;
using ::google::protobuf::ServiceDescriptor;

void AddEnum(const EnumDescriptor& type, std::set<std::string>* lines) {
  for (int i = 0; i < type.value_count(); ++i) {
    lines->insert(absl::StrCat("value ", type.full_name(), " ", type.value(i)->name(), " = ",
                               type.value(i)->number()));
  }
}

void AddMessage(const Descriptor& type, std::set<std::string>* lines) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    std::string kind = field.type_name();
    if (field.message_type() != nullptr) kind = field.message_type()->full_name();
    if (field.enum_type() != nullptr) kind = field.enum_type()->full_name();
    const char* const label = field.is_repeated() ? "repeated " : "";
    // Whether its absence can be told from its default.
    const char* const presence = field.has_presence() ? " present" : "";
    lines->insert(absl::StrCat("field ", field.full_name(), " = ", field.number(), " ", label, kind,
                               presence));
  }
  for (int i = 0; i < type.nested_type_count(); ++i) AddMessage(*type.nested_type(i), lines);
  for (int i = 0; i < type.enum_type_count(); ++i) AddEnum(*type.enum_type(i), lines);
}

void AddService(const ServiceDescriptor& service, std::set<std::string>* lines) {
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    lines->insert(absl::StrCat(
        "call ", method.full_name(), "(", method.client_streaming() ? "stream " : "",
        method.input_type()->full_name(), ") returns (", method.server_streaming() ? "stream " : "",
        method.output_type()->full_name(), ")"));
  }
}

std::set<std::string> CurrentApi() {
  std::set<std::string> lines;
  for (const Descriptor* any :
       {v1::ServerStatus::descriptor(), v1::Comparison::descriptor(), v1::DatasetManifest::descriptor(),
        v1::Evaluation::descriptor(), v1::Model::descriptor(), v1::Outcome::descriptor(),
        v1::Report::descriptor(), v1::Condition::descriptor(),
        v1::FindMissingChunksRequest::descriptor()}) {
    const FileDescriptor& file = *any->file();
    for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i), &lines);
    for (int i = 0; i < file.enum_type_count(); ++i) AddEnum(*file.enum_type(i), &lines);
    for (int i = 0; i < file.service_count(); ++i) AddService(*file.service(i), &lines);
  }
  return lines;
}

constexpr char kReleased[] = ASSAY_SOURCE_DIR "/tests/proto/released.txt";

TEST(ReleasedApi, IsStillThere) {
  const std::set<std::string> current = CurrentApi();
  if (std::getenv("ASSAY_WRITE_RELEASED") != nullptr) {
    std::ofstream(kReleased) << absl::StrJoin(current, "\n") << "\n";
  }
  std::ifstream file(kReleased);
  std::string line;
  int lines = 0;
  for (; std::getline(file, line); ++lines) {
    EXPECT_EQ(current.count(line), 1u) << "was released, and is no more: " << line;
  }
  EXPECT_GT(lines, 300);
}

}  // namespace
}  // namespace assay
