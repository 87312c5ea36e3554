// Comparisons of evaluations as documents.
#ifndef ASSAY_CLIENT_RENDER_COMPARISON_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_COMPARISON_DOCUMENT_H_

#include "assay/v1/comparison.pb.h"
#include "client/render/document.h"

namespace assay::render {

// The evaluations get letters in their order, A and so on, which tables use.
Document ComparisonDocument(const v1::Comparison& comparison);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_COMPARISON_DOCUMENT_H_
