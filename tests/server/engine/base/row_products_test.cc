// Products with a matrix, row by row, against sums in double precision.
#include "server/engine/base/row_products.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace assay::engine {
namespace {

struct Case {
  int64_t count, depth, width;
};

std::vector<float> Draw(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

std::vector<float> Multiply(const std::vector<float>& rows, const std::vector<float>& matrix,
                            const Case& size, const float* bias) {
  std::vector<float> packed(static_cast<size_t>(PackedSize(size.depth, size.width)));
  PackMatrix(matrix.data(), size.depth, size.width, size.width, 1, packed.data());
  std::vector<float> out(static_cast<size_t>(size.count * size.width));
  MultiplyRows(rows.data(), size.count, packed.data(), size.depth, size.width, bias, out.data());
  return out;
}

class RowProducts : public ::testing::TestWithParam<Case> {};

TEST_P(RowProducts, AreTheSumsOfProducts) {
  const auto [count, depth, width] = GetParam();
  const std::vector<float> rows = Draw(count * depth, 1), matrix = Draw(depth * width, 2),
                           bias = Draw(width, 3);
  for (const bool with_bias : {false, true}) {
    const std::vector<float> out =
        Multiply(rows, matrix, GetParam(), with_bias ? bias.data() : nullptr);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        double sum = with_bias ? double{bias[static_cast<size_t>(j)]} : 0, size = 1;
        for (int64_t k = 0; k < depth; ++k) {
          const double product = double{rows[static_cast<size_t>(i * depth + k)]} *
                                 double{matrix[static_cast<size_t>(k * width + j)]};
          sum += product;
          size += std::abs(product);
        }
        ASSERT_NEAR(out[static_cast<size_t>(i * width + j)], sum, 1e-6 * size) << i << " " << j;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RowProducts,
                         ::testing::Values(Case{1, 1, 1}, Case{4, 3, 16}, Case{5, 64, 10},
                                           Case{8, 257, 33}, Case{3, 10, 100}, Case{32, 512, 48}));

TEST(RowProducts, ARowHasTheSameBitsInAnyCompany) {
  const int64_t depth = 300, width = 50;
  const std::vector<float> rows = Draw(64 * depth, 4), matrix = Draw(depth * width, 5);
  const std::vector<float> all = Multiply(rows, matrix, {64, depth, width}, nullptr);
  for (const int64_t count : {1, 2, 3, 4, 5, 7, 12, 31}) {
    for (const int64_t first : {0, 1, 30}) {
      const std::vector<float> some(rows.begin() + first * depth,
                                    rows.begin() + (first + count) * depth);
      const std::vector<float> out = Multiply(some, matrix, {count, depth, width}, nullptr);
      EXPECT_EQ(std::memcmp(out.data(), all.data() + first * width, out.size() * sizeof(float)), 0)
          << count << " from " << first;
    }
  }
}

TEST(RowProducts, ATransposedMatrixIsPackedByItsSteps) {
  const Case size = {6, 20, 30};
  const std::vector<float> rows = Draw(6 * 20, 6), matrix = Draw(20 * 30, 7);
  std::vector<float> transposed(matrix.size());
  for (size_t k = 0; k < 20; ++k) {
    for (size_t j = 0; j < 30; ++j) transposed[j * 20 + k] = matrix[k * 30 + j];
  }
  std::vector<float> packed(static_cast<size_t>(PackedSize(20, 30))), out(6 * 30);
  PackMatrix(transposed.data(), 20, 30, 1, 20, packed.data());
  MultiplyRows(rows.data(), 6, packed.data(), 20, 30, nullptr, out.data());
  EXPECT_EQ(out, Multiply(rows, matrix, size, nullptr));
}

}  // namespace
}  // namespace assay::engine
