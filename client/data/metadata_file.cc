#include "client/data/metadata_file.h"

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/data/byte_source.h"
#include "client/data/text_file.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr char kValues[] = "values";

absl::Status ApplyOne(const std::string& text, std::set<std::string>* seen, MetadataTable* table) {
  // Names may have an equals sign, edges have none.
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos) {
    return Error(Reason::kInvalidArgument, "must be COLUMN=EDGE,EDGE,... or COLUMN=values");
  }
  const std::string name = text.substr(0, equals), edges = text.substr(equals + 1);
  std::vector<std::string> names;
  for (const MetadataColumn& column : table->columns) names.push_back(column.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    const std::string nearest = Nearest(name, names);
    return Error(
        Reason::kInvalidArgument,
        absl::StrCat("there is no column '", name, "'; ",
                     nearest.empty() ? absl::StrCat("there are ", absl::StrJoin(names, ", "))
                                     : absl::StrCat("did you mean '", nearest, "'?")));
  }
  if (!seen->insert(name).second) {
    return Error(Reason::kInvalidArgument, absl::StrCat("column '", name, "' is cut twice"));
  }
  MetadataColumn& column = table->columns[static_cast<size_t>(found - names.begin())];
  if (edges == kValues) return NumbersAsValues(&column);
  std::vector<double> numbers;
  for (const absl::string_view edge : absl::StrSplit(edges, ',')) {
    double number = 0;
    if (!absl::SimpleAtod(edge, &number)) {
      return Error(Reason::kInvalidArgument,
                   absl::StrCat("'", edge, "' is no number; give edges such as ", name,
                                "=18,40,65, or ", name, "=", kValues));
    }
    numbers.push_back(number);
  }
  return SetEdges(numbers, &column);
}

}  // namespace

absl::StatusOr<MetadataTable> ReadMetadataFile(const std::string& path, int64_t samples,
                                               int64_t limit) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  auto table = ReadMetadata(text);
  if (!table.ok()) return Unreadable(path, table.status().message());
  if (table->samples != samples) {
    return Unreadable(path,
                      absl::StrCat("has ", table->samples, " rows below its header, but there are ",
                                   samples, " samples; it needs a row for each, in their order"));
  }
  if (limit > 0) Truncate(limit, &*table);
  return table;
}

absl::Status ApplyEdges(const std::vector<std::string>& edges, MetadataTable* table) {
  std::set<std::string> seen;
  std::vector<FieldViolation> violations;
  for (const std::string& text : edges) {
    const absl::Status status = ApplyOne(text, &seen, table);
    if (status.ok()) continue;
    violations.push_back({"--metadata-edges", absl::StrCat("'", text, "': ", status.message())});
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields(std::move(violations));
}

}  // namespace assay::client
