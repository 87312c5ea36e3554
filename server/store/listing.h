// Lists in pages.
#ifndef ASSAY_SERVER_STORE_LISTING_H_
#define ASSAY_SERVER_STORE_LISTING_H_

#include <string>
#include <vector>

namespace assay::store {

struct Page {
  int size = 100;
  std::string token;  // opaque; empty: from the start
};

template <typename Record>
struct Listing {
  std::vector<Record> records;
  std::string next_token;  // empty: the end
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_LISTING_H_
