// Which of the survivors of an attack are tried without a budget (docs/checks.md): the first
// kMaxProbes in this order. The engine tries those of each task, which holds the first of all
// tasks, and a report counts the first of all, so that it does not depend on how samples are cut
// into tasks.
#ifndef ASSAY_CORE_BASE_PROBE_ORDER_H_
#define ASSAY_CORE_BASE_PROBE_ORDER_H_

#include <cstdint>

namespace assay {

inline constexpr int kMaxProbes = 32;

// The key of a sample, by its position in the dataset; no two are equal. It mixes the positions
// (the finaliser of SplitMix64), since many datasets are sorted by class.
inline uint64_t ProbeOrder(int64_t sample) {
  uint64_t key = static_cast<uint64_t>(sample) + 0x9e3779b97f4a7c15U;
  key = (key ^ (key >> 30U)) * 0xbf58476d1ce4e5b9U;
  key = (key ^ (key >> 27U)) * 0x94d049bb133111ebU;
  return key ^ (key >> 31U);
}

}  // namespace assay

#endif  // ASSAY_CORE_BASE_PROBE_ORDER_H_
