// Commands about one resource of the server, or about all of a kind.
#ifndef ASSAY_CLIENT_CLI_BASE_RESOURCES_H_
#define ASSAY_CLIENT_CLI_BASE_RESOURCES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/base/command.h"
#include "client/lib/client.h"
#include "core/base/errors.h"

namespace assay::cli {

// "m" or "models/m" -> "models/m".
std::string FullName(const std::string& collection, const std::string& name);
// Whether `text` is one: "models/m" of the collection "models".
bool IsFullName(absl::string_view collection, absl::string_view text);
// "3x32x32".
std::string ShapeText(const v1::ImageShape& shape);

// The argument that names a resource.
class NameArgument {
 public:
  NameArgument(Leaf& leaf, const char* collection);
  // "models/m", once the command line is parsed.
  std::string full() const { return FullName(collection_, *name_); }

 private:
  const char* collection_;
  std::shared_ptr<std::string> name_;
};

// A command that does `call` to the resource that it names, and prints what comes back.
template <typename Resource>
CommandRun PrintOne(Leaf& leaf, const char* collection,
                    absl::StatusOr<Resource> (client::Client::*call)(const std::string& name),
                    absl::Status (*print)(Session&, const Resource&)) {
  return [name = NameArgument(leaf, collection), call, print](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const Resource resource, (client->*call)(name.full()));
    return print(session, resource);
  };
}

// A command that lists all resources of a kind.
template <typename Resource>
CommandRun PrintAll(absl::StatusOr<std::vector<Resource>> (client::Client::*list)(),
                    absl::Status (*print)(Session&, const std::vector<Resource>&)) {
  return [list, print](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const auto resources, (client->*list)());
    return print(session, resources);
  };
}

// A command that deletes the resource that it names.
CommandRun Delete(Leaf& leaf, const char* collection,
                  absl::Status (client::Client::*call)(const std::string& name));

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_RESOURCES_H_
