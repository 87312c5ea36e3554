#include "server/engine/import/tensor_pickle.h"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/models/zip_archive.h"
#include "server/engine/import/stored_tensor.h"

namespace assay::engine {
namespace {

// Tuples and dicts of tensors are not nested deeper; destroying values recurses.
constexpr int kMaxDepth = 16;

absl::Status Invalid(absl::string_view what) {
  return Error(Reason::kInvalidModel,
               absl::StrCat("the weights of the file cannot be read: ", what));
}

struct None {};
// What MARK leaves on the stack.
struct Mark {};
// The functions that a pickle of tensors may name.
enum class Function { kRebuildTensor, kRebuildParameter, kRebuildParameterWithState, kOrderedDict };
// A Python class such as torch.FloatStorage.
struct StorageClass {
  c10::ScalarType type;
};
struct Storage {
  at::Tensor bytes;
  c10::ScalarType type;
};
struct Tuple;
struct Dict;

// Large values are shared: a pickle may push the same one any number of times.
struct Value {
  std::variant<None, Mark, bool, int64_t, std::shared_ptr<const std::string>, Function,
               StorageClass, Storage, at::Tensor, std::shared_ptr<const Tuple>,
               std::shared_ptr<Dict>>
      data;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&data);
  }
  const std::string* String() const {
    const auto* const shared = As<std::shared_ptr<const std::string>>();
    return shared == nullptr ? nullptr : shared->get();
  }
  const Tuple* AsTuple() const {
    const auto* const shared = As<std::shared_ptr<const Tuple>>();
    return shared == nullptr ? nullptr : shared->get();
  }
  Dict* AsDict() const {
    const auto* const shared = As<std::shared_ptr<Dict>>();
    return shared == nullptr ? nullptr : shared->get();
  }
};

struct Tuple {
  std::vector<Value> items;
  int depth = 1;
};

struct Dict {
  std::vector<std::pair<std::string, Value>> items;
  int depth = 1;
  // Set when it becomes part of something; a dict that could still change could hold itself.
  bool sealed = false;
};

int DepthOf(const Value& value) {
  if (const Tuple* tuple = value.AsTuple()) return tuple->depth;
  if (const Dict* dict = value.AsDict()) return dict->depth;
  return 0;
}

// The class of module `torch` of that name; nullptr without.
const c10::ScalarType* StorageType(absl::string_view name) {
  static const auto* const types = new std::map<std::string, c10::ScalarType>{
      {"FloatStorage", c10::kFloat}, {"DoubleStorage", c10::kDouble},
      {"HalfStorage", c10::kHalf},   {"BFloat16Storage", c10::kBFloat16},
      {"LongStorage", c10::kLong},   {"IntStorage", c10::kInt},
      {"ShortStorage", c10::kShort}, {"CharStorage", c10::kChar},
      {"ByteStorage", c10::kByte},   {"BoolStorage", c10::kBool}};
  const auto found = types->find(std::string(name));
  return found == types->end() ? nullptr : &found->second;
}

class Interpreter {
 public:
  // Storages are read from `archive`, as `root`/data/KEY.
  Interpreter(ZipArchive& archive, std::string root, std::string program)
      : archive_(archive), root_(std::move(root)), program_(std::move(program)) {}

  absl::StatusOr<std::map<std::string, at::Tensor>> Run() {
    bool stopped = false;
    while (!stopped) {
      ASSAY_ASSIGN_OR_RETURN(const uint64_t opcode, Number(1));
      ASSAY_RETURN_IF_ERROR(Execute(static_cast<uint8_t>(opcode), &stopped));
    }
    ASSAY_ASSIGN_OR_RETURN(const Value result, Pop());
    const Dict* const dict = result.AsDict();
    if (dict == nullptr) return Invalid("they are not a dict of tensors");
    std::map<std::string, at::Tensor> tensors;
    for (const auto& [name, value] : dict->items) {
      const at::Tensor* const tensor = value.As<at::Tensor>();
      if (tensor == nullptr) return Invalid(absl::StrCat(name, " is not a tensor"));
      tensors[name] = *tensor;
    }
    return tensors;
  }

 private:
  absl::Status Execute(uint8_t opcode, bool* stopped) {
    switch (opcode) {
      case 0x80: {  // PROTO
        ASSAY_ASSIGN_OR_RETURN(const uint64_t protocol, Number(1));
        if (protocol < 2 || protocol > 5) {
          return Invalid(absl::StrCat("pickle protocol ", protocol, " is not known"));
        }
        return absl::OkStatus();
      }
      case 0x95:  // FRAME: only tells how far to read ahead
        return Number(8).status();
      case '.':  // STOP
        *stopped = true;
        return absl::OkStatus();
      case '(':  // MARK
        return Push({Mark{}});
      case 'N':  // NONE
        return Push({None{}});
      case 0x88:  // NEWTRUE
        return Push({true});
      case 0x89:  // NEWFALSE
        return Push({false});
      case 'K':  // BININT1
        return PushNumber(1);
      case 'M':  // BININT2
        return PushNumber(2);
      case 'J': {  // BININT
        ASSAY_ASSIGN_OR_RETURN(const uint64_t number, Number(4));
        return Push({int64_t{static_cast<int32_t>(static_cast<uint32_t>(number))}});
      }
      case 0x8a:  // LONG1
        return PushLong();
      case 'X':  // BINUNICODE
        return PushString(4);
      case 0x8c:  // SHORT_BINUNICODE
        return PushString(1);
      case 'c': {  // GLOBAL
        ASSAY_ASSIGN_OR_RETURN(const std::string module, Line());
        ASSAY_ASSIGN_OR_RETURN(const std::string name, Line());
        return PushGlobal(module, name);
      }
      case 0x93: {  // STACK_GLOBAL
        ASSAY_ASSIGN_OR_RETURN(const Value name, Pop());
        ASSAY_ASSIGN_OR_RETURN(const Value module, Pop());
        if (name.String() == nullptr || module.String() == nullptr) return Malformed();
        return PushGlobal(*module.String(), *name.String());
      }
      case ')':  // EMPTY_TUPLE
        return PushTuple(0);
      case 0x85:  // TUPLE1
        return PushTuple(1);
      case 0x86:  // TUPLE2
        return PushTuple(2);
      case 0x87:  // TUPLE3
        return PushTuple(3);
      case 't': {  // TUPLE
        ASSAY_ASSIGN_OR_RETURN(const size_t count, AfterMark());
        ASSAY_RETURN_IF_ERROR(PushTuple(count));
        // The mark is below the tuple.
        std::swap(stack_[stack_.size() - 2], stack_.back());
        stack_.pop_back();
        return absl::OkStatus();
      }
      case '}':  // EMPTY_DICT
        return Push({std::make_shared<Dict>()});
      case 's':  // SETITEM
        return SetItems(2);
      case 'u': {  // SETITEMS
        ASSAY_ASSIGN_OR_RETURN(const size_t count, AfterMark());
        stack_.erase(stack_.end() - static_cast<std::ptrdiff_t>(count) - 1);
        return SetItems(count);
      }
      case 'q':  // BINPUT
        return Memorize(Number(1));
      case 'r':  // LONG_BINPUT
        return Memorize(Number(4));
      case 0x94:  // MEMOIZE
        return Memorize(memo_.size());
      case 'h':  // BINGET
        return Recall(Number(1));
      case 'j':  // LONG_BINGET
        return Recall(Number(4));
      case 'Q':  // BINPERSID
        return PushStorage();
      case 'R':  // REDUCE
        return Call();
      case 'b':  // BUILD
        return IgnoreState();
      default:
        return Invalid(absl::StrCat("the pickle uses opcode 0x", absl::Hex(opcode, absl::kZeroPad2),
                                    ", which a dict of tensors has no need of"));
    }
  }

  static absl::Status Malformed() { return Invalid("the pickle is damaged"); }

  // --- the program

  // An unsigned little-endian number of so many bytes.
  absl::StatusOr<uint64_t> Number(size_t bytes) {
    if (program_.size() - at_ < bytes) return Malformed();
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; ++i) {
      number |= uint64_t{static_cast<uint8_t>(program_[at_ + i])} << (8 * i);
    }
    at_ += bytes;
    return number;
  }

  absl::StatusOr<std::string> Text(size_t size) {
    if (program_.size() - at_ < size) return Malformed();
    at_ += size;
    return program_.substr(at_ - size, size);
  }

  absl::StatusOr<std::string> Line() {
    const size_t end = program_.find('\n', at_);
    if (end == std::string::npos) return Malformed();
    ASSAY_ASSIGN_OR_RETURN(std::string line, Text(end - at_));
    ++at_;
    return line;
  }

  // --- the stack

  absl::Status Push(Value value) {
    stack_.push_back(std::move(value));
    return absl::OkStatus();
  }

  absl::StatusOr<Value> Pop() {
    if (stack_.empty()) return Malformed();
    Value value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }

  // How many values are above the last mark.
  absl::StatusOr<size_t> AfterMark() {
    for (size_t count = 0; count < stack_.size(); ++count) {
      if (stack_[stack_.size() - 1 - count].As<Mark>() != nullptr) return count;
    }
    return Malformed();
  }

  absl::Status PushNumber(size_t bytes) {
    ASSAY_ASSIGN_OR_RETURN(const uint64_t number, Number(bytes));
    return Push({static_cast<int64_t>(number)});
  }

  absl::Status PushLong() {
    ASSAY_ASSIGN_OR_RETURN(const uint64_t bytes, Number(1));
    if (bytes > 8) return Invalid("a number of more than 64 bits");
    ASSAY_ASSIGN_OR_RETURN(uint64_t number, Number(bytes));
    const bool negative = bytes > 0 && ((number >> (8 * bytes - 1)) & 1) != 0;
    if (negative && bytes < 8) number |= ~uint64_t{0} << (8 * bytes);
    return Push({static_cast<int64_t>(number)});
  }

  absl::Status PushString(size_t length_bytes) {
    ASSAY_ASSIGN_OR_RETURN(const uint64_t size, Number(length_bytes));
    ASSAY_ASSIGN_OR_RETURN(std::string text, Text(size));
    return Push({std::make_shared<const std::string>(std::move(text))});
  }

  absl::Status PushGlobal(const std::string& module, const std::string& name) {
    if (module == "torch" && StorageType(name) != nullptr) {
      return Push({StorageClass{*StorageType(name)}});
    }
    if (module == "torch._utils" && name == "_rebuild_tensor_v2") {
      return Push({Function::kRebuildTensor});
    }
    if (module == "torch._utils" && name == "_rebuild_parameter") {
      return Push({Function::kRebuildParameter});
    }
    if (module == "torch._utils" && name == "_rebuild_parameter_with_state") {
      return Push({Function::kRebuildParameterWithState});
    }
    if (module == "collections" && name == "OrderedDict") return Push({Function::kOrderedDict});
    return Invalid(absl::StrCat("the pickle names ", module.substr(0, 100), ".",
                                name.substr(0, 100),
                                ", which is no part of plain tensors in a dict, and is not run"));
  }

  absl::Status PushTuple(size_t count) {
    if (stack_.size() < count) return Malformed();
    auto tuple = std::make_shared<Tuple>();
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    for (auto item = first; item != stack_.end(); ++item) {
      ASSAY_RETURN_IF_ERROR(BecomePart(*item, &tuple->depth));
      tuple->items.push_back(std::move(*item));
    }
    stack_.erase(first, stack_.end());
    return Push({std::shared_ptr<const Tuple>(std::move(tuple))});
  }

  // Before `part` goes into what has `depth`.
  absl::Status BecomePart(const Value& part, int* depth) {
    if (part.As<Mark>() != nullptr) return Malformed();
    if (Dict* dict = part.AsDict()) dict->sealed = true;
    *depth = std::max(*depth, DepthOf(part) + 1);
    return *depth > kMaxDepth ? Invalid("it is nested too deeply") : absl::OkStatus();
  }

  // The last `count` values, name and value in turn, into the dict below them.
  absl::Status SetItems(size_t count) {
    if (count % 2 != 0 || stack_.size() < count + 1) return Malformed();
    const size_t first = stack_.size() - count;
    // Held here: the dict could be pushed twice and be an item of itself.
    const Value target = stack_[first - 1];
    Dict* const dict = target.AsDict();
    if (dict == nullptr || dict->sealed) return Malformed();
    for (size_t i = first; i < stack_.size(); i += 2) {
      const std::string* const name = stack_[i].String();
      if (name == nullptr) return Invalid("a dict has a key that is not a string");
      if (stack_[i + 1].AsDict() == dict) return Malformed();
      ASSAY_RETURN_IF_ERROR(BecomePart(stack_[i + 1], &dict->depth));
      dict->items.emplace_back(*name, std::move(stack_[i + 1]));
    }
    stack_.resize(first);
    return absl::OkStatus();
  }

  absl::Status Memorize(const absl::StatusOr<uint64_t>& index) {
    ASSAY_RETURN_IF_ERROR(index.status());
    if (stack_.empty() || stack_.back().As<Mark>() != nullptr) return Malformed();
    memo_[*index] = stack_.back();
    return absl::OkStatus();
  }

  absl::Status Recall(const absl::StatusOr<uint64_t>& index) {
    ASSAY_RETURN_IF_ERROR(index.status());
    const auto found = memo_.find(*index);
    return found == memo_.end() ? Malformed() : Push(found->second);
  }

  // --- tensors

  // ("storage", class, key, location, number of elements). The location is where the tensor was.
  absl::Status PushStorage() {
    ASSAY_ASSIGN_OR_RETURN(const Value id, Pop());
    const Tuple* const tuple = id.AsTuple();
    if (tuple == nullptr || tuple->items.size() != 5) return Malformed();
    const std::vector<Value>& items = tuple->items;
    const std::string* const kind = items[0].String();
    const StorageClass* const type = items[1].As<StorageClass>();
    const std::string* const key = items[2].String();
    const int64_t* const count = items[4].As<int64_t>();
    if (kind == nullptr || *kind != "storage" || type == nullptr || key == nullptr ||
        count == nullptr) {
      return Malformed();
    }
    auto [storage, is_new] = storages_.try_emplace(*key);
    if (is_new) {
      ASSAY_ASSIGN_OR_RETURN(storage->second,
                             ReadBytes(archive_, absl::StrCat(root_, "/data/", *key)));
    }
    const auto size = static_cast<int64_t>(c10::elementSize(type->type));
    if (storage->second.numel() % size != 0 || storage->second.numel() / size != *count) {
      return Invalid(absl::StrCat("record ", *key, " has another size than its tensor"));
    }
    return Push({Storage{storage->second, type->type}});
  }

  absl::Status Call() {
    ASSAY_ASSIGN_OR_RETURN(const Value arguments, Pop());
    ASSAY_ASSIGN_OR_RETURN(const Value function, Pop());
    const Tuple* const tuple = arguments.AsTuple();
    if (function.As<Function>() == nullptr || tuple == nullptr) return Malformed();
    switch (*function.As<Function>()) {
      case Function::kOrderedDict:
        return tuple->items.empty() ? Push({std::make_shared<Dict>()}) : Malformed();
      case Function::kRebuildTensor:
        return RebuildTensor(tuple->items);
      case Function::kRebuildParameter:
        return RebuildParameter(tuple->items);
      case Function::kRebuildParameterWithState:
        // The state: attributes in Python, such as what torch.compile noted.
        if (tuple->items.size() != 4 || tuple->items[3].AsDict() == nullptr) return Malformed();
        return RebuildParameter({tuple->items.begin(), tuple->items.begin() + 3});
    }
    return Malformed();
  }

  // (storage, offset, sizes, strides, requires_grad, hooks[, metadata])
  absl::Status RebuildTensor(const std::vector<Value>& arguments) {
    if (arguments.size() != 6 && arguments.size() != 7) return Malformed();
    const Storage* const storage = arguments[0].As<Storage>();
    const int64_t* const offset = arguments[1].As<int64_t>();
    if (storage == nullptr || offset == nullptr || !IsEmptyDict(arguments[5])) return Malformed();
    if (arguments.size() == 7 && arguments[6].As<None>() == nullptr) {
      return Invalid("a tensor has metadata (such as a conjugate view's), which is not known here");
    }
    ASSAY_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, Numbers(arguments[2]));
    ASSAY_ASSIGN_OR_RETURN(const std::vector<int64_t> strides, Numbers(arguments[3]));
    ASSAY_ASSIGN_OR_RETURN(
        at::Tensor tensor,
        TensorInBytes("of the weights", storage->bytes, storage->type, *offset, sizes, strides));
    return Push({std::move(tensor)});
  }

  // (tensor, requires_grad, hooks)
  absl::Status RebuildParameter(const std::vector<Value>& arguments) {
    if (arguments.size() != 3 || arguments[0].As<at::Tensor>() == nullptr ||
        !IsEmptyDict(arguments[2])) {
      return Malformed();
    }
    return Push(arguments[0]);
  }

  static bool IsEmptyDict(const Value& value) {
    return value.AsDict() != nullptr && value.AsDict()->items.empty();
  }

  static absl::StatusOr<std::vector<int64_t>> Numbers(const Value& value) {
    std::vector<int64_t> numbers;
    if (value.AsTuple() == nullptr) return Malformed();
    for (const Value& item : value.AsTuple()->items) {
      if (item.As<int64_t>() == nullptr) return Malformed();
      numbers.push_back(*item.As<int64_t>());
    }
    return numbers;
  }

  // An attribute of a state_dict: the version numbers of its modules.
  absl::Status IgnoreState() {
    ASSAY_ASSIGN_OR_RETURN(const Value state, Pop());
    if (state.AsDict() == nullptr || stack_.empty() || stack_.back().AsDict() == nullptr) {
      return Malformed();
    }
    return absl::OkStatus();
  }

  ZipArchive& archive_;
  const std::string root_, program_;
  size_t at_ = 0;
  std::vector<Value> stack_;
  std::unordered_map<uint64_t, Value> memo_;
  std::map<std::string, at::Tensor> storages_;  // by their keys
};

}  // namespace

absl::StatusOr<std::map<std::string, at::Tensor>> ReadSavedTensors(std::string bytes) {
  if (bytes.empty()) return std::map<std::string, at::Tensor>();
  ASSAY_ASSIGN_OR_RETURN(ZipArchive archive, ZipArchive::FromBytes(std::move(bytes)));
  for (const std::string& name : archive.names()) {
    absl::string_view root = name;
    if (!absl::ConsumeSuffix(&root, "/data.pkl") || absl::StrContains(root, "/")) continue;
    const std::string byte_order = absl::StrCat(root, "/byteorder");
    if (archive.Has(byte_order)) {
      ASSAY_ASSIGN_OR_RETURN(const std::string order, archive.Read(byte_order));
      if (order != "little") return Invalid("they were saved on a big-endian machine");
    }
    ASSAY_ASSIGN_OR_RETURN(std::string program, archive.Read(name));
    return Interpreter(archive, std::string(root), std::move(program)).Run();
  }
  return Invalid("they hold no data.pkl");
}

}  // namespace assay::engine
