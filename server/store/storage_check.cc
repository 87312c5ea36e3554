#include "server/store/storage_check.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"

namespace assay::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kStepTime = std::chrono::milliseconds(250);
constexpr int kShards = 256;
// Looking up who names a blob reads whole tables.
constexpr int64_t kMostLookUps = 1000;

std::string ShardName(int shard) { return absl::StrFormat("%02x", shard); }

bool Contains(const std::vector<std::string>& sorted, const std::string& digest) {
  return std::binary_search(sorted.begin(), sorted.end(), digest);
}

}  // namespace

struct StorageCheck::OpenBlob {
  std::unique_ptr<BlobStore::Reader> reader;
  int64_t size = 0;
  Sha256 hash;
};

StorageCheck::StorageCheck(std::unique_ptr<DatabaseReader> database, BlobStore& blobs, bool repair,
                           std::function<absl::StatusOr<BlobCount>()> sweep)
    : database_(std::move(database)),
      blobs_(blobs),
      repair_(repair),
      sweep_(std::move(sweep)),
      start_(SteadyClock::now()) {}

StorageCheck::~StorageCheck() = default;

v1::CheckStorageResponse StorageCheck::ProgressNow() const {
  v1::CheckStorageResponse message;
  auto& progress = *message.mutable_progress();
  progress.set_phase(phase_ == Phase::kDatabase ? "database" : "blobs");
  progress.set_checked_blobs(summary_.checked_blobs());
  progress.set_checked_bytes(summary_.checked_bytes());
  const BlobCount all = blobs_.Count();
  progress.set_blobs(all.blobs);
  progress.set_bytes(all.bytes);
  return message;
}

absl::StatusOr<bool> StorageCheck::Next(v1::CheckStorageResponse* message) {
  if (!said_phase_) {
    // Before SQLite's check, which can take long.
    said_phase_ = true;
    *message = ProgressNow();
    return true;
  }
  const auto begin = SteadyClock::now();
  while (messages_.empty() && phase_ != Phase::kEnd && SteadyClock::now() - begin < kStepTime) {
    ASSAY_RETURN_IF_ERROR(Step());
  }
  if (!messages_.empty()) {
    message->Swap(&messages_.front());
    messages_.pop_front();
    return true;
  }
  if (phase_ == Phase::kEnd) return false;
  *message = ProgressNow();
  return true;
}

absl::Status StorageCheck::Step() {
  switch (phase_) {
    case Phase::kDatabase:
      return CheckDatabase();
    case Phase::kBlobs:
      if (open_ != nullptr) return ReadPiece();
      if (!in_shard_) return shard_ < group_end_ ? BeginShard() : BeginGroup();
      return file_ < files_.size() ? ReadPiece() : EndShard();
    case Phase::kSweep: {
      phase_ = Phase::kSummary;
      if (!repair_) return absl::OkStatus();
      ASSAY_ASSIGN_OR_RETURN(const BlobCount removed, sweep_());
      summary_.set_repaired(summary_.repaired() + removed.blobs);
      return absl::OkStatus();
    }
    case Phase::kSummary: {
      phase_ = Phase::kEnd;
      const std::chrono::duration<double> seconds = SteadyClock::now() - start_;
      summary_.set_seconds(seconds.count());
      *messages_.emplace_back().mutable_summary() = summary_;
      return absl::OkStatus();
    }
    case Phase::kEnd:
      break;
  }
  return absl::OkStatus();
}

absl::Status StorageCheck::CheckDatabase() {
  const auto problems = database_->FindProblems();
  if (!problems.ok()) {
    // A database that is broken so badly cannot be asked what blobs it names.
    phase_ = Phase::kSummary;
    return Say(Finding::DATABASE, "", 0, std::string(problems.status().message()));
  }
  for (const std::string& problem : *problems) {
    ASSAY_RETURN_IF_ERROR(Say(Finding::DATABASE, "", 0, problem));
  }
  ASSAY_ASSIGN_OR_RETURN(const int64_t references, database_->CountReferences());
  const int64_t groups = references / std::max<int64_t>(1, most_references) + 1;
  group_size_ = static_cast<int>(std::max<int64_t>(1, kShards / groups));
  phase_ = Phase::kBlobs;
  return absl::OkStatus();
}

absl::Status StorageCheck::BeginGroup() {
  if (shard_ == kShards) {
    phase_ = Phase::kSweep;
    return absl::OkStatus();
  }
  group_end_ = std::min(kShards, shard_ + group_size_);
  ASSAY_ASSIGN_OR_RETURN(references_,
                         database_->References(ShardName(shard_), ShardName(group_end_ - 1)));
  if (on_references != nullptr) on_references();
  return absl::OkStatus();
}

absl::Status StorageCheck::BeginShard() {
  in_shard_ = true;
  file_ = 0;
  files_.clear();
  corrupt_.clear();
  const std::string name = ShardName(shard_);
  ASSAY_ASSIGN_OR_RETURN(files_, blobs_.FilesOf(name));
  std::sort(files_.begin(), files_.end());
  return absl::OkStatus();
}

absl::Status StorageCheck::ReadPiece() {
  const std::string& name = files_[file_];
  if (open_ == nullptr) {
    const bool belongs = IsDigest(name) && name.compare(0, 2, ShardName(shard_)) == 0;
    if (!belongs) {
      ++file_;
      return Say(Finding::UNKNOWN_FILE, name, 0,
                 absl::StrCat("blobs/", ShardName(shard_), " has a file that is no blob"));
    }
    auto reader = blobs_.OpenStored(name);
    // Storage that does not answer ends the check; a single blob that cannot be read does not.
    if (ReasonOf(reader.status()) == Reason::kUnavailable) return reader.status();
    if (!reader.ok()) {
      // One that is gone was deleted meanwhile, or will be found missing.
      if (ReasonOf(reader.status()) != Reason::kChunkMissing) {
        EndFile(name, 0, "", std::string(reader.status().message()));
      }
      ++file_;
      return absl::OkStatus();
    }
    open_ = std::make_unique<OpenBlob>();
    open_->reader = *std::move(reader);
  }
  const auto piece = open_->reader->Next();
  if (ReasonOf(piece.status()) == Reason::kUnavailable) return piece.status();
  if (piece.ok() && !piece->empty()) {
    const auto count = static_cast<int64_t>(piece->size());
    open_->hash.Update(*piece);
    open_->size += count;
    summary_.set_checked_bytes(summary_.checked_bytes() + count);
    return absl::OkStatus();
  }
  std::string problem;
  if (!piece.ok()) {
    problem = std::string(piece.status().message());
  } else if (const std::string actual = open_->hash.HexDigest(); actual != name) {
    problem = absl::StrCat("its ", open_->size, " bytes have the SHA-256 ", actual);
  }
  EndFile(name, open_->size, open_->reader->version(), problem);
  open_.reset();
  ++file_;
  return absl::OkStatus();
}

void StorageCheck::EndFile(const std::string& digest, int64_t size, const std::string& version,
                           const std::string& problem) {
  summary_.set_checked_blobs(summary_.checked_blobs() + 1);
  if (!problem.empty()) corrupt_.push_back({digest, size, version, problem});
}

absl::Status StorageCheck::EndShard() {
  const std::string name = ShardName(shard_);
  const auto first = std::lower_bound(references_.begin(), references_.end(), name);
  const auto last = std::lower_bound(first, references_.end(), absl::StrCat(name, "g"));
  std::vector<std::string> named(first, last);
  std::vector<std::string> missing, orphans;
  std::set_difference(named.begin(), named.end(), files_.begin(), files_.end(),
                      std::back_inserter(missing));
  std::set_difference(files_.begin(), files_.end(), named.begin(), named.end(),
                      std::back_inserter(orphans));
  if (!missing.empty() || !orphans.empty()) {
    // As of now: what was deleted or stored since the last look is neither.
    ASSAY_ASSIGN_OR_RETURN(named, database_->References(name, name));
  }
  for (const std::string& digest : missing) {
    if (!Contains(named, digest)) continue;
    const auto state = blobs_.StateOf(digest);
    if (state.ok()) continue;
    if (ReasonOf(state.status()) == Reason::kUnavailable) return state.status();
    summary_.set_missing_blobs(summary_.missing_blobs() + 1);
    ASSAY_RETURN_IF_ERROR(Say(Finding::MISSING_BLOB, digest, 0, "is named, but not there"));
  }
  for (const Corrupt& corrupt : corrupt_) {
    const auto state = blobs_.StateOf(corrupt.digest);
    if (!state.ok()) continue;  // deleted meanwhile
    // Brought again meanwhile.
    if (!corrupt.version.empty() && corrupt.version != state->version) continue;
    bool repaired = false;
    std::string problem = corrupt.problem;
    // One that could not be opened may be whole.
    if (repair_ && !corrupt.version.empty()) {
      const absl::Status moved = blobs_.MoveAside(corrupt.digest);
      repaired = moved.ok();
      absl::StrAppend(&problem, repaired
                                    ? "; moved to blobs/corrupt, so that an upload brings it again"
                                    : "; cannot be moved aside");
    }
    summary_.set_corrupt_blobs(summary_.corrupt_blobs() + 1);
    if (repaired) summary_.set_repaired(summary_.repaired() + 1);
    ASSAY_RETURN_IF_ERROR(
        Say(Finding::CORRUPT_BLOB, corrupt.digest, corrupt.size, problem, repaired));
  }
  for (const std::string& digest : orphans) {
    if (!IsDigest(digest) || Contains(named, digest)) continue;
    const auto state = blobs_.StateOf(digest);
    if (!state.ok() || state->held) continue;
    summary_.set_orphaned_blobs(summary_.orphaned_blobs() + 1);
    summary_.set_orphaned_bytes(summary_.orphaned_bytes() + state->bytes);
    ASSAY_RETURN_IF_ERROR(Say(Finding::ORPHANED_BLOB, digest, state->bytes,
                              "nothing names or holds it; the next sweep removes it"));
  }
  in_shard_ = false;
  ++shard_;
  return absl::OkStatus();
}

absl::Status StorageCheck::Say(Finding::Kind kind, const std::string& digest, int64_t size,
                               const std::string& text, bool repaired) {
  if (kind == Finding::DATABASE) summary_.set_database_problems(summary_.database_problems() + 1);
  if (kind == Finding::UNKNOWN_FILE) summary_.set_unknown_files(summary_.unknown_files() + 1);
  Finding& finding = *messages_.emplace_back().mutable_finding();
  finding.set_kind(kind);
  finding.set_digest(digest);
  finding.set_size_bytes(size);
  finding.set_text(text);
  finding.set_repaired(repaired);
  if (kind != Finding::CORRUPT_BLOB && kind != Finding::MISSING_BLOB) return absl::OkStatus();
  if (++looked_up_ > kMostLookUps) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> users, database_->UsersOf(digest));
  for (const std::string& user : users) finding.add_users(user);
  return absl::OkStatus();
}

}  // namespace assay::store
