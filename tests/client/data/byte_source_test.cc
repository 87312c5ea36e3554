#include "client/data/byte_source.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"

namespace assay::client {
namespace {

TEST(ByteSource, ReadsOnlyWhatLiesInside) {
  TempDir dir;
  const std::string path = dir.Write("a", "0123456789");
  const auto file = ByteSource::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto part = file->Slice(2, 5, "part");
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(part->size(), 5);
  EXPECT_EQ(*part->ReadAt(0, 5), "23456");
  EXPECT_EQ(*part->ReadAt(4, 1), "6");
  EXPECT_EQ(*part->ReadAt(5, 0), "");
  EXPECT_EQ(*part->Head(3), "234");
  EXPECT_EQ(*part->Head(100), "23456");
  // The bytes are there, but in the file around the part.
  for (const auto& [offset, count] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 6}, {4, 2}, {5, 1}, {6, 0}, {-1, 2}, {2, -1}, {1, INT64_MAX}, {INT64_MAX, 1}}) {
    ExpectUnreadable(part->ReadAt(offset, count).status(), {"part", "truncated"});
    ExpectUnreadable(part->Slice(offset, count, "inner").status(), {"inner", "part"});
  }
}

TEST(ByteSource, OpensRegularFilesOnly) {
  TempDir dir;
  const std::string pipe = dir.At("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ExpectUnreadable(ByteSource::Open(pipe).status(), {pipe, "pipe (FIFO)", "to a file first"});
  // Of a pipe, /dev/fd/N tells the same.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ExpectUnreadable(ByteSource::Open("/dev/fd/" + std::to_string(ends[0])).status(), {"pipe"});
  close(ends[0]);
  close(ends[1]);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = dir.At("socket");
  ASSERT_LT(name.size(), sizeof(address.sun_path));
  std::copy(name.begin(), name.end(), address.sun_path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ExpectUnreadable(ByteSource::Open(name).status(), {name, "socket"});
  close(socket);
  ExpectUnreadable(ByteSource::Open("/dev/null").status(), {"/dev/null", "device"});
  ExpectUnreadable(ByteSource::Open(dir.path()).status(), {"is a directory"});
  ExpectUnreadable(ByteSource::Open(dir.At("none")).status(), {"No such file"});
}

TEST(ByteSource, OutlivesTheFirstCopy) {
  TempDir dir;
  auto file = ByteSource::Open(dir.Write("a", "0123456789"));
  ASSERT_TRUE(file.ok());
  const auto part = file->Slice(8, 2, "part");
  file = absl::CancelledError("gone");
  EXPECT_EQ(*part->ReadAt(0, 2), "89");
}

TEST(ByteSource, NoticesAFileThatShrinks) {
  TempDir dir;
  const std::string path = dir.Write("a", "0123456789");
  const auto file = ByteSource::Open(path);
  ASSERT_TRUE(file.ok());
  std::filesystem::resize_file(path, 4);
  ExpectUnreadable(file->ReadAt(2, 4).status(), {path, "shorter than 10"});
}

TEST(ByteOrder, LoadsBothOrders) {
  const char bytes[] = "\x01\x80\xff\x04\x05\x06\x07\x88";
  EXPECT_EQ(LoadLittle<uint16_t>(bytes), 0x8001);
  EXPECT_EQ(LoadBig<uint16_t>(bytes), 0x0180);
  EXPECT_EQ(LoadLittle<uint32_t>(bytes), 0x04ff8001u);
  EXPECT_EQ(LoadBig<uint32_t>(bytes), 0x0180ff04u);
  EXPECT_EQ(LoadLittle<uint64_t>(bytes), 0x8807060504ff8001u);
  EXPECT_EQ(LoadBig<uint64_t>(bytes), 0x0180ff0405060788u);
}

}  // namespace
}  // namespace assay::client
