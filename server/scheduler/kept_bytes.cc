#include "server/scheduler/kept_bytes.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/vector_encoding.h"

namespace assay::scheduler {

namespace rpc = ::assay::engine_rpc::v1;

void KeptBytes::Add(const rpc::RunEvent::Adversarials& event, v1::OutcomeBatch* outcomes) {
  outcomes->mutable_adversarials()->mutable_samples()->MergeFrom(event.samples());
  adversarials_ += event.images();
}

void KeptBytes::Add(const rpc::RunEvent::Vectors& event, v1::OutcomeBatch* outcomes) {
  auto* const all = outcomes->mutable_vectors();
  auto found = std::find_if(all->begin(), all->end(),
                            [&](const auto& vectors) { return vectors.kind() == event.kind(); });
  v1::OutcomeBatch::Vectors& vectors = found == all->end() ? *all->Add() : *found;
  vectors.set_kind(event.kind());
  vectors.set_size(event.size());
  vectors.mutable_samples()->MergeFrom(event.samples());
  vectors_[event.kind()] += event.values();
}

absl::Status KeptBytes::Finish(const v1::OutcomeBatch& outcomes) {
  for (const v1::OutcomeBatch::Vectors& vectors : outcomes.vectors()) {
    std::string& bytes = vectors_[vectors.kind()];
    const auto size = static_cast<size_t>(std::max(vectors.size(), 0));
    std::vector<float> values(static_cast<size_t>(vectors.samples_size()) * size);
    if (size == 0 || bytes.size() != values.size() * sizeof(float)) {
      return Error(Reason::kInternal, absl::StrCat("the engine returned ", bytes.size(),
                                                   " bytes of vectors for ", vectors.samples_size(),
                                                   " samples of ", vectors.size(), " numbers"));
    }
    if (values.empty()) continue;
    std::memcpy(values.data(), bytes.data(), bytes.size());
    bytes = store::EncodeVectors(vectors.kind(), values, size);
  }
  return absl::OkStatus();
}

absl::Status KeptBytes::Put(
    const std::function<absl::Status(const std::string& bytes, std::string* digest)>& put,
    v1::OutcomeBatch* outcomes) const {
  if (outcomes->has_adversarials()) {
    ASSAY_RETURN_IF_ERROR(put(adversarials_, outcomes->mutable_adversarials()->mutable_digest()));
  }
  for (v1::OutcomeBatch::Vectors& vectors : *outcomes->mutable_vectors()) {
    if (vectors.samples().empty()) continue;
    ASSAY_RETURN_IF_ERROR(put(vectors_.at(vectors.kind()), vectors.mutable_digest()));
  }
  return absl::OkStatus();
}

}  // namespace assay::scheduler
