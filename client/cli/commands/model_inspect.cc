// `assay model inspect`.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/base/command.h"
#include "client/cli/base/models.h"
#include "client/cli/base/uploads.h"
#include "client/data/byte_source.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

struct InspectOptions {
  std::string file;
  std::string shape;
  ModelOptions model;
};

// Of CIFAR, ImageNet, MNIST and the like; the first one that the model takes is tried.
constexpr const char* kUsualShapes[] = {"3x32x32",   "3x224x224", "1x28x28",  "3x64x64",
                                        "3x299x299", "3x96x96",   "3x384x384"};

absl::Status Inspect(Session& session, const InspectOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const v1::ModelInterface interface, ParseModelInterface(options.model));
  std::vector<v1::ImageShape> shapes;
  if (!options.shape.empty()) {
    ASSAY_ASSIGN_OR_RETURN(shapes.emplace_back(), ParseShape(options.shape));
  } else {
    for (const char* shape : kUsualShapes) shapes.push_back(*ParseShape(shape));
  }
  ASSAY_RETURN_IF_ERROR(client::ByteSource::Open(options.file).status());
  session.UseLocalServer({});
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(const v1::Model model, UploadModel(session, options.file, "", interface));
  absl::Status mismatch;
  for (const v1::ImageShape& shape : shapes) {
    const auto loaded = client->LoadModel(model.name(), &shape);
    if (loaded.ok()) return PrintModel(session, *loaded);
    if (ReasonOf(loaded.status()) != Reason::kModelInputMismatch) return loaded.status();
    if (mismatch.ok()) mismatch = loaded.status();
  }
  if (shapes.size() == 1) return mismatch;
  return Error(Reason::kModelInputMismatch,
               absl::StrCat("it takes images of none of the usual shapes; give --shape CxHxW (",
                            mismatch.message(), ")"));
}

}  // namespace

CommandRun ModelInspect(Leaf& leaf) {
  const auto options = std::make_shared<InspectOptions>();
  leaf.Add("file", &options->file, kModelFile).Required();
  leaf.Add("--shape", &options->shape, "Shape of the images (default: the usual ones are tried)")
      .TypeName("CxHxW");
  options->model.AddTo(leaf);
  return [options](Session& session) { return Inspect(session, *options); };
}

}  // namespace assay::cli
