// What single operators of a TorchScript graph become in a bounds::Network; torch_network.h walks
// the graph. Private to the files that include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_TORCH_OPERATORS_H_
#define ASSAY_SERVER_ENGINE_TORCH_TORCH_OPERATORS_H_

#include <ATen/core/ivalue.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/engine/bounds/network.h"

namespace torch::jit {
struct Node;
}

namespace assay::engine::bounds {

// A value of the graph, for one image: something known, or elements of a node of the network.
struct Tracked {
  c10::IValue known;
  int node = -1;
  std::vector<int64_t> sizes;  // with the batch of one
  // Values that share memory have equal numbers: what is written to one is seen in all.
  int storage = 0;
  // Shares memory with a value that has other elements.
  bool partial_view = false;

  bool moves() const { return node >= 0; }
};

// The arguments of one operator by position; absent ones are None.
class Arguments {
 public:
  explicit Arguments(std::vector<const Tracked*> values) : values_(std::move(values)) {}

  size_t size() const { return values_.size(); }
  const Tracked& operator[](size_t i) const { return *values_[i]; }
  bool None(size_t i) const { return i >= size() || (!values_[i]->moves() && Known(i).isNone()); }
  const c10::IValue& Known(size_t i) const { return values_[i]->known; }
  bool Bool(size_t i) const { return !None(i) && Known(i).toBool(); }
  double Number(size_t i, double otherwise) const {
    return None(i) ? otherwise : Known(i).toScalar().toDouble();
  }
  // A pair of integers, written as one, a list of one, or a list of two.
  std::pair<int, int> Pair(size_t i, std::pair<int, int> otherwise) const {
    if (None(i)) return otherwise;
    const auto pair = [](int64_t first, int64_t second) {
      return std::pair{static_cast<int>(first), static_cast<int>(second)};
    };
    if (Known(i).isInt()) return pair(Known(i).toInt(), Known(i).toInt());
    const std::vector<int64_t> list = Known(i).toIntVector();
    if (list.empty()) return otherwise;
    return pair(list.front(), list.back());
  }

 private:
  const std::vector<const Tracked*> values_;
};

// kInvalidCondition: `kind` ("aten::softmax") has no bounds at all where it is the same as `what`,
// or else not when it is used like this.
absl::Status UnsupportedOperator(const std::string& kind, absl::string_view what);

// Appends what operators do to a network, which begins as its image.
class OperatorTranslator {
 public:
  virtual ~OperatorTranslator() = default;
  // The output of `node`, an operator aten::`name` or aten::`name`_ with one output that depends on
  // the image. What it has in common with other values is in its `storage`.
  virtual absl::StatusOr<Tracked> Translate(torch::jit::Node& node, const std::string& name,
                                            const Arguments& arguments) = 0;
  virtual const Network& network() const = 0;
  // At the end.
  virtual Network Take() = 0;
};
std::unique_ptr<OperatorTranslator> MakeOperatorTranslator(size_t image_size);

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_TORCH_TORCH_OPERATORS_H_
