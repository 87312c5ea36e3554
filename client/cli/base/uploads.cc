#include "client/cli/base/uploads.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/data/metadata_file.h"
#include "client/data/open_dataset.h"
#include "client/data/ready_made.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

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

}  // namespace

const std::vector<std::string>& DataFormats() {
  static const auto* const formats =
      new std::vector<std::string>{"auto", "cifar10", "cifar100", "idx", "npy", "npz", "folder"};
  return *formats;
}

void DataOptions::AddTo(Leaf& leaf) {
  leaf.Add("--labels", &labels,
           "Labels of IDX and NPY images (default: looked for beside the images)")
      .TypeName("FILE");
  leaf.Add("--format", &format,
           absl::StrCat("Format of the data: ", absl::StrJoin(DataFormats(), ", ")))
      .OneOf(DataFormats());
  leaf.Add("--classes", &classes,
           "Names of the classes, one a line, in the order of the logits (default: "
           "classes.txt beside the images, or in the folder of class folders)")
      .TypeName("FILE");
  leaf.Add("--allow-missing-classes", &allow_missing_classes,
           "Accept classes without images, and a number of named classes that is not that "
           "of the model's logits");
  leaf.Add("--limit", &limit, "Use the first N samples").Positive().TypeName("N");
}

void MetadataOptions::AddTo(Leaf& leaf) {
  Option file = leaf.Add("--metadata", &path,
                         "CSV of what is known of each sample (a header, then a row for each), by "
                         "whose columns the report has slices");
  file.TypeName("FILE");
  leaf.Add("--metadata-edges", &edges,
           "Where ranges of a column of numbers meet (default: at its quartiles), or COLUMN=values "
           "for each number as it is; may be given several times")
      .OneAtATime()
      .Needs(file)
      .TypeName("COLUMN=A,B,..");
}

absl::StatusOr<std::optional<MetadataTable>> ReadMetadata(const MetadataOptions& options,
                                                          const client::DatasetReader& reader,
                                                          int64_t limit) {
  if (options.path.empty()) return std::optional<MetadataTable>();
  ASSAY_ASSIGN_OR_RETURN(MetadataTable table,
                         client::ReadMetadataFile(options.path, reader.size(), limit));
  ASSAY_RETURN_IF_ERROR(client::ApplyEdges(options.edges, &table));
  return std::optional<MetadataTable>(std::move(table));
}

absl::StatusOr<std::unique_ptr<client::DatasetReader>> OpenData(Session& session,
                                                                const DataOptions& data) {
  client::OpenOptions options;
  options.paths = data.paths;
  options.labels_path = data.labels;
  options.format = data.format;
  options.classes_path = data.classes;
  options.allow_missing_classes = data.allow_missing_classes;
  options.check = [&session] { return session.interrupt().Check(); };
  return client::OpenDataset(options);
}

void SayNotes(Session& session, const client::DatasetReader& reader) {
  for (const std::string& note : reader.Notes()) session.Say(absl::StrCat("note: ", note));
}

void ModelOptions::AddTo(Leaf& leaf) {
  leaf.Add("--input-range", &input_range, "What the model calls black and white: 0..255, -1..1")
      .TypeName("LOW..HIGH");
  leaf.Add("--normalize", &normalize,
           "Normalisation that the model lacks, in units of its range: mean=R,G,B,std=R,G,B, or "
           "imagenet")
      .TypeName("mean=..,std=..");
  leaf.Add("--channels", &channels, "Order of the model's channels: rgb, bgr").TypeName("ORDER");
  leaf.Add("--layout", &layout, "Layout of the model's images: nchw, nhwc").TypeName("LAYOUT");
  leaf.Add("--resize", &resize, "Size of the model's images, to which ours are brought (bilinear)")
      .TypeName("HxW");
  leaf.Add("--model-output", &output,
           "What the model returns: logits, probabilities, log-probabilities, binary-logit; "
           "key=NAME or index=I of several outputs")
      .TypeName("KIND");
  leaf.Add("--precision", &precision, "What the model computes in: fp32, tf32 (on GPUs), bf16")
      .TypeName("TYPE");
}

absl::StatusOr<v1::Model> UploadModel(Session& session, const std::string& path,
                                      const std::string& id, const v1::ModelInterface& interface,
                                      const Labels& labels) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(auto uploaded,
                         client->UploadModel(path, id, Listener(session, path), interface, labels));
  SayUploaded(session, uploaded.resource.name(), uploaded.stats);
  return std::move(uploaded.resource);
}

absl::StatusOr<v1::Dataset> UploadDataset(Session& session, const std::string& path,
                                          client::DatasetReader& reader, int64_t limit,
                                          const std::string& id, const MetadataTable* metadata) {
  client::DatasetUpload upload;
  upload.stem = client::DatasetStem(path);
  upload.id = id;
  upload.limit = limit;
  upload.metadata = metadata;
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(auto uploaded,
                         client->UploadDataset(reader, upload, Listener(session, path)));
  SayNotes(session, reader);
  SayUploaded(session, uploaded.resource.name(), uploaded.stats);
  return std::move(uploaded.resource);
}

}  // namespace assay::cli
