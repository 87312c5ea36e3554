// The parts of a report that are about an attack, and what checks found.
#ifndef ASSAY_CLIENT_RENDER_ATTACK_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_ATTACK_DOCUMENT_H_

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/report_style.h"

namespace assay::render {

using CheckList = google::protobuf::RepeatedPtrField<v1::Check>;

// "0.12, should be at most 0.05"; empty for a check without a limit.
std::string CheckLimit(const v1::Check& check);

// Checks that did not pass, failures first.
void AddFindings(const CheckList& checks, Document& document);

// Success, cost, checks, stages, classes, targets and the security curve of one attack.
void AddAttack(const v1::ConditionReport& condition, const ReportStyle& style, Document& document);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_ATTACK_DOCUMENT_H_
