// Attacks one after the other on what is still robust, as one.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_SEQUENCE_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_SEQUENCE_H_

#include <vector>

#include "assay/v1/types.pb.h"
#include "server/engine/attacks/attack.h"

namespace assay::engine {

// The attacks of the conditions, of one norm and budget; at least one. Samples are independent of
// each other, so each goes through the parts by itself. A state's stage() names the method at work.
NewAttack MakeSequence(const std::vector<v1::Condition>& parts);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_SEQUENCE_H_
