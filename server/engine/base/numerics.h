// What can move the last bits of a logit, and its digest: the numerics fingerprint of a report.
#ifndef ASSAY_SERVER_ENGINE_BASE_NUMERICS_H_
#define ASSAY_SERVER_ENGINE_BASE_NUMERICS_H_

#include <string>

#include "assay/v1/types.pb.h"

namespace assay::engine {

// Instruction set and name of this machine's processor.
std::string CpuCapability();

// The name of GPU `index`, as the driver tells it; "cuda:N" where it does not.
std::string GpuName(int index);

// SHA-256 over every field but the digest itself.
std::string NumericsDigest(const v1::NumericsFingerprint& numerics);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_NUMERICS_H_
