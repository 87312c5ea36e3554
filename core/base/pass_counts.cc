#include "core/base/pass_counts.h"

namespace assay {

void AddPasses(const v1::PassCounts& more, v1::PassCounts* passes, int64_t times) {
  passes->set_forwards(passes->forwards() + times * more.forwards());
  passes->set_needed_forwards(passes->needed_forwards() + times * more.needed_forwards());
  passes->set_backwards(passes->backwards() + times * more.backwards());
  passes->set_needed_backwards(passes->needed_backwards() + times * more.needed_backwards());
}

}  // namespace assay
