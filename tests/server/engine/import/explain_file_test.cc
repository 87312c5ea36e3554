#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <zip.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/models/file_format.h"
#include "server/engine/import/explain_error.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

template <size_t kSize>
std::string Literal(const char (&text)[kSize]) {
  return std::string(text, kSize - 1);
}

class ExplainFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& bytes) {
    const std::string path = folder_ / "file";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string WriteZip(const std::vector<std::pair<std::string, std::string>>& records) {
    const std::string path = folder_ / "file.zip";
    fs::remove(path);
    int error = 0;
    zip_t* const archive = zip_open(path.c_str(), ZIP_CREATE, &error);
    for (const auto& [name, content] : records) {
      const zip_int64_t index = zip_file_add(
          archive, name.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), 0);
      zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
    }
    EXPECT_EQ(zip_close(archive), 0);
    return path;
  }

  // The message for a file that is no model.
  std::string Message(const std::string& path) {
    const FileExplanation explained = ExplainFile(path);
    EXPECT_EQ(explained.format, FileFormat::kOther) << path;
    return explained.message;
  }
  std::string OfBytes(const std::string& bytes) { return Message(Write(bytes)); }
  std::string OfZip(const std::vector<std::pair<std::string, std::string>>& records) {
    return Message(WriteZip(records));
  }
  FileFormat FormatOfZip(const std::vector<std::pair<std::string, std::string>>& records) {
    return ExplainFile(WriteZip(records)).format;
  }

  fs::path folder_;
};

// --- what PyTorch writes

constexpr char kTensor[] =
    "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\ntQI0\n(I4\n"
    "t(I1\ntI00\nccollections\nOrderedDict\n(tRtR";

TEST_F(ExplainFileTest, AStateDict) {
  const std::string pickle = std::string("(dVlayer.weight\n") + kTensor + "s.";
  EXPECT_THAT(OfZip({{"m/data.pkl", pickle}, {"m/data/0", "0000"}, {"m/version", "3"}}),
              AllOf(HasSubstr("it is a state_dict of PyTorch (with 'layer.weight')"),
                    HasSubstr("load_state_dict"), HasSubstr("torch.export.save")));
}

TEST_F(ExplainFileTest, ACheckpointOfTraining) {
  const std::string pickle =
      std::string("(dVepoch\nI3\nsVstate_dict\n(dVlayer.weight\n") + kTensor + "ss.";
  EXPECT_THAT(OfZip({{"m/data.pkl", pickle}}),
              AllOf(HasSubstr("training checkpoint"), HasSubstr("'state_dict'")));
}

TEST_F(ExplainFileTest, APickledModule) {
  const std::string pickle = std::string("c__main__\nNet\n)\x81") + kTensor + "b.";
  EXPECT_THAT(OfZip({{"m/data.pkl", pickle}}),
              AllOf(HasSubstr("a pickled Python object of class '__main__.Net'"),
                    HasSubstr("weights_only=False")));
}

TEST_F(ExplainFileTest, OldFilesOfTorchSave) {
  // A magic number, a version, what the machine was, then the object.
  const std::string head = Literal(
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00.");
  EXPECT_THAT(OfBytes(head + "(dVlayer.weight\n" + kTensor + "s."),
              HasSubstr("it is a state_dict of PyTorch"));
  EXPECT_THAT(OfBytes(head + "c__main__\nNet\n)\x81."), HasSubstr("class '__main__.Net'"));
  // Cut off.
  EXPECT_THAT(OfBytes(head.substr(0, 20)), HasSubstr("torch.save wrote"));
}

TEST_F(ExplainFileTest, OtherPickles) {
  EXPECT_THAT(OfBytes(Literal("\x80\x04\x8c\x0fsklearn.svm._svm\x94\x8c\x03SVC\x94\x93.")),
              HasSubstr("it is a Python pickle"));
}

TEST_F(ExplainFileTest, WhatIsWrittenByTorchExportIsAnExportedProgram) {
  EXPECT_EQ(FormatOfZip({{"serialized_exported_program.json", "{}"}, {"version", "5.1"}}),
            FileFormat::kExportedProgram);
  EXPECT_EQ(FormatOfZip({{"m/archive_format", "pt2"},
                         {"m/models/model.json", "{}"},
                         {"m/data/weights/weight_0", "0000"}}),
            FileFormat::kExportedProgram);
}

TEST_F(ExplainFileTest, APackageOfAotInductor) {
  EXPECT_THAT(OfZip({{"m/archive_format", "pt2"}, {"m/data/aotinductor/model/c.wrapper.so", "x"}}),
              HasSubstr("AOTInductor"));
  EXPECT_THAT(OfBytes("\x7f"
                      "ELF\x02\x01"),
              HasSubstr("compiled library"));
}

TEST_F(ExplainFileTest, TorchScript) {
  torch::jit::Module module("Model");
  module.define("def forward(self, x):\n  return x\n");
  const std::string path = folder_ / "model.pt";
  module.save(path);
  EXPECT_EQ(ExplainFile(path).format, FileFormat::kTorchScript);
  // Cut off.
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(OfBytes(bytes.substr(0, bytes.size() - 30)), HasSubstr("cut off"));
}

TEST_F(ExplainFileTest, OtherArchivesOfPyTorch) {
  EXPECT_THAT(OfZip({{"m/bytecode.pkl", "x"}, {"m/constants.pkl", "x"}}),
              HasSubstr("lite interpreter"));
  EXPECT_THAT(OfZip({{"m/.data/python_version", "3"}, {"m/.data/extern_modules", "x"}}),
              HasSubstr("torch.package"));
}

// --- other formats

TEST_F(ExplainFileTest, Safetensors) {
  EXPECT_THAT(OfBytes(Literal("\x02\0\0\0\0\0\0\0{}")), HasSubstr("safetensors"));
}

TEST_F(ExplainFileTest, TensorFlowAndKeras) {
  // SavedModel: schema version 1, one graph.
  EXPECT_THAT(OfBytes(Literal("\x08\x01\x12\x02\x0a\x00")),
              AllOf(HasSubstr("SavedModel of TensorFlow"), HasSubstr("tf2onnx")));
  // GraphDef: a node, versions.
  EXPECT_THAT(OfBytes(Literal("\x0a\x03\x0a\x01x\x22\x02\x08\x1b")),
              AllOf(HasSubstr("GraphDef"), HasSubstr("tf2onnx")));
  EXPECT_THAT(OfBytes(Literal("\x1c\0\0\0TFL3\0\0")), HasSubstr("TensorFlow Lite"));
  EXPECT_THAT(OfBytes(Literal("\x89HDF\r\n\x1a\n....model_weights")), HasSubstr("Keras (HDF5)"));
  EXPECT_THAT(OfBytes(Literal("\x89HDF\r\n\x1a\n....")), HasSubstr("an HDF5 file"));
  EXPECT_THAT(OfZip({{"metadata.json", "{}"}, {"config.json", "{}"}, {"model.weights.h5", "x"}}),
              HasSubstr("Keras 3"));
  EXPECT_THAT(OfZip({{"m/saved_model.pb", "x"}}), HasSubstr("zipped SavedModel"));
  fs::create_directories(folder_ / "saved");
  std::ofstream(folder_ / "saved" / "saved_model.pb") << "x";
  EXPECT_THAT(Message(folder_ / "saved"), HasSubstr("SavedModel"));
}

TEST_F(ExplainFileTest, OnnxIsToldFromOtherProtocolBuffers) {
  // ir_version 8, graph, opset_import.
  EXPECT_EQ(ExplainFile(Write(Literal("\x08\x08\x3a\x02\x12\x00\x42\x02\x10\x11"))).format,
            FileFormat::kOnnx);
  // Core ML: version 4, a description, a neural network (field 500).
  EXPECT_THAT(OfBytes(Literal("\x08\x04\x12\x02\x0a\x00\xa2\x1f\x00")), HasSubstr("Core ML"));
  // A length beyond the end.
  EXPECT_THAT(OfBytes(Literal("\x08\x08\x3a\xff\xff\xff\xff\x0f\x01")),
              HasSubstr("no format that is known"));
}

TEST_F(ExplainFileTest, Numpy) {
  EXPECT_THAT(OfBytes("\x93NUMPY\x01"), HasSubstr("array of numpy"));
  EXPECT_THAT(OfZip({{"images.npy", "x"}, {"labels.npy", "x"}}), HasSubstr("arrays of numpy"));
}

TEST_F(ExplainFileTest, ArchivesAndPictures) {
  EXPECT_THAT(OfBytes("\x1f\x8b\x08"), HasSubstr("gzip"));
  EXPECT_THAT(OfBytes(std::string(257, 'x') + "ustar"), HasSubstr("tar archive"));
  EXPECT_THAT(OfZip({{"folder/model.onnx", "x"}}), HasSubstr("unpack it"));
  EXPECT_THAT(OfZip({{"a.txt", "x"}}), HasSubstr("a zip archive (with 'a.txt')"));
  EXPECT_THAT(OfBytes("\x89PNG\r\n"), HasSubstr("picture"));
  for (const char* magic : {"GGUF", "%PDF", "BZh"}) EXPECT_FALSE(OfBytes(magic).empty());
  EXPECT_THAT(OfBytes(Literal("\x1c\0\0\0ET12\0")), HasSubstr("ExecuTorch"));
  EXPECT_THAT(OfBytes(Literal("\x1c\0\0\0PTMF\0")), HasSubstr("Mobile"));
}

// --- no format

TEST_F(ExplainFileTest, Text) {
  EXPECT_THAT(OfBytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(OfBytes("\n<!DOCTYPE html>\n<html>"), HasSubstr("web page"));
  EXPECT_THAT(OfBytes("<?xml version=\"1.0\"?>\n<net name=\"x\">"), HasSubstr("OpenVINO"));
  EXPECT_THAT(OfBytes("# net\nimport torch\n"), HasSubstr("source of a program"));
  EXPECT_THAT(OfBytes("404: Not Found"), HasSubstr("it is text ('404: Not Found')"));
}

TEST_F(ExplainFileTest, NothingAndFolders) {
  EXPECT_THAT(OfBytes(""), HasSubstr("empty"));
  EXPECT_THAT(Message(folder_ / "nowhere"), HasSubstr("no such file"));
  EXPECT_THAT(Message(folder_), HasSubstr("it is a folder; give a file"));
  EXPECT_THAT(Message("/dev/null"), HasSubstr("not a regular file"));
  std::ofstream(folder_ / "config.json") << "{}";
  std::ofstream(folder_ / "model.safetensors") << "x";
  EXPECT_THAT(Message(folder_), HasSubstr("Hugging Face"));
}

TEST_F(ExplainFileTest, BytesThatMeanNothing) {
  EXPECT_THAT(OfBytes(Literal("\xff\x00\x01\x02")), HasSubstr("no format that is known"));
}

TEST_F(ExplainFileTest, FilesCutOffAnywhereAreExplained) {
  const std::string path =
      WriteZip({{"m/data.pkl", std::string("(dVa.b\n") + kTensor + "s."}, {"m/version", "3"}});
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(OfBytes(bytes.substr(0, size)).empty()) << size;
  }
  // Changed bytes, too.
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x5a);
    ExplainFile(Write(changed));
  }
}

// --- real files

TEST_F(ExplainFileTest, RealFiles) {
  for (const auto& [name, format] :
       {std::pair{"models2x/torch-2.6/resnet.pt2", FileFormat::kExportedProgram},
        {"models2x/torch-2.6/vit.pt2", FileFormat::kExportedProgram},
        {"models2x/torch-2.14/resnet.pt2", FileFormat::kExportedProgram},
        {"models2x/torch-2.6/resnet.onnx", FileFormat::kOnnx},
        {"models2x/torch-2.6/vit.onnx", FileFormat::kOnnx},
        {"models2x/onnx-real/sri_resnet_b.onnx", FileFormat::kOnnx},
        {"models2x/onnx-real/vit_pgd_2_3_16.onnx", FileFormat::kOnnx},
        {"models2x/onnx-real/oval_cifar_base_kw.onnx", FileFormat::kOnnx},
        {"models2x/odd/resnet_quantized_script.pt", FileFormat::kTorchScript},
        {"models2x/odd/resnet_optimized_script.pt", FileFormat::kTorchScript}}) {
    ASSAY_TEST_DATA_OR_SKIP(path, name);
    const FileExplanation explained = ExplainFile(path);
    EXPECT_EQ(explained.format, format) << name << ": " << explained.message;
  }
}

TEST_F(ExplainFileTest, RealFilesThatAreNoModels) {
  ASSAY_TEST_DATA_OR_SKIP(module, "models2x/odd/resnet_module.pt");
  EXPECT_THAT(Message(module), HasSubstr("class '__main__.Normed'"));
  ASSAY_TEST_DATA_OR_SKIP(weights, "models2x/odd/resnet_state_dict.pth");
  EXPECT_THAT(Message(weights), HasSubstr("it is a state_dict of PyTorch (with"));
  ASSAY_TEST_DATA_OR_SKIP(expected, "models2x/torch-2.6/expected.npz");
  EXPECT_THAT(Message(expected), HasSubstr("numpy"));
  ASSAY_TEST_DATA_OR_SKIP(readme, "models2x/README.md");
  EXPECT_THAT(Message(readme), HasSubstr("it is text"));
}

// --- errors of LibTorch

TEST_F(ExplainFileTest, OperatorsOfLibrariesAreNamed) {
  EXPECT_THAT(*ExplainLoadError("", "\nUnknown builtin op: torchvision::nms.\nCould not find"),
              AllOf(HasSubstr("torchvision::nms"), HasSubstr("library 'torchvision'")));
  EXPECT_THAT(*ExplainLoadError("", "\nUnknown builtin op: aten::new_thing.\n"),
              AllOf(HasSubstr("aten::new_thing"), HasSubstr("LibTorch as new as")));
  EXPECT_THAT(*ExplainLoadError("", "Unknown type name '__torch__.torch.classes.lib.Thing'"),
              HasSubstr("lib.Thing"));
  EXPECT_THAT(*ExplainLoadError("", "version 99 but the maximum supported version for reading"),
              HasSubstr("cannot read what"));
  EXPECT_FALSE(ExplainLoadError("", "something else").has_value());
}

TEST_F(ExplainFileTest, ErrorsOfPassesAreExplained) {
  EXPECT_THAT(*ExplainRunError("\"slow_conv2d_cpu\" not implemented for 'Half'"),
              HasSubstr("float16"));
  EXPECT_THAT(*ExplainRunError("derivative for aten::_foo is not implemented"),
              HasSubstr("aten::_foo has no derivative"));
  EXPECT_THAT(*ExplainRunError("Could not run 'aten::empty.memory_format' with arguments from the "
                               "'CUDA' backend."),
              HasSubstr("names a GPU"));
  EXPECT_FALSE(ExplainRunError("size mismatch").has_value());
}

}  // namespace
}  // namespace assay::engine
