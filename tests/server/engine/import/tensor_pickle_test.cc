#include "server/engine/import/tensor_pickle.h"

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "tests/server/engine/import/archives.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string& Six() {
  static const auto* const bytes = new std::string(BytesOf({1, 2, 3, 4, 5, 6}));
  return *bytes;
}

std::vector<float> Values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous().view({-1});
  return std::vector<float>(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
}

std::string ErrorOf(const std::string& pickle) {
  const auto tensors = ReadSavedTensors(Saved(pickle, {{"0", Six()}}));
  return tensors.ok() ? "no error" : std::string(tensors.status().message());
}

TEST(TensorPickle, ReadsTensorsWithTheirShapes) {
  const auto tensors =
      ReadSavedTensors(Saved(PickledDict({{"a", PickledTensor("0", 6, 0, {2, 3}, {3, 1})},
                                          {"b.c", PickledTensor("0", 6, 1, {2, 2}, {1, 2})},
                                          {"none", PickledTensor("0", 6, 0, {0, 3}, {3, 1})}}),
                             {{"0", Six()}}));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_THAT(Values(tensors->at("a")), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(tensors->at("a").sizes(), ElementsAre(2, 3));
  EXPECT_THAT(Values(tensors->at("b.c")), ElementsAre(2, 4, 3, 5));
  EXPECT_EQ(tensors->at("none").numel(), 0);
  EXPECT_TRUE(tensors->at("a").is_alias_of(tensors->at("b.c")));
}

TEST(TensorPickle, ReadsParametersAndTheStateOfAStateDict) {
  const std::string parameter = "ctorch._utils\n_rebuild_parameter\n(" +
                                PickledTensor("0", 6, 0, {6}, {1}) +
                                "\x88"
                                "ccollections\nOrderedDict\n)RtR";
  const auto tensors = ReadSavedTensors(
      Saved("\x80\x02"
            "ccollections\nOrderedDict\n)R(" +
                PickledString("w") + parameter + "u}" + PickledString("_metadata") + "}sb.",
            {{"0", Six()}}));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_THAT(Values(tensors->at("w")), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(TensorPickle, ReadsWhatNewerProtocolsWrite) {
  // PROTO 4, FRAME, and names by STACK_GLOBAL and MEMOIZE.
  const std::string tensor =
      absl::StrReplaceAll(PickledTensor("0", 6, 0, {6}, {1}),
                          {{"ctorch._utils\n_rebuild_tensor_v2\n",
                            "\x8c\x0ctorch._utils\x94\x8c\x12_rebuild_tensor_v2\x94\x93\x94"}});
  const auto tensors = ReadSavedTensors(Saved(
      std::string("\x80\x04\x95\0\0\0\0\0\0\0\0}\x94(", 14) + PickledString("w") + tensor + "u.",
      {{"0", Six()}}));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_THAT(Values(tensors->at("w")), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(TensorPickle, AnEmptyFileIsAnEmptyDict) {
  const auto tensors = ReadSavedTensors("");
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_TRUE(tensors->empty());
}

TEST(TensorPickle, RunsNothingAndNamesWhatWasToBeRun) {
  EXPECT_THAT(ErrorOf("\x80\x02"
                      "cos\nsystem\n(" +
                      PickledString("touch /tmp/owned") + "tR."),
              HasSubstr("os.system, which is no part of plain tensors in a dict, and is not run"));
  EXPECT_THAT(ErrorOf("\x80\x02"
                      "c__builtin__\neval\n(" +
                      PickledString("1") + "tR."),
              HasSubstr("__builtin__.eval"));
  EXPECT_THAT(ErrorOf("\x80\x02"
                      "ctorch\nload\n)R."),
              HasSubstr("torch.load"));
  EXPECT_THAT(ErrorOf("\x80\x02"
                      "ctorch._utils\n_rebuild_qtensor\n)R."),
              HasSubstr("_rebuild_qtensor"));
  // INST, OBJ, NEWOBJ, EXT1, PERSID, and a list.
  for (const char opcode : {'i', 'o', '\x81', '\x82', 'P', ']'}) {
    EXPECT_THAT(ErrorOf(std::string("\x80\x02") + opcode + "."), HasSubstr("uses opcode 0x"));
  }
}

TEST(TensorPickle, RefusesTensorsThatAreNotStored) {
  const auto error = [](int64_t count, int64_t offset, const std::vector<int64_t>& sizes,
                        const std::vector<int64_t>& strides) {
    return ErrorOf(PickledDict({{"w", PickledTensor("0", count, offset, sizes, strides)}}));
  };
  EXPECT_EQ(error(6, 0, {6}, {1}), "no error");
  EXPECT_THAT(error(6, 1, {6}, {1}), HasSubstr("larger than what is stored"));
  EXPECT_THAT(error(6, 0, {2, 3}, {4, 1}), HasSubstr("larger than what is stored"));
  EXPECT_THAT(error(6, -1, {2}, {1}), HasSubstr("no valid shape"));
  EXPECT_THAT(error(6, 0, {-2}, {1}), HasSubstr("no valid shape"));
  EXPECT_THAT(error(6, 0, {2}, {-1}), HasSubstr("no valid shape"));
  EXPECT_THAT(error(6, 0, {2, 3}, {1}), HasSubstr("no valid shape"));
  // 2^31 - 1 to the third power is more than 64 bits.
  EXPECT_THAT(error(6, 0, {2147483647, 2147483647, 2147483647}, {0, 0, 0}),
              HasSubstr("no valid shape"));
  EXPECT_THAT(error(6, 0, {2147483647}, {0}), HasSubstr("many times the elements"));
  EXPECT_THAT(error(6, 7, {0}, {1}), HasSubstr("begins behind"));
  EXPECT_THAT(error(5, 0, {5}, {1}), HasSubstr("another size"));
  EXPECT_THAT(ErrorOf(PickledDict({{"w", PickledTensor("1", 6, 0, {6}, {1})}})),
              HasSubstr("no record archive/data/1"));
}

TEST(TensorPickle, RefusesWhatIsNoDictOfTensors) {
  EXPECT_THAT(ErrorOf(PickledDict({{"w", PickledInt(3)}})), HasSubstr("w is not a tensor"));
  EXPECT_THAT(ErrorOf("\x80\x02" + PickledTensor("0", 6, 0, {6}, {1}) + "."),
              HasSubstr("not a dict"));
  EXPECT_THAT(ErrorOf("\x80\x02}(K\x01K\x01u."), HasSubstr("a key that is not a string"));
  EXPECT_THAT(ErrorOf("\x80\x07}."), HasSubstr("protocol 7"));
  EXPECT_THAT(ReadSavedTensors(ZipOf({{"archive/version", "3"}})).status().message(),
              HasSubstr("no data.pkl"));
  EXPECT_THAT(ReadSavedTensors(ZipOf({{"archive/byteorder", "big"}, {"archive/data.pkl", "}."}}))
                  .status()
                  .message(),
              HasSubstr("big-endian"));
  EXPECT_THAT(ReadSavedTensors("no archive").status().message(), HasSubstr("damaged"));
}

TEST(TensorPickle, NeitherNestingNorRepetitionIsDangerous) {
  // Tuples in tuples, whose destruction would recurse.
  EXPECT_THAT(ErrorOf("\x80\x02)" + std::string(1000000, '\x85') + "."), HasSubstr("too deeply"));
  // A dict that holds itself, directly and by a tuple.
  EXPECT_THAT(ErrorOf("\x80\x02}q\1" + PickledString("a") + "h\1s."), HasSubstr("damaged"));
  EXPECT_THAT(ErrorOf("\x80\x02}q\1" + PickledString("a") + "h\1\x85s."), HasSubstr("damaged"));
  // Each tuple holds the one before twice: 2^n of them, if they were copied.
  std::string doubling = "\x80\x02)q\1";
  for (int i = 0; i < 12; ++i) doubling += "h\1h\1\x86q\1";
  EXPECT_THAT(ErrorOf(doubling + "."), HasSubstr("not a dict"));
  EXPECT_THAT(ErrorOf("\x80\x02" + std::string(1000000, '(') + "."), HasSubstr("not a dict"));
}

TEST(TensorPickle, DamageIsAnErrorAndNothingElse) {
  const std::string whole = PickledDict({{"a", PickledTensor("0", 6, 0, {2, 3}, {3, 1})},
                                         {"b", PickledTensor("0", 6, 1, {2, 2}, {1, 2})}});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(ErrorOf(whole.substr(0, size)), "no error") << size;
  }
  // With a valid checksum, so that the interpreter sees it. Some changes mean something else.
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {1, 0x10, 0x80, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      ErrorOf(changed);
    }
  }
}

}  // namespace
}  // namespace assay::engine
