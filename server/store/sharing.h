// Who else uses what is stored.
#ifndef ASSAY_SERVER_STORE_SHARING_H_
#define ASSAY_SERVER_STORE_SHARING_H_

namespace assay::store {

// What the opener knows of other processes.
enum class Sharing {
  kShared,     // they may use it, too
  kExclusive,  // none does
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SHARING_H_
