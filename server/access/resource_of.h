// What a request or an answer is about, for the audit log: names, never content.
#ifndef ASSAY_SERVER_ACCESS_RESOURCE_OF_H_
#define ASSAY_SERVER_ACCESS_RESOURCE_OF_H_

#include <string>

#include "google/protobuf/message.h"

namespace assay::access {

struct NamedResource {
  std::string name;
  std::string request_id;
};

// By the names that fields have in this API: `name`, `parent`, `names`, `model_id` and the like; of
// messages with parts (a stream's first one) those of the part.
NamedResource ResourceOf(const google::protobuf::Message& message);

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_RESOURCE_OF_H_
