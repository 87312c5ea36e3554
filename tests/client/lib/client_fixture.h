// A client of a fake server whose time does not pass: waits are recorded, and move a clock.
#ifndef ASSAY_TESTS_CLIENT_LIB_CLIENT_FIXTURE_H_
#define ASSAY_TESTS_CLIENT_LIB_CLIENT_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/lib/client.h"
#include "core/base/manifest.h"
#include "gtest/gtest.h"
#include "tests/client/lib/fake_server.h"
#include "tests/manual_clock.h"

namespace assay::client {

class ClientFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    ClientOptions options;
    options.address = server_.address();
    options.interrupt = &interrupt_;
    options.retry.clock = &clock_;
    options.retry.sleep = [this](double seconds) {
      waits_.push_back(seconds);
      clock_.AdvanceSeconds(seconds);
      return !interrupt_.triggered();
    };
    auto client = Client::Connect(options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  FakeServer server_;
  FakeServer::LockedState state() { return server_.state(); }
  Interrupt interrupt_;
  ManualClock clock_;
  std::vector<double> waits_;
  std::unique_ptr<Client> client_;
};

// Images whose pixels and labels are known: byte i of sample s is s + i, its label s % 10.
class CountingReader : public DatasetReader {
 public:
  CountingReader(int64_t size, int side) : size_(size) {
    shape_.set_channels(1);
    shape_.set_height(side);
    shape_.set_width(side);
  }
  const v1::ImageShape& shape() const override { return shape_; }
  v1::PixelType pixel_type() const override { return v1::UINT8; }
  const std::vector<std::string>& class_names() const override { return names_; }
  int64_t size() const override { return size_; }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    reads_.emplace_back(first, count);
    if (fails_at_ >= 0 && first + count > fails_at_) {
      return Error(Reason::kUnreadableInput, "the disk is gone");
    }
    for (int64_t s = first; s < first + count; ++s) {
      labels->push_back(static_cast<int32_t>(s % 10));
      for (int i = 0; i < shape_.height() * shape_.width(); ++i) {
        pixels->push_back(static_cast<char>((s + i + salt_) & 0xff));
      }
    }
    return absl::OkStatus();
  }

  std::vector<std::pair<int64_t, int64_t>> reads_;
  int64_t fails_at_ = -1;
  int salt_ = 0;

 private:
  int64_t size_;
  v1::ImageShape shape_;
  std::vector<std::string> names_{"zero", "one"};
};

}  // namespace assay::client

#endif  // ASSAY_TESTS_CLIENT_LIB_CLIENT_FIXTURE_H_
