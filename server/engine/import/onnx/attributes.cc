#include "server/engine/import/onnx/attributes.h"

#include "absl/strings/str_cat.h"

namespace assay::engine::onnx {
namespace {

// The numbers of AttributeProto.AttributeType.
constexpr int32_t kFloat = 1, kInt = 2, kString = 3, kTensor = 4, kGraph = 5, kFloats = 6,
                  kInts = 7;

}  // namespace

const wire::AttributeProto* Attributes::Find(const std::string& name) {
  read_.insert(name);
  const auto found = attributes_.find(name);
  return found == attributes_.end() ? nullptr : found->second;
}

const wire::AttributeProto* Attributes::Find(const std::string& name, int32_t type,
                                             bool present_in_it(const wire::AttributeProto&)) {
  const wire::AttributeProto* const attribute = Find(name);
  if (attribute == nullptr) return nullptr;
  // Lists may be empty, so that only their type tells what they are.
  if (attribute->type() == type || (attribute->type() == 0 && present_in_it(*attribute))) {
    return attribute;
  }
  problem_ = absl::StrCat("its attribute '", name, "' is not of the type that ONNX gives it");
  return nullptr;
}

int64_t Attributes::Int(const std::string& name, int64_t otherwise) {
  const auto* const found =
      Find(name, kInt, [](const wire::AttributeProto& a) { return a.has_i(); });
  return found == nullptr ? otherwise : found->i();
}

float Attributes::Float(const std::string& name, float otherwise) {
  const auto* const found =
      Find(name, kFloat, [](const wire::AttributeProto& a) { return a.has_f(); });
  return found == nullptr ? otherwise : found->f();
}

std::string Attributes::Text(const std::string& name, const std::string& otherwise) {
  const auto* const found =
      Find(name, kString, [](const wire::AttributeProto& a) { return a.has_s(); });
  return found == nullptr ? otherwise : found->s();
}

std::vector<int64_t> Attributes::Ints(const std::string& name,
                                      const std::vector<int64_t>& otherwise) {
  const auto* const found =
      Find(name, kInts, [](const wire::AttributeProto& a) { return a.ints_size() > 0; });
  if (found == nullptr) return otherwise;
  return std::vector<int64_t>(found->ints().begin(), found->ints().end());
}

std::vector<float> Attributes::Floats(const std::string& name) {
  const auto* const found =
      Find(name, kFloats, [](const wire::AttributeProto& a) { return a.floats_size() > 0; });
  if (found == nullptr) return {};
  return std::vector<float>(found->floats().begin(), found->floats().end());
}

int64_t Attributes::RequiredInt(const std::string& name) {
  if (!Has(name)) problem_ = absl::StrCat("its attribute '", name, "' is missing");
  return Int(name, 1);
}

std::vector<int64_t> Attributes::RequiredInts(const std::string& name) {
  if (!Has(name)) problem_ = absl::StrCat("its attribute '", name, "' is missing");
  return Ints(name, {});
}

const wire::TensorProto* Attributes::Tensor(const std::string& name) {
  const auto* const found =
      Find(name, kTensor, [](const wire::AttributeProto& a) { return a.has_t(); });
  return found == nullptr ? nullptr : &found->t();
}

const wire::GraphProto* Attributes::Graph(const std::string& name) {
  const auto* const found =
      Find(name, kGraph, [](const wire::AttributeProto& a) { return a.has_g(); });
  return found == nullptr ? nullptr : &found->g();
}

std::string Attributes::Unread() const {
  for (const auto& [name, attribute] : attributes_) {
    if (read_.count(name) == 0) return name;
  }
  return "";
}

}  // namespace assay::engine::onnx
