#include "server/monitoring/systemd.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace assay::monitoring {
namespace {

// What arrives at a socket of that name.
std::string Received(const std::string& name, const std::string& lines) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), address.sun_path);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  EXPECT_TRUE(NotifySystemd(name.c_str(), lines));
  char buffer[256];
  const ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
  close(fd);
  return size < 0 ? "nothing" : std::string(buffer, static_cast<size_t>(size));
}

TEST(Systemd, IsToldOverAPathOrAName) {
  const std::string path = absl::StrCat("/tmp/assay_notify_", getpid());
  EXPECT_EQ(Received(path, "READY=1\nSTATUS=serves"), "READY=1\nSTATUS=serves");
  unlink(path.c_str());
  EXPECT_EQ(Received(absl::StrCat("@assay_notify_", getpid()), "STOPPING=1"), "STOPPING=1");
}

TEST(Systemd, IsNotThereElsewhere) {
  EXPECT_TRUE(NotifySystemd(nullptr, "READY=1"));
  EXPECT_TRUE(NotifySystemd("", "READY=1"));
  EXPECT_FALSE(NotifySystemd("/nowhere/at/all", "READY=1"));
  EXPECT_FALSE(NotifySystemd(std::string(200, 'a').c_str(), "READY=1"));
}

}  // namespace
}  // namespace assay::monitoring
