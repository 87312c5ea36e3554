// The attributes of one ONNX node, by name. They remember which were asked for: one that nobody
// asked for has a meaning that nobody implements.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_ATTRIBUTES_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_ATTRIBUTES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/engine/import/onnx/wire.h"

namespace assay::engine::onnx {

// An attribute of another type than asked for, or a missing one that is required, is remembered as
// a problem, and the answer is the default.
class Attributes {
 public:
  // The attributes must outlive this object.
  explicit Attributes(std::map<std::string, const wire::AttributeProto*> attributes)
      : attributes_(std::move(attributes)) {}

  bool Has(const std::string& name) { return Find(name) != nullptr; }
  int64_t Int(const std::string& name, int64_t otherwise);
  bool Flag(const std::string& name, bool otherwise) { return Int(name, otherwise ? 1 : 0) != 0; }
  float Float(const std::string& name, float otherwise);
  std::string Text(const std::string& name, const std::string& otherwise);
  std::vector<int64_t> Ints(const std::string& name, const std::vector<int64_t>& otherwise);
  std::vector<float> Floats(const std::string& name);
  int64_t RequiredInt(const std::string& name);
  std::vector<int64_t> RequiredInts(const std::string& name);
  // nullptr where it is absent.
  const wire::TensorProto* Tensor(const std::string& name);
  const wire::GraphProto* Graph(const std::string& name);

  // Why the answers cannot be used; "" if they can.
  const std::string& problem() const { return problem_; }
  // The name of an attribute that nobody asked for; "" without.
  std::string Unread() const;

 private:
  const wire::AttributeProto* Find(const std::string& name);
  // The attribute if it is there with this type (AttributeProto.type, which old files leave out).
  const wire::AttributeProto* Find(const std::string& name, int32_t type,
                                   bool present_in_it(const wire::AttributeProto&));

  const std::map<std::string, const wire::AttributeProto*> attributes_;
  std::set<std::string> read_;
  std::string problem_;
};

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_ATTRIBUTES_H_
