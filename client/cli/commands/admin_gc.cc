// `assay admin gc`.
#include "client/cli/base/command.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/base/json.h"

namespace assay::cli {

CommandRun AdminGc(Leaf& leaf) {
  leaf.Footer("The server does the same every hour, and soon after something was deleted.");
  return [](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::CollectGarbageResponse freed, client->CollectGarbage());
    render::Table table;
    table.columns = {{"removed", false}, {"number"}, {"bytes"}};
    table.rows = {
        {"old evaluations", render::Count(freed.deleted_evaluations()), ""},
        {"blobs", render::Count(freed.deleted_blobs()), render::Bytes(freed.deleted_blob_bytes())},
        {"room in the database", "", render::Bytes(freed.freed_database_bytes())}};
    return session.PrintTable(table, ToJson(freed));
  };
}

}  // namespace assay::cli
