// Microseconds since the Unix epoch to and from protobuf timestamps.
#ifndef ASSAY_SERVER_API_TIMESTAMPS_H_
#define ASSAY_SERVER_API_TIMESTAMPS_H_

#include <cstdint>

#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace assay::api {

inline google::protobuf::Timestamp ToTimestamp(int64_t micros) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(micros);
}
inline int64_t ToMicros(const google::protobuf::Timestamp& timestamp) {
  return google::protobuf::util::TimeUtil::TimestampToMicroseconds(timestamp);
}

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_TIMESTAMPS_H_
