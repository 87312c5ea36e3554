#include "client/cli/base/datasets.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/base/resources.h"
#include "client/render/numbers.h"
#include "core/base/json.h"
#include "google/protobuf/util/time_util.h"

namespace assay::cli {
namespace {

using google::protobuf::util::TimeUtil;

render::Table DatasetDetails(const v1::Dataset& dataset) {
  const auto& manifest = dataset.manifest();
  render::Table table;
  table.columns = {{"field", false}, {"value", false}};
  auto& rows = table.rows;
  rows.push_back({"name", dataset.name()});
  rows.push_back({"digest", dataset.digest()});
  rows.push_back({"samples", render::Count(dataset.samples())});
  rows.push_back({"shape", ShapeText(manifest.shape())});
  rows.push_back({"pixels", v1::PixelType_Name(manifest.pixel_type())});
  rows.push_back({"size", render::Bytes(dataset.size_bytes())});
  rows.push_back({"chunks", render::Count(manifest.chunks_size())});
  rows.push_back({"largest label", render::Count(dataset.max_label())});
  std::string names;
  for (const std::string& name : manifest.class_names()) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", name);
    if (names.size() > 200) {
      absl::StrAppend(&names, ", … (", manifest.class_names_size(), ")");
      break;
    }
  }
  rows.push_back({"class names", names.empty() ? render::kUndefined : names});
  std::vector<std::string> columns;
  for (const auto& column : manifest.metadata().columns()) columns.push_back(column.name());
  rows.push_back({"metadata", columns.empty() ? render::kUndefined : absl::StrJoin(columns, ", ")});
  rows.push_back({"created", TimeUtil::ToString(dataset.create_time())});
  return table;
}

}  // namespace

absl::Status PrintDataset(Session& session, const v1::Dataset& dataset) {
  return session.PrintTable(DatasetDetails(dataset), ToJson(dataset));
}

absl::Status PrintDatasets(Session& session, const std::vector<v1::Dataset>& datasets) {
  render::Table table;
  table.columns = {{"name", false},   {"samples"}, {"shape"},
                   {"pixels", false}, {"size"},    {"created"}};
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const v1::Dataset& dataset : datasets) {
    table.rows.push_back(
        {dataset.name(), render::Count(dataset.samples()), ShapeText(dataset.manifest().shape()),
         v1::PixelType_Name(dataset.manifest().pixel_type()), render::Bytes(dataset.size_bytes()),
         TimeUtil::ToString(dataset.create_time())});
    json.push_back(ToJson(dataset));
  }
  return session.PrintTable(table, json);
}

}  // namespace assay::cli
