// What each call of the API needs: the one table. A call without a row is refused, and a test
// compares the rows with the services that the server has.
#ifndef ASSAY_SERVER_ACCESS_RPC_SCOPES_H_
#define ASSAY_SERVER_ACCESS_RPC_SCOPES_H_

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "net/tokens.h"

namespace assay::access {

struct RpcRule {
  const char* method;  // "/assay.v1.ModelService/GetModel"
  // All of them are needed; kScopeNone: anybody may call it.
  Scopes scopes;
  // It brings data for as long as it is open, and counts for max_uploads.
  bool uploads = false;
};

// By its path; nullptr: there is no row.
const RpcRule* RuleOf(absl::string_view method);
const std::vector<RpcRule>& AllRpcRules();

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_RPC_SCOPES_H_
