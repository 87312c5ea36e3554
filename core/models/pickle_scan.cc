#include "core/models/pickle_scan.h"

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assay {
namespace {

// Enough to tell what a pickle is; the rest of a large one is only skipped.
constexpr size_t kMostNames = 10000;

class Scanner {
 public:
  explicit Scanner(absl::string_view bytes) : bytes_(bytes) {}

  PickleScan Scan() {
    while (!stopped_ && Step()) {
    }
    if (stopped_) scan_.size = at_;
    return std::move(scan_);
  }

 private:
  // One instruction, of those that Python's module pickletools documents. False at an unknown one,
  // or at the end of the bytes.
  bool Step() {
    absl::string_view code;
    if (!Take(1, &code)) return false;
    absl::string_view argument;
    switch (code[0]) {
      case '.':
        stopped_ = true;
        return true;
      // Without an argument.
      case '(':
      case ')':
      case '0':
      case '1':
      case '2':
      case 'N':
      case 'Q':
      case 'R':
      case 'a':
      case 'b':
      case 'd':
      case 'e':
      case 'l':
      case 'o':
      case 's':
      case 't':
      case 'u':
      case '}':
      case ']':
      case '\x81':
      case '\x85':
      case '\x86':
      case '\x87':
      case '\x88':
      case '\x89':
      case '\x8f':
      case '\x90':
      case '\x91':
      case '\x92':
      case '\x97':
      case '\x98':
        last_ = absl::string_view();
        return true;
      case '\x93':
        return StackGlobal();
      // The memo.
      case 'q':
        return Take(1, &argument) && Memorize(Number(argument));
      case 'r':
        return Take(4, &argument) && Memorize(Number(argument));
      case '\x94':
        return Memorize(memorized_);
      case 'h':
        return Take(1, &argument) && Remember(Number(argument));
      case 'j':
        return Take(4, &argument) && Remember(Number(argument));
      // Of a fixed size.
      case '\x80':
      case 'K':
      case '\x82':
        return Take(1, &argument);
      case 'M':
      case '\x83':
        return Take(2, &argument);
      case 'J':
      case '\x84':
        return Take(4, &argument);
      case 'G':
      case '\x95':
        return Take(8, &argument);
      // Bytes after their length.
      case 'U':
        return Counted(1, &argument) && String(argument);
      case '\x8c':
        return Counted(1, &argument) && String(argument);
      case 'T':
      case 'X':
        return Counted(4, &argument) && String(argument);
      case '\x8d':
        return Counted(8, &argument) && String(argument);
      case 'C':
      case '\x8a':
        return Counted(1, &argument);
      case 'B':
      case '\x8b':
        return Counted(4, &argument);
      case '\x8e':
      case '\x96':
        return Counted(8, &argument);
      // Up to the end of a line.
      case 'F':
      case 'I':
      case 'L':
      case 'P':
      case 'g':
      case 'p':
        return Line(&argument);
      case 'S':
      case 'V':
        return Line(&argument) && String(argument);
      case 'c':
      case 'i':
        return TwoLines();
      default:
        return false;
    }
  }

  bool Take(size_t count, absl::string_view* taken) {
    if (count > bytes_.size() - at_) return false;
    *taken = bytes_.substr(at_, count);
    at_ += count;
    return true;
  }

  // The lowest byte first.
  static uint64_t Number(absl::string_view digits) {
    uint64_t number = 0;
    for (size_t i = digits.size(); i-- > 0;) {
      number = number << 8 | static_cast<unsigned char>(digits[i]);
    }
    return number;
  }

  // `width`: bytes of the length.
  bool Counted(size_t width, absl::string_view* taken) {
    absl::string_view digits;
    if (!Take(width, &digits)) return false;
    const uint64_t count = Number(digits);
    return count <= bytes_.size() - at_ && Take(static_cast<size_t>(count), taken);
  }

  bool Line(absl::string_view* line) {
    const size_t end = bytes_.find('\n', at_);
    if (end == absl::string_view::npos) return false;
    *line = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }

  bool TwoLines() {
    absl::string_view module, name;
    if (!Line(&module) || !Line(&name)) return false;
    Global(absl::StrCat(module, ".", name));
    return true;
  }

  bool String(absl::string_view text) {
    if (scan_.strings.size() < kMostNames) scan_.strings.emplace_back(text);
    Push(text);
    return true;
  }

  void Push(absl::string_view text) {
    before_last_ = last_;
    last_ = text;
  }

  // What is on top of the stack, of which only strings matter.
  bool Memorize(uint64_t index) {
    ++memorized_;
    if (memo_.size() < kMostNames) memo_[index] = last_;
    return true;
  }

  bool Remember(uint64_t index) {
    const auto found = memo_.find(index);
    Push(found == memo_.end() ? absl::string_view() : found->second);
    return true;
  }

  // Module and name are the two strings before.
  bool StackGlobal() {
    Global(absl::StrCat(before_last_, ".", last_));
    for (const absl::string_view part : {last_, before_last_}) {
      if (!scan_.strings.empty() && scan_.strings.back() == part) scan_.strings.pop_back();
    }
    last_ = absl::string_view();
    return true;
  }

  void Global(std::string name) {
    if (scan_.globals.size() >= kMostNames || !seen_.insert(name).second) return;
    scan_.globals.push_back(std::move(name));
  }

  const absl::string_view bytes_;
  size_t at_ = 0;
  bool stopped_ = false;
  // The strings that were pushed last; empty for anything else.
  absl::string_view last_, before_last_;
  std::map<uint64_t, absl::string_view> memo_;
  uint64_t memorized_ = 0;
  std::set<std::string> seen_;
  PickleScan scan_;
};

}  // namespace

PickleScan ScanPickle(absl::string_view bytes) { return Scanner(bytes).Scan(); }

}  // namespace assay
