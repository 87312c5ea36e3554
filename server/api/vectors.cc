#include "server/api/vectors.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

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

namespace {

// Appends the wanted rows of a task.
absl::Status AddRows(const store::BlobStore& blobs, const v1::OutcomeBatch::Vectors& vectors,
                     const report::WantedVectors& wanted, report::Vectors& table) {
  std::vector<std::ptrdiff_t> rows;
  for (int i = 0; i < vectors.samples_size(); ++i) {
    if (wanted.samples &&
        !std::binary_search(wanted.samples->begin(), wanted.samples->end(), vectors.samples(i))) {
      continue;
    }
    rows.push_back(i);
    table.samples.push_back(vectors.samples(i));
  }
  if (rows.empty() || !wanted.values) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const std::vector<float> values, ReadKept(blobs, vectors));
  for (const std::ptrdiff_t row : rows) {
    const auto begin = values.begin() + row * vectors.size();
    table.values.insert(table.values.end(), begin, begin + vectors.size());
  }
  return absl::OkStatus();
}

// Rows by their samples, whatever the order of the tasks.
void Sort(report::Vectors& table) {
  if (std::is_sorted(table.samples.begin(), table.samples.end())) return;
  std::vector<size_t> order(table.samples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return table.samples[a] < table.samples[b]; });
  report::Vectors sorted;
  sorted.size = table.size;
  for (const size_t row : order) {
    sorted.samples.push_back(table.samples[row]);
    const auto begin =
        table.values.begin() + static_cast<std::ptrdiff_t>(row * static_cast<size_t>(table.size));
    sorted.values.insert(sorted.values.end(), begin, begin + table.size);
  }
  table = std::move(sorted);
}

}  // namespace

absl::StatusOr<std::optional<report::Vectors>> ReadVectors(store::Evaluations& evaluations,
                                                           const store::BlobStore& blobs,
                                                           const std::string& evaluation,
                                                           int condition, v1::VectorKind kind,
                                                           const report::WantedVectors& wanted) {
  ASSAY_ASSIGN_OR_RETURN(const auto next_task, evaluations.ReadOutcomes(evaluation, {condition}));
  std::optional<report::Vectors> table;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const auto task, next_task());
    if (!task) break;
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
    ASSAY_RETURN_IF_ERROR(AddRows(blobs, *vectors, wanted, *table));
  }
  if (table && wanted.values) Sort(*table);
  if (table && !wanted.values) std::sort(table->samples.begin(), table->samples.end());
  return table;
}

}  // namespace assay::api
