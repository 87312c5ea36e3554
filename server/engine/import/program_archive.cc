#include "server/engine/import/program_archive.h"

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/models/zip_archive.h"
#include "server/engine/import/stored_tensor.h"
#include "server/engine/import/tensor_pickle.h"

namespace assay::engine {
namespace {

constexpr char kFlatProgram[] = "serialized_exported_program.json";
constexpr char kFormatMark[] = "archive_format";
// The majors whose meaning is known: 1 (PyTorch 2.1) to 8 (2.6 and later).
constexpr int64_t kNewestSchema = 8;

absl::Status Invalid(absl::string_view what) { return Error(Reason::kInvalidModel, what); }

// The folder that all records of a package are in: "resnet/"; none is "".
std::string FolderOf(const ZipArchive& archive) {
  for (const std::string& name : archive.names()) {
    absl::string_view folder = name;
    if (!absl::ConsumeSuffix(&folder, kFormatMark)) continue;
    if (folder.empty() || folder.find('/') == folder.size() - 1) return std::string(folder);
  }
  return "";
}

// Names of the programs of a package.
std::vector<std::string> ProgramsIn(const ZipArchive& archive, const std::string& folder) {
  std::vector<std::string> names;
  for (absl::string_view name : archive.names()) {
    if (absl::ConsumePrefix(&name, absl::StrCat(folder, "models/")) &&
        absl::ConsumeSuffix(&name, ".json") && !absl::StrContains(name, "/")) {
      names.emplace_back(name);
    }
  }
  return names;
}

ProgramLayout LayoutOf(ZipArchive& archive) {
  if (archive.Has(kFlatProgram)) return ProgramLayout::kFlat;
  const std::string folder = FolderOf(archive);
  const std::string mark = absl::StrCat(folder, kFormatMark);
  if (!archive.Has(mark)) {
    // AOTInductor packages of 2.5 and 2.6 have no mark.
    for (const std::string& name : archive.names()) {
      if (absl::StrContains(name, "data/aotinductor/")) return ProgramLayout::kCompiled;
    }
    return ProgramLayout::kNone;
  }
  const auto format = archive.Read(mark);
  if (!format.ok() || *format != "pt2") return ProgramLayout::kNone;
  return ProgramsIn(archive, folder).empty() ? ProgramLayout::kCompiled : ProgramLayout::kPackage;
}

absl::Status CheckVersion(ProgramArchive& result) {
  if (const Json* writer = Member(result.program, "torch_version");
      writer != nullptr && writer->is_string()) {
    result.writer = absl::StrCat("PyTorch ", writer->get_ref<const std::string&>().substr(0, 40));
  } else {
    result.writer = "PyTorch 2";
  }
  // PyTorch 2.1 and 2.2 have one number.
  const Json* const version = Member(result.program, "schema_version");
  if (version == nullptr) return Invalid("the exported program names no version of its schema");
  const bool one = !version->is_object();
  ASSAY_ASSIGN_OR_RETURN(const int64_t major,
                         ToInt(one ? *version : version->value("major", Json())));
  result.schema = absl::StrCat(major);
  if (!one) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t minor, ToInt(version->value("minor", Json())));
    absl::StrAppend(&result.schema, ".", minor);
  }
  if (major < 1 || major > kNewestSchema) {
    return Invalid(absl::StrCat("the exported program has version ", result.schema,
                                " of its schema, and this server knows versions 1 to ",
                                kNewestSchema, "; ", result.writer,
                                " wrote it. Export the model with an older PyTorch, or to ONNX"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, at::Tensor>> ReadFlatTensors(ZipArchive& archive,
                                                                  const std::string& record) {
  // PyTorch 2.1 and 2.2 gave the same content another name.
  for (const char* suffix : {".pt", ".json"}) {
    const std::string name = absl::StrCat(record, suffix);
    if (!archive.Has(name)) continue;
    ASSAY_ASSIGN_OR_RETURN(std::string bytes, archive.Read(name));
    return ReadSavedTensors(std::move(bytes));
  }
  return std::map<std::string, at::Tensor>();
}

absl::Status ReadFlat(ZipArchive& archive, ProgramArchive* result) {
  ASSAY_ASSIGN_OR_RETURN(std::string text, archive.Read(kFlatProgram));
  ASSAY_ASSIGN_OR_RETURN(result->program, ParseJson(kFlatProgram, std::move(text)));
  ASSAY_RETURN_IF_ERROR(CheckVersion(*result));
  ASSAY_ASSIGN_OR_RETURN(result->state, ReadFlatTensors(archive, "serialized_state_dict"));
  ASSAY_ASSIGN_OR_RETURN(result->constants, ReadFlatTensors(archive, "serialized_constants"));
  return absl::OkStatus();
}

// A list of sizes that are numbers.
absl::StatusOr<std::vector<int64_t>> ReadSizes(const Json& meta, const char* name) {
  std::vector<int64_t> sizes;
  ASSAY_ASSIGN_OR_RETURN(const Json* const list, ArrayIn(meta, name));
  for (const Json& size : *list) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t number,
                           ToInt(size.is_object() ? size.value("as_int", Json()) : size));
    sizes.push_back(number);
  }
  return sizes;
}

absl::StatusOr<at::Tensor> ReadPackageTensor(const std::string& name, const Json& meta,
                                             const at::Tensor& bytes) {
  ASSAY_ASSIGN_OR_RETURN(const c10::ScalarType type, SchemaScalarType(meta.value("dtype", Json())));
  ASSAY_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, ReadSizes(meta, "sizes"));
  ASSAY_ASSIGN_OR_RETURN(const std::vector<int64_t> strides, ReadSizes(meta, "strides"));
  const Json offset = meta.value("storage_offset", Json());
  ASSAY_ASSIGN_OR_RETURN(const int64_t begin,
                         ToInt(offset.is_object() ? offset.value("as_int", Json()) : offset));
  constexpr int kStrided = 7;
  if (meta.value("layout", Json()) != kStrided) {
    return Invalid(absl::StrCat("the tensor ", name, " is sparse; make it dense before exporting"));
  }
  return TensorInBytes(name, bytes, type, begin, sizes, strides);
}

// The tensors that NAME_KIND_config.json lists, of `folder`data/KIND/.
absl::StatusOr<std::map<std::string, at::Tensor>> ReadPackageTensors(ZipArchive& archive,
                                                                     const std::string& folder,
                                                                     const std::string& model,
                                                                     const std::string& kind) {
  const std::string place = absl::StrCat(folder, "data/", kind, "/");
  const std::string record = absl::StrCat(place, model, "_", kind, "_config.json");
  if (const std::string pickled = absl::StrCat(place, model, ".pt"); archive.Has(pickled)) {
    // The first writers of this layout.
    ASSAY_ASSIGN_OR_RETURN(std::string bytes, archive.Read(pickled));
    return ReadSavedTensors(std::move(bytes));
  }
  ASSAY_ASSIGN_OR_RETURN(std::string text, archive.Read(record));
  ASSAY_ASSIGN_OR_RETURN(const Json file, ParseJson(record, std::move(text)));
  ASSAY_ASSIGN_OR_RETURN(const Json* const config, ObjectIn(file, "config"));
  std::map<std::string, at::Tensor> contents, tensors;
  for (const auto& [name, payload] : config->items()) {
    const Json* const pickled = Member(payload, "use_pickle");
    const Json* const meta = Member(payload, "tensor_meta");
    if (pickled == nullptr || *pickled != false || meta == nullptr || !meta->is_object()) {
      return Invalid(absl::StrCat(name,
                                  " of the exported program is not a plain tensor but a "
                                  "pickled Python object, which is not read; export the model "
                                  "without it"));
    }
    ASSAY_ASSIGN_OR_RETURN(const std::string path, StringIn(payload, "path_name"));
    // Tensors that share memory share a record.
    auto [content, is_new] = contents.try_emplace(path);
    if (is_new) {
      ASSAY_ASSIGN_OR_RETURN(content->second, ReadBytes(archive, absl::StrCat(place, path)));
    }
    ASSAY_ASSIGN_OR_RETURN(tensors[name], ReadPackageTensor(name, *meta, content->second));
  }
  return tensors;
}

absl::Status ReadPackage(ZipArchive& archive, ProgramArchive* result) {
  const std::string folder = FolderOf(archive);
  if (const std::string version = absl::StrCat(folder, "archive_version"); archive.Has(version)) {
    ASSAY_ASSIGN_OR_RETURN(const std::string number, archive.Read(version));
    if (number != "0") {
      return Invalid(absl::StrCat("the archive has version ", number.substr(0, 20),
                                  " of its layout, and this server knows version 0; export the "
                                  "model with an older PyTorch, or to ONNX"));
    }
  }
  if (const std::string order = absl::StrCat(folder, "byteorder"); archive.Has(order)) {
    ASSAY_ASSIGN_OR_RETURN(const std::string name, archive.Read(order));
    if (name != "little") return Invalid("the model was exported on a big-endian machine");
  }
  const std::vector<std::string> names = ProgramsIn(archive, folder);
  if (names.size() > 1) {
    return Invalid(absl::StrCat("the archive holds ", names.size(),
                                " exported programs; save the one to evaluate by itself with "
                                "torch.export.save"));
  }
  const std::string& name = names.front();
  const std::string record = absl::StrCat(folder, "models/", name, ".json");
  ASSAY_ASSIGN_OR_RETURN(std::string text, archive.Read(record));
  ASSAY_ASSIGN_OR_RETURN(result->program, ParseJson(record, std::move(text)));
  ASSAY_RETURN_IF_ERROR(CheckVersion(*result));
  ASSAY_ASSIGN_OR_RETURN(result->state, ReadPackageTensors(archive, folder, name, "weights"));
  ASSAY_ASSIGN_OR_RETURN(result->constants, ReadPackageTensors(archive, folder, name, "constants"));
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadProgramArchive(const std::string& path, ProgramArchive* archive) {
  ASSAY_ASSIGN_OR_RETURN(ZipArchive zip, ZipArchive::Open(path));
  archive->layout = LayoutOf(zip);
  switch (archive->layout) {
    case ProgramLayout::kNone:
      return Invalid("the file is not an exported program (save it with torch.export.save)");
    case ProgramLayout::kCompiled:
      return Invalid(
          "the file is an AOTInductor package: compiled machine code, which has no gradients and "
          "is not run here; save the program that it was compiled from with torch.export.save");
    case ProgramLayout::kFlat:
      return ReadFlat(zip, archive);
    case ProgramLayout::kPackage:
      return ReadPackage(zip, archive);
  }
  return absl::OkStatus();
}

absl::StatusOr<c10::ScalarType> SchemaScalarType(const Json& type) {
  ASSAY_ASSIGN_OR_RETURN(const int64_t number, ToInt(type));
  switch (number) {
    case 1:
      return c10::kByte;
    case 2:
      return c10::kChar;
    case 3:
      return c10::kShort;
    case 4:
      return c10::kInt;
    case 5:
      return c10::kLong;
    case 6:
      return c10::kHalf;
    case 7:
      return c10::kFloat;
    case 8:
      return c10::kDouble;
    case 9:
      return c10::ScalarType::ComplexHalf;
    case 10:
      return c10::ScalarType::ComplexFloat;
    case 11:
      return c10::ScalarType::ComplexDouble;
    case 12:
      return c10::kBool;
    case 13:
      return c10::kBFloat16;
    default:
      return Invalid(absl::StrCat("the exported program uses tensor type ", number,
                                  " of PyTorch's schema (an 8-bit float, or an unsigned integer), "
                                  "which is not supported; export it in float32"));
  }
}

}  // namespace assay::engine
