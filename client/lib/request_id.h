// Random ids that make retries of Create calls harmless.
#ifndef ASSAY_CLIENT_LIB_REQUEST_ID_H_
#define ASSAY_CLIENT_LIB_REQUEST_ID_H_

#include <string>

namespace assay::client {

// A random UUID (RFC 4122, version 4).
std::string NewRequestId();

}  // namespace assay::client

#endif  // ASSAY_CLIENT_LIB_REQUEST_ID_H_
