#include "server/api/vectors.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/vector_encoding.h"

namespace assay::api {

const v1::OutcomeBatch::Vectors* KeptOf(const v1::OutcomeBatch& outcomes, v1::VectorKind kind) {
  for (const v1::OutcomeBatch::Vectors& vectors : outcomes.vectors()) {
    if (vectors.kind() == kind) return &vectors;
  }
  return nullptr;
}

absl::StatusOr<std::vector<float>> ReadKept(const store::BlobStore& blobs,
                                            const v1::OutcomeBatch::Vectors& vectors) {
  if (vectors.samples().empty()) return std::vector<float>();
  ASSAY_ASSIGN_OR_RETURN(const std::string bytes, blobs.Read(vectors.digest()));
  return store::DecodeVectors(vectors.kind(), bytes, static_cast<size_t>(vectors.samples_size()),
                              static_cast<size_t>(vectors.size()));
}

absl::StatusOr<std::optional<VectorTable>> ReadVectors(store::Evaluations& evaluations,
                                                       const store::BlobStore& blobs,
                                                       const std::string& evaluation, int condition,
                                                       v1::VectorKind kind) {
  ASSAY_ASSIGN_OR_RETURN(const auto next_task, evaluations.ReadOutcomes(evaluation, {condition}));
  std::optional<VectorTable> table;
  while (true) {
    // Tasks come by their samples.
    ASSAY_ASSIGN_OR_RETURN(const auto task, next_task());
    if (!task) return table;
    const v1::OutcomeBatch::Vectors* const vectors = KeptOf(task->outcomes, kind);
    if (vectors == nullptr) continue;
    if (!table) table.emplace().size = vectors->size();
    if (table->size != vectors->size()) {
      return Error(Reason::kInternal,
                   absl::StrCat("the vectors that ", evaluation, " kept under its condition ",
                                condition, " have ", table->size, " and ", vectors->size(),
                                " numbers"))
          .ToStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(const std::vector<float> values, ReadKept(blobs, *vectors));
    table->samples.insert(table->samples.end(), vectors->samples().begin(),
                          vectors->samples().end());
    table->values.insert(table->values.end(), values.begin(), values.end());
  }
}

}  // namespace assay::api
