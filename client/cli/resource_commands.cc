// `assay model ...` and `assay dataset ...`, and the uploads that `assay evaluate` shares with
// them.
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/data/ready_made.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/base/json.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "google/protobuf/util/time_util.h"

namespace assay::cli {
namespace {

using google::protobuf::util::TimeUtil;

std::string ShapeText(const v1::ImageShape& shape) {
  return absl::StrCat(shape.channels(), "x", shape.height(), "x", shape.width());
}

std::string YesNo(bool value) { return value ? "yes" : "no"; }

client::TransferListener Listener(Session& session, const std::string& what) {
  session.progress().Begin();
  return [&session, what, phase = client::TransferPhase::kReading](
             client::TransferPhase now, int64_t done, int64_t total) mutable {
    if (now != phase) session.progress().Begin();
    phase = now;
    ProgressPoint point;
    point.label =
        absl::StrCat(now == client::TransferPhase::kReading ? "reading " : "uploading ", what);
    point.fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
    point.done = static_cast<double>(done);
    point.amount = absl::StrCat(render::Bytes(done), " of ", render::Bytes(total));
    session.progress().Update(point);
  };
}

void SayUploaded(Session& session, const std::string& name, const client::TransferStats& stats) {
  session.Say(stats.sent_chunks == 0
                  ? absl::StrCat(name, ": the server has it already")
                  : absl::StrCat(name, ": uploaded ", render::Bytes(stats.sent_bytes), " of ",
                                 render::Bytes(stats.bytes)));
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
  if (!model.has_validation()) return table;
  const auto& validation = model.validation();
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
  for (const std::string& warning : validation.warnings()) {
    rows.push_back({"warning", {warning, render::Tone::kNotice}});
  }
  return table;
}

absl::Status PrintModel(Session& session, const absl::StatusOr<v1::Model>& model) {
  if (!model.ok()) return model.status();
  return session.PrintTable(ModelDetails(*model), ToJson(*model));
}

absl::Status PrintModels(Session& session, const std::vector<v1::Model>& models) {
  render::Table table;
  table.columns = {{"name", false}, {"state", false}, {"size"},
                   {"input"},       {"classes"},      {"created"}};
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
         TimeUtil::ToString(model.create_time())});
    json.push_back(ToJson(model));
  }
  return session.PrintTable(table, json);
}

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
  rows.push_back({"created", TimeUtil::ToString(dataset.create_time())});
  return table;
}

absl::Status PrintDataset(Session& session, const absl::StatusOr<v1::Dataset>& dataset) {
  if (!dataset.ok()) return dataset.status();
  return session.PrintTable(DatasetDetails(*dataset), ToJson(*dataset));
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

}  // namespace

absl::StatusOr<std::unique_ptr<client::DatasetReader>> OpenData(Session& session) {
  client::OpenOptions options;
  options.paths = session.arguments().data;
  options.labels_path = session.arguments().labels;
  options.format = session.arguments().data_format;
  return OpenData(session, std::move(options));
}

absl::StatusOr<std::unique_ptr<client::DatasetReader>> OpenData(Session& session,
                                                                client::OpenOptions options) {
  options.classes_path = session.arguments().classes;
  options.allow_missing_classes = session.arguments().allow_missing_classes;
  options.check = [&session] { return session.interrupt().Check(); };
  return client::OpenDataset(options);
}

void SayNotes(Session& session, const client::DatasetReader& reader) {
  for (const std::string& note : reader.Notes()) session.Say(absl::StrCat("note: ", note));
}

absl::StatusOr<v1::Model> UploadModel(Session& session, const std::string& path,
                                      const std::string& id) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(auto uploaded, client->UploadModel(path, id, Listener(session, path)));
  SayUploaded(session, uploaded.resource.name(), uploaded.stats);
  return std::move(uploaded.resource);
}

absl::StatusOr<v1::Dataset> UploadDataset(Session& session, const std::string& path,
                                          client::DatasetReader& reader, const std::string& id) {
  client::DatasetUpload upload;
  upload.stem = client::DatasetStem(path);
  upload.id = id;
  upload.limit = session.arguments().limit;
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(auto uploaded,
                         client->UploadDataset(reader, upload, Listener(session, path)));
  SayNotes(session, reader);
  SayUploaded(session, uploaded.resource.name(), uploaded.stats);
  return std::move(uploaded.resource);
}

absl::Status RunModelCommand(Session& session) {
  const Arguments& arguments = session.arguments();
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  const std::string name = FullName(kModels, arguments.name);
  switch (arguments.command) {
    case Command::kModelUpload:
      return PrintModel(session, UploadModel(session, arguments.path, arguments.id));
    case Command::kModelList: {
      ASSAY_ASSIGN_OR_RETURN(const auto models, client->ListModels());
      return PrintModels(session, models);
    }
    case Command::kModelDelete:
      ASSAY_RETURN_IF_ERROR(client->DeleteModel(name));
      session.Say(absl::StrCat("deleted ", name));
      return absl::OkStatus();
    case Command::kModelLoad:
      session.Say(absl::StrCat("loading ", name, " ..."));
      return PrintModel(
          session,
          client->LoadModel(name, arguments.shape.channels() > 0 ? &arguments.shape : nullptr));
    case Command::kModelUnload:
      return PrintModel(session, client->UnloadModel(name));
    default:
      return PrintModel(session, client->GetModel(name));
  }
}

absl::Status RunDatasetCommand(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string name = FullName(kDatasets, arguments.name);
  if (arguments.command == Command::kDatasetUpload) {
    // Before the connection: what is wrong with the files is known without a server.
    ASSAY_ASSIGN_OR_RETURN(const auto reader, OpenData(session));
    return PrintDataset(session, UploadDataset(session, arguments.data[0], *reader, arguments.id));
  }
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  switch (arguments.command) {
    case Command::kDatasetList: {
      ASSAY_ASSIGN_OR_RETURN(const auto datasets, client->ListDatasets());
      return PrintDatasets(session, datasets);
    }
    case Command::kDatasetDelete:
      ASSAY_RETURN_IF_ERROR(client->DeleteDataset(name));
      session.Say(absl::StrCat("deleted ", name));
      return absl::OkStatus();
    default:
      return PrintDataset(session, client->GetDataset(name));
  }
}

}  // namespace assay::cli
