// How much interval propagation loses against optimal propagation in the network that is linear
// around one image (Mao, Mueller, Fischer and Vechev, "Understanding certified training with
// interval bound propagation", ICLR 2024, arXiv 2306.10426).
#ifndef ASSAY_SERVER_ENGINE_BOUNDS_TIGHTNESS_H_
#define ASSAY_SERVER_ENGINE_BOUNDS_TIGHTNESS_H_

#include <optional>
#include <vector>

#include "server/engine/bounds/network.h"

namespace assay::engine::bounds {

// With every activation replaced by its slope at the image, and every pooling by the element that
// it chose, the network is a product of matrices, J = W_L D W_(L-1) ... W_1. A box of radius eps
// around the image has the logits' exact box with radii eps |J| 1, and interval propagation gives
// eps |W_L| |D| |W_(L-1)| ... |W_1| 1. Returns the mean over the logits of the first over the
// second: 1 where intervals lose nothing, towards 0 where they explode. Nothing where a logit does
// not depend on the image (0/0). `values` are those of Network::Evaluate.
std::optional<double> Tightness(const Network& network,
                                const std::vector<std::vector<double>>& values);

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_BOUNDS_TIGHTNESS_H_
