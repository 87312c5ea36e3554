#include "core/report/ready_made_report.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/report/corruption_summary.h"
#include "google/protobuf/util/time_util.h"

namespace assay::report {
namespace {

// Of all parts together: one model, from the first start to the last end. Each part has data of its
// own, so that there is no digest of it.
void AddProvenance(const v1::Provenance& part, v1::Provenance* all) {
  if (all->create_time().seconds() == 0) {
    *all = part;
    all->clear_dataset_digest();
    return;
  }
  if (part.create_time() < all->create_time()) *all->mutable_create_time() = part.create_time();
  if (part.start_time() < all->start_time()) *all->mutable_start_time() = part.start_time();
  if (part.end_time() > all->end_time()) *all->mutable_end_time() = part.end_time();
  all->set_model_seconds(all->model_seconds() + part.model_seconds());
  all->set_other_seconds(all->other_seconds() + part.other_seconds());
  all->set_reused_samples(all->reused_samples() + part.reused_samples());
}

}  // namespace

std::string ReadyMadeId(const std::string& set, const std::string& corruption, int severity) {
  return absl::StrCat(set, "/", corruption, "/", severity);
}

v1::Report CombineReadyMade(const std::string& set, const std::vector<ReadyMadePart>& parts,
                            const v1::ReferenceErrors* reference, const v1::ImageShape& shape) {
  v1::Report combined;
  combined.set_evaluation(absl::StrCat(parts.size(), " evaluations"));
  combined.set_dataset(set);
  combined.set_complete(true);
  std::set<std::string> numerics, notes;
  for (const ReadyMadePart& part : parts) {
    const v1::Report& report = part.report;
    if (combined.conditions().empty()) {
      combined.set_model(report.model());
      combined.set_seed(report.seed());
      combined.set_confidence_level(report.confidence_level());
      *combined.mutable_class_names() = report.class_names();
    }
    if (!report.complete()) combined.set_complete(false);
    if (report.has_provenance()) {
      AddProvenance(report.provenance(), combined.mutable_provenance());
    }
    for (const v1::NumericsFingerprint& fingerprint : report.numerics()) {
      if (numerics.insert(fingerprint.SerializeAsString()).second) {
        *combined.add_numerics() = fingerprint;
      }
    }
    for (const std::string& note : report.notes()) {
      if (notes.insert(note).second) combined.add_notes(note);
    }
    for (const v1::ConditionReport& condition : report.conditions()) {
      v1::ConditionReport& entry = *combined.add_conditions();
      entry = condition;
      // Files of arrays name no classes; the clean images may.
      for (v1::ClassReport& one : *entry.mutable_classes()) {
        if (one.index() < combined.class_names_size()) {
          one.set_name(combined.class_names(one.index()));
        }
      }
      if (part.severity == 0) continue;
      entry.set_id(ReadyMadeId(set, part.corruption, part.severity));
      entry.set_family(kFamilyCorruption);
      entry.set_method(part.corruption);
      auto& parameters = *entry.mutable_parameters();
      parameters["severity"] = absl::StrCat(part.severity);
      // Made by somebody else with the table of the images' side, on all of the image.
      parameters["table"] = "auto";
      parameters["grid"] = "1";
      parameters["evaluation"] = report.evaluation();
      parameters["dataset"] = report.dataset();
    }
  }
  FillCorruptionSummary(reference, shape, &combined);
  return combined;
}

}  // namespace assay::report
