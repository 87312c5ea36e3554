#include "server/api/stored_metadata.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::api {

absl::StatusOr<MetadataTable> ReadStoredMetadata(const store::BlobStore& blobs,
                                                 const v1::SampleMetadata& declared,
                                                 std::optional<int64_t> samples) {
  ASSAY_ASSIGN_OR_RETURN(const std::string csv, blobs.Read(declared.digest()));
  const auto bad = [](const std::string& text) {
    return Error(Reason::kInvalidDataset, absl::StrCat("the metadata of the samples: ", text))
        .ToStatus();
  };
  if (static_cast<int64_t>(csv.size()) != declared.size_bytes()) {
    return bad(absl::StrCat("has ", csv.size(), " bytes; declared are ", declared.size_bytes()));
  }
  ASSAY_ASSIGN_OR_RETURN(MetadataTable table, ReadDeclaredMetadata(declared, csv));
  if (table.samples != samples.value_or(table.samples)) {
    return bad(absl::StrCat("has ", table.samples, " rows, but there are ", *samples, " samples"));
  }
  return table;
}

}  // namespace assay::api
