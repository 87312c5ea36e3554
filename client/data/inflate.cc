#include "client/data/inflate.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr int64_t kBufferBytes = 256 << 10;

// A file that disappears with its descriptor.
class TemporaryFile {
 public:
  TemporaryFile() = default;
  ~TemporaryFile() {
    if (fd_ >= 0) close(fd_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  absl::Status Create() {
    const char* root = std::getenv("TMPDIR");
    directory_ = root != nullptr && *root != '\0' ? root : "/tmp";
    std::string path = absl::StrCat(directory_, "/assay-XXXXXX");
    fd_ = mkostemp(path.data(), O_CLOEXEC);
    if (fd_ < 0) {
      return Error(Reason::kStorageFailed,
                   absl::StrCat("cannot create a temporary file in ", directory_, " (",
                                ErrnoText(errno), "); set TMPDIR to a writable directory"))
          .ToStatus();
    }
    unlink(path.c_str());
    return absl::OkStatus();
  }

  absl::Status Append(const char* bytes, int64_t count) {
    while (count > 0) {
      const ssize_t put = write(fd_, bytes, static_cast<size_t>(count));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        return Error(errno == ENOSPC || errno == EDQUOT ? Reason::kStorageFull
                                                        : Reason::kStorageFailed,
                     absl::StrCat("cannot write decompressed data to ", directory_, " (",
                                  ErrnoText(errno), "); set TMPDIR to a directory with room"))
            .ToStatus();
      }
      bytes += put;
      count -= put;
      size_ += put;
    }
    return absl::OkStatus();
  }

  ByteSource Release(const std::string& name) {
    const int fd = fd_;
    fd_ = -1;
    return ByteSource::Adopt(fd, size_, name);
  }

 private:
  std::string directory_;
  int fd_ = -1;
  int64_t size_ = 0;
};

class Inflater {
 public:
  // Window bits as in zlib: 15 + 16 for gzip, -15 for raw deflate.
  explicit Inflater(int window_bits) { ready_ = inflateInit2(&stream_, window_bits) == Z_OK; }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

absl::StatusOr<ByteSource> Inflate(const ByteSource& in, int window_bits,
                                   const InflateExpectation* expected) {
  const int64_t limit = expected != nullptr ? expected->size : kMaxInflatedBytes;
  if (limit > kMaxInflatedBytes) {
    return Unreadable(in.name(),
                      absl::StrCat("would decompress to ", limit, " bytes, over the ",
                                   kMaxInflatedBytes, " that are accepted; store it uncompressed"));
  }
  Inflater inflater(window_bits);
  if (!inflater.ready()) return Error(Reason::kInternal, "zlib did not start");
  TemporaryFile file;
  ASSAY_RETURN_IF_ERROR(file.Create());

  z_stream& stream = inflater.stream();
  std::vector<char> input(kBufferBytes), output(kBufferBytes);
  int64_t consumed = 0, produced = 0;
  uint32_t crc = 0;
  bool ended = false;
  stream.avail_out = static_cast<uInt>(kBufferBytes);
  while (!ended || consumed < in.size() || stream.avail_in > 0) {
    // A full output buffer means that zlib may hold more output than it needs input for.
    if (stream.avail_in == 0 && (ended || stream.avail_out > 0)) {
      const int64_t count = std::min(kBufferBytes, in.size() - consumed);
      if (count == 0) {
        return Unreadable(in.name(),
                          "its compressed data ends early; it is truncated: fetch it again");
      }
      ASSAY_RETURN_IF_ERROR(in.ReadAt(consumed, count, input.data()));
      consumed += count;
      stream.next_in = reinterpret_cast<Bytef*>(input.data());
      stream.avail_in = static_cast<uInt>(count);
    }
    if (ended) {
      // gzip files may be concatenated; a zip member ends once.
      if (expected != nullptr) {
        return Unreadable(in.name(),
                          "has bytes after the end of its compressed data; it is damaged");
      }
      inflateReset(&stream);
      ended = false;
    }
    stream.next_out = reinterpret_cast<Bytef*>(output.data());
    stream.avail_out = static_cast<uInt>(kBufferBytes);
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return Unreadable(in.name(), absl::StrCat("its compressed data is damaged (",
                                                stream.msg != nullptr ? stream.msg : "zlib error",
                                                "): fetch it again"));
    }
    const int64_t count = kBufferBytes - stream.avail_out;
    produced += count;
    if (produced > limit) {
      return Unreadable(in.name(), absl::StrCat("decompresses to more than ", limit, " bytes",
                                                expected != nullptr
                                                    ? ", which its archive announces; it is damaged"
                                                    : "; store it uncompressed"));
    }
    if (produced > kFreeInflatedBytes &&
        produced / kMaxInflateRatio > consumed - static_cast<int64_t>(stream.avail_in)) {
      return Unreadable(in.name(),
                        absl::StrCat("grows more than ", kMaxInflateRatio,
                                     "-fold when decompressed, which images do not; if it is "
                                     "genuine, store it uncompressed"));
    }
    crc = static_cast<uint32_t>(
        crc32(crc, reinterpret_cast<const Bytef*>(output.data()), static_cast<uInt>(count)));
    ASSAY_RETURN_IF_ERROR(file.Append(output.data(), count));
    ended = result == Z_STREAM_END;
  }
  if (expected != nullptr && (produced != expected->size || crc != expected->crc)) {
    return Unreadable(in.name(),
                      absl::StrCat("decompresses to ", produced, " bytes that are not the ",
                                   expected->size, " its archive announces; it is damaged"));
  }
  return file.Release(in.name());
}

}  // namespace

absl::StatusOr<ByteSource> Gunzip(const ByteSource& compressed) {
  return Inflate(compressed, 15 + 16, nullptr);
}

absl::StatusOr<ByteSource> InflateMember(const ByteSource& compressed,
                                         const InflateExpectation& expected) {
  return Inflate(compressed, -15, &expected);
}

}  // namespace assay::client
