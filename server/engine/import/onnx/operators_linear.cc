// Matrix products.
#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"

namespace assay::engine::onnx {
namespace {

// The product of tensors as numpy's matmul makes it.
absl::StatusOr<Value> Product(Node& node, const Value& left, const Value& right) {
  if (!left.floating_point() || !right.floating_point()) return node.Refuse("of integers");
  const int64_t rank_left = left.rank(), rank_right = right.rank();
  if (rank_left < 1 || rank_right < 1) return node.Refuse("of a number");
  if (rank_left == 1 || rank_right == 1) {
    // A vector is a row on the left and a column on the right.
    Value row = left, column = right;
    if (rank_left == 1) {
      ASSAY_ASSIGN_OR_RETURN(row, node.Reshape(left, {1, left.size(0)}));
    }
    if (rank_right == 1) {
      ASSAY_ASSIGN_OR_RETURN(column, node.Reshape(right, {right.size(0), 1}));
    }
    ASSAY_ASSIGN_OR_RETURN(const Value product, Product(node, row, column));
    Sizes sizes = product.sizes;
    if (rank_right == 1) sizes.pop_back();
    if (rank_left == 1) sizes.erase(sizes.end() - (rank_right == 1 ? 1 : 2));
    return node.Reshape(product, sizes);
  }
  if (left.size(rank_left - 1) != right.size(rank_right - 2)) {
    return node.Refuse(absl::StrCat("matrices of ", left.size(rank_left - 1), " columns and ",
                                    right.size(rank_right - 2), " rows"));
  }
  ASSAY_RETURN_IF_ERROR(node.Apart(left, rank_left - 1));
  ASSAY_RETURN_IF_ERROR(node.Apart(right, rank_right - 2));
  // The axes before the last two are broadcast; the rows of one matrix or the columns of the other
  // may be those of several images where the other matrix is the same for all.
  const auto outer = [](const Value& value) {
    Value result = value;
    result.sizes.resize(value.sizes.size() - 2);
    if (result.batch_axis >= result.rank()) result.batch_axis = kNone;
    return result;
  };
  ASSAY_ASSIGN_OR_RETURN(Form form, node.Broadcast({outer(left), outer(right)}, left.type));
  const int64_t rank = form.rank() + 2;
  for (const auto& [value, other, axis] :
       {std::tuple{&left, &right, rank_left - 2}, std::tuple{&right, &left, rank_right - 1}}) {
    if (value->batch_axis != axis) continue;
    if (!other->constant()) return node.MixesImages("its matrices have the batch on other axes");
    form.batch_axis = value == &left ? rank - 2 : rank - 1;
    form.batch_outer = value->batch_outer;
  }
  form.sizes.push_back(left.size(rank_left - 2));
  form.sizes.push_back(right.size(rank_right - 1));
  if (right.constant() && rank_right == 2) {
    ASSAY_ASSIGN_OR_RETURN(const Value weight, node.Permute(right, {1, 0}));
    return node.Call("aten::linear", {left, weight}, form);
  }
  return node.Call("aten::matmul", {left, right}, form);
}

absl::Status MatMul(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value left, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const Value right, node.Input(1));
  return node.Output(Product(node, left, right));
}

absl::StatusOr<Value> Scaled(Node& node, const Value& value, double factor) {
  if (factor == 1) return value;
  return node.Same("aten::mul", {value, factor});
}

// alpha A B + beta C.
absl::Status Gemm(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value a, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(Value b, node.Input(1));
  const double alpha = node.attributes().Float("alpha", 1);
  const double beta = node.attributes().Float("beta", 1);
  const bool transpose_a = node.attributes().Flag("transA", false);
  const bool transpose_b = node.attributes().Flag("transB", false);
  if (a.rank() != 2 || b.rank() != 2) return node.Refuse("of other than matrices");
  if (!a.floating_point() || !b.floating_point()) return node.Refuse("of integers");
  if (transpose_a) {
    ASSAY_ASSIGN_OR_RETURN(a, node.Permute(a, {1, 0}));
  }
  std::optional<Value> c;
  if (node.Has(2)) {
    ASSAY_ASSIGN_OR_RETURN(const Value given, node.Input(2));
    if (!given.floating_point()) return node.Refuse("of integers");
    ASSAY_ASSIGN_OR_RETURN(c, Scaled(node, given, beta));
  }
  const int64_t columns = b.size(transpose_b ? 0 : 1);
  // A layer: one row of weights for each output, and a bias for each.
  const bool bias = c.has_value() && c->constant() && c->rank() > 0 && c->rank() <= 2 &&
                    c->known.numel() == columns && c->size(c->rank() - 1) == columns;
  if (b.constant() && !a.constant() && (!c.has_value() || bias)) {
    if (a.size(1) != b.size(transpose_b ? 1 : 0)) return node.Refuse("of matrices of other sizes");
    ASSAY_RETURN_IF_ERROR(node.Apart(a, 1));
    if (!transpose_b) {
      ASSAY_ASSIGN_OR_RETURN(b, node.Permute(b, {1, 0}));
    }
    ASSAY_ASSIGN_OR_RETURN(const Value weight, Scaled(node, b, alpha));
    Form form = a.form();
    form.sizes[1] = columns;
    if (!bias) return node.Output(node.Call("aten::linear", {a, weight}, form));
    ASSAY_ASSIGN_OR_RETURN(const Value flat, node.Reshape(*c, {columns}));
    return node.Output(node.Call("aten::linear", {a, weight, flat}, form));
  }
  if (transpose_b) {
    ASSAY_ASSIGN_OR_RETURN(b, node.Permute(b, {1, 0}));
  }
  ASSAY_ASSIGN_OR_RETURN(const Value product, Product(node, a, b));
  ASSAY_ASSIGN_OR_RETURN(const Value scaled, Scaled(node, product, alpha));
  if (!c.has_value()) return node.Output(scaled);
  ASSAY_ASSIGN_OR_RETURN(const Value sum, node.Binary("aten::add", scaled, *c));
  if (sum.sizes != scaled.sizes) return node.Refuse("C is larger than the product");
  return node.Output(sum);
}

// Each letter is an axis. The batch has to be the same letter wherever it is, and to stay.
absl::Status Einsum(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Value> inputs, node.Inputs());
  std::string equation = node.attributes().Text("equation", "");
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  const std::vector<std::string> sides = absl::StrSplit(equation, absl::ByString("->"));
  const std::vector<std::string> terms = absl::StrSplit(sides[0], ',');
  if (sides.size() != 2 || terms.size() != inputs.size()) {
    return node.Refuse(absl::StrCat("with the equation '", equation, "'"));
  }
  const auto unique = [](const std::string& term) {
    return std::set<char>(term.begin(), term.end()).size() == term.size() &&
           std::all_of(term.begin(), term.end(),
                       [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; });
  };
  std::map<char, int64_t> sizes;
  char batch = 0;
  Form form;
  for (size_t i = 0; i < terms.size(); ++i) {
    if (!inputs[i].floating_point()) return node.Refuse("of other types than floating point");
    if (!unique(terms[i]) || static_cast<int64_t>(terms[i].size()) != inputs[i].rank()) {
      return node.Refuse(absl::StrCat("with the equation '", equation, "'"));
    }
    for (int64_t axis = 0; axis < inputs[i].rank(); ++axis) {
      const char letter = terms[i][static_cast<size_t>(axis)];
      const auto [found, inserted] = sizes.emplace(letter, inputs[i].size(axis));
      if (!inserted && found->second != inputs[i].size(axis)) {
        return node.Refuse(absl::StrCat("its axes '", std::string(1, letter), "' differ in size"));
      }
      if (inputs[i].batch_axis != axis) continue;
      if (batch != 0 && (batch != letter || form.batch_outer != inputs[i].batch_outer)) {
        return node.MixesImages("its batch is two axes");
      }
      batch = letter;
      form.batch_outer = inputs[i].batch_outer;
    }
  }
  if (!unique(sides[1])) return node.Refuse(absl::StrCat("with the equation '", equation, "'"));
  for (const char letter : sides[1]) {
    if (sizes.count(letter) == 0) return node.Refuse("its result has an axis that no input has");
    if (letter == batch) form.batch_axis = form.rank();
    form.sizes.push_back(sizes[letter]);
  }
  if (batch != 0) {
    if (form.batch_axis == kNone) return node.MixesImages("it sums over the batch");
    for (size_t i = 0; i < terms.size(); ++i) {
      const bool has = terms[i].find(batch) != std::string::npos;
      if (inputs[i].constant() ? has : inputs[i].batch_axis == kNone) {
        return node.MixesImages("a constant has the axis of the batch");
      }
    }
  }
  return node.Output(node.Call("aten::einsum", {c10::IValue(equation), Operand(inputs)}, form));
}

}  // namespace

OperatorGroup LinearOperators() { return {{"MatMul", MatMul}, {"Gemm", Gemm}, {"Einsum", Einsum}}; }

}  // namespace assay::engine::onnx
