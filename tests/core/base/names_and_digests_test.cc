#include "core/base/digest.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

// FIPS 180-2, appendix B.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // The same bytes.
  EXPECT_EQ(Sha256Base64("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  Sha256 pieces;
  pieces.Update("abcdbcdecdefdefgefghfghighij");
  pieces.Update("hijkijkljklmklmnlmnomnopnopq");
  EXPECT_EQ(pieces.HexDigest(), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_TRUE(IsDigest(Sha256Hex("")));
  EXPECT_FALSE(IsDigest("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
  EXPECT_FALSE(IsDigest("ba78"));
}

TEST(ResourceNames, ReadAndRefuse) {
  EXPECT_EQ(*ParseResourceName("models", "models/resnet-20.v1", "name"), "resnet-20.v1");
  for (const char* name : {"", "models/", "models/UPPER", "datasets/x", "models/a/b", "models/-a",
                           "models/a b", "models/.."}) {
    EXPECT_FALSE(ParseResourceName("models", name, "name").ok()) << name;
  }
  EXPECT_FALSE(IsValidId(std::string(81, 'a')));
}

TEST(ResourceNames, SlugsAreValidIds) {
  EXPECT_EQ(Slug("My Model (v2).pt"), "my-model-v2-.pt");
  EXPECT_EQ(Slug("..."), "");
  EXPECT_TRUE(
      IsValidId(Slug("\xc3\x9c"
                     "berModell" +
                     std::string(200, 'x'))));
}

v1::DatasetManifest SomeManifest() {
  v1::DatasetManifest manifest;
  manifest.mutable_shape()->set_channels(3);
  manifest.mutable_shape()->set_height(32);
  manifest.mutable_shape()->set_width(32);
  manifest.set_pixel_type(v1::UINT8);
  manifest.add_class_names("cat");
  auto* chunk = manifest.add_chunks();
  chunk->set_digest(Sha256Hex("chunk"));
  chunk->set_samples(10);
  return manifest;
}

TEST(Manifest, DigestCoversEveryField) {
  const std::string digest = ManifestDigest(SomeManifest());
  const auto changed = [&](auto change) {
    v1::DatasetManifest manifest = SomeManifest();
    change(manifest);
    return ManifestDigest(manifest) != digest;
  };
  EXPECT_EQ(ManifestDigest(SomeManifest()), digest);
  EXPECT_TRUE(changed([](auto& m) { m.mutable_shape()->set_width(33); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_pixel_type(v1::FLOAT32); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_class_names(0, "dog"); }));
  EXPECT_TRUE(changed([](auto& m) { m.mutable_chunks(0)->set_samples(11); }));
  EXPECT_TRUE(changed([](auto& m) { m.mutable_chunks(0)->set_digest(Sha256Hex("other")); }));
}

TEST(Manifest, ProblemsAreNamedByField) {
  v1::DatasetManifest manifest = SomeManifest();
  EXPECT_TRUE(CheckManifest(manifest, "manifest").empty());
  manifest.mutable_chunks(0)->set_digest("x");
  manifest.set_pixel_type(v1::PIXEL_TYPE_UNSPECIFIED);
  const auto violations = CheckManifest(manifest, "manifest");
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[0].field, "manifest.pixel_type");
  EXPECT_EQ(violations[1].field, "manifest.chunks[0].digest");
  manifest.clear_chunks();
  EXPECT_EQ(CheckManifest(manifest, "manifest").back().field, "manifest.chunks");
  manifest.mutable_shape()->set_height(-1);
  EXPECT_EQ(CheckManifest(manifest, "m").at(0).field, "m.shape");
}

// A subset shares its chunks with the whole only if the cut depends on nothing else.
TEST(Manifest, ChunkSizeDependsOnShapeAndTypeAlone) {
  v1::ImageShape shape = SomeManifest().shape();
  EXPECT_EQ(SamplesPerChunk(shape, v1::UINT8), (4 << 20) / (4 + 3072));
  EXPECT_EQ(SampleBytes(shape, v1::FLOAT32), 4 + 4 * 3072);
  shape.set_height(16384);
  shape.set_width(16384);
  EXPECT_EQ(SamplesPerChunk(shape, v1::FLOAT32), 1);
}

}  // namespace
}  // namespace assay
