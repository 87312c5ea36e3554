#include "core/models/file_format.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/models/pickle_scan.h"
#include "core/models/zip_archive.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr char kExport[] =
    "torch.export.save(torch.export.export(model.eval(), (images,), dynamic_shapes=({0: "
    "torch.export.Dim(\"batch\")},)), \"model.pt2\") writes a file that this server takes";
constexpr char kToOnnx[] = "convert it to ONNX, which this server takes, ";
// What is read of a file that is not a zip archive.
constexpr size_t kHead = size_t{4} << 20;

FileExplanation Is(FileFormat format) { return {format, std::string()}; }
FileExplanation Other(std::string message) { return {FileFormat::kOther, std::move(message)}; }

// --- Python's pickles

// What the tensors of a state_dict need.
bool ServesTensors(const std::string& global) {
  static const auto* const names = new std::set<std::string>{"collections.OrderedDict",
                                                             "torch.Size",
                                                             "torch.device",
                                                             "torch.serialization._get_layout",
                                                             "torch.nn.parameter.Parameter",
                                                             "torch.Tensor",
                                                             "torch.tensor",
                                                             "torch.per_tensor_affine",
                                                             "torch.per_channel_affine",
                                                             "_codecs.encode"};
  return names->count(global) > 0 || absl::StartsWith(global, "torch._utils.") ||
         absl::StartsWith(global, "torch._tensor.") || absl::StartsWith(global, "torch.storage.") ||
         (absl::StartsWith(global, "torch.") && absl::EndsWith(global, "Storage")) ||
         // torch.float32 and its like.
         (absl::StartsWith(global, "torch.") &&
          global.find('.', strlen("torch.")) == std::string::npos &&
          absl::ascii_isdigit(static_cast<unsigned char>(global.back())));
}

bool HasString(const PickleScan& pickle, const std::string& text) {
  return std::find(pickle.strings.begin(), pickle.strings.end(), text) != pickle.strings.end();
}

std::string Quoted(absl::string_view text) {
  std::string quoted = "'";
  for (const char c : text.substr(0, 60)) {
    quoted += absl::ascii_isprint(static_cast<unsigned char>(c)) ? c : '?';
  }
  return quoted + "'";
}

// The pickle within what torch.save wrote.
std::string ExplainSaved(const PickleScan& pickle) {
  const auto foreign =
      std::find_if_not(pickle.globals.begin(), pickle.globals.end(), ServesTensors);
  const bool tensors = std::any_of(
      pickle.globals.begin(), pickle.globals.end(),
      [](const std::string& name) { return absl::StartsWith(name, "torch._utils._rebuild_"); });
  // An object of a class is made before its parts are.
  if (foreign != pickle.globals.end() && (!tensors || foreign == pickle.globals.begin())) {
    return absl::StrCat(
        "it is a pickled Python object of class ", Quoted(*foreign),
        " (torch.save(model)), which only Python that has this class can read, and reading it "
        "runs code; there, after model = torch.load(FILE, weights_only=False), ",
        kExport);
  }
  for (const char* key : {"state_dict", "model_state_dict", "model_state", "optimizer",
                          "optimizer_state_dict", "epoch"}) {
    if (!HasString(pickle, key)) continue;
    return absl::StrCat(
        "it is a training checkpoint of PyTorch (it has the entry '", key,
        "'): weights without the network that they belong to; in Python, load them into their "
        "network with model.load_state_dict, then ",
        kExport);
  }
  if (!tensors) {
    return absl::StrCat("it is Python data that torch.save wrote, without a network in it; ",
                        kExport);
  }
  for (const std::string& key : pickle.strings) {
    if (!absl::StrContains(key, ".")) continue;
    return absl::StrCat(
        "it is a state_dict of PyTorch (with ", Quoted(key),
        "): weights without the network that they belong to; in Python, load them into their "
        "network with model.load_state_dict(torch.load(FILE)), then ",
        kExport);
  }
  return absl::StrCat(
      "it holds tensors that torch.save wrote, such as a state_dict: weights without the network "
      "that they belong to; in Python, load them into their network, then ",
      kExport);
}

// torch.save of before PyTorch 1.6: pickles one after the other, the first of them a magic number.
constexpr char kLegacyMagic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

FileExplanation ExplainPickle(absl::string_view head) {
  if (absl::StartsWith(head, absl::string_view(kLegacyMagic, sizeof(kLegacyMagic) - 1))) {
    // After the number: the version of the format, and what the machine was.
    for (int skipped = 0; skipped < 3; ++skipped) head.remove_prefix(ScanPickle(head).size);
    return Other(ExplainSaved(ScanPickle(head)));
  }
  const PickleScan pickle = ScanPickle(head);
  return Other(absl::StrCat(
      "it is a Python pickle",
      pickle.globals.empty() ? std::string() : absl::StrCat(" of ", Quoted(pickle.globals.front())),
      ", which only Python can read, and reading it runs code; if it is a network of PyTorch, ",
      kExport));
}

// --- zip archives

class Records {
 public:
  explicit Records(const std::vector<std::string>& names) : names_(names) {}

  // The first record named `end` in some folder, or `end` itself; empty without.
  std::string Find(absl::string_view end) const {
    for (const std::string& name : names_) {
      if (name == end || absl::EndsWith(name, absl::StrCat("/", end))) return name;
    }
    return std::string();
  }
  bool Has(absl::string_view end) const { return !Find(end).empty(); }
  bool HasEnding(absl::string_view end) const {
    return std::any_of(names_.begin(), names_.end(),
                       [end](const std::string& name) { return absl::EndsWith(name, end); });
  }
  bool HasPart(absl::string_view part) const {
    return std::any_of(names_.begin(), names_.end(),
                       [part](const std::string& name) { return absl::StrContains(name, part); });
  }
  bool AllEnd(absl::string_view end) const {
    return !names_.empty() &&
           std::all_of(names_.begin(), names_.end(),
                       [end](const std::string& name) { return absl::EndsWith(name, end); });
  }

 private:
  const std::vector<std::string>& names_;
};

FileExplanation ExplainZip(const std::string& path, uint64_t size) {
  absl::StatusOr<ZipArchive> archive = ZipArchive::Open(path, size);
  if (!archive.ok()) {
    return Other(
        "it begins like a zip archive (TorchScript and exported programs are such) and does not "
        "end like one: it was cut off on its way, or is damaged; copy it again, or export the "
        "model again");
  }
  const Records records(archive->names());
  const bool program =
      records.Has("serialized_exported_program.json") ||
      (records.HasPart("models/") && records.HasEnding(".json") && records.Has("archive_format"));
  if (!program && (records.HasPart("data/aotinductor/") || records.HasEnding(".wrapper.so") ||
                   records.HasEnding(".cubin"))) {
    return Other(absl::StrCat(
        "it is a package of AOTInductor: machine code for one kind of processor, which has no "
        "gradients; of the model that it was compiled from, ",
        kExport));
  }
  if (program) return Is(FileFormat::kExportedProgram);
  if (records.Has("python_version") && records.HasPart(".data/extern_modules")) {
    return Other(absl::StrCat(
        "it is a torch.package, which holds Python code that only Python can run; in Python, load "
        "the model with torch.package.PackageImporter, then ",
        kExport));
  }
  // PyTorch 1.0 to 1.3 wrote model.json.
  if (records.HasPart("/code/") || records.HasPart("code/__torch__") ||
      (records.Has("model.json") && records.Has("version")) || records.Has("constants.pkl")) {
    if (records.Has("data.pkl") || records.Has("model.json")) return Is(FileFormat::kTorchScript);
    return Other(absl::StrCat(
        records.Has("bytecode.pkl")
            ? "it is a model for the lite interpreter of PyTorch Mobile, without the code that "
              "LibTorch needs; "
            : "it is TorchScript of which a part is missing; ",
        "of the model that it was made from, ", kExport));
  }
  if (const std::string data = records.Find("data.pkl"); !data.empty()) {
    const absl::StatusOr<std::string> pickle = archive->Read(data);
    if (!pickle.ok()) return Other(std::string(pickle.status().message()));
    return Other(ExplainSaved(ScanPickle(*pickle)));
  }
  if (records.AllEnd(".npy")) {
    return Other("it holds arrays of numpy (.npz), such as images and labels, not a network");
  }
  if (records.Has("saved_model.pb")) {
    return Other(absl::StrCat("it is a zipped SavedModel of TensorFlow; unpack it and ", kToOnnx,
                              "with python -m tf2onnx.convert --saved-model FOLDER --output "
                              "model.onnx"));
  }
  if (records.Has("model.weights.h5") ||
      (records.Has("metadata.json") && records.Has("config.json"))) {
    return Other(absl::StrCat("it is a model of Keras 3; ", kToOnnx,
                              "with keras.models.load_model(FILE).export(\"model.onnx\", "
                              "format=\"onnx\")"));
  }
  for (const char* end : {".pt2", ".pt", ".pth", ".onnx", ".safetensors", ".h5", ".pb"}) {
    if (!records.HasEnding(end)) continue;
    return Other(absl::StrCat("it is a zip archive that holds a file ", end,
                              "; unpack it and give that file"));
  }
  return Other(absl::StrCat(
      "it is a zip archive",
      archive->names().empty() ? " of nothing"
                               : absl::StrCat(" (with ", Quoted(archive->names().front()), ")"),
      ", not one of TorchScript or an exported program; of a network of PyTorch, ", kExport));
}

// --- protocol buffers

// The fields at the top of a message, read without what is inside of them.
class TopFields {
 public:
  // False unless `file`, of `size` bytes, is a sequence of fields.
  bool Read(std::ifstream& file, uint64_t size) {
    uint64_t at = 0;
    // A GraphDef has one field for each operator.
    for (int fields = 0; at < size; ++fields) {
      if (fields == 100000) return true;
      uint64_t key, value = 0;
      if (!Varint(file, &at, &key)) return false;
      const uint64_t number = key >> 3;
      if (number == 0 || number > 10000) return false;
      switch (key & 7) {
        case 0:
          if (!Varint(file, &at, &value)) return false;
          break;
        case 1:
          value = 8;
          break;
        case 2:
          if (!Varint(file, &at, &value)) return false;
          break;
        case 5:
          value = 4;
          break;
        default:
          return false;
      }
      const bool number_only = (key & 7) == 0;
      if (numbers_.empty()) {
        first_is_number_ = number_only;
        first_value_ = value;
      }
      numbers_.insert(number);
      if (number_only) continue;
      if (value > size - at) return false;
      at += value;
      file.seekg(static_cast<std::streamoff>(at));
    }
    return !numbers_.empty();
  }

  bool Has(uint64_t number) const { return numbers_.count(number) > 0; }
  bool OnlyUpTo(uint64_t number) const { return *numbers_.rbegin() <= number; }
  bool first_is_number() const { return first_is_number_; }
  uint64_t first_value() const { return first_value_; }

 private:
  static bool Varint(std::ifstream& file, uint64_t* at, uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const int byte = file.get();
      if (byte == std::ifstream::traits_type::eof()) return false;
      ++*at;
      *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  std::set<uint64_t> numbers_;
  bool first_is_number_ = false;
  uint64_t first_value_ = 0;
};

constexpr char kConvertSavedModel[] =
    "with python -m tf2onnx.convert --saved-model FOLDER --output model.onnx";

std::optional<FileExplanation> ExplainProtocolBuffer(const std::string& path, uint64_t size) {
  std::ifstream file(path, std::ios::binary);
  TopFields fields;
  if (!fields.Read(file, size)) return std::nullopt;
  // ModelProto: ir_version 1, ..., graph 7, opset_import 8, metadata_props 14, training_info 20,
  // functions 25, configuration 26.
  if (fields.Has(7) && fields.OnlyUpTo(26)) return Is(FileFormat::kOnnx);
  // SavedModel: saved_model_schema_version 1, meta_graphs 2.
  if (fields.first_is_number() && fields.first_value() == 1 && fields.Has(2) &&
      fields.OnlyUpTo(2)) {
    return Other(
        absl::StrCat("it is the graph of a SavedModel of TensorFlow, without its weights; ",
                     kToOnnx, kConvertSavedModel));
  }
  // Core ML's Model: specificationVersion 1, description 2, one of the kinds of models from 200 on.
  if (fields.first_is_number() && fields.Has(2) && !fields.OnlyUpTo(199)) {
    return Other(absl::StrCat(
        "it is a model of Core ML, which cannot be read here; of the network that it was converted "
        "from, ",
        kExport));
  }
  // GraphDef: node 1, library 2, version 3, versions 4.
  if (!fields.first_is_number() && fields.Has(1) && fields.Has(4) && fields.OnlyUpTo(5)) {
    return Other(absl::StrCat("it is a frozen graph of TensorFlow (GraphDef); ", kToOnnx,
                              "with python -m tf2onnx.convert --graphdef FILE --inputs NAME:0 "
                              "--outputs NAME:0 --output model.onnx"));
  }
  return std::nullopt;
}

// --- text and the rest

bool IsText(absl::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t' || byte == '\f';
  });
}

FileExplanation ExplainText(absl::string_view head) {
  if (absl::StartsWith(head, "version https://git-lfs.github.com/spec/")) {
    return Other(
        "it is a pointer of Git LFS, not the file that it stands for; run 'git lfs pull' where it "
        "comes from, or download the file itself");
  }
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(head);
  const std::string lower = absl::AsciiStrToLower(text.substr(0, 2000));
  if (absl::StartsWith(lower, "<!doctype html") || absl::StrContains(lower, "<html")) {
    return Other(
        "it is a web page, as when a download asks to log in or failed; open it in a browser to "
        "see, and download the file itself");
  }
  if (absl::StartsWith(lower, "<?xml") && absl::StrContains(lower, "<net")) {
    return Other(absl::StrCat(
        "it is a model of OpenVINO, which cannot be read here; of the network that it was "
        "converted from, ",
        kExport));
  }
  const bool code = absl::StrContains(text, "import torch") || absl::StrContains(text, "def ") ||
                    absl::StrContains(text, "import tensorflow");
  return Other(absl::StrCat(
      "it is text (",
      Quoted(absl::StripTrailingAsciiWhitespace(text.substr(0, text.find_first_of("\r\n")))),
      code ? "), the source of a program, not a network; run in it, "
           : "), not a network; of a network of PyTorch, ",
      kExport));
}

struct Signature {
  size_t at;
  absl::string_view bytes;
  const char* message;
};

// Formats that begin with bytes of their own.
std::optional<FileExplanation> ExplainSignature(absl::string_view head) {
  static const auto* const signatures = new std::vector<Signature>{
      {4, "TFL3", "it is a model of TensorFlow Lite, which cannot be read here"},
      {4, "ET12", "it is a program of ExecuTorch, which cannot be read here"},
      {4, "PTMF", "it is a model for PyTorch Mobile (flatbuffer), which cannot be read here"},
      {0, "GGUF", "it is a model of llama.cpp (GGUF), which cannot be read here"},
      {0,
       "\x7f"
       "ELF",
       "it is a compiled library, as AOTInductor writes, which has no gradients"},
      {0, "\x93NUMPY", "it is an array of numpy (.npy), not a network"},
      {0, "\x89PNG", "it is a picture, not a network"},
      {0, "\xff\xd8\xff", "it is a picture, not a network"},
      {0, "%PDF", "it is a PDF document, not a network"},
      {0, "\x1f\x8b", "it is compressed by gzip; unpack it first"},
      {0, "BZh", "it is compressed by bzip2; unpack it first"},
      {0,
       "\xfd"
       "7zXZ",
       "it is compressed by xz; unpack it first"},
      {0, "\x28\xb5\x2f\xfd", "it is compressed by zstd; unpack it first"},
      {0, "7z\xbc\xaf", "it is a 7z archive; unpack it first"},
      {0, "Rar!", "it is a RAR archive; unpack it first"},
      {257, "ustar", "it is a tar archive; unpack it first"},
  };
  for (const Signature& signature : *signatures) {
    if (head.size() < signature.at ||
        !absl::StartsWith(head.substr(signature.at), signature.bytes)) {
      continue;
    }
    const bool network = absl::EndsWith(signature.message, "cannot be read here") ||
                         absl::EndsWith(signature.message, "gradients");
    return Other(network ? absl::StrCat(signature.message,
                                        "; of the network that it was converted from, ", kExport)
                         : signature.message);
  }
  return std::nullopt;
}

// The length of a header of JSON, the header, and the tensors.
bool IsSafetensors(absl::string_view head, uint64_t size) {
  if (head.size() < 10 || head[8] != '{') return false;
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(head[i]);
  return length >= 2 && length <= size - 8;
}

FileExplanation ExplainHdf5(absl::string_view head) {
  for (const char* part : {"keras_version", "model_weights", "layer_names", "model_config"}) {
    if (!absl::StrContains(head, part)) continue;
    return Other(absl::StrCat("it is a model or weights of Keras (HDF5); ", kToOnnx,
                              "with keras.models.load_model(FILE).export(\"model.onnx\", "
                              "format=\"onnx\")"));
  }
  return Other(absl::StrCat("it is an HDF5 file; if it is a model of Keras, ", kToOnnx,
                            "with keras.models.load_model(FILE).export(\"model.onnx\", "
                            "format=\"onnx\")"));
}

FileExplanation ExplainFolder(const fs::path& path) {
  std::error_code ignored;
  const auto has = [&](const char* name) { return fs::exists(path / name, ignored); };
  if (has("saved_model.pb")) {
    return Other(absl::StrCat("it is a SavedModel of TensorFlow; ", kToOnnx, kConvertSavedModel));
  }
  if (has("config.json") && (has("model.safetensors") || has("pytorch_model.bin"))) {
    return Other(absl::StrCat(
        "it is a folder of Hugging Face: weights and settings; in Python, after model = "
        "AutoModelForImageClassification.from_pretrained(FOLDER), ",
        kExport));
  }
  if (has("data.pkl") || has("archive_format")) {
    return Other(
        "it is the unpacked folder of a model file; give the file itself, as it was "
        "saved");
  }
  return Other("it is a folder; give a file");
}

}  // namespace

FileExplanation ExplainFile(const std::string& path, std::optional<uint64_t> model_size) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return Other("there is no such file");
  if (fs::is_directory(status)) return ExplainFolder(path);
  if (!fs::is_regular_file(status)) return Other("it is not a regular file");
  const uint64_t whole = fs::file_size(path, error);
  if (error) return Other("it cannot be read");
  const uint64_t size = std::min(model_size.value_or(whole), whole);
  if (size == 0) return Other("the file is empty; copy it again, or export the model again");
  std::string bytes(static_cast<size_t>(std::min<uint64_t>(size, kHead)), '\0');
  if (!std::ifstream(path, std::ios::binary)
           .read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    return Other("it cannot be read");
  }
  const absl::string_view head = bytes;
  if (absl::StartsWith(head, "PK\x03\x04") || absl::StartsWith(head, "PK\x05\x06")) {
    return ExplainZip(path, size);
  }
  if (absl::StartsWith(head, "\x89HDF\r\n\x1a\n")) return ExplainHdf5(head);
  if (auto found = ExplainSignature(head)) return *std::move(found);
  if (IsSafetensors(head, size)) {
    return Other(absl::StrCat(
        "it is a file of safetensors: weights without the network that they belong to; in Python, "
        "load them into their network with model.load_state_dict(safetensors.torch.load_file("
        "FILE)), then ",
        kExport));
  }
  // A pickle of protocol 2 or later.
  if (head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) {
    return ExplainPickle(head);
  }
  if (auto found = ExplainProtocolBuffer(path, size)) return *std::move(found);
  if (IsText(head)) return ExplainText(head);
  return Other(
      absl::StrCat("it is of no format that is known here; of a network of PyTorch, ", kExport));
}

}  // namespace assay
