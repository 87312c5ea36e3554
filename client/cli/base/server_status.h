// How the state of a server is shown, as tables and as the frame of `assay top`.
#ifndef ASSAY_CLIENT_CLI_BASE_SERVER_STATUS_H_
#define ASSAY_CLIENT_CLI_BASE_SERVER_STATUS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "assay/v1/admin.pb.h"
#include "client/render/document.h"

namespace assay::cli {

// "takes work", "paused since ... (reason)", "draining, 2 tasks run".
std::string ControlText(const v1::QueueControl& control);

// A row for each thing that can be told.
render::Table StatusTable(const v1::ServerStatus& status);
// A row for each worker.
render::Table WorkersTable(const v1::ServerStatus& status);

// What `assay top` shows: lines of at most `width` columns, at most `height` of them (0: any
// number), printable whatever the names in it are.
struct FrameLine {
  enum class Style { kPlain, kTitle, kHead, kNotice };
  std::string text;
  Style style = Style::kPlain;
};
struct Frame {
  size_t width = 80;
  size_t height = 24;
  std::string address;
  // Why `status` is not of now; empty: it is.
  std::string trouble;
};
// `before`: an earlier state of the same server, for rates; nullptr: none. `status` may be empty
// while there is trouble.
std::vector<FrameLine> TopFrame(const v1::ServerStatus& status, const v1::ServerStatus* before,
                                const Frame& frame);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_SERVER_STATUS_H_
