// The ONNX operators that are imported: one function each, in a file for each group.
//
// To add one: a function in the file of its group, and a line in the table at its end. It reads the
// inputs and attributes that it implements (attributes that nobody read are refused by name), looks
// at `opset` where the meaning changed, and says what it makes by `Output`. Its result must be
// right for one image; `Apart`, `BatchFirst` and `Broadcast` see to many (value.h).
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_OPERATORS_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_OPERATORS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/engine/import/onnx/node.h"

namespace assay::engine::onnx {

using Implementation = absl::Status (*)(Node&);
using OperatorGroup = std::vector<std::pair<const char*, Implementation>>;

OperatorGroup ArithmeticOperators();     // sums, products, comparisons, logic
OperatorGroup ActivationOperators();     // relu and its like, softmax
OperatorGroup LinearOperators();         // Gemm, MatMul, Einsum
OperatorGroup ConvolutionOperators();    // Conv, ConvTranspose
OperatorGroup PoolingOperators();        // MaxPool, AveragePool, Global...
OperatorGroup NormalizationOperators();  // batch, layer, group norm and so on
OperatorGroup AttentionOperators();      // Attention
OperatorGroup ReductionOperators();      // ReduceMean and so on, ArgMax, CumSum
OperatorGroup MovementOperators();       // Reshape, Transpose, Concat, Slice, Pad and so on
OperatorGroup ResizeOperators();         // Resize, Upsample
OperatorGroup ConstantOperators();       // Constant, Shape, Range and what else makes tensors

// nullptr where there is none of that name.
Implementation FindOperator(const std::string& type);

// Why an operator that is not imported is not, and what to do.
std::string WhyNot(const std::string& type);

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_OPERATORS_H_
