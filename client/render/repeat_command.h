// How a report comes about again: the call of `assay` that would make it.
#ifndef ASSAY_CLIENT_RENDER_REPEAT_COMMAND_H_
#define ASSAY_CLIENT_RENDER_REPEAT_COMMAND_H_

#include <string>

#include "absl/strings/string_view.h"
#include "assay/v1/reports.pb.h"

namespace assay::render {

// `given` as one word of a shell, quoted where it must be.
std::string ShellWord(absl::string_view given);

// An expression that gives the condition. Parameters that follow from the others are left out, but
// for those that the id names. Empty where none does, as for the blocks of a ready-made set.
std::string ConditionExpression(const v1::ConditionReport& condition);

// For a shell, in lines. Empty where some condition has no expression, where there are none, or
// where the evaluation stopped early: a call that gave another report would be worse than none.
std::string RepeatCommand(const v1::Report& report);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPEAT_COMMAND_H_
