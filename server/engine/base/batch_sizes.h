// The sizes of batches in which a model is run.
//
// The results of an image can depend on the size of its batch: kernels are chosen by it, and sum in
// other orders. So a batch only ever has one of a few sizes, of which it was seen that they give
// the same bits, or always the same one (docs/decisions/0010-lanes.md).
#ifndef ASSAY_SERVER_ENGINE_BASE_BATCH_SIZES_H_
#define ASSAY_SERVER_ENGINE_BASE_BATCH_SIZES_H_

#include <vector>

namespace assay::engine {

class BatchSizes {
 public:
  // At least one size, all positive, in any order.
  explicit BatchSizes(std::vector<int> sizes);

  int smallest() const { return sizes_.front(); }
  int largest() const { return sizes_.back(); }
  // Ascending.
  const std::vector<int>& all() const { return sizes_; }

  // The smallest size that holds `count` images, 1 to largest().
  int Holding(int count) const;

  // How many of `ready` images (at least one) go into the next batch of a lane whose share of all
  // the work is `share` images: about its share, as many as fill a batch exactly where there are
  // enough for that, and all where they do not fill the smallest.
  int Take(int ready, int share) const;

  // The sizes that both have; may be none.
  std::vector<int> Common(const BatchSizes& other) const;

 private:
  std::vector<int> sizes_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_BATCH_SIZES_H_
