// Judged gates, for people and for programs.
#ifndef ASSAY_CLIENT_RENDER_GATE_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_GATE_DOCUMENT_H_

#include <string>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "core/report/gates.h"
#include "nlohmann/json.hpp"

namespace assay::render {

// A heading, and a table with a row for each gate; nothing without gates.
void AddGates(const std::vector<report::GateResult>& gates, Document& document);

// What stands in the member "gates" of a report as JSON (docs/gates.md).
nlohmann::ordered_json GatesJson(const std::vector<report::GateResult>& gates);

// JUnit's XML: a suite for the evaluation and a case for each gate. A gate that does not hold is a
// failure, of the type "failed" or "undecided", and one that cannot be judged is an error.
std::string GatesJunit(const v1::Report& report, const std::vector<report::GateResult>& gates);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_GATE_DOCUMENT_H_
