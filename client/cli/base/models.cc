#include "client/cli/base/models.h"

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/base/resources.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/base/json.h"
#include "core/base/labels.h"
#include "core/models/model_interface.h"
#include "google/protobuf/util/time_util.h"

namespace assay::cli {
namespace {

using google::protobuf::util::TimeUtil;

std::string YesNo(bool value) { return value ? "yes" : "no"; }

// Names of as many as fit into a table; JSON has all.
constexpr int kNamed = 12;

// Weights or layers.
template <typename Named>
void AddNamed(const std::string& what, const Named& named, render::Table& table) {
  for (int i = 0; i < named.size(); ++i) {
    if (i == kNamed && named.size() > kNamed + 1) {
      table.rows.push_back({what, absl::StrCat(named.size() - i, " more: -o json")});
      return;
    }
    table.rows.push_back(
        {what, absl::StrCat(named[i].name(), " ", absl::StrJoin(named[i].sizes(), "x"))});
  }
}

void AddDetails(const v1::ModelDetails& details, render::Table& table) {
  auto& rows = table.rows;
  rows.push_back({"parameters", render::Count(details.parameters())});
  std::vector<std::string> operators;
  for (const auto& entry : details.operators()) {
    operators.push_back(entry.count() == 1 ? entry.name()
                                           : absl::StrCat(entry.name(), " x", entry.count()));
  }
  rows.push_back({"operators", absl::StrJoin(operators, ", ")});
  AddNamed("weights", details.weights(), table);
  AddNamed("layers", details.layers(), table);
  const std::string lane =
      absl::StrCat(" images/s on one core, ", details.batch_size(), " at a time");
  rows.push_back(
      {"forward", absl::StrCat(render::Significant(details.forward_images_per_second()), lane)});
  if (details.gradient_images_per_second() > 0) {
    rows.push_back({"gradient",
                    absl::StrCat(render::Significant(details.gradient_images_per_second()), lane)});
  }
  rows.push_back({"bounds", details.bounds_refusal().empty() ? "yes" : details.bounds_refusal()});
}

render::Table ModelDetails(const v1::Model& model) {
  render::Table table;
  table.columns = {{"field", false}, {"value", false}};
  auto& rows = table.rows;
  rows.push_back({"name", model.name()});
  rows.push_back({"state", v1::Model::State_Name(model.state())});
  if (!model.state_reason().empty()) rows.push_back({"reason", model.state_reason()});
  rows.push_back({"digest", model.digest()});
  rows.push_back({"size", render::Bytes(model.size_bytes())});
  rows.push_back({"created", TimeUtil::ToString(model.create_time())});
  for (const auto& [key, value] : LabelsOf(model.labels())) {
    rows.push_back({"label", absl::StrCat(key, "=", value)});
  }
  if (!model.has_validation()) return table;
  const auto& validation = model.validation();
  if (!validation.format().empty()) rows.push_back({"format", validation.format()});
  if (const std::string text = ModelInterfaceText(validation.interface()); !text.empty()) {
    rows.push_back({"interface", text});
  }
  rows.push_back({"input", ShapeText(validation.input_shape())});
  rows.push_back({"classes", render::Count(validation.num_classes())});
  rows.push_back(
      {"frozen", absl::StrCat(YesNo(validation.frozen()), ": logits differ by ",
                              render::Significant(validation.frozen_max_difference()),
                              ", tolerated ", render::Significant(validation.frozen_tolerance()))});
  rows.push_back({"differentiable",
                  validation.has_gradient_relative_error()
                      ? absl::StrCat(YesNo(validation.differentiable()), ": relative error ",
                                     render::Significant(validation.gradient_relative_error()))
                      : YesNo(validation.differentiable())});
  rows.push_back({"deterministic", YesNo(validation.deterministic())});
  rows.push_back({"batch dependent", YesNo(validation.numerics().batch_difference() > 0)});
  rows.push_back({"softmax inside", YesNo(validation.softmax_output())});
  rows.push_back({"numerics", absl::StrCat(validation.numerics().device(), " ",
                                           validation.numerics().capability(), ", batch ",
                                           validation.numerics().batch_size(), ", LibTorch ",
                                           validation.numerics().libtorch_version())});
  if (validation.has_details()) AddDetails(validation.details(), table);
  for (const std::string& warning : validation.warnings()) {
    rows.push_back({"warning", {warning, render::Tone::kNotice}});
  }
  return table;
}

}  // namespace

absl::StatusOr<v1::ImageShape> ParseShape(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, 'x');
  int32_t sides[3];
  bool valid = parts.size() == 3;
  for (size_t i = 0; i < 3 && valid; ++i) {
    valid = absl::SimpleAtoi(parts[i], &sides[i]) && sides[i] > 0;
  }
  if (!valid) {
    return InvalidFields(
        {{"--shape", absl::StrCat("must be channels x height x width, for example 3x32x32; got '",
                                  text, "'")}});
  }
  v1::ImageShape shape;
  shape.set_channels(sides[0]);
  shape.set_height(sides[1]);
  shape.set_width(sides[2]);
  return shape;
}

absl::Status PrintModel(Session& session, const v1::Model& model) {
  return session.PrintTable(ModelDetails(model), ToJson(model));
}

absl::Status PrintModels(Session& session, const std::vector<v1::Model>& models) {
  render::Table table;
  table.columns = {{"name", false}, {"state", false}, {"size"},         {"input"},
                   {"classes"},     {"created"},      {"labels", false}};
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const v1::Model& model : models) {
    const bool known = model.has_validation();
    const bool broken = model.state() == v1::Model::UNAVAILABLE;
    table.rows.push_back(
        {model.name(),
         {v1::Model::State_Name(model.state()), broken ? render::Tone::kBad : render::Tone::kPlain},
         render::Bytes(model.size_bytes()),
         known ? ShapeText(model.validation().input_shape()) : render::kUndefined,
         known ? render::Count(model.validation().num_classes()) : render::kUndefined,
         TimeUtil::ToString(model.create_time()),
         LabelsText(LabelsOf(model.labels()))});
    json.push_back(ToJson(model));
  }
  return session.PrintTable(table, json);
}

}  // namespace assay::cli
