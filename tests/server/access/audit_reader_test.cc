#include "server/access/audit_reader.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "server/monitoring/metrics.h"

namespace assay::access {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kStart = 1'800'000'000 * kSecond;

class AuditReaderTest : public ::testing::Test {
 protected:
  AuditReaderTest() {
    std::string pattern = (fs::temp_directory_path() / "assay-audit-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
    path_ = File("audit.jsonl");
  }
  ~AuditReaderTest() override { fs::remove_all(directory_); }
  std::string File(const std::string& name) const { return absl::StrCat(directory_, "/", name); }

  // A call that came so many seconds after the start.
  static AuditEntry Entry(int64_t second, const std::string& who = "ci") {
    AuditEntry entry;
    entry.time_micros = kStart + second * kSecond;
    entry.who = who;
    entry.by = "token";
    entry.peer = "ipv4:10.0.0.7:4711";
    entry.method = "/assay.v1.ModelService/DeleteModel";
    entry.resource = absl::StrCat("models/m", second);
    entry.allowed = true;
    entry.code = "OK";
    return entry;
  }
  void Write(const AuditEntry& entry) {
    if (log_ == nullptr) log_ = *AuditLog::Open(path_, metrics_);
    ASSERT_TRUE(log_->Write(entry));
  }
  // As logrotate does, the file before last written then.
  void Rotate(const std::string& to, int hours_ago) {
    fs::rename(path_, to);
    fs::last_write_time(to, fs::file_time_type::clock::now() - std::chrono::hours(hours_ago));
    log_->Reopen();
  }
  std::vector<std::string> Resources(AuditQuery query) {
    std::vector<std::string> found;
    do {
      const auto page = ReadAudit(path_, query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return found;
      EXPECT_LE(page->entries.size(), query.most);
      for (const AuditEntry& entry : page->entries) found.push_back(entry.resource);
      query.page_token = page->next_token;
    } while (!query.page_token.empty());
    return found;
  }

  monitoring::Metrics metrics_;
  std::string directory_;
  std::string path_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditReaderTest, AnEntryIsReadAsItWasWritten) {
  AuditEntry entry = Entry(1);
  entry.request_id = "5b0c";
  entry.reason = "IN_USE";
  entry.code = "FAILED_PRECONDITION";
  entry.allowed = false;
  entry.seconds = 1.25;
  Write(entry);
  const auto page = ReadAudit(path_, {});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->entries.size(), 1);
  const AuditEntry& read = page->entries[0];
  EXPECT_EQ(read.time_micros, entry.time_micros);
  EXPECT_EQ(read.who, "ci");
  EXPECT_EQ(read.by, "token");
  EXPECT_EQ(read.peer, entry.peer);
  EXPECT_EQ(read.method, entry.method);
  EXPECT_EQ(read.resource, "models/m1");
  EXPECT_EQ(read.request_id, "5b0c");
  EXPECT_FALSE(read.allowed);
  EXPECT_EQ(read.code, entry.code);
  EXPECT_EQ(read.reason, "IN_USE");
  EXPECT_EQ(read.seconds, 1.25);
  EXPECT_EQ(page->next_token, "");
}

TEST_F(AuditReaderTest, RotatedFilesFollowTheCurrentOneAndThePagesGoThroughAllOfThem) {
  for (int i = 0; i < 3; ++i) Write(Entry(i));
  Rotate(path_ + "-20261129", 48);
  for (int i = 3; i < 5; ++i) Write(Entry(i));
  Rotate(path_ + ".1", 24);
  for (int i = 5; i < 8; ++i) Write(Entry(i));
  // Not of this log, or not to be read.
  std::ofstream(File("audit.jsonl.3.gz")) << "x";
  fs::copy_file(path_, File("other-audit.jsonl"));
  const auto all = ElementsAre("models/m7", "models/m6", "models/m5", "models/m4", "models/m3",
                               "models/m2", "models/m1", "models/m0");
  for (const size_t most : {1, 2, 3, 7, 8, 100}) {
    AuditQuery query;
    query.most = most;
    EXPECT_THAT(Resources(query), all) << most;
  }
}

TEST_F(AuditReaderTest, APageGoesOnWhereTheLastOneEndedThoughTheFileWasRotated) {
  for (int i = 0; i < 4; ++i) Write(Entry(i));
  AuditQuery query;
  query.most = 2;
  const auto first = ReadAudit(path_, query);
  ASSERT_TRUE(first.ok()) << first.status();
  Rotate(path_ + ".1", 1);
  Write(Entry(9));
  query.page_token = first->next_token;
  EXPECT_THAT(Resources(query), ElementsAre("models/m1", "models/m0"));
  // What is gone cannot be gone on with.
  fs::remove(path_ + ".1");
  EXPECT_EQ(ReasonOf(ReadAudit(path_, query).status()), Reason::kInvalidArgument);
  query.page_token = "nonsense";
  EXPECT_EQ(ReasonOf(ReadAudit(path_, query).status()), Reason::kInvalidArgument);
}

TEST_F(AuditReaderTest, FiltersHoldTogether) {
  for (int i = 0; i < 10; ++i) {
    AuditEntry entry = Entry(i, i % 2 == 0 ? "ci" : "me");
    entry.allowed = i != 4;
    if (i == 6) entry.method = "/assay.v1.ModelService/CreateModel";
    Write(entry);
  }
  AuditQuery query;
  query.since_micros = kStart + 2 * kSecond;
  query.until_micros = kStart + 8 * kSecond;
  EXPECT_EQ(Resources(query).size(), 6);
  query.who = "ci";
  EXPECT_THAT(Resources(query), ElementsAre("models/m6", "models/m4", "models/m2"));
  query.method = "Delete";
  EXPECT_THAT(Resources(query), ElementsAre("models/m4", "models/m2"));
  query.resource = "m2";
  EXPECT_THAT(Resources(query), ElementsAre("models/m2"));
  query.resource = "";
  query.denied_only = true;
  EXPECT_THAT(Resources(query), ElementsAre("models/m4"));
}

TEST_F(AuditReaderTest, WhatBeganLongAgoIsFoundThoughItEndedLately) {
  Write(Entry(100));
  AuditEntry slow = Entry(10);
  slow.seconds = 100;
  Write(slow);
  AuditQuery query;
  query.since_micros = kStart + 50 * kSecond;
  EXPECT_THAT(Resources(query), ElementsAre("models/m100"));
  query.since_micros = kStart + 5 * kSecond;
  EXPECT_THAT(Resources(query), ElementsAre("models/m10", "models/m100"));
}

TEST_F(AuditReaderTest, LinesThatAreNoEntriesArePassedOver) {
  Write(Entry(1));
  std::ofstream file(path_, std::ios::app);
  file << "{\"time\":\"2026-\n"
       << "[1]\n\n"
       << R"({"event":"audit log works again","lines_lost":3})"
       << "\n";
  // Longer than a block that is read at once, and one without an end.
  file << std::string(200'000, 'x') << "\n" << std::flush;
  Write(Entry(2));
  file << "{\"time\":" << std::flush;
  EXPECT_THAT(Resources({}), ElementsAre("models/m2", "models/m1"));
}

TEST_F(AuditReaderTest, ManyLinesAreReadInPagesOfBoundedWork) {
  const int count = 10'000;
  const std::string peer(2000, 'p');
  {
    std::ofstream file(path_);
    for (int i = 0; i < count; ++i) {
      file << R"({"time":"2027-01-15T08:00:00.000Z","who":"ci","method":"/assay.v1.X/Y",)"
           << R"("resource":"models/m)" << i << R"(","peer":")" << peer
           << R"(","allowed":true,"code":"OK"})"
           << "\n";
    }
  }
  ASSERT_GT(fs::file_size(path_), kAuditBytesAPage);
  AuditQuery query;
  query.resource = "models/m0";
  const auto first = ReadAudit(path_, query);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->entries, IsEmpty());
  EXPECT_NE(first->next_token, "");
  EXPECT_THAT(Resources(query), ElementsAre("models/m0"));
}

TEST_F(AuditReaderTest, WithoutAFileThereIsNothing) { EXPECT_THAT(Resources({}), IsEmpty()); }

}  // namespace
}  // namespace assay::access
