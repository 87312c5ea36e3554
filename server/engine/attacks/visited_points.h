// Notices that an iteration has come back to a point where it was. If its next point follows from
// its point alone, all that comes then has been seen: signed steps of one length end in cycles
// after some tens of steps (arXiv 2503.19347), mostly to and fro between two points.
//
// Points are known by fingerprints: two sums of products of 64-bit words under random keys (NH of
// Black et al., "UMAC: fast and secure message authentication", CRYPTO 1999, with its second sum
// under the keys shifted by a pair), which for two different points are both equal with probability
// 2^-128.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_VISITED_POINTS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_VISITED_POINTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/engine/attacks/attack.h"

namespace assay::engine {

class VisitedPoints {
 public:
  // Of `size` values; 0: never notices anything.
  explicit VisitedPoints(size_t size);

  // Before an iteration starts elsewhere, and to go through a cycle pass by pass.
  void Clear();
  // The point that an iteration starts at.
  void Start(const std::vector<float>& point);
  // After a step along `gradient` to `point`, with `left` more steps to go: the whole periods among
  // those. Of a zero gradient none, since how many gradients are zero is told to users.
  Repetition Step(const float* gradient, const std::vector<float>& point, int64_t left);

 private:
  __extension__ using Wide = unsigned __int128;
  using Fingerprint = std::array<Wide, 2>;
  // Longer cycles are not noticed.
  static constexpr size_t kRemembered = 64;

  Fingerprint Of(const std::vector<float>& point) const;

  std::vector<uint64_t> keys_;
  std::vector<Fingerprint> visited_;  // the last ones, in a ring
  size_t count_ = 0;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_VISITED_POINTS_H_
