#include "server/engine/torch/torch_operators.h"

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine::bounds {
namespace {

namespace jit = torch::jit;
using c10::IValue;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Operators whose result has the elements of their first argument, moved, repeated, left out, or
// with zeros between them.
const std::set<std::string>& Movements() {
  static const auto* const names = new std::set<std::string>{"alias",
                                                             "channel_shuffle",
                                                             "clone",
                                                             "constant_pad_nd",
                                                             "contiguous",
                                                             "detach",
                                                             "expand",
                                                             "expand_as",
                                                             "flatten",
                                                             "flip",
                                                             "index_select",
                                                             "narrow",
                                                             "pad",
                                                             "permute",
                                                             "pixel_shuffle",
                                                             "pixel_unshuffle",
                                                             "reflection_pad2d",
                                                             "repeat",
                                                             "replication_pad2d",
                                                             "reshape",
                                                             "roll",
                                                             "select",
                                                             "slice",
                                                             "squeeze",
                                                             "t",
                                                             "to",
                                                             "transpose",
                                                             "unflatten",
                                                             "unsqueeze",
                                                             "upsample_nearest2d",
                                                             "view"};
  return *names;
}

at::Tensor Doubles(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU, at::kDouble).contiguous();
}

std::vector<double> ToVector(const at::Tensor& tensor) {
  const at::Tensor doubles = Doubles(tensor);
  const double* const data = doubles.data_ptr<double>();
  return std::vector<double>(data, data + doubles.numel());
}

int ToInt(int64_t value) { return static_cast<int>(value); }

class Operators final : public OperatorTranslator {
 public:
  explicit Operators(size_t image_size) : network_(image_size) {}

  absl::StatusOr<Tracked> Translate(jit::Node& node, const std::string& name,
                                    const Arguments& arguments) override {
    kind_ = node.kind().toQualString();
    result_ = Tracked();
    ASSAY_RETURN_IF_ERROR(Dispatch(node, name, arguments));
    return result_;
  }

  const Network& network() const override { return network_; }
  Network Take() override { return std::move(network_); }

 private:
  using Method = absl::Status (Operators::*)(const Arguments&);

  absl::Status Unsupported(absl::string_view what) const {
    return UnsupportedOperator(kind_, what);
  }

  absl::Status Dispatch(jit::Node& node, const std::string& name, const Arguments& arguments) {
    static const auto* const methods = new std::map<std::string, Method>{
        {"conv2d", &Operators::Convolution},
        {"_convolution", &Operators::RawConvolution},
        {"convolution", &Operators::RawConvolution},
        {"linear", &Operators::LinearLayer},
        {"addmm", &Operators::AddMm},
        {"mm", &Operators::MatMul},
        {"matmul", &Operators::MatMul},
        {"batch_norm", &Operators::BatchNorm},
        {"add", &Operators::Plus},
        {"sub", &Operators::Minus},
        {"rsub", &Operators::ReverseMinus},
        {"mul", &Operators::Times},
        {"div", &Operators::Divide},
        {"neg", &Operators::Negative},
        {"max_pool2d", &Operators::MaxPooling},
        {"avg_pool2d", &Operators::AveragePooling},
        {"adaptive_avg_pool2d", &Operators::AdaptiveAveragePooling},
        {"mean", &Operators::Mean},
        {"dropout", &Operators::Dropout},
        {"feature_dropout", &Operators::Dropout},
        {"alpha_dropout", &Operators::Dropout},
        {"relu", &Operators::Relu},
        {"relu6", &Operators::Relu6},
        {"leaky_relu", &Operators::LeakyRelu},
        {"hardtanh", &Operators::HardTanh},
        {"clamp", &Operators::Clamp},
        {"clamp_min", &Operators::Clamp},
        {"clamp_max", &Operators::ClampMax},
        {"sigmoid", &Operators::Sigmoid},
        {"tanh", &Operators::Tanh},
    };
    if (Movements().count(name) > 0) return Move(node, arguments);
    const auto method = methods->find(name);
    if (method == methods->end()) return Unsupported(kind_);
    return (this->*method->second)(arguments);
  }

  // The result: a new node.
  absl::Status Append(Operator op, std::vector<int> inputs, std::vector<int64_t> sizes) {
    result_.node = network_.Append(std::move(op), std::move(inputs));
    result_.sizes = std::move(sizes);
    result_.storage = ++storages_;
    result_.partial_view = false;
    return absl::OkStatus();
  }

  // --- layers

  absl::Status Convolution(const Arguments& a) {
    if (a.size() > 4 && a.Known(4).isString()) {
      // "same" puts the odd one of the zeros at the end.
      const at::Tensor weight = a.Known(1).toTensor();
      const std::pair<int, int> dilation = a.Pair(5, {1, 1});
      const bool same = a.Known(4).toStringRef() == "same";
      const auto total = [&](int64_t axis, int d) {
        return same ? d * (ToInt(weight.size(axis)) - 1) : 0;
      };
      const int vertical = total(2, dilation.first), horizontal = total(3, dilation.second);
      return MakeConvolution(a, a.Pair(3, {1, 1}), {vertical / 2, horizontal / 2},
                             {vertical, horizontal}, dilation, ToInt(ToIntOr(a, 6, 1)));
    }
    const std::pair<int, int> padding = a.Pair(4, {0, 0});
    return MakeConvolution(a, a.Pair(3, {1, 1}), padding, {2 * padding.first, 2 * padding.second},
                           a.Pair(5, {1, 1}), ToInt(ToIntOr(a, 6, 1)));
  }

  absl::Status RawConvolution(const Arguments& a) {
    if (a.Bool(6)) return Unsupported("transposed convolution");
    const std::pair<int, int> padding = a.Pair(4, {0, 0});
    return MakeConvolution(a, a.Pair(3, {1, 1}), padding, {2 * padding.first, 2 * padding.second},
                           a.Pair(5, {1, 1}), ToInt(ToIntOr(a, 8, 1)));
  }

  static int64_t ToIntOr(const Arguments& a, size_t i, int64_t otherwise) {
    return a.None(i) ? otherwise : a.Known(i).toInt();
  }

  // `padding` before the first element, `total` before and after.
  absl::Status MakeConvolution(const Arguments& a, std::pair<int, int> stride,
                               std::pair<int, int> padding, std::pair<int, int> total,
                               std::pair<int, int> dilation, int groups) {
    if (!a[0].moves() || a[1].moves() || (a.size() > 2 && a[2].moves())) {
      return Unsupported("a convolution with computed weights");
    }
    const at::Tensor weight = a.Known(1).toTensor();
    if (a[0].sizes.size() != 4 || a[0].sizes[0] != 1 || weight.dim() != 4) {
      return Unsupported("convolutions other than of N x C x H x W");
    }
    Conv conv;
    conv.in_channels = ToInt(a[0].sizes[1]);
    conv.out_channels = ToInt(weight.size(0));
    conv.groups = groups;
    conv.vertical = MakeAxis(a[0].sizes[2], weight.size(2), stride.first, padding.first,
                             total.first, dilation.first);
    conv.horizontal = MakeAxis(a[0].sizes[3], weight.size(3), stride.second, padding.second,
                               total.second, dilation.second);
    conv.weight = ToVector(weight);
    conv.bias = a.None(2) ? std::vector<double>(static_cast<size_t>(conv.out_channels), 0)
                          : ToVector(a.Known(2).toTensor());
    const std::vector<int64_t> sizes = {1, conv.out_channels, conv.vertical.out,
                                        conv.horizontal.out};
    return Append(std::move(conv), {a[0].node}, sizes);
  }

  static Axis MakeAxis(int64_t in, int64_t taps, int stride, int padding, int total, int dilation) {
    Axis axis;
    axis.in = ToInt(in);
    axis.taps = ToInt(taps);
    axis.stride = stride;
    axis.padding = padding;
    axis.dilation = dilation;
    axis.out = (axis.in + total - dilation * (axis.taps - 1) - 1) / stride + 1;
    return axis;
  }

  // x W^T + b for one row x.
  absl::Status MatrixProduct(const Tracked& x, const at::Tensor& weight, std::vector<double> bias) {
    std::vector<int64_t> sizes = x.sizes;
    if (weight.dim() != 2 || sizes.empty() || sizes.back() != weight.size(1) ||
        static_cast<int64_t>(network_.node(x.node).size) != weight.size(1)) {
      return Unsupported("matrix products other than of one row an image");
    }
    sizes.back() = weight.size(0);
    Conv conv;
    conv.in_channels = ToInt(weight.size(1));
    conv.out_channels = ToInt(weight.size(0));
    conv.weight = ToVector(weight);
    conv.bias = std::move(bias);
    conv.bias.resize(static_cast<size_t>(conv.out_channels), 0);
    return Append(std::move(conv), {x.node}, std::move(sizes));
  }

  absl::Status LinearLayer(const Arguments& a) {
    if (!a[0].moves() || a[1].moves()) return Unsupported("a product of two activations");
    return MatrixProduct(a[0], a.Known(1).toTensor(),
                         a.None(2) ? std::vector<double>() : ToVector(a.Known(2).toTensor()));
  }

  absl::Status AddMm(const Arguments& a) {
    if (a[0].moves() || !a[1].moves() || a[2].moves()) {
      return Unsupported("a product of two activations");
    }
    if (a.Number(3, 1) != 1 || a.Number(4, 1) != 1) return Unsupported("factors of addmm");
    const at::Tensor weight = a.Known(2).toTensor().t();
    return MatrixProduct(a[1], weight, ToVector(a.Known(0).toTensor().expand({1, weight.size(0)})));
  }

  absl::Status MatMul(const Arguments& a) {
    if (!a[0].moves() || a[1].moves()) return Unsupported("a product of two activations");
    const at::Tensor weight = a.Known(1).toTensor();
    if (weight.dim() != 2) return Unsupported("matrix products other than of one row an image");
    return MatrixProduct(a[0], weight.t(), {});
  }

  absl::Status BatchNorm(const Arguments& a) {
    if (a.Bool(5) || a.None(3) || a.None(4)) {
      return Unsupported("batch norm with the statistics of the batch");
    }
    const double eps = a.Number(7, 1e-5);
    const at::Tensor mean = Doubles(a.Known(3).toTensor());
    at::Tensor scale = (Doubles(a.Known(4).toTensor()) + eps).rsqrt();
    if (!a.None(1)) scale = scale * Doubles(a.Known(1).toTensor());
    const at::Tensor shift = a.None(2) ? at::zeros_like(mean) : Doubles(a.Known(2).toTensor());
    std::vector<int64_t> channels(a[0].sizes.size(), 1);
    if (channels.size() < 2) return Unsupported("batch norm without channels");
    channels[1] = -1;
    const Tracked x = a[0];
    const at::Tensor one = at::ones_like(mean);
    ASSAY_RETURN_IF_ERROR(Scaled(x, one.view(channels), mean.neg().view(channels)));
    const Tracked centred = result_;
    return Scaled(centred, scale.view(channels), shift.view(channels));
  }

  // scale * x + shift, broadcast to the sizes of x.
  absl::Status Scaled(const Tracked& x, const at::Tensor& scale, const at::Tensor& shift) {
    const std::vector<int64_t> together =
        at::infer_size(x.sizes, at::infer_size(scale.sizes(), shift.sizes()));
    if (together != x.sizes) return Unsupported("a constant that makes the tensor larger");
    Scale op;
    op.scale = ToVector(scale.expand(x.sizes));
    op.shift = ToVector(shift.expand(x.sizes));
    return Append(std::move(op), {x.node}, x.sizes);
  }

  // A constant operand.
  static at::Tensor Constant(const IValue& value) {
    return value.isTensor() ? Doubles(value.toTensor())
                            : at::full({}, value.toScalar().toDouble(), at::kDouble);
  }
  static at::Tensor One() { return at::ones({}, at::kDouble); }
  static at::Tensor Zero() { return at::zeros({}, at::kDouble); }

  // left * first + right * second.
  absl::Status Combine(const Tracked& first, double left, const Tracked& second, double right) {
    if (!first.moves()) return Combine(second, right, first, left);
    if (!second.moves()) {
      return Scaled(first, One() * left, Constant(second.known) * right);
    }
    if (first.sizes != second.sizes) return Unsupported("a sum of tensors of different shapes");
    std::vector<int> branches;
    for (const auto& [branch, factor] : {std::pair{&first, left}, std::pair{&second, right}}) {
      if (factor == 1) {
        branches.push_back(branch->node);
      } else {
        ASSAY_RETURN_IF_ERROR(Scaled(*branch, One() * factor, Zero()));
        branches.push_back(result_.node);
      }
    }
    return Append(Add{}, branches, first.sizes);
  }

  absl::Status Plus(const Arguments& a) { return Combine(a[0], 1, a[1], a.Number(2, 1)); }
  absl::Status Minus(const Arguments& a) { return Combine(a[0], 1, a[1], -a.Number(2, 1)); }
  absl::Status ReverseMinus(const Arguments& a) { return Combine(a[0], -a.Number(2, 1), a[1], 1); }
  absl::Status Negative(const Arguments& a) { return Scaled(a[0], One().neg(), Zero()); }

  absl::Status Times(const Arguments& a) {
    if (a[0].moves() && a[1].moves()) return Unsupported("a product of two activations");
    const bool first = a[0].moves();
    return Scaled(a[first ? 0 : 1], Constant(a.Known(first ? 1 : 0)), Zero());
  }

  absl::Status Divide(const Arguments& a) {
    if (!a[0].moves() || a[1].moves()) return Unsupported("division by an activation");
    if (!a.None(2)) return Unsupported("division with rounding");
    return Scaled(a[0], Constant(a.Known(1)).reciprocal(), Zero());
  }

  // --- activations

  absl::Status Activate(const Arguments& a, Activation activation) {
    return Append(activation, {a[0].node}, a[0].sizes);
  }
  absl::Status Relu(const Arguments& a) { return Activate(a, {Activation::kRelu}); }
  absl::Status Sigmoid(const Arguments& a) { return Activate(a, {Activation::kSigmoid}); }
  absl::Status Tanh(const Arguments& a) { return Activate(a, {Activation::kTanh}); }
  absl::Status Relu6(const Arguments& a) { return Activate(a, {Activation::kClamp, 0, 0, 6}); }
  absl::Status LeakyRelu(const Arguments& a) {
    const double slope = a.Number(1, 0.01);
    if (!(slope >= 0 && slope <= 1))
      return Unsupported("a leaky ReLU whose slope is not in [0, 1]");
    return Activate(a, {Activation::kLeakyRelu, slope});
  }
  absl::Status HardTanh(const Arguments& a) { return Between(a, a.Number(1, -1), a.Number(2, 1)); }
  absl::Status Clamp(const Arguments& a) {
    if ((a.size() > 1 && (a[1].moves() || a.Known(1).isTensor())) ||
        (a.size() > 2 && (a[2].moves() || a.Known(2).isTensor()))) {
      return Unsupported("clamp to tensors");
    }
    return Between(a, a.Number(1, -kInfinity), a.Number(2, kInfinity));
  }
  absl::Status ClampMax(const Arguments& a) {
    return Between(a, -kInfinity, a.Number(1, kInfinity));
  }
  absl::Status Between(const Arguments& a, double lower, double upper) {
    if (!(lower <= upper)) return Unsupported("a clamp whose lower end is above its upper end");
    return Activate(a, {Activation::kClamp, 0, lower, upper});
  }

  absl::Status Dropout(const Arguments& a) {
    if (a.Bool(2)) return Unsupported("dropout in training mode");
    result_ = a[0];
    return absl::OkStatus();
  }

  // --- pooling

  absl::Status MaxPooling(const Arguments& a) {
    if (a[0].sizes.size() != 4) return Unsupported("pooling other than of N x C x H x W");
    const std::pair<int, int> kernel = a.Pair(1, {1, 1}), stride = a.Pair(2, kernel);
    const std::pair<int, int> padding = a.Pair(3, {0, 0}), dilation = a.Pair(4, {1, 1});
    const at::Tensor shape = at::max_pool2d(
        at::zeros(a[0].sizes), {kernel.first, kernel.second}, {stride.first, stride.second},
        {padding.first, padding.second}, {dilation.first, dilation.second}, a.Bool(5));
    MaxPool pool;
    pool.channels = ToInt(a[0].sizes[1]);
    pool.vertical =
        MakeAxis(a[0].sizes[2], kernel.first, stride.first, padding.first, 0, dilation.first);
    pool.horizontal =
        MakeAxis(a[0].sizes[3], kernel.second, stride.second, padding.second, 0, dilation.second);
    pool.vertical.out = ToInt(shape.size(2));
    pool.horizontal.out = ToInt(shape.size(3));
    return Append(pool, {a[0].node}, shape.sizes().vec());
  }

  absl::Status AveragePooling(const Arguments& a) {
    if (a[0].sizes.size() != 4) return Unsupported("pooling other than of N x C x H x W");
    const std::pair<int, int> kernel = a.Pair(1, {1, 1}), stride = a.Pair(2, kernel);
    const std::pair<int, int> padding = a.Pair(3, {0, 0});
    c10::optional<int64_t> divisor;
    if (!a.None(6)) divisor = a.Known(6).toInt();
    const at::Tensor averages =
        at::avg_pool2d(at::ones(a[0].sizes, at::kDouble), {kernel.first, kernel.second},
                       {stride.first, stride.second}, {padding.first, padding.second}, a.Bool(4),
                       a.Bool(5), divisor);
    return Averages(a[0], kernel, stride, padding, averages);
  }

  absl::Status AdaptiveAveragePooling(const Arguments& a) {
    return Adaptive(a[0], a.Pair(1, {1, 1}));
  }

  absl::Status Adaptive(const Tracked& x, std::pair<int, int> out) {
    if (x.sizes.size() != 4) return Unsupported("pooling other than of N x C x H x W");
    const int height = ToInt(x.sizes[2]), width = ToInt(x.sizes[3]);
    if (height % out.first != 0 || width % out.second != 0) {
      return Unsupported("adaptive pooling with windows of different sizes");
    }
    const std::pair<int, int> kernel = {height / out.first, width / out.second};
    return Averages(x, kernel, kernel, {0, 0},
                    at::ones({1, x.sizes[1], out.first, out.second}, at::kDouble));
  }

  // Sums of windows, each times a factor that makes an image of ones into `averages`.
  absl::Status Averages(const Tracked& x, std::pair<int, int> kernel, std::pair<int, int> stride,
                        std::pair<int, int> padding, const at::Tensor& averages) {
    Conv conv;
    conv.in_channels = conv.out_channels = conv.groups = ToInt(x.sizes[1]);
    conv.vertical = MakeAxis(x.sizes[2], kernel.first, stride.first, padding.first, 0, 1);
    conv.horizontal = MakeAxis(x.sizes[3], kernel.second, stride.second, padding.second, 0, 1);
    conv.vertical.out = ToInt(averages.size(2));
    conv.horizontal.out = ToInt(averages.size(3));
    conv.weight.assign(static_cast<size_t>(conv.in_channels * kernel.first * kernel.second), 1);
    conv.bias.assign(static_cast<size_t>(conv.in_channels), 0);
    at::Tensor counts = at::empty_like(averages);
    const std::vector<double> ones(network_.node(x.node).size, 1);
    Apply(conv, /*magnitudes=*/false, ones.data(), counts.data_ptr<double>());
    Tracked sums;
    sums.node = network_.Append(std::move(conv), {x.node});
    sums.sizes = averages.sizes().vec();
    return Scaled(sums, averages / counts, Zero());
  }

  absl::Status Mean(const Arguments& a) {
    const Tracked x = a[0];
    if (x.sizes.size() != 4 || a.size() < 2 || !a.Known(1).isIntList()) {
      return Unsupported("a mean over other than height and width");
    }
    std::set<int64_t> axes;
    for (const int64_t axis : a.Known(1).toIntVector()) axes.insert(axis < 0 ? axis + 4 : axis);
    if (axes != std::set<int64_t>{2, 3}) {
      return Unsupported("a mean over other than height and width");
    }
    const bool keep = a.Bool(2);
    ASSAY_RETURN_IF_ERROR(Adaptive(x, {1, 1}));
    if (!keep) result_.sizes.resize(2);
    return absl::OkStatus();
  }

  // Runs the operator on the numbers of the elements, twice with different ones: what comes out is
  // where elements went, and what stays the same is no element.
  absl::Status Move(jit::Node& node, const Arguments& arguments) {
    if (!arguments[0].moves()) return Unsupported(kind_);
    const auto size = static_cast<int64_t>(network_.node(arguments[0].node).size);
    bool shares_memory = false;
    const auto run = [&](int64_t first) {
      jit::Stack stack{IValue(
          at::arange(static_cast<double>(first), static_cast<double>(first + size), at::kDouble)
              .view(arguments[0].sizes))};
      for (size_t i = 1; i < arguments.size(); ++i) stack.push_back(arguments.Known(i));
      const at::Tensor numbers = stack[0].toTensor();
      node.getOperation()(stack);
      const at::Tensor result = stack.at(0).toTensor();
      shares_memory = result.is_alias_of(numbers);
      return result.clone();
    };
    for (size_t i = 1; i < arguments.size(); ++i) {
      if (arguments[i].moves()) return Unsupported(kind_);
    }
    const at::Tensor moved = run(1), other = run(1 + size);
    if (moved.scalar_type() != at::kDouble && moved.scalar_type() != at::kFloat) {
      return Unsupported("conversion to another type than float32 or float64");
    }
    const std::vector<double> from = ToVector(moved), again = ToVector(other);
    Gather gather;
    bool same = static_cast<int64_t>(from.size()) == size;
    for (size_t i = 0; i < from.size(); ++i) {
      const bool zero = from[i] == 0 && again[i] == 0;
      if (!zero && again[i] - from[i] != static_cast<double>(size)) {
        return Unsupported("filling with other than zeros");
      }
      gather.index.push_back(zero ? -1 : static_cast<int32_t>(from[i]) - 1);
      same = same && gather.index.back() == static_cast<int32_t>(i);
    }
    if (!same) {
      ASSAY_RETURN_IF_ERROR(Append(std::move(gather), {arguments[0].node}, moved.sizes().vec()));
      result_.partial_view = shares_memory;
      return absl::OkStatus();
    }
    result_ = arguments[0];
    result_.sizes = moved.sizes().vec();
    if (!shares_memory) result_.storage = ++storages_;
    return absl::OkStatus();
  }

  Network network_;
  int storages_ = 0;  // the last number given; the image has 0
  // Of the node being translated.
  std::string kind_;
  Tracked result_;
};

}  // namespace

absl::Status UnsupportedOperator(const std::string& kind, absl::string_view what) {
  const std::string problem =
      what == kind ? absl::StrCat("the operator ", kind)
                   : absl::StrCat(what, kind.empty() ? "" : absl::StrCat(" (", kind, ")"));
  return Error(Reason::kInvalidCondition,
               absl::StrCat("deterministic bounds do not support ", problem,
                            "; docs/conditions/certification.md lists what they support"));
}

std::unique_ptr<OperatorTranslator> MakeOperatorTranslator(size_t image_size) {
  return std::make_unique<Operators>(image_size);
}

}  // namespace assay::engine::bounds
